/* falign reproduce: one study from its folder to its verdicts. */
#include "cli/commands.h"
#include "cli/ground.h"
#include "cli/live.h"
#include "cli/output.h"
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/command.h"
#include "reproduce/experiments.h"
#include "reproduce/meter.h"
#include "reproduce/page.h"
#include "reproduce/results.h"
#include "reproduce/show.h"
#include "reproduce/store.h"
#include "train/run_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
    cli_options options; /* with what the folder says, where it goes on */
    fal_study study;
    fal_stored stored;
    fal_run *folder;
    fal_meter meter;
    fal_device_info device; /* selector NULL: none is used */
    const fal_part *part;   /* that runs */
    size_t finished;        /* parts that are done */
    int resumes, silent;
    int begun; /* the folder is this study's */
    double seconds;
};

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

static fal_status open_new(struct job *job, const fal_experiment *const *list)
{
    const cli_options *options = &job->options;
    const fal_experiment *experiment = find(list, options->arguments[0]);
    fal_scale scale;
    if (!experiment)
        return fail_unknown(list, options->arguments[0]);
    fal_status status = choose_scale(options, FAL_SCALE_QUICK, &scale);
    if (status)
        return status;
    return fal_study_open(&job->study, experiment, scale,
                          cli_whole(options, CLI_STUDY_SEEDS),
                          cli_text(options, CLI_DATA), options);
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
static fal_status compare_words(const struct job *job, const char *folder)
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

static fal_status read_scale(const struct job *job, const char *folder,
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
                         "is for a new study; leave it out, or --resume"),
                options, odd[i]);
    return FAL_OK;
}

static fal_status open_stored(struct job *job, const fal_experiment *const *list)
{
    const char *folder = cli_text(&job->options, CLI_RESUME);
    const fal_experiment *experiment = NULL;
    fal_scale scale = FAL_SCALE_QUICK;
    fal_status status = check_new_options(&job->options);
    if (!status)
        status = fal_run_open_again(&job->folder, folder);
    if (!status)
        status = fal_stored_read(&job->stored, folder);
    if (!status)
        status = compare_words(job, folder);
    if (!status)
        status = read_scale(job, folder, &scale);
    if (!status)
        experiment = find(list, job->stored.experiment);
    if (!status && !experiment)
        status = fail_unknown(list, job->stored.experiment);
    if (status)
        return status;
    if (job->stored.device)
        cli_set_text(&job->options, CLI_DEVICE, job->stored.device);
    status = fal_study_open(&job->study, experiment, scale,
                            strtoull(job->stored.seeds, NULL, 10), job->stored.data,
                            &job->options);
    if (!status)
        status = fal_store_check(&job->stored, &job->study, folder);
    return status ? status
                  : fal_store_load(job->folder, &job->study, &job->finished);
}

/* ---- folder and device --------------------------------------------------- */

static fal_status open_folder(struct job *job)
{
    const char *out = cli_text(&job->options, CLI_OUT);
    char prefix[128];
    if (job->resumes)
        return FAL_OK;
    snprintf(prefix, sizeof prefix, "runs/reproduce-%s", job->study.spec.name);
    return out ? fal_run_open(&job->folder, out, cli_flag(&job->options, CLI_FORCE))
               : fal_run_open_numbered(&job->folder, prefix);
}

static fal_status open_device(struct job *job)
{
    fal_device *device;
    job->device.size = sizeof job->device;
    if (!job->study.experiment->on_device)
        return FAL_OK;
    fal_status status = fal_study_device(&job->study, &device);
    return status ? status : fal_device_describe(device, &job->device);
}

static fal_status begin_folder(struct job *job)
{
    if (job->begun)
        return FAL_OK;
    fal_status status = fal_store_begin(job->folder, &job->study,
                                        job->device.selector);
    job->begun = !status;
    return status;
}

/* ---- parts --------------------------------------------------------------- */

static void on_share(double share, void *user)
{
    struct job *job = user;
    fal_meter_move(&job->meter, job->part->key, share * job->part->seconds);
}

static fal_status run_part(struct job *job, size_t index)
{
    cJSON *result;
    double began = cli_clock();
    job->part = &job->study.parts.list[index];
    fal_status status = fal_study_run(&job->study, job->part, &result);
    if (!status)
        status = begin_folder(job);
    if (!status)
        status = fal_store_save(job->folder, job->part, result);
    if (status) {
        cJSON_Delete(result);
        return status;
    }
    job->study.parts.results[index] = result;
    job->finished++;
    fal_meter_move(&job->meter, job->part->key, 0);
    fal_meter_part(&job->meter, job->part, cli_clock() - began);
    return FAL_OK;
}

