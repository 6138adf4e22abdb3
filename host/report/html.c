#include "report/html.h"
#include "device/memory.h"
#include "device/text.h"

#include <string.h>

static void print_byte(FILE *out, char c)
{
    static const char *const entities[] = {"&&amp;", "<&lt;", ">&gt;", "\"&quot;",
                                           "'&#39;"};
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
        if (*entities[i] == c) {
            fputs(entities[i] + 1, out);
            return;
        }
    fputc(c, out);
}

void report_text(FILE *out, const char *text)
{
    while (*text) {
        char part[256];
        size_t length = fal_utf8_length((const unsigned char *)text, strlen(text));
        char one[5] = "";
        memcpy(one, text, length ? length : 1);
        fal_printable(part, sizeof part, one, "\n\t");
        for (const char *c = part; *c; c++)
            print_byte(out, *c);
        text += length ? length : 1;
    }
}

static size_t count_characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += (*text & 0xC0) != 0x80;
    return count;
}

void report_short_text(FILE *out, const char *text, size_t width)
{
    char *cut = count_characters(text) > width ? fal_copy_text(text) : NULL;
    if (!cut) {
        report_text(out, text);
        return;
    }
    size_t at = 0, left = width - 1;
    while (cut[at] && (left > 0 || (cut[at] & 0xC0) == 0x80))
        left -= (cut[at++] & 0xC0) != 0x80;
    cut[at] = 0;
    report_text(out, cut);
    fputs("\xE2\x80\xA6", out);
    fal_release(cut);
}

char *report_shell_word(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        "0123456789_-./:,+@%=";
    char *word = fal_allocate(4 * strlen(text) + 3, 1), *to = word;
    if (!word || (*text && strspn(text, plain) == strlen(text)))
        return word ? strcpy(word, text) : NULL;
    *to++ = '\'';
    for (; *text; text++)
        if (*text == '\'')
            to = memcpy(to, "'\\''", 4), to += 4;
        else
            *to++ = *text;
    *to++ = '\'';
    return word;
}
