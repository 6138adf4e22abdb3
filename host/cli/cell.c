#include "cli/cell.h"
#include "device/text.h"

enum { ROOM = 4 * 4096 + 1 }; /* the longest names and paths, as \xNN */

size_t cli_cell_width(const char *text)
{
    char cell[ROOM];
    size_t width = 0;
    fal_printable(cell, sizeof cell, text, "");
    for (const char *c = cell; *c; c++)
        width += (*c & 0xC0) != 0x80; /* the bytes that begin a character */
    return width;
}

void cli_cell_print(FILE *file, const char *text, size_t width)
{
    char cell[ROOM];
    fal_printable(cell, sizeof cell, text, "");
    fputs(cell, file);
    for (size_t used = cli_cell_width(text); used < width; used++)
        fputc(' ', file);
}
