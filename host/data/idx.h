/* IDX files of unsigned bytes, gzipped or not: 00 00 08 and the number of
 * dimensions, each dimension as four bytes, the largest first, then the values. */
#ifndef FAL_IDX_H
#define FAL_IDX_H

#include "falign.h"

typedef struct fal_idx {
    size_t dimensions;
    size_t shape[4]; /* as the header says; shape[0] items */
    size_t item;     /* bytes of an item: the product of the other dimensions */
    size_t kept;     /* items in `values` */
    uint8_t *values; /* [kept][item]; the caller's, for fal_release */
} fal_idx;

/* Reads a file of `least` to `most` (at most 4) dimensions; keeps the first `keep`
 * items (0: all), and checks the rest of the file too. Errors: FILE (missing,
 * cannot be read), FORMAT (what is wrong, and where), MEMORY. */
fal_status fal_idx_read(fal_idx *idx, const char *path, size_t least, size_t most,
                        size_t keep);

/* The header only: `kept` is 0, `values` NULL. */
fal_status fal_idx_inspect(fal_idx *idx, const char *path, size_t least,
                           size_t most);

#endif
