/* Losses and their deltas in double. */
#ifndef FAL_REFERENCE_LOSS_H
#define FAL_REFERENCE_LOSS_H

#include "ops/loss.h"

typedef struct fal_reference_loss {
    fal_loss loss;
    size_t rows, outputs;
    const float *a;        /* [rows][outputs] */
    const int32_t *labels; /* [rows], or NULL */
    const float *targets;  /* [rows][outputs], or NULL: one-hot */
    int summed;
} fal_reference_loss;

/* Of row r: its loss, its delta [outputs] (holds 1/rows unless summed), and whether the label is
 * the first of the largest outputs. A row with a NaN is never right. */
double fal_reference_loss_row(const fal_reference_loss *work, size_t r,
                              double *delta, int *right);

/* Of row r its delta with the outputs left out, [outputs]. */
void fal_reference_signal_row(const fal_reference_loss *work, size_t r,
                              double *signal);

#endif
