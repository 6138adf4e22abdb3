/* A standardised sample in double. */
#ifndef FAL_REFERENCE_GATHER_H
#define FAL_REFERENCE_GATHER_H

#include "falign.h"

/* Value i of a stored sample, times scale plus shift of its channel. */
double fal_reference_gather(const void *sample, fal_type type, size_t i,
                            size_t channels, const float *scale,
                            const float *shift);

#endif
