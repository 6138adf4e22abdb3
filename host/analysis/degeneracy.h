/* How much alike runs are that began from different weights: each run's weight
 * matrices, flattened and behind one another, are a vector, and what counts is the
 * cosine of two of them. */
#ifndef FAL_DEGENERACY_H
#define FAL_DEGENERACY_H

#include "device/error.h"

/* The mean cosine of all pairs of `runs` vectors of `count` numbers, in double.
 * each[i], if asked for, is the mean cosine of run i with all others; their mean is
 * *mean. NAN of fewer than two runs, and where one is zero. Errors: MEMORY. */
fal_status fal_degeneracy(const float *const *vectors, size_t runs, size_t count,
                          double *each, double *mean);

#endif
