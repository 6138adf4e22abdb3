#include "net/writer.h"
#include "device/memory.h"

#include <stdarg.h>
#include <stdio.h>

static int has_room(fal_writer *writer, size_t more)
{
    size_t size = 2 * (writer->used + more + 1);
    if (writer->used + more < writer->size)
        return 1;
    char *grown = fal_resize(writer->text, size, 1);
    writer->status = grown ? FAL_OK : FAL_ERROR_MEMORY;
    if (!grown)
        return 0;
    writer->text = grown;
    writer->size = size;
    return 1;
}

void fal_writer_add(fal_writer *writer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t length = (size_t)vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (!writer->status && has_room(writer, length))
        writer->used += (size_t)vsnprintf(writer->text + writer->used, length + 1,
                                          format, arguments);
    va_end(arguments);
}
