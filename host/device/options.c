#include "device/options.h"
#include "device/error.h"

#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t size_of(const void *given)
{
    size_t size;
    memcpy(&size, given, sizeof size);
    return size;
}

void fal_options_init(void *given, size_t size, const void *defaults, size_t known)
{
    if (!given || size < sizeof size)
        return;
    memset(given, 0, size);
    memcpy(given, defaults, smaller(size, known));
    memcpy(given, &size, sizeof size);
}

fal_status fal_options_check(const void *given, size_t known, const char *what)
{
    size_t size = size_of(given);
    if (size < sizeof size)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "%s: its size field says %zu bytes; set it by the initialiser "
            "macro or the init function",
            what, size);
    if (size > known)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "%s: its size field says %zu bytes, this library knows %zu; "
            "set it by the initialiser macro, or use the library that "
            "came with the header",
            what, size, known);
    return FAL_OK;
}

fal_status fal_options_read(void *into, size_t into_size, const void *defaults,
                            const void *given, const char *what)
{
    if (given) {
        fal_status status = fal_options_check(given, into_size, what);
        if (status)
            return status;
    }
    memcpy(into, defaults, into_size);
    if (given)
        memcpy(into, given, size_of(given));
    memcpy(into, &into_size, sizeof into_size);
    return FAL_OK;
}

fal_status fal_options_write(void *given, const void *values, size_t known,
                             const char *what)
{
    fal_status status = fal_options_check(given, known, what);
    if (status)
        return status;
    size_t size = size_of(given);
    memcpy(given, values, size);
    memcpy(given, &size, sizeof size);
    return FAL_OK;
}
