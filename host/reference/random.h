/* Random tensors, element by element. */
#ifndef FAL_REFERENCE_RANDOM_H
#define FAL_REFERENCE_RANDOM_H

#include "ops/random.h"

/* Value at (r, c) of what fal_random_fill puts into [rows][columns]; uniform values
 * to the bit. */
float fal_reference_random(const fal_random *random, size_t rows, size_t columns,
                           int turned, size_t r, size_t c);

#endif
