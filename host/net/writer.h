/* Text that grows as it is written. */
#ifndef FAL_WRITER_H
#define FAL_WRITER_H

#include "device/error.h"

#include <stddef.h>

typedef struct fal_writer {
    char *text; /* for fal_release; NULL: nothing was written */
    size_t used, size;
    fal_status status; /* MEMORY: what came since is missing */
} fal_writer;

void fal_writer_add(fal_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
