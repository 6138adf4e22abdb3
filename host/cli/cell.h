/* Texts of others (names, paths) as cells of a table: printable whatever they hold. */
#ifndef CLI_CELL_H
#define CLI_CELL_H

#include <stddef.h>
#include <stdio.h>

/* Characters that cli_cell_print writes of a text. */
size_t cli_cell_width(const char *text);

/* The text, and blanks up to `width` characters. */
void cli_cell_print(FILE *file, const char *text, size_t width);

#endif
