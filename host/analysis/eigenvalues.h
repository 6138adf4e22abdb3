/* Eigenvalues of symmetric matrices, by LAPACK; ascending. Built without it both
 * functions fail, saying so. */
#ifndef FAL_EIGENVALUES_H
#define FAL_EIGENVALUES_H

#include "device/error.h"

/* Of a matrix [side][side], which is destroyed. */
fal_status fal_eigenvalues(double *matrix, size_t side, double *values);

/* Of s^1/2 d s^1/2; both [side][side] and without negative eigenvalues. Those of s at
 * the level of rounding count as 0. */
fal_status fal_product_eigenvalues(const double *s, const double *d, size_t side,
                                   double *values);

#endif
