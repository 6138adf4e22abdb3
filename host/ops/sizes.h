/* Whole numbers that sizes of grids and blocks are made of. */
#ifndef FAL_SIZES_H
#define FAL_SIZES_H

#include <stddef.h>

/* a/b, rounded up */
static inline size_t fal_divided(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

/* The next multiple of b from a on */
static inline size_t fal_rounded(size_t a, size_t b)
{
    return fal_divided(a, b) * b;
}

static inline size_t fal_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

#endif