static fal_status run_parts(struct job *job)
{
    fal_status status = FAL_OK;
    double began = cli_clock();
    fal_meter_begin(&job->meter, &job->study, job->finished, job->silent);
    job->study.on_share = on_share;
    job->study.user = job;
    for (size_t i = 0; i < job->study.parts.count && !status; i++)
        if (cli_interrupted() || cli_broken())
            status = FAL_STOPPED;
        else if (!job->study.parts.results[i])
            status = run_part(job, i);
    job->seconds = cli_clock() - began;
    return status;
}

/* ---- the outcome --------------------------------------------------------- */

static fal_status write_page(struct job *job, const fal_outcome *outcome)
{
    char *text;
    fal_status status = fal_page_make(outcome, &text);
    if (!status)
        status = fal_run_write(job->folder, "report.html", text);
    free(text);
    return status;
}

static fal_status write_outcome(struct job *job, const fal_outcome *outcome,
                                fal_json *json)
{
    fal_status status = begin_folder(job);
    fal_results_json(outcome, json);
    if (!status)
        status = json->status;
    if (!status)
        status = fal_run_write(job->folder, "results.json", json->text);
    return status ? status : write_page(job, outcome);
}

static fal_status conclude(struct job *job)
{
    fal_json json = FAL_JSON;
    fal_outcome outcome = {.study = &job->study,
                           .device = job->device.name,
                           .platform = job->device.platform,
                           .seconds = job->seconds};
    fal_status status = job->study.experiment->conclude(&job->study,
                                                        &outcome.findings);
    if (!status)
        status = fal_verdicts_make(&outcome.verdicts, &job->study,
                                   &outcome.findings);
    if (!status)
        status = write_outcome(job, &outcome, &json);
    if (!status && !job->silent)
        fal_show_outcome(&outcome, fal_run_folder(job->folder));
    if (!status && cli_flag(&job->options, CLI_JSON))
        status = cli_print_json(&json);
    fal_json_release(&json);
    fal_verdicts_release(&outcome.verdicts);
    fal_findings_release(&outcome.findings);
    return status;
}

/* ---- ends ---------------------------------------------------------------- */

static void explain(const struct job *job)
{
    const char *what = cli_interrupted() ? "interrupted" : "stopped";
    const char *folder = fal_run_folder(job->folder);
    if (cli_flag(&job->options, CLI_QUIET) || (cli_broken() && !cli_interrupted()))
        return;
    if (!job->begun)
        cli_say("%s before the first part was done; nothing is left behind", what);
    else
        cli_say(
            "%s: %zu of %zu parts are done and kept; go on with falign reproduce "
            "--resume %s",
            what, job->finished, job->study.parts.count, folder);
}

/* What is done is not lost. */
static fal_status advise(const struct job *job, fal_status status)
{
    if (!job->begun || job->finished == 0)
        return status;
    return fal_fail(status,
                    "%s; %zu of %zu parts are done and kept; go on with falign "
                    "reproduce --resume %s",
                    fal_error_message(), job->finished, job->study.parts.count,
                    fal_run_folder(job->folder));
}

static fal_status run_study(struct job *job)
{
    fal_status status = open_device(job);
    if (!status)
        status = open_folder(job);
    if (status)
        return status;
    if (!job->silent)
        fal_show_head(&job->study, fal_run_folder(job->folder),
                      job->device.selector ? &job->device : NULL, job->finished);
    status = run_parts(job);
    if (!status)
        status = conclude(job);
    if (status == FAL_STOPPED)
        explain(job);
    else if (status)
        status = advise(job, status);
    return status;
}

static void close_job(struct job *job)
{
    if (job->begun)
        fal_run_close(job->folder);
    else
        fal_run_discard(job->folder);
    fal_study_close(&job->study);
    fal_stored_release(&job->stored);
}

int fal_reproduce(const cli_options *options, const fal_experiment *const *list)
{
    struct job job = {.options = *options,
                      .resumes = cli_flag(options, CLI_RESUME),
                      .begun = cli_flag(options, CLI_RESUME),
                      .silent = cli_flag(options, CLI_QUIET) ||
                                cli_flag(options, CLI_JSON)};
    if (!job.resumes && options->argument_count == 0)
        return cli_end(fal_show_list(options, list));
    cli_catch_interrupts();
    fal_status status = job.resumes ? open_stored(&job, list)
                                    : open_new(&job, list);
    if (!status)
        status = run_study(&job);
    close_job(&job);
    return cli_end(status);
}

int cli_reproduce(const cli_options *options)
{
    return fal_reproduce(options, fal_experiments);
}
