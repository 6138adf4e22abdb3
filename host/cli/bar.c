#include "cli/bar.h"
#include "cli/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_LEAST = 4, BAR_MOST = 20, BAR_FRAME = 3, BAR_FROM = 39 };

/* ---- the terminal -------------------------------------------------------- */

int cli_is_terminal(void)
{
    const char *type = getenv("TERM");
    return isatty(STDOUT_FILENO) && type && *type && strcmp(type, "dumb") != 0;
}

int cli_in_background(void)
{
    pid_t group = tcgetpgrp(STDOUT_FILENO);
    return group > 0 && group != getpgrp();
}

int cli_wants_color(void)
{
    const char *no = getenv("NO_COLOR");
    return !(no && *no);
}

/* One column stays free: some terminals wrap when the last one is filled. */
static size_t line_width(void)
{
    struct winsize size;
    size_t width = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    return width < CLI_LINE ? width - 1 : CLI_LINE - 1;
}

/* ---- the text ------------------------------------------------------------ */

cli_line cli_line_plain(void)
{
    return (cli_line){.most = CLI_LINE - 1, .whole = 1};
}

cli_line cli_line_live(void)
{
    size_t width = line_width();
    size_t bar = width < BAR_FROM ? 0 : BAR_LEAST + BAR_FRAME;
    return (cli_line){.most = width - bar, .whole = 1, .width = width, .bar = bar};
}

void cli_line_clear(cli_line *line)
{
    line->used = 0;
    line->whole = 1;
}

void cli_line_add(cli_line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t room = line->most - line->used;
    char *end = line->text + line->used;
    size_t length = (size_t)vsnprintf(end, room + 1, format, arguments);
    va_end(arguments);
    line->whole &= length <= room;
    if (length <= room)
        line->used += length;
    else if (line->used == 0)
        line->used = room;
    line->text[line->used] = 0;
}

void cli_line_add_time(cli_line *line, double seconds)
{
    unsigned long left = (unsigned long)(seconds + .5);
    if (left >= 3600)
        cli_line_add(line, "  %lu:%02lu:%02lu left", left / 3600, left / 60 % 60,
                     left % 60);
    else
        cli_line_add(line, "  %lu:%02lu left", left / 60, left % 60);
}

/* ---- the bar ------------------------------------------------------------- */

/* It takes what the text leaves. */
static void print_bar(const cli_line *line, int color, double done)
{
    char bar[BAR_MOST + 1] = "";
    size_t room = line->width - line->used - BAR_FRAME;
    size_t size = room < BAR_MOST ? room : BAR_MOST;
    for (size_t i = 0; i < size; i++)
        bar[i] = (double)i + .5 < done * (double)size ? '#' : '.';
    cli_live_print("%s[%s]%s %s", color ? "\033[36m" : "", bar,
                   color ? "\033[0m" : "", line->text);
}

void cli_line_show(const cli_line *line, int color, double done)
{
    if (line->bar)
        print_bar(line, color, done);
    else
        cli_live_print("%s", line->text);
}
