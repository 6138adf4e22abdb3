/* Makes the pages of docs/ and the man page from the tables of the tool. */
#ifndef MANUAL_H
#define MANUAL_H

#include <stdio.h>

/* Prints a Markdown table by its name; 0: there is none of that name. */
int manual_table(const char *name, FILE *out);

/* Prints the man page falign(1). */
void manual_page(FILE *out);

#endif
