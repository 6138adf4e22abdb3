/* Singular values by LAPACK; and the condition number they make. Built without LAPACK
 * both functions fail, saying so. */
#ifndef FAL_SINGULAR_H
#define FAL_SINGULAR_H

#include "device/error.h"

/* Of a matrix [side][side], which is destroyed; descending. */
fal_status fal_singular_values(double *matrix, size_t side, double *values);

/* Largest by smallest, at least 1; NAN for a matrix [side][side] that has not full
 * rank (values <= side 2^-52 of the largest count as 0) or numbers that are not
 * finite. */
fal_status fal_condition_number(const double *matrix, size_t side, double *number);

#endif
