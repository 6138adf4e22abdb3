/* A small terminal: what a user sees of what the tool prints. It knows the few
 * escapes that the tool uses and fails the test at any other. */
#ifndef SCREEN_H
#define SCREEN_H

#include <stddef.h>

enum { SCREEN_LINES = 400, SCREEN_LINE = 4096 };

struct screen {
    int width;
    int reflow; /* 1: breaks long lines anew when resized, 0: cuts them */

    /* Lines as they were printed, one byte a character; a line longer than the width
     * takes several rows. */
    char lines[SCREEN_LINES][SCREEN_LINE];
    int count;
    int line, column; /* the cursor; column counts on over the line's rows */
    int full;         /* it stands behind the last column of its row */
    int wrapped;      /* the line went on in a next row since its start */

    int updates; /* live lines drawn */
    int broken;  /* of these did not fit their row */
    int escapes; /* colours switched on or off */
    int colored; /* one is on now */
    char escape[16];
    int escape_used; /* bytes of an escape that has begun, 0: none */
};

void screen_begin(struct screen *screen, int width, int reflow);
void screen_print(struct screen *screen, const char *bytes, size_t count);
void screen_resize(struct screen *screen, int width);

/* How many lines hold the text. */
int screen_count(const struct screen *screen, const char *text);

#endif
