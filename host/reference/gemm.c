#include "reference/gemm.h"
#include "reference/activation.h"
#include "reference/random.h"

#include <math.h>

static const double UNIT = 0x1p-24;  /* half a unit in the last place of 1 */
static const double TINY = 0x1p-120; /* where numbers flush to 0 */

/* Of an operand with `rows` rows */
static double element(const fal_reference_operand *of, size_t rows, size_t row,
                      size_t column)
{
    if (of->source == FAL_SOURCE_COLUMNS_ONES && row + 1 == rows)
        return 1;
    return of->source == FAL_SOURCE_ROWS ? of->data[row * of->pitch + column]
                                         : of->data[column * of->pitch + row];
}

static float sign(float m, float w)
{
    return w > 0 ? fabsf(m) : w < 0 ? -fabsf(m) : w;
}

/* B's element [i][j]; signs and magnitudes are stored transposed. */
static float made(const fal_values *values, fal_reference_operand stored,
                  const float *magnitude, size_t k, size_t n, size_t i, size_t j)
{
    const size_t at = j * stored.pitch + i;
    switch (values->kind) {
    case FAL_VALUES_SIGN:
        return sign(values->scale, stored.data[at]);
    case FAL_VALUES_MAGNITUDE_SIGN:
        return sign(magnitude[at], stored.data[at]);
    case FAL_VALUES_RANDOM:
        return fal_reference_random(&values->random, k, n, 0, i, j);
    case FAL_VALUES_RANDOM_SIGN:
        return sign(fal_reference_random(&values->random, k, n, 0, i, j),
                    stored.data[at]);
    case FAL_VALUES_STORED:
        break;
    }
    return stored.data[i * stored.pitch + j];
}

void fal_reference_values(const fal_values *values, fal_reference_operand stored,
                          const float *magnitude, size_t k, size_t n,
                          float *elements)
{
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < n; j++)
            elements[i * n + j] = made(values, stored, magnitude, k, n, i, j);
}

double fal_reference_values_units(const fal_values *values)
{
    int random = values->kind >= FAL_VALUES_RANDOM;
    return random && values->random.distribution == FAL_NORMAL ? 21 : 0;
}

fal_estimate fal_reference_sum(double value, double magnitude, size_t terms)
{
    return (fal_estimate){value, (double)(terms + 12) * (UNIT * magnitude + TINY)};
}

static fal_estimate sum(const fal_reference_product *p, size_t i, size_t j)
{
    double value = 0, magnitude = 0;
    for (size_t k = 0; k < p->k; k++) {
        double term = element(&p->a, p->m, i, k) * element(&p->b, p->k, k, j);
        value += term;
        magnitude += fabs(term);
    }
    double alpha = p->alpha == 0 ? 1 : p->alpha;
    double off = p->b_units > 0 ? fabs(alpha) * p->b_units * UNIT * magnitude : 0;
    double old = p->old ? p->old[i * p->pitch + j] : 0;
    double other = p->other ? p->beta * p->other[i * p->pitch + j] : 0;
    double added = other + (i == j ? p->identity : 0) + (p->bias ? p->bias[j] : 0);
    magnitude = fabs(alpha) * (magnitude + fabs(old)) + fabs(other) +
                (i == j ? fabs(p->identity) : 0) + (p->bias ? fabs(p->bias[j]) : 0);
    fal_estimate made = fal_reference_sum(alpha * (value + old) + added, magnitude,
                                          p->k);
    made.error += off;
    return made;
}

/* No phi is steeper than 1 or its slope; exp and tanh are good to 5 units. */
fal_estimate fal_reference_activated(fal_activation activation, fal_estimate v)
{
    if (activation.phi == FAL_LINEAR)
        return v;
    double value = fal_reference_activate(activation, v.value);
    double steepest = fmax(1, fabs(activation.slope));
    return (fal_estimate){value,
                          steepest * v.error + 16 * UNIT * fabs(value) + TINY};
}

/* phi' itself is good to 4 units of 1: 1 - h·h cancels. */
fal_estimate fal_reference_derived(fal_activation derivative, fal_estimate v,
                                   double h)
{
    double value = fal_reference_derive(derivative, v.value, h);
    double slope = fabs(fal_reference_derivative(derivative, h));
    double own = derivative.phi == FAL_LINEAR ? 0 : 4 * UNIT * fabs(v.value);
    return (fal_estimate){value, (slope + 4 * UNIT) * v.error + own + TINY};
}

void fal_reference_gemm(const fal_reference_product *p, double *c, double *bound)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            fal_estimate v = fal_reference_activated(p->activation, sum(p, i, j));
            if (p->output)
                v = fal_reference_derived(p->derivative, v,
                                          p->output[i * p->pitch + j]);
            c[i * p->n + j] = v.value;
            if (bound)
                bound[i * p->n + j] = v.error;
        }
}
