/* Memory for things that are needed for a time only: what is needed at different times
 * may lie in the same place. */
#ifndef FAL_PACKING_H
#define FAL_PACKING_H

#include "device/error.h"

typedef struct fal_packed {
    uint64_t floats;
    size_t first, last; /* times, both included */
    uint64_t offset;    /* where it lies, a multiple of 16 */
} fal_packed;

/* Sets the offsets; *floats: the memory that all need together. */
fal_status fal_pack(fal_packed *items, size_t count, uint64_t *floats);

#endif
