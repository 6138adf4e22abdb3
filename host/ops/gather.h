/* A batch out of a stored data set: rows chosen by a permutation, bytes or floats
 * standardised by channel, images moved and turned by chance. Kernel: cl/gather.cl. */
#ifndef FAL_GATHER_H
#define FAL_GATHER_H

#include "device/launch.h"

/* What chance does to images, anew for each row of a batch: they are moved by up to
 * `crop` pixels each way, black (0 as stored) following, and half of them are turned
 * left to right. Row r of step t: purpose augmentation, draw t, elements 4r, dy; 4r + 1,
 * dx, both floor(word * (2 crop + 1) / 2^32) - crop; 4r + 2, turned if its highest bit
 * is set. Pixel (y, x) of the moved image is the stored one at (y + dy, x + dx). */
typedef struct fal_augmentation {
    size_t crop; /* below height and width; 0: none */
    int turns;
    uint64_t seed;
} fal_augmentation;

/* inputs[r][i] <- stored[order[start + r]][i]·scale[i mod channels] + shift[…];
 * labels or targets of the same samples are copied. */
typedef struct fal_gather {
    fal_type type;  /* of stored */
    cl_mem stored;  /* [samples][width] bytes or floats */
    cl_mem labels;  /* int [samples], or NULL */
    cl_mem targets; /* [samples][outputs], or NULL */
    cl_mem order;   /* uint [samples] */
    size_t rows, width, channels, outputs;
    size_t lines; /* height of augmented images */
    fal_augmentation augmentation;
    fal_view scale, shift;  /* [channels] */
    fal_view inputs;        /* [rows][width] */
    fal_view batch_labels;  /* int [rows], or no buffer */
    fal_view batch_targets; /* [rows][outputs], or no buffer */
} fal_gather;

/* *start: the index of the kernel argument (uint), the first row's place in order.
 * Augmented, fal_launches_step gives it a fal_update_step: its draw counts. */
fal_status fal_gather_add(fal_launches *list, const fal_gather *gather,
                          unsigned *start);

#endif
