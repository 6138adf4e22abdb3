/* Batch and layer norm with the activation behind them, and their exact backward
 * passes. Kernels: cl/normalize.cl. */
#ifndef FAL_NORMALIZE_H
#define FAL_NORMALIZE_H

#include "device/launch.h"
#include "ops/activation.h"
#include "ops/optimize.h"

/* xhat = (x − mean)/√(variance + 1e-5), y = phi(gain·xhat + bias). Batch norm: mean
 * and variance of a channel over all rows and positions; layer norm: of a row over
 * all its positions and channels. */
typedef struct fal_norm {
    size_t rows, positions, channels;
    fal_view input;   /* x [rows][positions][channels] */
    fal_view weights; /* gain [channels], bias [channels]; or no buffer: 1 and 0 */

    /* Batch norm: the batch's mean and unbiased variance [channels], for backward
     * and the running ones; `fixed`: they are given, and nothing is written. */
    fal_view mean, variance;
    int fixed;

    /* Layer norm: fal_layer_norm_kept floats for backward; or no buffer. */
    fal_view kept;

    /* Forward */
    fal_view output; /* y, as x */
    fal_view beside; /* as x, added before the activation; or no buffer */
    fal_activation activation;
    /* Batch norm of large maps leaves here what it has found out of them; where that
     * stands already, it is not sought again; or NULL */
    cl_mem *room;

    /* Backward */
    fal_view signal;   /* dL/d(gain·xhat + bias), as x; becomes dL/dx … */
    fal_view into;     /* … unless that goes here; or no buffer */
    fal_view gradient; /* of weights, laid out so; unused with an update */
    const fal_update
        *update; /* makes the step of the weights instead: rule, moment,
                               * squares, laid out so, and halted count; or NULL */
} fal_norm;

size_t fal_layer_norm_kept(size_t rows, size_t channels);

/* Batch norm that finds its statistics needs two values a channel. Of large maps each
 * way is three launches, which share a room of their own; else one. */
fal_status fal_batch_norm_add(fal_launches *list, const fal_norm *norm);
fal_status fal_batch_norm_backward_add(fal_launches *list, const fal_norm *norm);
fal_status fal_layer_norm_add(fal_launches *list, const fal_norm *norm);
fal_status fal_layer_norm_backward_add(fal_launches *list, const fal_norm *norm);

/* Takes off each column of x [rows][columns] its mean over the rows. */
fal_status fal_center_add(fal_launches *list, fal_view x, size_t rows,
                          size_t columns);

/* running <- .9·running + .1·batch, `count` floats, unless *halted. */
fal_status fal_running_add(fal_launches *list, fal_view batch, fal_view running,
                           size_t count, fal_view halted);

#endif
