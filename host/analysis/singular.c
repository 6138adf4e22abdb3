#include "analysis/singular.h"

#if FAL_LAPACK

#include "device/memory.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

/* Rows or columns first is the same here: the transpose has the same values. */
fal_status fal_singular_values(double *matrix, size_t side, double *values)
{
    lapack_int n = (lapack_int)side;
    lapack_int info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', n, n, matrix, n, values,
                                     NULL, 1, NULL, 1);
    if (!info)
        return FAL_OK;
    return fal_fail(info == LAPACK_WORK_MEMORY_ERROR ? FAL_ERROR_MEMORY
                                                     : FAL_ERROR_ARGUMENT,
                    "singular values of a matrix of %zu x %zu: LAPACK's dgesdd "
                    "failed (info %lld); are all its numbers finite?",
                    side, side, (long long)info);
}

static double ratio_of(const double *values, size_t side)
{
    double largest = values[0], smallest = values[side - 1];
    return smallest > (double)side * 0x1p-52 * largest ? largest / smallest : NAN;
}

static int is_finite(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return 0;
    return 1;
}

fal_status fal_condition_number(const double *matrix, size_t side, double *number)
{
    size_t count = side * side;
    *number = NAN;
    if (!is_finite(matrix, count))
        return FAL_OK;
    double *copy = fal_allocate(count + side, sizeof *copy);
    if (!copy)
        return FAL_ERROR_MEMORY;
    memcpy(copy, matrix, count * sizeof *copy);
    fal_status status = fal_singular_values(copy, side, copy + count);
    if (!status)
        *number = ratio_of(copy + count, side);
    fal_release(copy);
    return status;
}

#else

static fal_status missing(void)
{
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "singular values: this falign was built without LAPACK; install "
        "LAPACKE (liblapacke-dev) and build again");
}

fal_status fal_singular_values(double *matrix, size_t side, double *values)
{
    (void)matrix, (void)side, (void)values;
    return missing();
}

fal_status fal_condition_number(const double *matrix, size_t side, double *number)
{
    (void)matrix, (void)side, (void)number;
    return missing();
}

#endif
