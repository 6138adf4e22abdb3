#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

static long until_failure, failures;
static const char *first;
static int stays_full;

void disk_fail_at(long n)
{
    until_failure = n;
    failures = stays_full = 0;
    first = NULL;
}

void disk_full_at(long n)
{
    disk_fail_at(n);
    stays_full = 1;
}

long disk_failures(void)
{
    return failures;
}

const char *disk_failed(void)
{
    return first;
}

static int fails(const char *call)
{
    int full = stays_full && failures > 0;
    if (!full && (until_failure == 0 || --until_failure > 0))
        return 0;
    first = failures++ ? first : call;
    errno = ENOSPC;
    return 1;
}

/* ---- what the linker puts in the place of the system's ---------------------- */

ssize_t __real_write(int file, const void *data, size_t bytes);
ssize_t __wrap_write(int file, const void *data, size_t bytes);
int __real_fsync(int file);
int __wrap_fsync(int file);
int __real_close(int file);
int __wrap_close(int file);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

ssize_t __wrap_write(int file, const void *data, size_t bytes)
{
    if (!fails("write"))
        return __real_write(file, data, bytes);
    return stays_full && failures == 1 && bytes > 1
               ? __real_write(file, data, bytes / 2)
               : -1;
}

int __wrap_fsync(int file)
{
    return fails("fsync") ? -1 : __real_fsync(file);
}

/* The file is closed all the same, as the system does. */
int __wrap_close(int file)
{
    int closed = __real_close(file);
    return fails("close") ? -1 : closed;
}

int __wrap_rename(const char *from, const char *to)
{
    return fails("rename") ? -1 : __real_rename(from, to);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    return fails("mkdir") ? -1 : __real_mkdir(path, mode);
}

static mode_t mode_of(int flags, va_list *arguments)
{
    return flags & O_CREAT ? (mode_t)va_arg(*arguments, unsigned) : 0;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, &arguments);
    va_end(arguments);
    return flags & O_CREAT && fails("open") ? -1 : __real_open(path, flags, mode);
}

/* The same where files are large. */
int __wrap_open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, &arguments);
    va_end(arguments);
    return flags & O_CREAT && fails("open") ? -1 : __real_open64(path, flags, mode);
}
