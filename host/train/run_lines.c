#include "train/run_lines.h"

#include <stdlib.h>
#include <string.h>

/* Whether a line, of `length` bytes, is one of a step before `step`. */
static int is_before(const char *line, size_t length, uint64_t step)
{
    static const char begin[] = "{\"type\":\"", key[] = "\"step\":";
    if (length < sizeof begin || line[length - 1] != '}' ||
        memcmp(line, begin, sizeof begin - 1) != 0)
        return 0;
    const char *found = strstr(line, key);
    return found && found < line + length &&
           strtoull(found + sizeof key - 1, NULL, 10) < step;
}

size_t fal_run_lines_before(const char *text, size_t size, uint64_t step)
{
    size_t kept = 0;
    while (kept < size) {
        const char *line = text + kept, *end = memchr(line, '\n', size - kept);
        if (!end || !is_before(line, (size_t)(end - line), step))
            break;
        kept = (size_t)(end + 1 - text);
    }
    return kept;
}
