/* Standardisation: x = (v - mean)/deviation, with v = byte/255 or the float as
 * given. */
#ifndef FAL_STANDARDIZE_H
#define FAL_STANDARDIZE_H

#include "falign.h"

/* Mean and population deviation of the inputs: `how` is "channel" (NULL the same),
 * "global" (one number, stored for every channel) or "none" (0 and 1). mean and
 * deviation have arrays->channels numbers. A deviation of 0, or so small that it is
 * only the rounding of the values, counts as 1. The arrays must be sound (those of
 * a data set are). Errors: ARGUMENT (unknown `how`; an input that is not finite,
 * and which), MEMORY. */
fal_status fal_standardization(const fal_arrays *arrays, const char *how,
                               double *mean, double *deviation);

#endif
