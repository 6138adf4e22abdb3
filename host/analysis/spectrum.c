#include "analysis/spectrum.h"
#include "device/memory.h"

void fal_spectrum_release(fal_spectrum *spectrum)
{
    fal_release(spectrum->real);
    *spectrum = (fal_spectrum){0};
}

#if FAL_LAPACK

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

fal_status fal_spectrum_check(void)
{
    return FAL_OK;
}

static const double zero_share = 1e-8, rank_share = 1e-9;

static fal_status failed(const char *routine, size_t side, lapack_int info)
{
    int no_memory = info == LAPACK_WORK_MEMORY_ERROR;
    return fal_fail(
        no_memory ? FAL_ERROR_MEMORY : FAL_ERROR_ARGUMENT,
        "spectrum of a %zu x %zu matrix: LAPACK's %s failed (info %lld)%s", side,
        side, routine, (long long)info,
        no_memory ? ": no memory; analyze a smaller model" : "");
}

static fal_status refuse_infinite(const double *matrix, size_t side)
{
    for (size_t i = 0; i < side * side; i++)
        if (!isfinite(matrix[i]))
            return fal_fail(
                FAL_ERROR_ARGUMENT,
                "spectrum of a %zu x %zu matrix: it has numbers that are "
                "not finite; the model has diverged",
                side, side);
    return FAL_OK;
}

static fal_status begin(fal_spectrum *spectrum, const double *matrix, size_t side)
{
    *spectrum = (fal_spectrum){.side = side};
    fal_status status = refuse_infinite(matrix, side);
    if (status)
        return status;
    spectrum->real = fal_allocate(2 * side, sizeof(double));
    if (!spectrum->real)
        return FAL_ERROR_MEMORY;
    spectrum->imaginary = spectrum->real + side;
    return FAL_OK;
}

static void count_sides(fal_spectrum *s)
{
    for (size_t i = 0; i < s->side; i++)
        s->largest = fmax(s->largest, hypot(s->real[i], s->imaginary[i]));
    for (size_t i = 0; i < s->side; i++)
        if (fabs(s->real[i]) <= zero_share * s->largest)
            s->zero++;
        else if (s->real[i] > 0)
            s->positive++;
        else
            s->negative++;
}

/* ---- any matrix ---------------------------------------------------------- */

struct value {
    double real, imaginary;
    size_t column; /* in LAPACK's order */
};

/* Descending; those of a pair by their imaginary parts. */
static int compare(const void *one, const void *other)
{
    const struct value *a = one, *b = other;
    if (a->real != b->real)
        return a->real < b->real ? 1 : -1;
    return (a->imaginary < b->imaginary) - (a->imaginary > b->imaginary);
}

/* LAPACK stores a pair's vectors as two columns, real and imaginary part, of which the
 * first member has the positive imaginary part; the order above keeps that first. */
static void take_vector(const double *vectors, const struct value *value,
                        size_t side, double *vector)
{
    memcpy(vector, vectors + value->column * side, side * sizeof *vector);
    for (size_t i = 0; i < side; i++)
        vector[side + i] = value->imaginary > 0
                               ? vectors[(value->column + 1) * side + i]
                               : 0;
}

static void choose(const fal_spectrum *s, const struct value *values,
                   const double *vectors, double *vector, size_t *chosen)
{
    *chosen = 0;
    while (*chosen < s->side &&
           fabs(values[*chosen].real) <= zero_share * s->largest)
        ++*chosen;
    if (*chosen < s->side)
        take_vector(vectors, &values[*chosen], s->side, vector);
}

static fal_status solve(fal_spectrum *s, double *matrix, double *vectors,
                        struct value *values)
{
    const lapack_int n = (lapack_int)s->side;
    lapack_int info = LAPACKE_dgeev(LAPACK_COL_MAJOR, 'N', 'V', n, matrix, n,
                                    s->real, s->imaginary, NULL, n, vectors, n);
    if (info)
        return failed("dgeev", s->side, info);
    for (size_t i = 0; i < s->side; i++)
        values[i] = (struct value){s->real[i], s->imaginary[i], i};
    qsort(values, s->side, sizeof *values, compare);
    for (size_t i = 0; i < s->side; i++) {
        s->real[i] = values[i].real;
        s->imaginary[i] = values[i].imaginary;
    }
    count_sides(s);
    return FAL_OK;
}

fal_status fal_spectrum_find(fal_spectrum *spectrum, double *matrix, size_t side,
                             double *vector, size_t *chosen)
{
    double *vectors = fal_allocate(side * side, sizeof *vectors);
    struct value *values = fal_allocate(side, sizeof *values);
    fal_status status = begin(spectrum, matrix, side);
    if (!vectors || !values)
        status = FAL_ERROR_MEMORY;
    if (!status)
        status = solve(spectrum, matrix, vectors, values);
    if (!status)
        choose(spectrum, values, vectors, vector, chosen);
    fal_release(vectors);
    fal_release(values);
    if (status)
        fal_spectrum_release(spectrum);
    return status;
}

/* ---- symmetric ----------------------------------------------------------- */

fal_status fal_spectrum_symmetric(fal_spectrum *spectrum, double *matrix,
                                  size_t side)
{
    const lapack_int n = (lapack_int)side;
    fal_status status = begin(spectrum, matrix, side);
    if (status)
        return status;
    lapack_int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'N', 'L', n, matrix, n,
                                     spectrum->imaginary);
    for (size_t i = 0; i < side; i++)
        spectrum->real[i] = spectrum->imaginary[side - 1 - i];
    memset(spectrum->imaginary, 0, side * sizeof(double));
    count_sides(spectrum);
    if (!info)
        return FAL_OK;
    fal_spectrum_release(spectrum);
    return failed("dsyevd", side, info);
}

fal_status fal_least_squares(double *matrix, size_t side, double *b)
{
    const lapack_int n = (lapack_int)side;
    lapack_int rank;
    fal_status status = refuse_infinite(matrix, side);
    double *values = status ? NULL : fal_allocate(side, sizeof *values);
    if (!values)
        return status ? status : FAL_ERROR_MEMORY;
    lapack_int info = LAPACKE_dgelsd(LAPACK_COL_MAJOR, n, n, 1, matrix, n, b, n,
                                     values, rank_share, &rank);
    fal_release(values);
    return info ? failed("dgelsd", side, info) : FAL_OK;
}

#else

fal_status fal_spectrum_check(void)
{
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "spectra: this falign was built without LAPACK; install LAPACKE "
        "(liblapacke-dev) and build again");
}

fal_status fal_spectrum_find(fal_spectrum *spectrum, double *matrix, size_t side,
                             double *vector, size_t *chosen)
{
    (void)matrix, (void)side, (void)vector, (void)chosen;
    *spectrum = (fal_spectrum){0};
    return fal_spectrum_check();
}

fal_status fal_spectrum_symmetric(fal_spectrum *spectrum, double *matrix,
                                  size_t side)
{
    (void)matrix, (void)side;
    *spectrum = (fal_spectrum){0};
    return fal_spectrum_check();
}

fal_status fal_least_squares(double *matrix, size_t side, double *b)
{
    (void)matrix, (void)side, (void)b;
    return fal_spectrum_check();
}

#endif
