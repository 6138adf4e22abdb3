#include "device/text.h"

#include <string.h>

static int continues(const unsigned char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return 1;
}

size_t fal_utf8_length(const unsigned char *text, size_t left)
{
    unsigned char a = left ? text[0] : 0xFF, b = left > 1 ? text[1] : 0;
    size_t length = a < 0x80 ? 1 : a < 0xC2 ? 0 : a < 0xE0 ? 2 : a < 0xF0 ? 3 : 4;
    if (length == 0 || a > 0xF4 || length > left ||
        !continues(text + 1, length - 1))
        return 0;
    /* Overlong, surrogates, past the last code point. */
    if ((a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F) ||
        (a == 0xF0 && b < 0x90) || (a == 0xF4 && b > 0x8F))
        return 0;
    return length;
}

/* Those of ASCII, and U+0080 to U+009F, which some terminals obey too. */
static int is_control(const unsigned char *text)
{
    return *text < 0x20 || *text == 0x7F || (*text == 0xC2 && text[1] < 0xA0);
}

static void write_hex(char *to, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    memcpy(to, "\\x", 2);
    to[2] = digits[byte >> 4];
    to[3] = digits[byte & 15];
}

size_t fal_printable(char *to, size_t room, const char *from, const char *kept)
{
    const unsigned char *text = (const unsigned char *)from;
    size_t used = 0, left = strlen(from);
    while (left > 0) {
        size_t length = fal_utf8_length(text, left);
        int shown = length > 0 && (!is_control(text) || strchr(kept, *text));
        length = shown ? length : 1;
        if (used + (shown ? length : 4) >= room)
            break;
        if (shown)
            memcpy(to + used, text, length);
        else
            write_hex(to + used, *text);
        used += shown ? length : 4;
        text += length;
        left -= length;
    }
    to[used] = 0;
    return used;
}
