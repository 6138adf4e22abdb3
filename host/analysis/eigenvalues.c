#include "analysis/eigenvalues.h"

#if FAL_LAPACK

#include "device/memory.h"

#include <lapacke.h>
#include <string.h>

static fal_status failed(const char *routine, size_t side, lapack_int info)
{
    int no_memory = info == LAPACK_WORK_MEMORY_ERROR;
    return fal_fail(
        no_memory ? FAL_ERROR_MEMORY : FAL_ERROR_ARGUMENT,
        "ranks from a Gram matrix of %zu x %zu: LAPACK's %s failed (info "
        "%lld)%s",
        side, side, routine, (long long)info,
        no_memory ? ": no memory; use a smaller batch" : "");
}

fal_status fal_eigenvalues(double *matrix, size_t side, double *values)
{
    lapack_int n = (lapack_int)side;
    lapack_int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'N', 'L', n, matrix, n,
                                     values);
    return info ? failed("dsyevd", side, info) : FAL_OK;
}

/* ---- of a product -------------------------------------------------------- */

/* s becomes L, by columns: row i of L L^T is row order[i] of s, from 1. Pivots at the
 * level of rounding end it; the columns of L from there on are 0. */
static fal_status factor(double *s, size_t side, lapack_int *order)
{
    lapack_int n = (lapack_int)side, rank = 0;
    lapack_int info = LAPACKE_dpstrf(LAPACK_COL_MAJOR, 'L', n, s, n, order, &rank,
                                     -1);
    if (info < 0)
        return failed("dpstrf", side, info);
    for (size_t column = (size_t)rank; column < side; column++)
        memset(s + column * side, 0, side * sizeof *s);
    return FAL_OK;
}

/* m <- L^T m L */
static fal_status enclose(double *m, const double *l, size_t side)
{
    lapack_int n = (lapack_int)side;
    lapack_int info = LAPACKE_dsygst(LAPACK_COL_MAJOR, 3, 'L', n, m, n, l, n);
    return info ? failed("dsygst", side, info) : FAL_OK;
}

/* Where s = L L^T, L^T d L has the eigenvalues of s^1/2 d s^1/2. */
static fal_status multiply(double *l, const double *d, size_t side,
                           lapack_int *order, double *m)
{
    fal_status status = factor(l, side, order);
    if (status)
        return status;
    for (size_t i = 0; i < side; i++)
        for (size_t j = 0; j < side; j++)
            m[i * side + j] =
                d[(size_t)(order[i] - 1) * side + (size_t)(order[j] - 1)];
    return enclose(m, l, side);
}

fal_status fal_product_eigenvalues(const double *s, const double *d, size_t side,
                                   double *values)
{
    const size_t count = side * side;
    double *l = fal_allocate(2 * count, sizeof *l);
    lapack_int *order = fal_allocate(side, sizeof *order);
    fal_status status = l && order ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status) {
        memcpy(l, s, count * sizeof *l);
        status = multiply(l, d, side, order, l + count);
    }
    if (!status)
        status = fal_eigenvalues(l + count, side, values);
    fal_release(l);
    fal_release(order);
    return status;
}

#else

static fal_status missing(void)
{
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "ranks: this falign was built without LAPACK; install LAPACKE "
                    "(liblapacke-dev) and build again");
}

fal_status fal_eigenvalues(double *matrix, size_t side, double *values)
{
    (void)matrix, (void)side, (void)values;
    return missing();
}

fal_status fal_product_eigenvalues(const double *s, const double *d, size_t side,
                                   double *values)
{
    (void)s, (void)d, (void)side, (void)values;
    return missing();
}

#endif
