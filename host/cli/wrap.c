#include "cli/wrap.h"

/* The first byte of a UTF-8 character counts for all of it. */
static size_t is_character(char byte)
{
    return ((unsigned char)byte & 0xC0) != 0x80;
}

size_t cli_line_length(const char *text, size_t columns)
{
    size_t column = 0, length = 0, fits = 0;
    for (;; length++) {
        int word_ends = text[length] == ' ' && length > 0 &&
                        text[length - 1] != ' ';
        int line_ends = text[length] == '\n' || !text[length];
        if ((word_ends || line_ends) && (fits == 0 || column <= columns))
            fits = length;
        if (line_ends || (column > columns && fits > 0))
            return fits;
        column += is_character(text[length]);
    }
}
