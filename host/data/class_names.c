#include "data/class_names.h"
#include "data/known.h"
#include "device/error.h"
#include "device/memory.h"
#include "device/text.h"
#include "files/atomic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME_LIMIT = 4096, FILE_LIMIT = 1 << 24 };

static int is_utf8(const char *text)
{
    size_t left = strlen(text), length = 1;
    for (; left > 0 && length > 0; left -= length, text += length)
        length = fal_utf8_length((const unsigned char *)text, left);
    return length > 0;
}

/* What is wrong with a name, NULL: nothing. */
static const char *fault_of(const char *name)
{
    if (!name)
        return "is NULL";
    if (!*name)
        return "is empty";
    if (strlen(name) > NAME_LIMIT)
        return "has more than 4096 bytes";
    return is_utf8(name) ? NULL : "is not UTF-8";
}

fal_status fal_class_names_check(const char *what, const char *const *names,
                                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *fault = fault_of(names[i]);
        if (fault)
            return fal_fail(FAL_ERROR_ARGUMENT,
                            "%s: the name of class %zu %s; name every class, or "
                            "none",
                            what, i, fault);
    }
    return FAL_OK;
}

fal_status fal_class_names_copy(const char *const **copy, const char *const *names,
                                size_t count)
{
    size_t bytes = count * sizeof *names;
    *copy = NULL;
    if (!names)
        return FAL_OK;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(names[i]) + 1;
    const char **made = fal_allocate(bytes, 1);
    if (!made)
        return FAL_ERROR_MEMORY;
    char *text = (char *)(made + count);
    for (size_t i = 0; i < count; i++) {
        made[i] = text;
        text = stpcpy(text, names[i]) + 1;
    }
    *copy = made;
    return FAL_OK;
}

/* ---- files --------------------------------------------------------------- */

/* Ends the text where its blanks and line ends begin. */
static void trim_end(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        length--;
    text[length] = 0;
}

/* Cuts the text into lines; returns how many, of which the first `room` are put
 * into `lines`. */
static size_t split(char *text, const char **lines, size_t room)
{
    size_t count = 0;
    for (char *next = text; next; count++) {
        char *line = next;
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        trim_end(line);
        if (count < room)
            lines[count] = line + strspn(line, " \t");
    }
    return count;
}

static fal_status check_lines(const char *path, const char *const *lines,
                              size_t count, size_t classes)
{
    if (count != classes)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has %zu line%s, the labels have %zu "
                        "classes; give one name a line for each class",
                        path, count, count == 1 ? "" : "s", classes);
    for (size_t i = 0; i < count; i++) {
        const char *fault = fault_of(lines[i]);
        if (fault)
            return fal_fail(FAL_ERROR_FORMAT,
                            "reading '%s': line %zu %s; give UTF-8 text, one name "
                            "a line",
                            path, i + 1, fault);
    }
    return FAL_OK;
}

static fal_status parse(const char *const **names, const char *path, char *text,
                        size_t size, size_t classes)
{
    size_t mark = strncmp(text, "\xEF\xBB\xBF", 3) ? 0 : 3;
    if (strlen(text) != size)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has a zero byte; give UTF-8 text, one name "
                        "a line",
                        path);
    const char **lines = fal_allocate(classes, sizeof *lines);
    if (!lines)
        return FAL_ERROR_MEMORY;
    trim_end(text);
    size_t count = split(text + mark, lines, classes);
    fal_status status = check_lines(path, lines, count, classes);
    if (!status)
        status = fal_class_names_copy(names, lines, count);
    fal_release(lines);
    return status;
}

fal_status fal_class_names_load(const char *const **names, const char *folder,
                                const char *file, size_t classes)
{
    struct stat facts;
    unsigned char *text;
    size_t size;
    char *path;
    *names = NULL;
    fal_status status = fal_text_format(&path, "%s/%s", folder, file);
    if (status)
        return status;
    if (stat(path, &facts) == 0 || errno != ENOENT) {
        status = fal_file_read(path, FILE_LIMIT, &text, &size);
        if (!status) {
            status = parse(names, path, (char *)text, size, classes);
            fal_release(text);
        }
    }
    fal_release(path);
    return status;
}
