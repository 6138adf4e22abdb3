/* The formats of data files: which files make a data set, and how they are read. */
#ifndef FAL_FORMAT_H
#define FAL_FORMAT_H

#include "data/class_names.h"

/* What a block holds. */
typedef enum fal_role { FAL_INPUTS = 0, FAL_ANSWERS = 1 } fal_role;

/* The values of one role, the same for all formats. */
typedef struct fal_block {
    const char *path;           /* the file that messages name; the part's */
    fal_type type;              /* of inputs */
    int is_label;               /* answers: labels or targets */
    const fal_classes *classes; /* of labels, where the format says them, or NULL */
    size_t count; /* samples by the files; the first `kept` of them are read */
    size_t kept;
    size_t height, width, channels; /* of an input */
    size_t outputs;                 /* of an answer that is no label */
    void *values; /* uint8_t, float or int32_t (labels); for fal_release */
} fal_block;

enum { FAL_MOST_FILES = 5 };

/* The files of one split, all or those that there are, and what they hold. */
typedef struct fal_part {
    char *paths[FAL_MOST_FILES]; /* by number; NULL: not there; for fal_release */
    int coarse;                  /* of two labels a sample the coarse one */
    fal_block blocks[2];         /* by role */
} fal_part;

typedef struct fal_format {
    const char *name;
    /* [split][number], as messages name them, NULL after the last. Where a role has a
     * file of its own, its number is the role. */
    const char *files[2][FAL_MOST_FILES];

    /* *path = the file, in the first of the spellings in use that there is, NULL:
     * none; for fal_release. NULL: `files` spell the only names. */
    fal_status (*find)(char **path, const char *folder, fal_split split,
                       size_t number);

    /* Reads a role from the part's files, which are there; keeps the first `keep`
     * samples, 0: all. Reading the answers of all samples checks all of the files
     * that hold them. */
    fal_status (*read)(fal_block *block, const fal_part *part, fal_role role,
                       size_t keep);

    /* What headers or sizes tell: `kept` is 0, `values` NULL. */
    fal_status (*inspect)(fal_block *block, const fal_part *part, fal_role role);
} fal_format;

/* *format = the one that files in the folder are of; NULL where there are none, and
 * *missing says why. Errors: FORMAT (there are files of two). */
fal_status fal_format_find(const fal_format **format, const char **missing,
                           const char *folder);

/* *path = file `number` of the split, NULL: it is not there; for fal_release.
 * Something there that cannot be read counts: reading it says what is wrong. */
fal_status fal_format_path(char **path, const fal_format *format,
                           const char *folder, fal_split split, size_t number);

#endif
