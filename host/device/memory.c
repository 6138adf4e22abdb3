#include "memory.h"
#include "error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local long until_failure;

void fal_memory_fail_at(long n)
{
    until_failure = n;
}

static int refused(size_t count, size_t size)
{
    int forced = until_failure > 0 && --until_failure == 0;
    if (!forced && (size == 0 || count <= SIZE_MAX / 2 / size))
        return 0;
    fal_fail(FAL_ERROR_MEMORY,
             "host memory: %zu items of %zu bytes are not to be had", count, size);
    return 1;
}

static void *checked(void *block, size_t count, size_t size)
{
    if (!block)
        fal_fail(FAL_ERROR_MEMORY,
                 "host memory: %zu bytes are not to be had; use a smaller network, "
                 "batch or data set",
                 count * size);
    return block;
}

void *fal_allocate(size_t count, size_t size)
{
    if (refused(count, size))
        return NULL;
    return checked(calloc(count ? count : 1, size ? size : 1), count, size);
}

void *fal_resize(void *block, size_t count, size_t size)
{
    if (refused(count, size))
        return NULL;
    size_t bytes = count * size;
    return checked(realloc(block, bytes ? bytes : 1), count, size);
}

char *fal_copy_text(const char *text)
{
    size_t length = strlen(text) + 1;
    char *copy = fal_allocate(length, 1);
    if (copy)
        memcpy(copy, text, length);
    return copy;
}

void fal_release(void *block)
{
    free(block);
}
