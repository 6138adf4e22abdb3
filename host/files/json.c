#include "files/json.h"
#include "device/memory.h"
#include "device/text.h"
#include "device/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(fal_json *j, const char *text, size_t length)
{
    if (j->status != FAL_OK)
        return;
    if (length >= j->capacity - j->length) {
        size_t capacity = 2 * j->capacity + length + 64;
        char *grown = fal_resize(j->text, capacity, 1);
        if (!grown) {
            j->status = FAL_ERROR_MEMORY;
            return;
        }
        j->text = grown;
        j->capacity = capacity;
    }
    memcpy(j->text + j->length, text, length);
    j->length += length;
    j->text[j->length] = 0;
}

static void append_text(fal_json *j, const char *text)
{
    append(j, text, strlen(text));
}

/* A value, or the beginning of one; `comma`: what follows needs one. */
static void append_value(fal_json *j, const char *text, int comma)
{
    if (j->comma)
        append(j, ",", 1);
    append_text(j, text);
    j->comma = comma;
}

/* ---- strings ------------------------------------------------------------- */

static void append_escape(fal_json *j, unsigned c)
{
    static const char letters[] = "b\bf\fn\nr\rt\t\"\"\\\\";
    char text[8];
    for (size_t i = 0; i + 1 < sizeof letters; i += 2)
        if ((unsigned char)letters[i + 1] == c) {
            snprintf(text, sizeof text, "\\%c", letters[i]);
            append_text(j, text);
            return;
        }
    snprintf(text, sizeof text, "\\u%04x", c);
    append_text(j, text);
}

static unsigned code_of(const unsigned char *text, size_t length)
{
    unsigned code = text[0] & (length == 1 ? 0x7Fu : 0x7Fu >> length);
    for (size_t i = 1; i < length; i++)
        code = code << 6 | (text[i] & 0x3Fu);
    return code;
}

/* From 0x7F on JSON would take them as they are; YAML, which config.yaml is, refuses
 * them or reads a line's end. */
static int is_special(unsigned code)
{
    return code < 0x20 || code == '"' || code == '\\' ||
           (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
           code == 0xFEFF || code == 0xFFFE || code == 0xFFFF;
}

static int is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

/* Appends what can go in one piece, returns its bytes. */
static size_t append_piece(fal_json *j, const unsigned char *text, size_t left)
{
    size_t n = 0;
    while (n < left && is_plain(text[n]))
        n++;
    if (n > 0) {
        append(j, (const char *)text, n);
        return n;
    }
    n = fal_utf8_length(text, left);
    if (n == 0)
        append_text(j, "\xEF\xBF\xBD");
    else if (is_special(code_of(text, n)))
        append_escape(j, code_of(text, n));
    else
        append(j, (const char *)text, n);
    return n > 0 ? n : 1;
}

void fal_json_string(fal_json *j, const char *text)
{
    if (!text) {
        fal_json_null(j);
        return;
    }
    size_t left = strlen(text);
    append_value(j, "\"", 0);
    while (left > 0 && j->status == FAL_OK) {
        size_t piece = append_piece(j, (const unsigned char *)text, left);
        text += piece;
        left -= piece;
    }
    append(j, "\"", 1);
    j->comma = 1;
}

void fal_json_key(fal_json *j, const char *key)
{
    fal_json_string(j, key);
    append(j, ":", 1);
    j->comma = 0;
}

/* ---- numbers ------------------------------------------------------------- */

/* 1e-05 becomes 1.0e-05: without a point YAML 1.1 takes it for a text. */
static void add_point(char *text, size_t size)
{
    char rest[64];
    size_t digits = strcspn(text, ".e");
    if (text[digits] != 'e')
        return;
    snprintf(rest, sizeof rest, "%s", text + digits);
    snprintf(text + digits, size - digits, ".0%s", rest);
}

void fal_json_number(fal_json *j, double value)
{
    char text[64];
    if (!isfinite(value)) {
        fal_json_null(j);
        return;
    }
    fal_number_print_exact(text, sizeof text, value);
    add_point(text, sizeof text);
    append_value(j, text, 1);
}

void fal_json_integer(fal_json *j, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    append_value(j, text, 1);
}

void fal_json_unsigned(fal_json *j, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, value);
    append_value(j, text, 1);
}

/* ---- the rest ------------------------------------------------------------ */

void fal_json_bool(fal_json *j, int value)
{
    append_value(j, value ? "true" : "false", 1);
}

void fal_json_null(fal_json *j)
{
    append_value(j, "null", 1);
}

void fal_json_begin_object(fal_json *j)
{
    append_value(j, "{", 0);
}

void fal_json_begin_array(fal_json *j)
{
    append_value(j, "[", 0);
}

static void end(fal_json *j, const char *bracket)
{
    append_text(j, bracket);
    j->comma = 1;
}

void fal_json_end_object(fal_json *j)
{
    end(j, "}");
}

void fal_json_end_array(fal_json *j)
{
    end(j, "]");
}

void fal_json_newline(fal_json *j)
{
    append(j, "\n", 1);
    j->comma = 0;
}

void fal_json_reset(fal_json *j)
{
    j->length = 0;
    j->status = FAL_OK;
    j->comma = 0;
    if (j->text)
        j->text[0] = 0;
}

void fal_json_release(fal_json *j)
{
    fal_release(j->text);
    *j = (fal_json)FAL_JSON;
}
