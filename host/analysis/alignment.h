/* Cosines of vectors of floats, in double. */
#ifndef FAL_ALIGNMENT_H
#define FAL_ALIGNMENT_H

#include <stddef.h>

/* Inner products of two vectors a and b; those of a concatenation are the sums of
 * its parts'. */
typedef struct fal_inner {
    double ab, aa, bb;
} fal_inner;

/* Of n numbers. */
fal_inner fal_inner_of(const float *a, const float *b, size_t n);
void fal_inner_add(fal_inner *sum, fal_inner part);

/* From -1 to 1; NAN where a or b is zero. */
double fal_cosine(fal_inner inner);

#endif
