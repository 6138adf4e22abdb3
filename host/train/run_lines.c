#include "train/run_lines.h"

#include <stdlib.h>
#include <string.h>

/* Whether a line, of `length` bytes, is one of a step before `step`: of *found. */
static int is_before(const char *line, size_t length, uint64_t step,
                     uint64_t *found)
{
    static const char begin[] = "{\"type\":\"", key[] = "\"step\":";
    if (length < sizeof begin || line[length - 1] != '}' ||
        memcmp(line, begin, sizeof begin - 1) != 0)
        return 0;
    const char *place = strstr(line, key);
    if (!place || place >= line + length)
        return 0;
    unsigned long long number = strtoull(place + sizeof key - 1, NULL, 10);
    if (number < step)
        *found = number;
    return number < step;
}

size_t fal_run_lines_before(const char *text, size_t size, uint64_t step,
                            uint64_t *last)
{
    size_t kept = 0;
    *last = 0;
    while (kept < size) {
        const char *line = text + kept, *end = memchr(line, '\n', size - kept);
        if (!end || !is_before(line, (size_t)(end - line), step, last))
            break;
        kept = (size_t)(end + 1 - text);
    }
    return kept;
}
