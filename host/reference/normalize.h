/* Batch and layer norm in double, forward and backward, without activations. */
#ifndef FAL_REFERENCE_NORMALIZE_H
#define FAL_REFERENCE_NORMALIZE_H

#include <stddef.h>

/* x [rows][positions][channels]. A group of values shares mean and variance: a
 * channel, or with by_sample a row. */
typedef struct fal_reference_norm {
    size_t rows, positions, channels;
    int by_sample;
    const double *x;
    const double *gain, *bias; /* [channels]; NULL: 1, 0 */
} fal_reference_norm;

size_t fal_reference_norm_groups(const fal_reference_norm *norm);
size_t fal_reference_norm_values(const fal_reference_norm *norm); /* of a group */

/* Value k of a group. */
size_t fal_reference_norm_member(const fal_reference_norm *norm, size_t group,
                                 size_t k);

/* The group of value i, and (x_i − mean)/√(variance + 1e-5). */
size_t fal_reference_norm_group(const fal_reference_norm *norm, size_t i);
double fal_reference_norm_xhat(const fal_reference_norm *norm, const double *mean,
                               const double *variance, size_t i);

/* Mean and biased variance of each group. */
void fal_reference_norm_statistics(const fal_reference_norm *norm, double *mean,
                                   double *variance);

/* y = gain·xhat + bias */
void fal_reference_norm_forward(const fal_reference_norm *norm, const double *mean,
                                const double *variance, double *y);

/* signal = dL/dy becomes dL/dx, through the statistics; dgain, dbias [channels]. */
void fal_reference_norm_backward(const fal_reference_norm *norm, const double *mean,
                                 const double *variance, double *signal,
                                 double *dgain, double *dbias);

#endif
