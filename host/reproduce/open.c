/* From the words of a command line, or from a folder, to a study. */
#include "device/error.h"
#include "reproduce/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which study --------------------------------------------------------- */

static const fal_experiment *find(const fal_experiment *const *list,
                                  const char *name)
{
    while (*list && strcmp((*list)->name, name) != 0)
        list++;
    return *list;
}

static fal_status fail_unknown(const fal_experiment *const *list, const char *name)
{
    enum { MOST = 64 };
    const char *known[MOST];
    size_t count = 0;
    for (; *list && count < MOST; list++)
        known[count++] = (*list)->name;
    return fal_fail_unknown("experiment", name, known, count);
}

/* Of the flags; `fallback` where none is given. */
static fal_status choose_scale(const cli_options *options, fal_scale fallback,
                               fal_scale *scale)
{
    static const cli_id flags[FAL_SCALES] = {CLI_TINY, CLI_QUICK, CLI_FULL};
    int given = 0;
    *scale = fallback;
    for (int i = 0; i < FAL_SCALES; i++)
        if (cli_flag(options, flags[i])) {
            *scale = (fal_scale)i;
            given++;
        }
    if (given < 2)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "options --tiny, --quick, --full: only one of them goes; keep "
                    "one");
}

static fal_status open_new(fal_job *job, const fal_experiment *const *list)
{
    const cli_options *options = &job->options;
    const fal_experiment *experiment = find(list, options->arguments[0]);
    fal_scale scale;
    if (!experiment)
        return fail_unknown(list, options->arguments[0]);
    fal_status status = choose_scale(options, FAL_SCALE_QUICK, &scale);
    if (status)
        return status;
    status = fal_study_open(&job->study, experiment, scale,
                            cli_whole(options, CLI_STUDY_SEEDS),
                            cli_text(options, CLI_DATA), options);
    if (!status && cli_flag(options, CLI_DATA) && !job->study.spec.data)
        status = cli_fail_option(fal_fail(FAL_ERROR_ARGUMENT,
                                          "%s takes no data set; leave it out",
                                          experiment->name),
                                 options, CLI_DATA);
    return status;
}

/* ---- going on ------------------------------------------------------------ */

static fal_status differ(const char *what, const char *here, const char *folder,
                         const char *there)
{
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "%s: %s here, but '%s' was begun with %s; leave it out, or begin "
        "a new one with --out",
        what, here, folder, there ? there : "none");
}

/* What the command line says again must be the same. */
static fal_status compare_words(const fal_job *job, const char *folder)
{
    const cli_options *words = &job->options;
    const fal_stored *s = &job->stored;
    char seeds[32];
    snprintf(seeds, sizeof seeds, "%llu",
             (unsigned long long)cli_whole(words, CLI_STUDY_SEEDS));
    const char *name = words->argument_count ? words->arguments[0] : NULL;
    const char *data = cli_text(words, CLI_DATA);
    if (name && strcmp(name, s->experiment) != 0)
        return differ("experiment", name, folder, s->experiment);
    if (cli_given(words, CLI_STUDY_SEEDS) && strcmp(seeds, s->seeds) != 0)
        return differ("option --seeds", seeds, folder, s->seeds);
    if (data && (!s->data || strcmp(data, s->data) != 0))
        return differ("option --data", data, folder, s->data);
    const char *device = cli_text(words, CLI_DEVICE);
    if (device && s->device && strcmp(device, s->device) != 0)
        return differ("option --device", device, folder, s->device);
    return FAL_OK;
}

static fal_status read_scale(const fal_job *job, const char *folder,
                             fal_scale *scale)
{
    fal_scale there = FAL_SCALE_TINY;
    while (there < FAL_SCALE_FULL &&
           strcmp(fal_scale_names[there], job->stored.scale) != 0)
        there++;
    fal_status status = choose_scale(&job->options, there, scale);
    if (!status && *scale != there)
        status = differ("scale", fal_scale_names[*scale], folder,
                        fal_scale_names[there]);
    return status;
}

static fal_status check_new_options(const cli_options *options)
{
    static const cli_id odd[] = {CLI_OUT, CLI_FORCE};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        if (cli_flag(options, odd[i]))
            return cli_fail_option(
                fal_fail(FAL_ERROR_ARGUMENT,
                         "is for a new experiment; leave it out, or --resume"),
                options, odd[i]);
    return FAL_OK;
}

static fal_status open_folder(fal_job *job, const char *folder, fal_scale *scale)
{
    fal_status status = check_new_options(&job->options);
    if (!status)
        status = fal_run_open_again(&job->folder, folder);
    if (!status)
        status = fal_stored_read(&job->stored, folder);
    if (!status)
        status = compare_words(job, folder);
    return status ? status : read_scale(job, folder, scale);
}

static fal_status open_stored(fal_job *job, const fal_experiment *const *list)
{
    const char *folder = cli_text(&job->options, CLI_RESUME);
    fal_scale scale = FAL_SCALE_QUICK;
    fal_status status = open_folder(job, folder, &scale);
    if (status)
        return status;
    const fal_experiment *experiment = find(list, job->stored.experiment);
    if (!experiment)
        return fail_unknown(list, job->stored.experiment);
    if (job->stored.device)
        cli_set_text(&job->options, CLI_DEVICE, job->stored.device);
    status = fal_study_open(&job->study, experiment, scale,
                            strtoull(job->stored.seeds, NULL, 10), job->stored.data,
                            &job->options);
    if (!status)
        status = fal_store_check(&job->stored, &job->study, folder);
    return status ? status : fal_store_load(job->folder, &job->study, &job->before);
}

/* ---- both ---------------------------------------------------------------- */

fal_status fal_job_open(fal_job *job, const fal_experiment *const *list)
{
    fal_status status = job->resumes ? open_stored(job, list) : open_new(job, list);
    const fal_study *study = &job->study;
    if (status || study->parts.count > 0 || !study->data_missing)
        return status;
    return fal_fail(FAL_ERROR_FILE, "%s: every part %s", study->spec.name,
                    study->data_missing);
}
