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

/* "runs/a/" is "runs/a": its end would count as one folder more. */
static void cut_slashes(char *path)
{
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = 0;
}

/* Something else has the name, or a folder that was taken back just now. */
static int why_not(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0 && !S_ISDIR(facts.st_mode) ? ENOTDIR : ENOENT;
}

/* Makes `path`, which is cut to each parent in turn and in case of failure stays so.
 * Returns what errno was. */
static int make_parts(char *path, size_t *made)
{
    size_t length = strlen(path);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        char kept = path[i];
        path[i] = 0;
        int failed = mkdir(path, 0777) != 0 ? errno : 0;
        if (failed && !is_folder(path))
            return failed == EEXIST ? why_not(path) : failed;
        if (!failed && *made == 0)
            *made = i;
        else if (failed && i == length)
            *made = 0;
        path[i] = kept;
    }
    return 0;
}

/* Other processes may be making the same parents, or taking theirs back. */
static fal_status make_path(char *path, const char *folder, size_t *made)
{
    int failed, tries = 0;
    do {
        strcpy(path, folder);
        cut_slashes(path);
        failed = make_parts(path, made);
    } while (failed == ENOENT && tries++ < 100);
    return failed ? make_failed(path, failed) : FAL_OK;
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
    fal_status status = make_path(path, folder, made);
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

/* What is open keeps its number, so that nothing new has the same. */
int fal_folder_is_same(const char *path, int place)
{
    struct stat named, held;
    return stat(path, &named) == 0 && fstat(place, &held) == 0 &&
           named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

static fal_status not_writable(const char *folder)
{
    return fal_fail(FAL_ERROR_FILE,
                    "run folder '%s': cannot be written: %s; see that you may, or "
                    "choose another",
                    folder, strerror(errno));
}

static fal_status not_locked(const char *folder)
{
    if (errno != EACCES && errno != EAGAIN)
        return not_writable(folder);
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "run folder '%s': another process is writing there; wait "
                    "for it, or choose another folder",
                    folder);
}

static fal_status lock_path(const char *folder, const char *path, int *lock,
                            int *gone)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    for (;;) {
        int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        *gone = file < 0 && errno == ENOENT;
        if (file < 0)
            return not_writable(folder);
        if (fcntl(file, F_SETLK, &whole) != 0) {
            fal_status status = not_locked(folder);
            close(file);
            return status;
        }
        /* It may have been removed by the one who held it before us. */
        if (fal_folder_is_same(path, file)) {
            *lock = file;
            return FAL_OK;
        }
        close(file);
    }
}

fal_status fal_folder_lock(const char *folder, int *lock, int *gone)
{
    char *path = fal_folder_path(folder, lock_name);
    if (!path)
        return FAL_ERROR_MEMORY;
    fal_status status = lock_path(folder, path, lock, gone);
    fal_release(path);
    return status;
}

fal_status fal_folder_hold(const char *folder, int *place)
{
    *place = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *place < 0 ? not_writable(folder) : FAL_OK;
}

void fal_folder_unlock(const char *folder, int lock)
{
    if (lock < 0)
        return;
    char *path = fal_folder_path(folder, lock_name);
    if (path && fal_folder_is_same(path, lock))
        unlink(path);
    fal_release(path);
    close(lock);
}
