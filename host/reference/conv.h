/* Convolutions in double, by plain loops over what each weight joins. */
#ifndef FAL_REFERENCE_CONV_H
#define FAL_REFERENCE_CONV_H

#include "ops/conv.h"

/* A sum, the sum of its terms' magnitudes, and how many there are */
typedef struct fal_reference_total {
    double value, magnitude;
    size_t terms;
} fal_reference_total;

/* Arrays laid out as in ops/conv.h; the totals begin at 0. output [images][out_height]
 * [out_width][out] of conv(input, weight); */
void fal_reference_conv(const fal_conv *conv, const float *input,
                        const float *weight, fal_reference_total *output);

/* signal [images][height][width][in] of conv^T(delta, carrier); */
void fal_reference_conv_data(const fal_conv *conv, const float *delta,
                             const float *carrier, fal_reference_total *signal);

/* gradient [kernel·kernel·in + 1][out] of input^T * delta, the last row Σ delta. */
void fal_reference_conv_weight(const fal_conv *conv, const float *input,
                               const float *delta, fal_reference_total *gradient);

#endif
