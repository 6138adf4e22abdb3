/* Pooling over windows of maps [images][height][width][channels], without padding;
 * windows that do not fit are left out. Kernels: cl/pool.cl. */
#ifndef FAL_POOL_H
#define FAL_POOL_H

#include "device/launch.h"
#include "ops/activation.h"

/* out_height = (height − high)/stride + 1, rounded down; so out_width. */
typedef struct fal_pool {
    size_t images, height, width, channels;
    size_t high, wide, stride; /* of a window */
    size_t out_height, out_width;
    int average; /* else the maximum: of equal ones the first in reading order counts,
                     * and a NaN before any number */
    fal_view input; /* backward too: of the maximum, or for the derivative */
    fal_view output;

    /* Backward: `into` <- (dL/d(input) from the signal dL/d(output), + the old `into` if
     * accumulate)·phi'(input) */
    fal_view signal, into;
    int accumulate;
    fal_activation derivative; /* the input is its stored output; linear: none */
} fal_pool;

fal_status fal_pool_add(fal_launches *list, const fal_pool *pool);
fal_status fal_pool_backward_add(fal_launches *list, const fal_pool *pool);

#endif
