/* Ranks of a matrix from the eigenvalues lambda = s^2 of a Gram matrix of it:
 *
 *   effective rank       exp(-sum p ln p), p = s / sum of s, 0 ln 0 = 0
 *   participation ratio  (sum of s^2)^2 / sum of s^4
 *   stable rank          (sum of s^2) / max s^2
 *
 * Each lies between 1 and the number of values that are not 0; all are NAN for a zero
 * matrix and for one with NaN or infinities. With m the Gram matrix's side,
 * eigenvalues <= m 2^-52 lambda_max count as 0: rounding makes such. So a singular
 * value below sqrt(m 2^-52) of the largest (1.7e-7 for m = 128) is lost, and one at
 * 1e-6 is known to some 1e-3 of itself. That leaves an effective rank exact to 1e-5,
 * unless many values are that small: each lost one may stand for 3e-6.
 *
 * LAPACK finds the eigenvalues. Where OpenBLAS serves it, whose threads spin beside
 * those of the device and round differently from one number of threads to another, a
 * program that measures calls openblas_set_num_threads(1) when it starts, as the tool
 * does: that number is the process's, so the library does not touch it. */
#ifndef FAL_RANK_H
#define FAL_RANK_H

#include "device/launch.h"

typedef struct fal_ranks {
    double effective, participation, stable;
} fal_ranks;

/* Whether this falign was built with LAPACK; without it the functions below fail,
 * saying so. */
int fal_has_ranks(void);

/* Of a matrix with this Gram matrix, [side][side], which is destroyed. */
fal_status fal_ranks_of_gram(double *gram, size_t side, fal_ranks *ranks);

/* Of h^T delta from s = h h^T and d = delta delta^T, [side][side]: its squared
 * singular values are the eigenvalues of s^1/2 d s^1/2. */
fal_status fal_ranks_of_product(const double *s, const double *d, size_t side,
                                fal_ranks *ranks);

/* dW = h^T delta of a layer, h [batch][in] and delta [batch][out] on the device;
 * s and d as above, [batch][batch]. */
typedef struct fal_outer {
    size_t batch, in, out;
    const double *s, *d;
    fal_view h, delta;
} fal_outer;

/* Its ranks by way of its shortest side: from s and d if that is the batch, from
 * delta^T s delta if it is `out` (d may be NULL then), from h^T d h if it is `in` (s
 * may be NULL). The latter two read delta or h, and wait for that. */
fal_status fal_ranks_of_update(fal_device *device, const fal_outer *outer,
                               fal_ranks *ranks);

#endif
