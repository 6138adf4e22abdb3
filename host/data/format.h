/* The formats of data files: which files make a data set, and how one is read. */
#ifndef FAL_FORMAT_H
#define FAL_FORMAT_H

#include "falign.h"

/* What a file of a data set is. */
typedef enum fal_role { FAL_INPUTS = 0, FAL_ANSWERS = 1 } fal_role;

/* The values of one file, the same for all formats. */
typedef struct fal_block {
    fal_type type; /* of inputs */
    int is_label;  /* answers: labels or targets */
    size_t count;  /* samples by the header; the first `kept` of them are read */
    size_t kept;
    size_t height, width, channels; /* of an input */
    size_t outputs;                 /* of an answer that is no label */
    void *values; /* uint8_t, float or int32_t (labels); for fal_release */
} fal_block;

typedef struct fal_format {
    const char *name;
    const char *files[2][2]; /* [split][role], as messages name them */

    /* *path = the file, in the first of the spellings in use that there is, NULL:
     * none. Something there that cannot be read counts: reading it says what is
     * wrong. For fal_release. */
    fal_status (*find)(char **path, const char *folder, fal_split split,
                       fal_role role);

    /* Reads the file and checks all of it; keeps the first `keep` samples, 0: all. */
    fal_status (*read)(fal_block *block, const char *path, fal_role role,
                       size_t keep);

    /* The header only: `kept` is 0, `values` NULL. */
    fal_status (*inspect)(fal_block *block, const char *path, fal_role role);
} fal_format;

/* *format = the one that files in the folder are of; NULL where there are none, and
 * *missing says why. Errors: FORMAT (there are files of two). */
fal_status fal_format_find(const fal_format **format, const char **missing,
                           const char *folder);

#endif
