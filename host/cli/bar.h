/* A line that moves on a terminal: a bar and a text that fits beside it. */
#ifndef CLI_BAR_H
#define CLI_BAR_H

#include <stddef.h>

enum { CLI_LINE = 256 };

typedef struct cli_line {
    char text[CLI_LINE];
    size_t used, most; /* characters, all of one column */
    int whole;         /* nothing was left out */
    size_t width;      /* of the terminal; 0: the line does not move */
    size_t bar;        /* columns kept for the bar */
} cli_line;

/* Standard output is a terminal that can draw; colors are welcome on it; another
 * process group has it, so that a live line would go through what is typed. */
int cli_is_terminal(void);
int cli_wants_color(void);
int cli_in_background(void);

/* An empty line: one that stays, or one that fits the terminal with a bar, if that is
 * wide enough. */
cli_line cli_line_plain(void);
cli_line cli_line_live(void);

/* Empties it again. */
void cli_line_clear(cli_line *line);

/* What does not fit is left out as a whole, the first part excepted. */
void cli_line_add(cli_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "  1:05 left" */
void cli_line_add_time(cli_line *line, double seconds);

/* Puts a live line in place of the one before; `done`: 0 to 1. */
void cli_line_show(const cli_line *line, int color, double done);

#endif
