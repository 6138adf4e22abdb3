#include "report/input.h"
#include "cli/config.h"
#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"
#include "train/folder.h"
#include "train/run_files.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COMPARE_LIMIT = 1 << 26 };

/* ---- runs ---------------------------------------------------------------- */

static int is_same_folder(const char *one, const char *other)
{
    struct stat a, b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

static fal_status add_run(report_input *input, const char *folder)
{
    for (size_t i = 0; i < input->run_count; i++)
        if (is_same_folder(input->runs[i].folder, folder))
            return report_note(&input->notes, "%s: given twice; it counts once",
                               folder);
    report_run *runs = report_grown(input->runs, input->run_count, sizeof *runs);
    if (!runs)
        return FAL_ERROR_MEMORY;
    input->runs = runs;
    fal_status status = report_run_read(&runs[input->run_count], folder,
                                        &input->notes);
    input->run_count += status == FAL_OK;
    return status;
}

/* ---- comparisons --------------------------------------------------------- */

/* A run of a comparison; a name that leads out of the folder is none. */
static fal_status add_inner(report_input *input, const char *folder,
                            const char *name)
{
    char *path = fal_folder_path(folder, name);
    fal_status status = FAL_ERROR_MEMORY;
    if (path && !strchr(name, '/') && report_run_is_there(path))
        status = add_run(input, path);
    else if (path)
        status = report_note(
            &input->notes, "%s: compare.json names it, but no run is there", path);
    fal_release(path);
    return status;
}

static fal_status bad_compare(const char *folder, const char *why)
{
    return fal_fail(FAL_ERROR_FORMAT,
                    "comparison '%s': its compare.json %s; name the folders of its "
                    "runs",
                    folder, why);
}

static fal_status add_listed(report_input *input, const char *folder,
                             const char *text)
{
    fal_status status = FAL_OK;
    cJSON *root = cJSON_Parse(text);
    const cJSON *runs = cJSON_GetObjectItemCaseSensitive(root, "runs"), *run;
    if (!cJSON_IsArray(runs))
        status = bad_compare(folder, "is not one that falign wrote");
    cJSON_ArrayForEach(run, runs)
    {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(run, "folder");
        if (!status && !cJSON_IsString(name))
            status = bad_compare(folder, "has a run without a folder");
        if (!status)
            status = add_inner(input, folder, name->valuestring);
    }
    cJSON_Delete(root);
    return status;
}

static fal_status add_comparison(report_input *input, const char *folder,
                                 char *text)
{
    report_comparison *list = report_grown(input->comparisons,
                                           input->comparison_count, sizeof *list);
    if (!list) {
        fal_release(text);
        return FAL_ERROR_MEMORY;
    }
    input->comparisons = list;
    report_comparison *c = &list[input->comparison_count++];
    *c = (report_comparison){fal_copy_text(folder), text};
    return c->folder ? FAL_OK : FAL_ERROR_MEMORY;
}

static fal_status add_finished(report_input *input, const char *folder,
                               const char *path)
{
    unsigned char *text;
    size_t size;
    fal_status status = fal_file_read(path, COMPARE_LIMIT, &text, &size);
    if (!status)
        status = add_comparison(input, folder, (char *)text);
    return status ? status : add_listed(input, folder, (const char *)text);
}

/* ---- comparisons without a compare.json ---------------------------------- */

static int has_config(const char *folder, const char *name)
{
    char path[8192];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    return *name != '.' && length < (int)sizeof path && report_run_is_there(path);
}

static fal_status no_run(const char *folder, struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++)
        if (has_config(folder, entries[i]->d_name))
            return fal_fail(FAL_ERROR_ARGUMENT,
                            "run '%s': holds folders of runs but is none; name "
                            "them, such as '%s/%s'",
                            folder, folder, entries[i]->d_name);
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "run '%s': holds neither config.yaml nor compare.json; name the "
        "folder of a run or of a comparison",
        folder);
}

static fal_status add_entries(report_input *input, const char *folder,
                              struct dirent **entries, int count)
{
    fal_status status = FAL_OK;
    size_t before = input->run_count + input->notes.count;
    for (int i = 0; i < count && !status; i++)
        if (fal_run_is_compared(entries[i]->d_name) &&
            has_config(folder, entries[i]->d_name))
            status = add_inner(input, folder, entries[i]->d_name);
    if (status || input->run_count + input->notes.count > before)
        return status;
    return no_run(folder, entries, count);
}

