#include "error.h"
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[8192];

const char *fal_error_message(void)
{
    return message;
}

const char *fal_status_name(fal_status status)
{
    switch (status) {
#define FAL_NAME(name, value, text)                                                \
    case name:                                                                     \
        return text;
        FAL_STATUSES(FAL_NAME)
#undef FAL_NAME
    }
    return "unknown status";
}

/* What messages quote, names of files above all, must not steer a terminal or forge
 * a line: this is the one place that sees to it. */
fal_status fal_fail(fal_status status, const char *format, ...)
{
    /* The arguments may point into the old message. */
    char text[sizeof message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fal_printable(message, sizeof message, text, "");
    return status;
}

fal_status fal_fail_within(fal_status status, const char *format, ...)
{
    char prefix[512], rest[sizeof message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    memcpy(rest, message, sizeof rest);
    fal_fail(status, "%s: ", prefix);
    return fal_fail_with_lines(status, rest);
}

fal_status fal_fail_with_lines(fal_status status, const char *lines)
{
    size_t used = strlen(message);
    fal_printable(message + used, sizeof message - used, lines, "\n\t");
    return status;
}

/* Levenshtein distance, capitals as small letters; names longer than the row are
 * never near. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);
    if (n >= 64)
        return 64;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t best = diagonal + (tolower((unsigned char)a[i]) !=
                                      tolower((unsigned char)b[j]));
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j + 1] + 1 < best)
                best = row[j + 1] + 1;
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    return row[n];
}

const char *fal_nearest(const char *name, const char *const *known, size_t count)
{
    const char *nearest = NULL;
    size_t length = strlen(name), least = length / 3 + 2;
    if (length >= 64)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (length > 2 && strncmp(name, known[i], length) == 0)
            return known[i]; /* its beginning */
        size_t d = distance(name, known[i]);
        if (d < least && d < strlen(known[i])) {
            least = d;
            nearest = known[i];
        }
    }
    return nearest;
}

fal_status fal_fail_unknown(const char *what, const char *unknown,
                            const char *const *known, size_t count)
{
    char list[2048] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                 i ? ", " : "", known[i]);
    const char *nearest = fal_nearest(unknown, known, count);
    return fal_fail(FAL_ERROR_ARGUMENT, "unknown %s '%.200s'; known: %s%s%s%s",
                    what, unknown, list, nearest ? "; did you mean '" : "",
                    nearest ? nearest : "", nearest ? "'?" : "");
}
