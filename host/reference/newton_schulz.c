#include "reference/newton_schulz.h"
#include "device/memory.h"

#include <math.h>
#include <string.h>

enum { TURNS = 5 };
static const double A = 3.4445, B = -4.7750, C = 2.0315;

double fal_reference_newton_schulz_map(double s)
{
    for (int turn = 0; turn < TURNS; turn++)
        s = A * s + B * s * s * s + C * s * s * s * s * s;
    return s;
}

/* Matrices of n rows and n or `length` columns. */
typedef struct room {
    size_t n, length;
    double *x, *gram, *power, *moved;
} room;

static void multiply(const double *a, const double *b, double *c, size_t n,
                     size_t columns)
{
    memset(c, 0, n * columns * sizeof *c);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < columns; j++)
                c[i * columns + j] += a[i * n + k] * b[k * columns + j];
}

static void turn(room *r)
{
    size_t n = r->n, length = r->length;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t k = 0; k < length; k++)
                sum += r->x[i * length + k] * r->x[j * length + k];
            r->gram[i * n + j] = sum;
        }
    multiply(r->gram, r->gram, r->power, n, n);
    for (size_t i = 0; i < n * n; i++)
        r->power[i] = B * r->gram[i] + C * r->power[i];
    multiply(r->power, r->x, r->moved, n, length);
    for (size_t i = 0; i < n * length; i++)
        r->x[i] = A * r->x[i] + r->moved[i];
}

static double norm(const double *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

fal_status fal_reference_newton_schulz(double *x, size_t rows, size_t columns)
{
    int is_tall = rows > columns;
    size_t n = is_tall ? columns : rows, length = is_tall ? rows : columns;
    room r = {n,
              length,
              fal_allocate(n * length, sizeof(double)),
              fal_allocate(n * n, sizeof(double)),
              fal_allocate(n * n, sizeof(double)),
              fal_allocate(n * length, sizeof(double))};
    fal_status status = r.x && r.gram && r.power && r.moved ? FAL_OK
                                                            : FAL_ERROR_MEMORY;
    double unit = norm(x, rows * columns) + 1e-7;
    for (size_t i = 0; i < n * length && !status; i++)
        r.x[i] = x[is_tall ? i % length * n + i / length : i] / unit;
    for (int i = 0; i < TURNS && !status; i++)
        turn(&r);
    for (size_t i = 0; i < n * length && !status; i++)
        x[is_tall ? i % length * n + i / length : i] = r.x[i];
    fal_release(r.x);
    fal_release(r.gram);
    fal_release(r.power);
    fal_release(r.moved);
    return status;
}
