/* Gram matrices, in double, of float32 matrices on the device: ranks come from their
 * eigenvalues. Sums in float32 would lose every singular value below 3e-4 of the
 * largest. */
#ifndef FAL_GRAM_H
#define FAL_GRAM_H

#include "device/launch.h"

/* Of a and b [rows][columns], whose rows lie one after the other:
 *   by_column 0   out[i][j] = sum over c of a[i][c] b[j][c], side = rows
 *   by_column 1   out[i][j] = sum over r of a[r][i] b[r][j], side = columns
 * `out` is [side][side] on the host. Where b is a, half of it is computed. */
typedef struct fal_gram {
    fal_view a, b;
    size_t rows, columns;
    int by_column;
    double *out;
} fal_gram;

/* Computes them all; waits once. On the device where it has cl_khr_fp64
 * (facts.double_precision, which tests set to 0), else on the host, from copies. The
 * order of a sum follows from the matrix's shape and, on a CPU-like device, from the
 * width of its vectors. */
fal_status fal_grams_compute(fal_device *device, const fal_gram *grams,
                             size_t count);

#endif
