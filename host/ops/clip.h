/* Clipping gradients by their global norm: sums of squares over spans of an arena,
 * then one factor that the optimizer's update reads. Kernels: cl/clip.cl. */
#ifndef FAL_CLIP_H
#define FAL_CLIP_H

#include "device/launch.h"

/* Floats whose squares make one partial sum. */
enum { FAL_SQUARES_BLOCK = 16384 };

/* Partial sums that n floats have: by n alone, so that sums keep their order. */
size_t fal_square_sums_count(size_t n);

/* partials[fal_square_sums_count(n)] <- sums of squares of blocks of x. */
fal_status fal_square_sums_add(fal_launches *list, fal_view x, size_t n,
                               fal_view partials);

/* Adds the arguments (ulong n, ulong span) and ends the launch of a kernel that makes
 * such sums. */
fal_status fal_end_square_sums(fal_launches *list, size_t n);

/* *scale <- min(1, limit/(norm + 1e-6)), norm² the sum of all partials. */
fal_status fal_clip_scale_add(fal_launches *list, float limit, fal_view partials,
                              size_t count, fal_view scale);

#endif
