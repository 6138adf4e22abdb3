/* Pooling in double, forward and backward. */
#ifndef FAL_REFERENCE_POOL_H
#define FAL_REFERENCE_POOL_H

#include "ops/pool.h"

/* The output of x; shape->average, sizes and stride count. */
void fal_reference_pool(const fal_pool *shape, const double *x, double *y);

/* into <- (dL/dx from the signal dL/dy, + the old `into` if shape->accumulate)
 * · phi'(x), x being the output of shape->derivative. */
void fal_reference_pool_backward(const fal_pool *shape, const double *x,
                                 const double *signal, double *into);

#endif
