/* Files that numpy.save wrote: inputs as uint8 or float32, labels of any integer
 * type or bool, real targets as float32 or float64; in C order, little-endian. */
#ifndef FAL_NPY_H
#define FAL_NPY_H

#include "falign.h"

enum { FAL_NPY_DIMENSIONS = 4 };

/* What a file is read for; says which types it may hold. */
typedef enum fal_npy_use { FAL_NPY_INPUTS, FAL_NPY_ANSWERS } fal_npy_use;

/* The values in memory: uint8_t, float, int32_t. */
typedef enum fal_npy_kind {
    FAL_NPY_BYTES,
    FAL_NPY_FLOATS,
    FAL_NPY_LABELS
} fal_npy_kind;

typedef struct fal_npy {
    const char *type; /* numpy's name of what the file holds: "uint8", "int64" … */
    fal_npy_kind kind;
    size_t bytes; /* of a value in the file */
    size_t dimensions;
    size_t shape[FAL_NPY_DIMENSIONS]; /* as the header says; shape[0] items */
    size_t item;  /* values of an item: the product of the other dimensions */
    size_t kept;  /* items in `values` */
    void *values; /* [kept][item]; the caller's, for fal_release */
} fal_npy;

/* Reads a file; keeps the first `keep` items (0: all), and checks the rest of the
 * file too. Labels are at least 0 and below 2147483647, floats finite, as far as
 * they are kept. Errors: FILE (missing, cannot be read), FORMAT (what is wrong, where,
 * and what to type in Python), MEMORY. */
fal_status fal_npy_read(fal_npy *npy, const char *path, fal_npy_use use,
                        size_t keep);

/* The header only: `kept` is 0, `values` NULL. */
fal_status fal_npy_inspect(fal_npy *npy, const char *path, fal_npy_use use);

/* The sample's shape by that of the inputs: [n][numbers], [n][height][width] or
 * [n][height][width][channels]. Errors: FORMAT (one dimension only). */
fal_status fal_npy_sample(const fal_npy *inputs, const char *path, size_t *height,
                          size_t *width, size_t *channels);

#endif
