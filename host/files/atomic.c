#include "files/atomic.h"
#include "device/error.h"
#include "device/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* ---- writing ------------------------------------------------------------- */

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

static const char *advice(int code)
{
    switch (code) {
    case ENAMETOOLONG:
        return "choose a shorter name";
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return "make room or choose another place";
    default:
        return "see that its folder exists and can be written to";
    }
}

/* Reads errno, so nothing may come between the failing call and this one. */
static fal_status write_failed(fal_file_writer *w)
{
    fal_status status = fal_fail(FAL_ERROR_FILE,
                                 "writing file '%s': %s; the old file, if any, is "
                                 "unchanged; %s",
                                 w->path, strerror(errno), advice(errno));
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

/* Bytes of the path that its temporary file's name begins with: the longest names
 * have no room for an end. */
static int kept_length(const char *path)
{
    enum { NAME_KEPT = 200 };
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash + 1 - path) : 0;
    size_t name = strlen(path + folder);
    return (int)(folder + (name < NAME_KEPT ? name : NAME_KEPT));
}

/* Names beside the target, until one is free: an earlier process of this number may
 * have been killed, another thread may be writing the same file. */
static fal_status open_temporary(fal_file_writer *w)
{
    size_t size = strlen(w->path) + 48;
    int kept = kept_length(w->path);
    w->temporary = fal_allocate(size, 1);
    if (!w->temporary)
        return FAL_ERROR_MEMORY;
    for (int n = 0; n < 1000 && w->file < 0; n++) {
        snprintf(w->temporary, size, "%.*s" FAL_FILE_TEMPORARY "%ld-%d", kept,
                 w->path, (long)getpid(), n);
        w->file = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->file < 0 && errno != EEXIST)
            break;
    }
    if (w->file >= 0)
        return FAL_OK;
    fal_status status = fal_fail(FAL_ERROR_FILE,
                                 "file '%s': cannot be made: %s; %s", w->path,
                                 strerror(errno), advice(errno));
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

void fal_file_begin_memory(fal_file_writer *w, void *memory)
{
    *w = (fal_file_writer){.file = -1, .memory = memory};
}

static fal_status write_memory(fal_file_writer *w, const void *data, size_t bytes)
{
    memcpy(w->memory, data, bytes);
    w->memory += bytes;
    return FAL_OK;
}

fal_status fal_file_write(fal_file_writer *w, const void *data, size_t bytes)
{
    const char *from = data;
    w->sum = (uint32_t)crc32_z(w->sum, data, bytes);
    if (w->memory)
        return write_memory(w, data, bytes);
    if (!w->path)
        return not_open();
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
    if (fsync(w->file) != 0)
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

static fal_status check_source(fal_file_reader *r, size_t limit)
{
    struct stat facts;
    if (fstat(r->file, &facts) != 0)
        return read_failed(r->path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return read_failed(r->path, "it is a folder, not a file");
    if (!S_ISREG(facts.st_mode))
        return read_failed(r->path, "it is not a regular file");
    if ((uintmax_t)facts.st_size > limit)
        return fal_fail(FAL_ERROR_FILE,
                        "reading file '%s': its %jd bytes are more than the %zu "
                        "allowed here; name another file",
                        r->path, (intmax_t)facts.st_size, limit);
    r->size = (size_t)facts.st_size;
    return FAL_OK;
}

fal_status fal_file_open(fal_file_reader *r, const char *path, size_t limit)
{
    /* Without O_NONBLOCK opening a pipe would wait for its other end. */
    *r = (fal_file_reader){.path = path,
                           .file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (r->file < 0)
        return read_failed(path, strerror(errno));
    fal_status status = check_source(r, limit);
    if (status != FAL_OK)
        fal_file_close(r);
    return status;
}

void fal_file_open_memory(fal_file_reader *r, const char *path, const void *memory,
                          size_t size)
{
    *r = (fal_file_reader){
        .path = path, .file = -1, .size = size, .memory = memory};
}

/* Readers ask for no more than the size they were told. */
static fal_status next_of_memory(fal_file_reader *r, void *to, size_t bytes)
{
    memcpy(to, r->memory, bytes);
    r->memory += bytes;
    return FAL_OK;
}

fal_status fal_file_next(fal_file_reader *r, void *to, size_t bytes)
{
    unsigned char *at = to;
    if (r->memory)
        return next_of_memory(r, to, bytes);
    while (bytes > 0) {
        ssize_t got = read(r->file, at, bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return read_failed(r->path, strerror(errno));
        if (got == 0)
            return read_failed(r->path, "it became shorter while it was read");
        at += got;
        bytes -= (size_t)got;
    }
    return FAL_OK;
}

void fal_file_close(fal_file_reader *r)
{
    if (r->file >= 0)
        close(r->file);
    r->file = -1;
}

/* All that there is, and a zero byte: no file comes near SIZE_MAX. */
static fal_status read_all(fal_file_reader *r, unsigned char **data, size_t *size)
{
    unsigned char *block = fal_allocate(r->size + 1, 1);
    if (!block)
        return FAL_ERROR_MEMORY;
    fal_status status = fal_file_next(r, block, r->size);
    if (status != FAL_OK) {
        fal_release(block);
        return status;
    }
    *data = block;
    *size = r->size;
    return FAL_OK;
}

fal_status fal_file_read(const char *path, size_t limit, unsigned char **data,
                         size_t *size)
{
    fal_file_reader r;
    fal_status status = fal_file_open(&r, path, limit);
    if (status != FAL_OK)
        return status;
    status = read_all(&r, data, size);
    fal_file_close(&r);
    return status;
}
