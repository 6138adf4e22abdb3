#include "screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void screen_begin(struct screen *screen, int width, int reflow)
{
    memset(screen, 0, sizeof *screen);
    screen->width = width;
    screen->reflow = reflow;
    screen->count = 1;
}

/* ---- moving -------------------------------------------------------------- */

static int row_start(const struct screen *s)
{
    return s->full ? s->column - s->width : s->column - s->column % s->width;
}

static void carriage_return(struct screen *s)
{
    s->column = row_start(s);
    s->full = s->wrapped = 0;
}

/* The next row may be one of the same line. */
static void line_feed(struct screen *s)
{
    int next = row_start(s) + s->width;
    s->wrapped = s->full = 0;
    if (next < (int)strlen(s->lines[s->line])) {
        s->column += s->width;
        return;
    }
    s->column -= row_start(s);
    assert_true(++s->line < SCREEN_LINES);
    if (s->line == s->count)
        s->count++;
}

static void put(struct screen *s, char character)
{
    char *line = s->lines[s->line];
    assert_true(s->column + 1 < SCREEN_LINE);
    for (int i = (int)strlen(line); i < s->column; i++)
        line[i] = ' ';
    s->wrapped |= s->full;
    line[s->column++] = character;
    s->full = s->column % s->width == 0;
}

/* ---- escapes ------------------------------------------------------------- */

static void erase_below(struct screen *s)
{
    s->lines[s->line][s->column] = 0;
    for (int i = s->line + 1; i < s->count; i++)
        memset(s->lines[i], 0, SCREEN_LINE);
    s->count = s->line + 1;
    s->updates++;
    s->broken += s->wrapped || s->full;
}

static void escape(struct screen *s, char byte)
{
    s->escape[s->escape_used++] = byte;
    assert_true(s->escape_used < (int)sizeof s->escape);
    if (s->escape_used < 3 || (byte >= '0' && byte <= '9'))
        return;
    s->escape[s->escape_used] = 0;
    s->escape_used = 0;
    if (strcmp(s->escape, "\033[J") == 0)
        erase_below(s);
    else if (s->escape[1] == '[' && byte == 'm')
        s->colored = strcmp(s->escape, "\033[0m") != 0;
    else
        fail_msg("escape %s is not one of the tool's", s->escape + 1);
    s->escapes += byte == 'm';
}

/* ---- all ----------------------------------------------------------------- */

void screen_print(struct screen *s, const char *bytes, size_t count)
{
    for (const char *end = bytes + count; bytes < end; bytes++) {
        if (s->escape_used || *bytes == '\033')
            escape(s, *bytes);
        else if (*bytes == '\r')
            carriage_return(s);
        else if (*bytes == '\n')
            line_feed(s);
        else if (((unsigned char)*bytes & 0xC0) != 0x80)
            put(s, *bytes);
    }
}

void screen_resize(struct screen *s, int width)
{
    for (int i = 0; !s->reflow && i < s->count; i++)
        s->lines[i][width] = 0;
    if (!s->reflow && s->column >= width)
        s->column = width - 1;
    s->width = width;
    s->full = 0;
}

int screen_count(const struct screen *s, const char *text)
{
    int count = 0;
    for (int i = 0; i < s->count; i++)
        count += strstr(s->lines[i], text) != NULL;
    return count;
}
