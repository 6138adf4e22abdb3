/* Sums in double. */
#ifndef FAL_REFERENCE_REDUCE_H
#define FAL_REFERENCE_REDUCE_H

#include <stddef.h>

/* sums[c] = Σ_r x[r][c]; magnitudes[c] = Σ_r |x[r][c]|, for bounds of rounding. */
void fal_reference_column_sums(const float *x, size_t rows, size_t columns,
                               double *sums, double *magnitudes);

#endif
