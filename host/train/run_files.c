#include "train/run_files.h"
#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"
#include "train/events.h"
#include "train/folder.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The configuration, by which a run is known, comes first. */
const fal_run_file fal_run_files[] = {
    {"config.yaml", "every option of the run, resolved"},
    {"metrics.jsonl", "one JSON object a line: after every --log steps, where "
                      "--measure measures, and after each epoch"},
    {"start.safetensors", "weights and feedback before the first step"},
    {"model.safetensors", "weights after the last epoch; what evaluate and --init "
                          "take"},
    {FAL_EVENTS_NAME, "of --tensorboard: the numbers of metrics.jsonl, for "
                      "TensorBoard"},
    {"report.html", "of report: the run, or the comparison, as a page of figures"},
    {"checkpoint.safetensors", "of every --checkpoint: all that --resume needs"},
    {"results.json", "of reproduce, whose parts are in the folder parts beside it: "
                     "every figure with its values and spread, settings and "
                     "verdicts"},
    {"profile.json", "of train --profile: what each kernel took for each layer"},
    {"compare.json", "of compare, whose runs are folders RULE-SEED beside it: "
                     "options, runs, and mean and deviation by rule"},
};
const size_t fal_run_file_count = sizeof fal_run_files / sizeof *fal_run_files;

/* ---- looking ------------------------------------------------------------- */

/* Is called with a file of a run, or an entry, that is in the folder. */
typedef fal_status (*file_visit)(const char *folder, const char *name, void *user);

/* From the last: the configuration is removed when all else is. */
static fal_status visit_files(const char *folder, file_visit visit, void *user)
{
    fal_status status = FAL_OK;
    for (size_t i = fal_run_file_count; i-- > 0 && !status;) {
        struct stat facts;
        char *path = fal_folder_path(folder, fal_run_files[i].name);
        if (!path)
            return FAL_ERROR_MEMORY;
        if (lstat(path, &facts) == 0)
            status = visit(folder, fal_run_files[i].name, user);
        fal_release(path);
    }
    return status;
}

/* Calls `visit` with each entry whose name is one of these. */
static fal_status visit_entries(const char *folder, int (*is_one)(const char *name),
                                file_visit visit, void *user)
{
    fal_status status = FAL_OK;
    struct dirent *entry;
    DIR *entries = opendir(folder);
    if (!entries)
        return FAL_OK;
    while (!status && (entry = readdir(entries)) != NULL)
        if (is_one(entry->d_name))
            status = visit(folder, entry->d_name, user);
    closedir(entries);
    return status;
}

static int is_number(const char *text, const char *end)
{
    return end > text && text + strspn(text, "0123456789") == end;
}

int fal_run_is_compared(const char *name)
{
    for (size_t i = 0; i < fal_rule_count(); i++) {
        size_t length = strlen(fal_rule_name(i));
        if (strncmp(name, fal_rule_name(i), length) == 0 && name[length] == '-' &&
            is_number(name + length + 1, name + strlen(name)))
            return 1;
    }
    return 0;
}

struct inner {
    file_visit visit;
    void *user;
};

static fal_status visit_inner(const char *folder, const char *name, void *user)
{
    const struct inner *inner = user;
    char *path = fal_folder_path(folder, name);
    fal_status status = path ? visit_files(path, inner->visit, inner->user)
                             : FAL_ERROR_MEMORY;
    fal_release(path);
    return status;
}

/* The files of the run, and of the runs that a comparison has in the folder. */
static fal_status visit_all(const char *folder, file_visit visit, void *user)
{
    struct inner inner = {visit, user};
    fal_status status = visit_files(folder, visit, user);
    return status ? status
                  : visit_entries(folder, fal_run_is_compared, visit_inner, &inner);
}

static fal_status note_file(const char *folder, const char *name, void *exist)
{
    (void)folder, (void)name;
    *(int *)exist = 1;
    return FAL_OK;
}

fal_status fal_run_files_exist(const char *folder, int *exist)
{
    *exist = 0;
    return visit_all(folder, note_file, exist);
}

/* ---- whose they are ------------------------------------------------------ */

static int begins_with(const char *folder, const char *name, const char *mark)
{
    char text[32] = "";
    fal_file_reader reader;
    char *path = fal_folder_path(folder, name);
    if (path && fal_file_open(&reader, path, SIZE_MAX) == FAL_OK) {
        if (fal_file_next(&reader, text, strlen(mark)) != FAL_OK)
            *text = 0;
        fal_file_close(&reader);
    }
    fal_release(path);
    return strncmp(text, mark, strlen(mark)) == 0;
}

int fal_run_files_are_ours(const char *folder)
{
    return begins_with(folder, "config.yaml", FAL_CONFIG_MARK);
}

