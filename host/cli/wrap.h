/* Text in lines of limited length. */
#ifndef CLI_WRAP_H
#define CLI_WRAP_H

#include <stddef.h>

/* Bytes of `text` that make its next line: as many words as fit `columns`
 * characters, one word at least, however long; a line's end in the text ends it. The
 * blank or line's end behind it is left out. */
size_t cli_line_length(const char *text, size_t columns);

#endif
