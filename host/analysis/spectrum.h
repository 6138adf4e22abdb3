/* Spectra of small matrices in double, by LAPACK. Matrices are [side][side], column by
 * column. Built without LAPACK all functions that return a status fail, saying so. */
#ifndef FAL_SPECTRUM_H
#define FAL_SPECTRUM_H

#include "device/error.h"

/* Errors: ARGUMENT (built without LAPACK: what to install). */
fal_status fal_spectrum_check(void);

/* Eigenvalues in descending order of their real parts, and how many lie to which side:
 * |Re| <= 1e-8 max |lambda| counts as zero, for rounding makes such. */
typedef struct fal_spectrum {
    size_t side;
    double *real, *imaginary; /* one block, `real`'s */
    size_t positive, zero, negative;
    double largest; /* max |lambda| */
} fal_spectrum;

/* Of any matrix, which is destroyed. Of the eigenvalue whose real part is the largest
 * among those that do not count as zero, *chosen is the index and vector[0 … side − 1]
 * and vector[side … 2 side − 1] the real and imaginary part of its right eigenvector,
 * of norm 1; *chosen is `side` where there is none. */
fal_status fal_spectrum_find(fal_spectrum *spectrum, double *matrix, size_t side,
                             double *vector, size_t *chosen);

/* Of a symmetric matrix, which is destroyed. */
fal_status fal_spectrum_symmetric(fal_spectrum *spectrum, double *matrix,
                                  size_t side);
void fal_spectrum_release(fal_spectrum *spectrum);

/* The shortest x for which |matrix x − b| is smallest, in place of b; singular values
 * <= 1e-9 of the largest count as zero. The matrix is destroyed. */
fal_status fal_least_squares(double *matrix, size_t side, double *b);

#endif
