/* Lists that grow by one, and the notes: what the page has to say about its input. */
#ifndef REPORT_LIST_H
#define REPORT_LIST_H

#include "falign.h"

/* `block` with room for one more than its `count` items of `size` bytes; NULL: no
 * memory, and the old block stays valid. Begin with NULL and 0. */
void *report_grown(void *block, size_t count, size_t size);

typedef struct report_notes {
    char **texts;
    size_t count;
} report_notes;

fal_status report_note(report_notes *notes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void report_notes_release(report_notes *notes);

#endif
