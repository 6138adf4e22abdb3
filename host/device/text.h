/* Text that comes from outside. */
#ifndef FAL_TEXT_H
#define FAL_TEXT_H

#include <stddef.h>

/* Bytes of the UTF-8 character at `text`, of which `left` bytes are there: 1 to 4;
 * 0: not UTF-8 (cut off, overlong, a surrogate, past U+10FFFF). */
size_t fal_utf8_length(const unsigned char *text, size_t left);

/* to = from, with \xNN for each byte that is no UTF-8 or belongs to a control
 * character other than those of ASCII in `kept`, so that it can be shown anywhere;
 * ends where `room` does, with a zero byte after a whole character. Returns the
 * length. */
size_t fal_printable(char *to, size_t room, const char *from, const char *kept);

#endif
