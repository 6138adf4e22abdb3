#include "analysis/rank.h"
#include "analysis/eigenvalues.h"
#include "device/memory.h"

#include <math.h>
#include <string.h>

static const fal_ranks NONE = {NAN, NAN, NAN};

int fal_has_ranks(void)
{
    return FAL_LAPACK;
}

/* ---- of Gram matrices ---------------------------------------------------- */

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

fal_status fal_ranks_of_gram(double *gram, size_t side, fal_ranks *ranks)
{
    *ranks = NONE;
    if (!is_finite(gram, side * side))
        return FAL_OK;
    double *values = fal_allocate(side, sizeof *values);
    fal_status status = values ? fal_eigenvalues(gram, side, values)
                               : FAL_ERROR_MEMORY;
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
    double *values = fal_allocate(side, sizeof *values);
    fal_status status = values ? fal_product_eigenvalues(s, d, side, values)
                               : FAL_ERROR_MEMORY;
    if (!status)
        *ranks = ranks_of(values, side);
    fal_release(values);
    return status;
}

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
