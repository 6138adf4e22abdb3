/* Clipping by the norm, in double. */
#ifndef FAL_REFERENCE_CLIP_H
#define FAL_REFERENCE_CLIP_H

#include <stddef.h>

/* min(1, limit/(norm of x + 1e-6)) */
double fal_reference_clip(const float *x, size_t count, double limit);

#endif
