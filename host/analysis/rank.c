#include "analysis/rank.h"
#include "device/memory.h"

#include <math.h>
#include <string.h>

#if FAL_LAPACK
#include <lapacke.h>
#endif

static const fal_ranks NONE = {NAN, NAN, NAN};

int fal_has_ranks(void)
{
    return FAL_LAPACK;
}

/* ---- from eigenvalues ---------------------------------------------------- */

/* What the definition promises; rounding may miss it by some 1e-16. */
static double within(double rank, double most)
{
    return fmin(fmax(rank, 1), most);
}

/* Ascending; becomes shares of the largest. */
static fal_ranks ranks_of(double *values, size_t side)
{
    const double largest = values[side - 1];
    double roots = 0, sum = 0, squares = 0, entropy = 0, count = 0;
    if (!(largest > 0))
        return NONE;
    for (size_t i = 0; i < side; i++) {
        double share = values[i] / largest;
        values[i] = share <= (double)side * 0x1p-52 ? 0 : share;
        roots += sqrt(values[i]);
        sum += values[i];
        squares += values[i] * values[i];
    }
    for (size_t i = 0; i < side; i++)
        if (values[i] > 0) {
            double p = sqrt(values[i]) / roots;
            entropy -= p * log(p);
            count++;
        }
    return (fal_ranks){within(exp(entropy), count),
                       within(sum * sum / squares, count), within(sum, count)};
}

static int is_finite(const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return 0;
    return 1;
}

/* ---- LAPACK -------------------------------------------------------------- */

#if FAL_LAPACK

/* Matrices are symmetric, or LAPACK's own: lower triangles by columns. */
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

/* Ascending; the matrix is destroyed. */
static fal_status eigenvalues(double *matrix, size_t side, double *values)
{
    lapack_int n = (lapack_int)side;
    lapack_int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'N', 'L', n, matrix, n,
                                     values);
    return info ? failed("dsyevd", side, info) : FAL_OK;
}

/* s = P L L^T P^T, row i of L being row order[i] - 1 of s; pivots at the level of
 * rounding end it, and the columns of L from there on are 0. */
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

/* m <- l^T m l */
static fal_status enclose(double *m, const double *l, size_t side)
{
    lapack_int n = (lapack_int)side;
    lapack_int info = LAPACKE_dsygst(LAPACK_COL_MAJOR, 3, 'L', n, m, n, l, n);
    return info ? failed("dsygst", side, info) : FAL_OK;
}

/* With s = L L^T, L^T d L has the eigenvalues of s^1/2 d s^1/2. `work` has room for
 * two matrices. */
static fal_status product(const double *s, const double *d, size_t side,
                          double *work, lapack_int *order, double *values)
{
    double *l = work, *m = work + side * side;
    memcpy(l, s, side * side * sizeof *l);
    fal_status status = factor(l, side, order);
    if (status)
        return status;
    for (size_t i = 0; i < side; i++)
        for (size_t j = 0; j < side; j++)
            m[i * side + j] =
                d[(size_t)(order[i] - 1) * side + (size_t)(order[j] - 1)];
    status = enclose(m, l, side);
    return status ? status : eigenvalues(m, side, values);
}

fal_status fal_ranks_of_gram(double *gram, size_t side, fal_ranks *ranks)
{
    *ranks = NONE;
    if (!is_finite(gram, side * side))
        return FAL_OK;
    double *values = fal_allocate(side, sizeof *values);
    if (!values)
        return FAL_ERROR_MEMORY;
    fal_status status = eigenvalues(gram, side, values);
    if (!status)
        *ranks = ranks_of(values, side);
    fal_release(values);
    return status;
}

fal_status fal_ranks_of_product(const double *s, const double *d, size_t side,
                                fal_ranks *ranks)
{
    *ranks = NONE;
    if (!is_finite(s, side * side) || !is_finite(d, side * side))
        return FAL_OK;
    double *work = fal_allocate(2 * side * side + side, sizeof *work);
    lapack_int *order = fal_allocate(side, sizeof *order);
    double *values = work ? work + 2 * side * side : NULL;
    fal_status status = work && order ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status)
        status = product(s, d, side, work, order, values);
    if (!status)
        *ranks = ranks_of(values, side);
    fal_release(work);
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

fal_status fal_ranks_of_gram(double *gram, size_t side, fal_ranks *ranks)
{
    (void)gram, (void)side, (void)ranks;
    return missing();
}

fal_status fal_ranks_of_product(const double *s, const double *d, size_t side,
                                fal_ranks *ranks)
{
    (void)s, (void)d, (void)side, (void)ranks;
    return missing();
}

#endif

/* ---- of an update -------------------------------------------------------- */

/* gram [columns][columns] <- x^T middle x, x [rows][columns]; `work` has room for
 * another x. */
static void enclose_middle(const float *x, size_t rows, size_t columns,
                           const double *middle, double *work, double *gram)
{
    memset(work, 0, rows * columns * sizeof *work);
    memset(gram, 0, columns * columns * sizeof *gram);
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < rows; k++)
            for (size_t j = 0; j < columns; j++)
                work[i * columns + j] += middle[i * rows + k] *
                                         (double)x[k * columns + j];
    for (size_t k = 0; k < rows; k++)
        for (size_t i = 0; i < columns; i++)
            for (size_t j = 0; j <= i; j++)
                gram[i * columns + j] += (double)x[k * columns + i] *
                                         work[k * columns + j];
    for (size_t i = 0; i < columns; i++)
        for (size_t j = 0; j < i; j++)
            gram[j * columns + i] = gram[i * columns + j];
}

static fal_status by_side(fal_device *device, fal_view view, size_t rows,
                          size_t columns, const double *middle, fal_ranks *ranks)
{
    float *x = fal_allocate(rows * columns, sizeof *x);
    double *work = fal_allocate(rows * columns, sizeof *work);
    double *gram = fal_allocate(columns * columns, sizeof *gram);
    fal_status status = x && work && gram ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status)
        status = fal_read(device, view.buffer, view.offset * sizeof *x,
                          rows * columns * sizeof *x, x);
    if (!status) {
        enclose_middle(x, rows, columns, middle, work, gram);
        status = fal_ranks_of_gram(gram, columns, ranks);
    }
    fal_release(x);
    fal_release(work);
    fal_release(gram);
    return status;
}

fal_status fal_ranks_of_update(fal_device *device, const fal_outer *outer,
                               fal_ranks *ranks)
{
    if (outer->out < outer->batch && outer->out <= outer->in)
        return by_side(device, outer->delta, outer->batch, outer->out, outer->s,
                       ranks);
    if (outer->in < outer->batch)
        return by_side(device, outer->h, outer->batch, outer->in, outer->d, ranks);
    return fal_ranks_of_product(outer->s, outer->d, outer->batch, ranks);
}
