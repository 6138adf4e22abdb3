/* A standardised sample in double. */
#ifndef FAL_REFERENCE_GATHER_H
#define FAL_REFERENCE_GATHER_H

#include "ops/gather.h"

/* Value i of a stored sample, times scale plus shift of its channel. */
double fal_reference_gather(const void *sample, fal_type type, size_t i,
                            size_t channels, const float *scale,
                            const float *shift);

/* The value of the stored sample [lines][width/lines] that value i of row `row` is at
 * this draw; SIZE_MAX: none, black. */
size_t fal_reference_augment(const fal_augmentation *augmentation, uint32_t draw,
                             size_t row, size_t lines, size_t width,
                             size_t channels, size_t i);

#endif
