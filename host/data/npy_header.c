#include "data/npy_header.h"
#include "device/error.h"

#include <string.h>

struct parser {
    const char *path, *text, *at, *end;
};

static fal_status fail_at(const struct parser *p, const char *why)
{
    return fal_fail(FAL_ERROR_FORMAT,
                    "reading '%s': the header, byte %zu: %s; write the file with "
                    "numpy.save",
                    p->path, (size_t)(p->at - p->text), why);
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->end && strchr(" \t\r\n", *p->at) && *p->at)
        p->at++;
}

/* Takes `word` if it stands next. */
static int take(struct parser *p, const char *word)
{
    size_t length = strlen(word);
    skip_blanks(p);
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0)
        return 0;
    p->at += length;
    return 1;
}

/* A text between quotes, cut off at `room`; numpy escapes nothing in those we know. */
static fal_status parse_text(struct parser *p, char *text, size_t room)
{
    char quote[2] = "'";
    size_t used = 0;
    if (!take(p, quote)) {
        *quote = '"';
        if (!take(p, quote))
            return fail_at(p, "a text in quotes belongs here");
    }
    for (; p->at < p->end && *p->at != *quote; p->at++)
        if (used + 1 < room)
            text[used++] = *p->at;
    text[used] = 0;
    return take(p, quote) ? FAL_OK : fail_at(p, "the text's end is missing");
}

/* A list of fields; what is in it does not matter, as it is refused. */
static fal_status skip_record(struct parser *p, fal_npy_header *header)
{
    size_t depth = 0;
    header->is_record = 1;
    for (; p->at < p->end; p->at++) {
        depth += *p->at == '[';
        depth -= *p->at == ']';
        if (depth == 0) {
            p->at++;
            return FAL_OK;
        }
    }
    return fail_at(p, "the list's end is missing");
}

static fal_status parse_type(struct parser *p, fal_npy_header *header)
{
    skip_blanks(p);
    if (p->at < p->end && *p->at == '[')
        return skip_record(p, header);
    return parse_text(p, header->type, sizeof header->type);
}

static fal_status parse_bool(struct parser *p, fal_npy_header *header)
{
    header->fortran_order = take(p, "True");
    if (header->fortran_order || take(p, "False"))
        return FAL_OK;
    return fail_at(p, "True or False belongs here");
}

static int is_digit(const struct parser *p)
{
    return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

static fal_status parse_size(struct parser *p, size_t *size)
{
    skip_blanks(p);
    if (!is_digit(p))
        return fail_at(p, "a whole number from 0 belongs here");
    for (*size = 0; is_digit(p); p->at++) {
        size_t digit = (size_t)(*p->at - '0');
        *size = *size > (SIZE_MAX - digit) / 10 ? SIZE_MAX : *size * 10 + digit;
    }
    take(p, "L"); /* Python 2's long integers */
    return FAL_OK;
}

static fal_status parse_shape(struct parser *p, fal_npy_header *header)
{
    if (!take(p, "("))
        return fail_at(p, "a tuple belongs here");
    for (header->dimensions = 0; !take(p, ")"); header->dimensions++) {
        size_t size = 0;
        if (header->dimensions && !take(p, ","))
            return fail_at(p, "a comma or ')' belongs here");
        if (header->dimensions && take(p, ")"))
            return FAL_OK;
        fal_status status = parse_size(p, &size);
        if (status)
            return status;
        if (header->dimensions < sizeof header->shape / sizeof *header->shape)
            header->shape[header->dimensions] = size;
    }
    return FAL_OK;
}

/* One `key: value`; each key is there once. */
static fal_status parse_entry(struct parser *p, fal_npy_header *header, int seen[3])
{
    static const struct {
        const char *name;
        fal_status (*parse)(struct parser *p, fal_npy_header *header);
    } keys[] = {{"descr", parse_type},
                {"fortran_order", parse_bool},
                {"shape", parse_shape}};
    char key[16];
    fal_status status = parse_text(p, key, sizeof key);
    if (status)
        return status;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(key, keys[i].name) == 0 && !seen[i]++)
            return take(p, ":") ? keys[i].parse(p, header)
                                : fail_at(p, "a colon belongs here");
    return fail_at(p, "this key does not belong here, or stands there twice");
}

fal_status fal_npy_header_parse(fal_npy_header *header, const char *path,
                                const char *text, size_t length)
{
    struct parser p = {path, text, text, text + length};
    fal_npy_header made = {.type = ""};
    int seen[3] = {0};
    if (!take(&p, "{"))
        return fail_at(&p, "a dictionary belongs here");
    while (!take(&p, "}")) {
        fal_status status = parse_entry(&p, &made, seen);
        if (status)
            return status;
        skip_blanks(&p);
        if (!take(&p, ",") && (p.at == p.end || *p.at != '}'))
            return fail_at(&p, "a comma or '}' belongs here");
    }
    skip_blanks(&p);
    if (p.at < p.end)
        return fail_at(&p, "nothing belongs behind the dictionary");
    if (!seen[0] || !seen[1] || !seen[2])
        return fail_at(&p, "descr, fortran_order or shape is missing");
    *header = made;
    return FAL_OK;
}
