/* The header of an .npy file: a Python dictionary as text. It is read by a parser of
 * its own, never evaluated. */
#ifndef FAL_NPY_HEADER_H
#define FAL_NPY_HEADER_H

#include "falign.h"

typedef struct fal_npy_header {
    char type[8];  /* "<f4", "|u1"; cut off where it is longer: then unknown */
    int is_record; /* the type is a list of fields */
    int fortran_order;
    size_t dimensions; /* all of them, also those past shape's end */
    size_t shape[4];   /* SIZE_MAX: too large for size_t */
} fal_npy_header;

/* Reads the dictionary {'descr': TYPE, 'fortran_order': BOOL, 'shape': (N, …)}; other
 * keys are refused, as numpy does. `text` ends with a zero byte after `length` bytes.
 * Errors: FORMAT (where). */
fal_status fal_npy_header_parse(fal_npy_header *header, const char *path,
                                const char *text, size_t length);

#endif
