/* Numbers as text with a decimal point, whatever locale the program that uses the
 * library has set. */
#ifndef FAL_NUMBER_H
#define FAL_NUMBER_H

#include <stddef.h>

/* As strtod in the C locale. */
double fal_number_parse(const char *text, char **end);

/* The shortest of 9, 15 and 17 digits that gives the same double. */
void fal_number_print_exact(char *text, size_t size, double value);

/* `value` with `digits` significant digits, as "%.*g" in the C locale. */
void fal_number_print(char *text, size_t size, int digits, double value);

#endif