/* A comparison that has not ended has its runs already. */
static fal_status add_unfinished(report_input *input, const char *folder)
{
    struct dirent **entries = NULL;
    size_t before = input->run_count;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0)
        return fal_fail(FAL_ERROR_FILE,
                        "run '%s': cannot be read: %s; see that you may", folder,
                        strerror(errno));
    fal_status status = add_entries(input, folder, entries, count);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    if (!status && input->run_count > before)
        status = add_comparison(input, folder, NULL);
    if (!status)
        status = report_note(&input->notes,
                             "%s: no compare.json: the comparison has not ended",
                             folder);
    return status;
}

/* ---- both ---------------------------------------------------------------- */

static fal_status check_folder(const char *folder)
{
    struct stat facts;
    if (stat(folder, &facts) != 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "run '%s': there is no such folder; name the folder that "
                        "train or compare made",
                        folder);
    if (S_ISDIR(facts.st_mode))
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "run '%s': is not a folder; name the folder that train or "
                    "compare made",
                    folder);
}

/* Its page is reproduce's. */
static fal_status check_experiment(const char *folder)
{
    char *experiment = NULL, *page = fal_folder_path(folder, "report.html");
    fal_status status = cli_config_text(folder, "experiment", &experiment);
    int is_one = !status && experiment;
    int is_made = page && access(page, F_OK) == 0;
    fal_release(experiment);
    fal_release(page);
    if (!page || status == FAL_ERROR_MEMORY)
        return FAL_ERROR_MEMORY;
    if (!is_one) /* what is wrong with config.yaml is said where that is read */
        return FAL_OK;
    if (is_made)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "run '%s': is the folder of an experiment; its page is "
                        "there already: %s/report.html",
                        folder, folder);
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "run '%s': is the folder of an experiment; falign reproduce "
                    "--resume %s makes its page",
                    folder, folder);
}

/* A comparison's folder may have a config.yaml too, with its rules. What is wrong with
 * a run's is said where that is read. */
static fal_status find_kind(const char *folder, int *is_run)
{
    char *rules = NULL;
    *is_run = report_run_is_there(folder);
    if (!*is_run)
        return FAL_OK;
    fal_status status = check_experiment(folder);
    if (status)
        return status;
    status = cli_config_text(folder, "rules", &rules);
    *is_run = rules == NULL;
    fal_release(rules);
    return status == FAL_ERROR_MEMORY ? status : FAL_OK;
}

static fal_status add_folder(report_input *input, const char *folder)
{
    int is_run = 0;
    fal_status status = check_folder(folder);
    if (!status)
        status = find_kind(folder, &is_run);
    if (status || is_run)
        return status ? status : add_run(input, folder);
    char *path = fal_folder_path(folder, "compare.json");
    if (!path)
        return FAL_ERROR_MEMORY;
    if (access(path, F_OK) == 0)
        status = add_finished(input, folder, path);
    else
        status = add_unfinished(input, folder);
    fal_release(path);
    return status;
}

static fal_status check_lines(const report_input *input)
{
    for (size_t i = 0; i < input->run_count; i++)
        if (input->runs[i].lines > 0)
            return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "report: %s; name a run that has been trained",
                    input->notes.count > 0 ? input->notes.texts[0]
                                           : "the comparison has no runs");
}

/* A slash at the end would show in every path. */
static fal_status add_argument(report_input *input, const char *argument)
{
    char *folder = fal_copy_text(argument);
    if (!folder)
        return FAL_ERROR_MEMORY;
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--)
        folder[n - 1] = 0;
    fal_status status = add_folder(input, folder);
    fal_release(folder);
    return status;
}

fal_status report_input_read(report_input *input, char **folders, size_t count)
{
    fal_status status = FAL_OK;
    *input = (report_input){.runs = NULL};
    for (size_t i = 0; i < count && !status; i++)
        status = add_argument(input, folders[i]);
    return status ? status : check_lines(input);
}

void report_input_release(report_input *input)
{
    for (size_t i = 0; i < input->run_count; i++)
        report_run_release(&input->runs[i]);
    for (size_t i = 0; i < input->comparison_count; i++) {
        fal_release(input->comparisons[i].folder);
        fal_release(input->comparisons[i].text);
    }
    fal_release(input->runs);
    fal_release(input->comparisons);
    report_notes_release(&input->notes);
    *input = (report_input){.runs = NULL};
}
