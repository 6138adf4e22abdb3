#include "files/atomic.h"
#include "device/error.h"
#include "device/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- writing ------------------------------------------------------------- */

static _Thread_local long until_failure;

void fal_file_fail_at(long n)
{
    until_failure = n;
}

static int disk_full(void)
{
    if (until_failure <= 0 || --until_failure > 0)
        return 0;
    errno = ENOSPC;
    return 1;
}

void fal_file_abandon(fal_file_writer *w)
{
    if (w->file >= 0)
        close(w->file);
    if (w->temporary)
        unlink(w->temporary);
    fal_release(w->temporary);
    fal_release(w->path);
    *w = (fal_file_writer){.file = -1};
}

/* Reads errno, so nothing may come between the failing call and this one. */
static fal_status write_failed(fal_file_writer *w)
{
    fal_status status = fal_fail(FAL_ERROR_FILE,
                                 "writing file '%s': %s; the old file, if any, is "
                                 "unchanged; make room or choose another place",
                                 w->path, strerror(errno));
    fal_file_abandon(w);
    return status;
}

static fal_status not_open(void)
{
    return fal_fail(FAL_ERROR_FILE, "writing a file: it is not open, an earlier "
                                    "failure closed it; begin it again");
}

/* Renaming over a folder or a device such as /dev/null must not happen. */
static fal_status check_target(const char *path)
{
    struct stat facts;
    const char *what = "not a regular file";
    if (!*path)
        return fal_fail(FAL_ERROR_FILE,
                        "writing a file: its name is empty; name one");
    if (stat(path, &facts) != 0 || S_ISREG(facts.st_mode))
        return FAL_OK;
    if (S_ISDIR(facts.st_mode))
        what = "a folder";
    return fal_fail(
        FAL_ERROR_FILE,
        "writing file '%s': that is %s; name a file that may be replaced", path,
        what);
}

/* Names beside the target, until one is free: an earlier process of this number may
 * have been killed, another thread may be writing the same file. */
static fal_status open_temporary(fal_file_writer *w)
{
    size_t size = strlen(w->path) + 48;
    w->temporary = fal_allocate(size, 1);
    if (!w->temporary)
        return FAL_ERROR_MEMORY;
    for (int n = 0; n < 1000 && w->file < 0; n++) {
        snprintf(w->temporary, size, "%s.tmp-%ld-%d", w->path, (long)getpid(), n);
        w->file = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->file < 0 && errno != EEXIST)
            break;
    }
    if (w->file >= 0)
        return FAL_OK;
    fal_status status = fal_fail(
        FAL_ERROR_FILE,
        "file '%s': cannot be made: %s; see that its folder "
        "exists and can be written to",
        w->path, strerror(errno));
    /* The name may be another writer's, so it is not to be unlinked. */
    fal_release(w->temporary);
    w->temporary = NULL;
    return status;
}

fal_status fal_file_begin(fal_file_writer *w, const char *path)
{
    *w = (fal_file_writer){.file = -1};
    fal_status status = check_target(path);
    if (status != FAL_OK)
        return status;
    w->path = fal_copy_text(path);
    status = w->path ? open_temporary(w) : FAL_ERROR_MEMORY;
    if (status != FAL_OK)
        fal_file_abandon(w);
    return status;
}

fal_status fal_file_write(fal_file_writer *w, const void *data, size_t bytes)
{
    const char *from = data;
    if (!w->path)
        return not_open();
    if (disk_full())
        return write_failed(w);
    while (bytes > 0) {
        ssize_t written = write(w->file, from, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return write_failed(w);
        from += written;
        bytes -= (size_t)written;
    }
    return FAL_OK;
}

fal_status fal_file_commit(fal_file_writer *w)
{
    if (!w->path)
        return not_open();
    if (disk_full() || fsync(w->file) != 0)
        return write_failed(w);
    int closed = close(w->file);
    w->file = -1;
    if (closed != 0 || rename(w->temporary, w->path) != 0)
        return write_failed(w);
    fal_release(w->temporary);
    w->temporary = NULL; /* it is the file now */
    fal_file_abandon(w);
    return FAL_OK;
}

/* ---- reading ------------------------------------------------------------- */

static fal_status read_failed(const char *path, const char *why)
{
    return fal_fail(
        FAL_ERROR_FILE,
        "reading file '%s': %s; name a file that exists and can be read", path,
        why);
}

static fal_status check_source(const char *path, int file, size_t limit,
                               size_t *size)
{
    struct stat facts;
    if (fstat(file, &facts) != 0)
        return read_failed(path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return read_failed(path, "it is a folder, not a file");
    if (!S_ISREG(facts.st_mode))
        return read_failed(path, "it is not a regular file");
    if ((uintmax_t)facts.st_size > limit)
        return fal_fail(FAL_ERROR_FILE,
                        "reading file '%s': its %jd bytes are more than the %zu "
                        "allowed here; name another file",
                        path, (intmax_t)facts.st_size, limit);
    *size = (size_t)facts.st_size;
    return FAL_OK;
}

/* Reads up to *size bytes; *size becomes what there was. */
static fal_status read_bytes(const char *path, int file, unsigned char *to,
                             size_t *size)
{
    size_t done = 0;
    while (done < *size) {
        ssize_t got = read(file, to + done, *size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return read_failed(path, strerror(errno));
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *size = done;
    return FAL_OK;
}

static fal_status read_open(const char *path, int file, size_t limit,
                            unsigned char **data, size_t *size)
{
    size_t bytes = 0;
    /* Room for the zero byte: no file comes near SIZE_MAX. */
    fal_status status = check_source(path, file, limit, &bytes);
    if (status != FAL_OK)
        return status;
    unsigned char *block = fal_allocate(bytes + 1, 1);
    if (!block)
        return FAL_ERROR_MEMORY;
    status = read_bytes(path, file, block, &bytes);
    if (status != FAL_OK) {
        fal_release(block);
        return status;
    }
    block[bytes] = 0;
    *data = block;
    *size = bytes;
    return FAL_OK;
}

fal_status fal_file_read(const char *path, size_t limit, unsigned char **data,
                         size_t *size)
{
    /* Without O_NONBLOCK opening a pipe would wait for its other end. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return read_failed(path, strerror(errno));
    fal_status status = read_open(path, file, limit, data, size);
    close(file);
    return status;
}
