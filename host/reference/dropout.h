/* Dropout in double, element by element. */
#ifndef FAL_REFERENCE_DROPOUT_H
#define FAL_REFERENCE_DROPOUT_H

#include "ops/random.h"

/* What becomes of x, element i as stored of maps [rows][positions][channels]: x over
 * 1 − rate, or 0. */
double fal_reference_dropout(const fal_random *numbers, double rate,
                             size_t positions, size_t channels, size_t i, double x);

#endif
