/* A batch out of a stored data set: rows chosen by a permutation, bytes or floats
 * standardised by channel. Kernel: cl/gather.cl. */
#ifndef FAL_GATHER_H
#define FAL_GATHER_H

#include "device/launch.h"

/* inputs[r][i] <- stored[order[start + r]][i]·scale[i mod channels] + shift[…];
 * labels or targets of the same samples are copied. */
typedef struct fal_gather {
    fal_type type;  /* of stored */
    cl_mem stored;  /* [samples][width] bytes or floats */
    cl_mem labels;  /* int [samples], or NULL */
    cl_mem targets; /* [samples][outputs], or NULL */
    cl_mem order;   /* uint [samples] */
    size_t rows, width, channels, outputs;
    fal_view scale, shift;  /* [channels] */
    fal_view inputs;        /* [rows][width] */
    fal_view batch_labels;  /* int [rows], or no buffer */
    fal_view batch_targets; /* [rows][outputs], or no buffer */
} fal_gather;

/* *start: the index of the kernel argument (uint), the first row's place in order.
 */
fal_status fal_gather_add(fal_launches *list, const fal_gather *gather,
                          unsigned *start);

#endif