static fal_status check_file(const char *folder, const char *name, void *user)
{
    (void)user;
    if (fal_run_files_are_ours(folder) ||
        (strcmp(name, "compare.json") == 0 &&
         begins_with(folder, name, "{\"config\":{")) ||
        (strcmp(name, "report.html") == 0 &&
         begins_with(folder, name, FAL_REPORT_MARK)))
        return FAL_OK;
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "run folder: '%s/%s' is there without a config.yaml that falign "
        "wrote, so it may be yours; choose another folder with --out",
        folder, name);
}

fal_status fal_run_files_check(const char *folder)
{
    return visit_all(folder, check_file, NULL);
}

/* ---- clearing ------------------------------------------------------------ */

/* FILE.tmp-PROCESS-NUMBER: see files/atomic.h. NULL: it is no such name, else where
 * FILE ends. */
static const char *find_mark(const char *name)
{
    static const char mark[] = FAL_FILE_TEMPORARY;
    const char *at = strstr(name, mark), *dash = strrchr(name, '-');
    return at && is_number(at + sizeof mark - 1, dash) &&
                   is_number(dash + 1, name + strlen(name))
               ? at
               : NULL;
}

static int is_temporary(const char *name)
{
    const char *at = find_mark(name);
    if (!at)
        return 0;
    for (size_t i = 0; i < fal_run_file_count; i++) {
        size_t length = strlen(fal_run_files[i].name);
        if (name + length == at &&
            strncmp(name, fal_run_files[i].name, length) == 0)
            return 1;
    }
    return 0;
}

static fal_status remove_file(const char *folder, const char *name, void *user)
{
    (void)user;
    char *path = fal_folder_path(folder, name);
    if (!path)
        return FAL_ERROR_MEMORY;
    fal_status status = FAL_OK;
    if (unlink(path) != 0)
        status = fal_fail(FAL_ERROR_FILE,
                          "run folder: '%s' of an older run cannot be removed: %s; "
                          "choose another folder with --out",
                          path, strerror(errno));
    fal_release(path);
    return status;
}

/* ---- parts of experiments ------------------------------------------------ */

static int ends_as_part(const char *name, const char *end)
{
    static const char kind[] = ".json";
    size_t behind = sizeof kind - 1;
    return (size_t)(end - name) > behind &&
           strncmp(end - behind, kind, behind) == 0;
}

static int is_part(const char *name)
{
    return ends_as_part(name, name + strlen(name));
}

static int is_temporary_part(const char *name)
{
    const char *mark = find_mark(name);
    return mark && ends_as_part(name, mark);
}

/* Elsewhere files of such names are someone else's. */
static int is_of_experiment(const char *folder)
{
    enum { CONFIG_LIMIT = 1 << 20 };
    unsigned char *text = NULL;
    size_t size;
    char *path = fal_folder_path(folder, "config.yaml");
    int is = path && fal_run_files_are_ours(folder) &&
             fal_file_read(path, CONFIG_LIMIT, &text, &size) == FAL_OK &&
             strstr((const char *)text, "\nexperiment: ") != NULL;
    fal_release(text);
    fal_release(path);
    return is;
}

static fal_status remove_parts(const char *folder, int (*is_one)(const char *name))
{
    if (!is_of_experiment(folder))
        return FAL_OK;
    char *path = fal_folder_path(folder, FAL_PARTS_FOLDER);
    fal_status status = path ? visit_entries(path, is_one, remove_file, NULL)
                             : FAL_ERROR_MEMORY;
    if (!status)
        rmdir(path); /* fails where there is something else */
    fal_release(path);
    return status;
}

/* ---- all ----------------------------------------------------------------- */

fal_status fal_run_files_sweep(const char *folder)
{
    fal_status status = visit_entries(folder, is_temporary, remove_file, NULL);
    return status ? status : remove_parts(folder, is_temporary_part);
}

static fal_status clear_folder(const char *folder)
{
    fal_status status = fal_run_files_sweep(folder);
    if (!status)
        status = remove_parts(folder, is_part);
    return status ? status : visit_files(folder, remove_file, NULL);
}

static fal_status clear_inner(const char *folder, const char *name, void *user)
{
    (void)user;
    char *path = fal_folder_path(folder, name);
    fal_status status = path ? clear_folder(path) : FAL_ERROR_MEMORY;
    if (!status)
        rmdir(path);
    fal_release(path);
    return status;
}

fal_status fal_run_files_clear(const char *folder)
{
    fal_status status = visit_entries(folder, fal_run_is_compared, clear_inner,
                                      NULL);
    return status ? status : clear_folder(folder);
}
