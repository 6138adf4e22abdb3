#include "report/list.h"
#include "device/memory.h"

#include <stdarg.h>
#include <stdio.h>

enum { FIRST_ROOM = 8 };

/* The room is the next power of two, so that it need not be kept. */
void *report_grown(void *block, size_t count, size_t size)
{
    if (count == 0)
        return block ? block : fal_allocate(FIRST_ROOM, size);
    if (count < FIRST_ROOM || (count & (count - 1)) != 0)
        return block;
    return fal_resize(block, 2 * count, size);
}

fal_status report_note(report_notes *notes, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char **texts = report_grown(notes->texts, notes->count, sizeof *texts);
    if (!texts)
        return FAL_ERROR_MEMORY;
    notes->texts = texts;
    texts[notes->count] = fal_copy_text(text);
    if (!texts[notes->count])
        return FAL_ERROR_MEMORY;
    notes->count++;
    return FAL_OK;
}

void report_notes_release(report_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        fal_release(notes->texts[i]);
    fal_release(notes->texts);
    *notes = (report_notes){NULL, 0};
}
