#include "device/number.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

/* The calling thread's locale only; where none is to be had, the program's own. */
static locale_t enter(locale_t *before)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    *before = plain ? uselocale(plain) : (locale_t)0;
    return plain;
}

static void leave(locale_t plain, locale_t before)
{
    if (!plain)
        return;
    uselocale(before);
    freelocale(plain);
}

double fal_number_parse(const char *text, char **end)
{
    locale_t before, plain = enter(&before);
    double value = strtod(text, end);
    leave(plain, before);
    return value;
}

void fal_number_print(char *text, size_t size, int digits, double value)
{
    locale_t before, plain = enter(&before);
    snprintf(text, size, "%.*g", digits, value);
    leave(plain, before);
}

void fal_number_print_exact(char *text, size_t size, double value)
{
    static const int digits[] = {9, 15, 17};
    for (size_t i = 0; i < 3; i++) {
        fal_number_print(text, size, digits[i], value);
        if (fal_number_parse(text, NULL) == value)
            break;
    }
}
