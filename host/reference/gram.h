/* The Gram matrices of host/analysis/gram.h, one sum after the other. */
#ifndef FAL_REFERENCE_GRAM_H
#define FAL_REFERENCE_GRAM_H

#include <stddef.h>

/* out [side][side], side = by_column ? columns : rows; bound [side][side] (may be
 * NULL) is the largest difference that double arithmetic in any order explains:
 * terms + 8 units of 2^-52 of the sum of magnitudes. */
void fal_reference_gram(const float *a, const float *b, size_t rows, size_t columns,
                        int by_column, double *out, double *bound);

#endif
