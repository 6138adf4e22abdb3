#include "train/folder.h"
#include "device/error.h"
#include "device/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const fal_run_file fal_run_files[] = {
    {"config.yaml", "every option of the run, resolved"},
    {"metrics.jsonl", "one JSON object a line: after every --log steps and after "
                      "each epoch"},
    {"start.safetensors", "weights and feedback before the first step"},
    {"model.safetensors", "weights after the last epoch; what evaluate and --init "
                          "take"},
    {"compare.json", "of compare, whose runs are folders RULE-SEED beside it: "
                     "options, runs, and mean and deviation by rule"},
};
const size_t fal_run_file_count = sizeof fal_run_files / sizeof *fal_run_files;

static const char lock_name[] = ".falign-lock";

char *fal_folder_path(const char *folder, const char *name)
{
    char *path = fal_allocate(strlen(folder) + strlen(name) + 2, 1);
    if (path)
        sprintf(path, "%s/%s", folder, name);
    return path;
}

/* ---- making -------------------------------------------------------------- */

static int is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

static fal_status make_failed(const char *folder, int code)
{
    return fal_fail(
        FAL_ERROR_FILE,
        "run folder '%s': cannot be made: %s; choose another with --out", folder,
        strerror(code));
}

/* Makes `path`, which is cut to each parent in turn; two processes may be making
 * the same parents. */
static fal_status make_parts(char *path, size_t *made)
{
    size_t length = strlen(path);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        char kept = path[i];
        path[i] = 0;
        int failed = mkdir(path, 0777) != 0 ? errno : 0;
        if (failed && !is_folder(path))
            return make_failed(path, failed == EEXIST ? ENOTDIR : failed);
        if (!failed && *made == 0)
            *made = i;
        else if (failed && i == length)
            *made = 0;
        path[i] = kept;
    }
    return FAL_OK;
}

/* "runs/a/" is "runs/a": its end would count as one folder more. */
static void cut_slashes(char *path)
{
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = 0;
}

fal_status fal_folder_make(const char *folder, size_t *made)
{
    *made = 0;
    if (!*folder)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "run folder: the name is empty; name one with --out");
    char *path = fal_copy_text(folder);
    if (!path)
        return FAL_ERROR_MEMORY;
    cut_slashes(path);
    fal_status status = make_parts(path, made);
    fal_release(path);
    if (status)
        fal_folder_unmake(folder, *made);
    return status;
}

void fal_folder_unmake(const char *folder, size_t made)
{
    char *path = made ? fal_copy_text(folder) : NULL;
    if (!path)
        return;
    for (size_t i = strlen(path); i >= made; i--) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        path[i] = 0;
        rmdir(path);
    }
    fal_release(path);
}

/* ---- locking ------------------------------------------------------------- */

/* The file may have been removed by the one who held it before us. */
static int still_there(const char *path, int file)
{
    struct stat named, held;
    return stat(path, &named) == 0 && fstat(file, &held) == 0 &&
           named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

static fal_status lock_failed(const char *folder)
{
    if (errno == EACCES || errno == EAGAIN)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "run folder '%s': another process is writing there; wait "
                        "for it, or choose another with --out",
                        folder);
    return fal_fail(FAL_ERROR_FILE,
                    "run folder '%s': cannot be written: %s; choose another with "
                    "--out",
                    folder, strerror(errno));
}

static fal_status lock_path(const char *folder, const char *path, int *lock)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    for (;;) {
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (file < 0) {
            if (errno == EACCES)
                errno = EPERM; /* the folder's permissions, not a lock */
            return lock_failed(folder);
        }
        if (fcntl(file, F_SETLK, &whole) != 0) {
            fal_status status = lock_failed(folder);
            close(file);
            return status;
        }
        if (still_there(path, file)) {
            *lock = file;
            return FAL_OK;
        }
        close(file);
    }
}

fal_status fal_folder_lock(const char *folder, int *lock)
{
    char *path = fal_folder_path(folder, lock_name);
    if (!path)
        return FAL_ERROR_MEMORY;
    fal_status status = lock_path(folder, path, lock);
    fal_release(path);
    return status;
}

void fal_folder_unlock(const char *folder, int lock)
{
    if (lock < 0)
        return;
    char *path = fal_folder_path(folder, lock_name);
    if (path)
        unlink(path);
    fal_release(path);
    close(lock);
}

/* ---- looking and clearing ------------------------------------------------ */

/* Calls `visit` with each file of a run that is in the folder. */
typedef fal_status (*file_visit)(const char *path, void *user);

static fal_status visit_files(const char *folder, file_visit visit, void *user)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < fal_run_file_count && !status; i++) {
        struct stat facts;
        char *path = fal_folder_path(folder, fal_run_files[i].name);
        if (!path)
            return FAL_ERROR_MEMORY;
        if (lstat(path, &facts) == 0)
            status = visit(path, user);
        fal_release(path);
    }
    return status;
}

/* RULE-SEED, as comparisons name their runs. */
static int is_run_name(const char *name)
{
    for (size_t i = 0; i < fal_rule_count(); i++) {
        size_t length = strlen(fal_rule_name(i));
        const char *seed = name + length + 1;
        if (strncmp(name, fal_rule_name(i), length) == 0 && name[length] == '-' &&
            *seed && strspn(seed, "0123456789") == strlen(seed))
            return 1;
    }
    return 0;
}

static fal_status visit_runs(const char *folder, DIR *entries, int remove,
                             file_visit visit, void *user)
{
    struct dirent *entry;
    fal_status status = FAL_OK;
    while (!status && (entry = readdir(entries)) != NULL) {
        if (!is_run_name(entry->d_name))
            continue;
        char *path = fal_folder_path(folder, entry->d_name);
        if (!path)
            return FAL_ERROR_MEMORY;
        status = visit_files(path, visit, user);
        if (!status && remove)
            rmdir(path);
        fal_release(path);
    }
    return status;
}

static fal_status visit_all(const char *folder, int remove, file_visit visit,
                            void *user)
{
    fal_status status = visit_files(folder, visit, user);
    DIR *entries = status ? NULL : opendir(folder);
    if (!entries)
        return status;
    status = visit_runs(folder, entries, remove, visit, user);
    closedir(entries);
    return status;
}

static fal_status note_file(const char *path, void *holds)
{
    (void)path;
    *(int *)holds = 1;
    return FAL_OK;
}

fal_status fal_folder_holds_run(const char *folder, int *holds)
{
    *holds = 0;
    return visit_all(folder, 0, note_file, holds);
}

static fal_status remove_file(const char *path, void *user)
{
    (void)user;
    if (unlink(path) == 0)
        return FAL_OK;
    return fal_fail(FAL_ERROR_FILE,
                    "run folder: '%s' of an older run cannot be removed: %s; "
                    "choose another folder with --out",
                    path, strerror(errno));
}

fal_status fal_folder_clear(const char *folder)
{
    return visit_all(folder, 1, remove_file, NULL);
}
