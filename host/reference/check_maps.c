/* What stands between convolutions: pooling, joins and their like, dropout.
 *
 * Bounds in u = 2^-24: a sum of n terms is off by n u times their magnitudes, a
 * derivative by 4 u; a maximum is exact, and so is what is only moved. */
#include "reference/activation.h"
#include "reference/check.h"
#include "reference/checker.h"
#include "reference/dropout.h"
#include "reference/join.h"
#include "reference/pool.h"

#include "ops/optimize.h"

#include <math.h>

static const double U = 0x1p-24, TINY = 0x1p-120;

static double *widened(fal_checker *c, const float *values, size_t count)
{
    double *wide = fal_checker_room(c, count, sizeof *wide);
    for (size_t i = 0; wide && i < count; i++)
        wide[i] = (double)values[i];
    return wide;
}

/* Magnitudes of the same, infinite ones and NaN as nothing. */
static double *magnitudes(fal_checker *c, const float *values, size_t count)
{
    double *sizes = widened(c, values, count);
    for (size_t i = 0; sizes && i < count; i++)
        sizes[i] = isfinite(sizes[i]) ? fabs(sizes[i]) : 0;
    return sizes;
}

/* ---- pooling ------------------------------------------------------------- */

/* Few different values, so that maxima are met more than once. */
static float *steps(fal_checker *c, size_t count, int wild)
{
    float *x = fal_checker_floats(c, count, -3, 3);
    for (size_t i = 0; x && i < count; i++)
        x[i] = roundf(x[i]) / 2;
    if (wild)
        fal_checker_spoil(c, x, count, 7);
    return x;
}

static size_t input_size(const fal_pool *p)
{
    return p->images * p->height * p->width * p->channels;
}

static size_t output_size(const fal_pool *p)
{
    return p->images * p->out_height * p->out_width * p->channels;
}

fal_pool fal_check_pool_of(const size_t s[7])
{
    return (fal_pool){.images = s[0],
                      .height = s[1],
                      .width = s[2],
                      .channels = s[3],
                      .high = s[4],
                      .wide = s[5],
                      .stride = s[6],
                      .out_height = (s[1] - s[4]) / s[6] + 1,
                      .out_width = (s[2] - s[5]) / s[6] + 1};
}

fal_status fal_check_pool(fal_device *device, const fal_pool *shape, int wild,
                          double *worst)
{
    fal_pool p = *shape, sums = *shape;
    size_t in = input_size(&p), out = output_size(&p);
    double n = (double)p.high * (double)p.wide;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *x = steps(&c, in, wild);
    double *wide = widened(&c, x, in), *sizes = magnitudes(&c, x, in);
    double *expected = fal_checker_room(&c, out, sizeof *expected);
    double *magnitude = fal_checker_room(&c, out, sizeof *magnitude);
    p.input = fal_checker_put(&c, in, x);
    p.output = fal_checker_put(&c, out, NULL);
    fal_checker_run(&c, fal_pool_add(&c.launches, &p));
    const float *y = fal_checker_get(&c, p.output);
    if (y) {
        sums.average = 1;
        fal_reference_pool(&p, wide, expected);
        fal_reference_pool(&sums, sizes, magnitude);
    }
    for (size_t i = 0; y && i < out; i++)
        fal_checker_note(&c, y[i], expected[i],
                         p.average ? (n + 3) * U * magnitude[i] + TINY : 0);
    return fal_checker_end(&c);
}

/* How large the terms are that meet in dL/dx, if the signal is so large. */
static double *reaches(fal_checker *c, const fal_pool *p, const double *x,
                       const float *signal, const float *old)
{
    fal_pool all = *p;
    double *sizes = magnitudes(c, signal, output_size(p));
    double *reach = magnitudes(c, old, input_size(p));
    all.derivative = (fal_activation){FAL_LINEAR, 0};
    if (reach)
        fal_reference_pool_backward(&all, x, sizes, reach);
    return reach;
}

fal_status fal_check_pool_backward(fal_device *device, const fal_pool *shape,
                                   int wild, double *worst)
{
    fal_pool p = *shape;
    size_t in = input_size(&p), out = output_size(&p);
    double n = (double)p.high * (double)p.wide;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *x = steps(&c, in, wild);
    float *signal = fal_checker_floats(&c, out, -2, 2);
    float *old = fal_checker_floats(&c, in, -2, 2);
    double *wide = widened(&c, x, in), *terms = widened(&c, signal, out);
    double *expected = widened(&c, old, in);
    double *reach = reaches(&c, &p, wide, signal, old);
    p.input = fal_checker_put(&c, in, x);
    p.signal = fal_checker_put(&c, out, signal);
    p.into = fal_checker_put(&c, in, p.accumulate ? old : NULL);
    fal_checker_run(&c, fal_pool_backward_add(&c.launches, &p));
    const float *got = fal_checker_get(&c, p.into);
    if (got)
        fal_reference_pool_backward(&p, wide, terms, expected);
    for (size_t i = 0; got && i < in; i++) {
        double square = isfinite(wide[i]) ? wide[i] * wide[i] : 0;
        fal_checker_note(&c, got[i], expected[i],
                         (n + 6) * U * reach[i] * (1 + square) + TINY);
    }
    return fal_checker_end(&c);
}

/* ---- joins and sums ------------------------------------------------------ */

/* tanh is off by 10 u, sigmoid by 12; their inputs by 1 of what is added, which no
 * activation makes larger. */
fal_status fal_check_join(fal_device *device, const fal_shortcut *shortcut,
                          fal_activation activation, int wild, double *worst)
{
    size_t out = fal_reference_shortcut_size(shortcut);
    size_t in = shortcut->images * shortcut->height * shortcut->width *
                shortcut->channels;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *a = fal_checker_floats(&c, out, -3, 3);
    float *x = fal_checker_floats(&c, in, -3, 3);
    if (wild)
        fal_checker_spoil(&c, x, in, 7);
    double *expected = widened(&c, a, out), *wide = widened(&c, x, in);
    fal_view both = fal_checker_put(&c, out, a);
    fal_view from = fal_checker_put(&c, in, x);
    fal_checker_run(
        &c, fal_join_add(&c.launches, shortcut, both, from, activation, both));
    const float *h = fal_checker_get(&c, both);
    if (h)
        fal_reference_shortcut(shortcut, wide, expected);
    for (size_t i = 0; h && i < out; i++)
        fal_checker_note(&c, h[i], fal_reference_activate(activation, expected[i]),
                         U * (2 * fabs(expected[i]) + 12) + TINY);
    return fal_checker_end(&c);
}

fal_status fal_check_join_backward(fal_device *device, const fal_shortcut *shortcut,
                                   int accumulate, double *worst)
{
    size_t out = fal_reference_shortcut_size(shortcut);
    size_t in = shortcut->images * shortcut->height * shortcut->width *
                shortcut->channels;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *signal = fal_checker_floats(&c, out, -3, 3);
    float *old = fal_checker_floats(&c, in, -3, 3);
    double *expected = widened(&c, old, in), *wide = widened(&c, signal, out);
    fal_view from = fal_checker_put(&c, out, signal);
    fal_view into = fal_checker_put(&c, in, accumulate ? old : NULL);
    fal_checker_run(
        &c, fal_join_backward_add(&c.launches, shortcut, from, accumulate, into));
    const float *got = fal_checker_get(&c, into);
    for (size_t i = 0; got && !accumulate && i < in; i++)
        expected[i] = 0;
    if (got)
        fal_reference_shortcut_back(shortcut, wide, expected);
    for (size_t i = 0; got && i < in; i++)
        fal_checker_note(&c, got[i], expected[i],
                         accumulate ? 2 * U * fabs(expected[i]) : 0);
    return fal_checker_end(&c);
}

fal_status fal_check_sum(fal_device *device, size_t count,
                         fal_activation derivative, double *worst)
{
    const fal_view none = {NULL, 0};
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *from = fal_checker_floats(&c, count, -3, 3);
    float *old = fal_checker_floats(&c, count, -3, 3);
    float *h = fal_checker_floats(&c, count, -1, 1);
    fal_view first = fal_checker_put(&c, count, from);
    fal_view into = fal_checker_put(&c, count, old);
    fal_view output = derivative.phi ? fal_checker_put(&c, count, h) : none;
    fal_checker_run(
        &c, fal_sum_add(&c.launches, first, into, count, derivative, output));
    const float *got = fal_checker_get(&c, into);
    for (size_t i = 0; got && i < count; i++) {
        double sum = (double)from[i] + (double)old[i];
        double expected = fal_reference_derive(derivative, sum, h[i]);
        fal_checker_note(&c, got[i], expected,
                         4 * U * (fabs(sum) + fabs(expected)) + TINY);
    }
    return fal_checker_end(&c);
}

fal_status fal_check_spread(fal_device *device, size_t rows, size_t positions,
                            size_t channels, fal_activation derivative,
                            double *worst)
{
    const fal_view none = {NULL, 0};
    size_t all = rows * positions * channels;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *from = fal_checker_floats(&c, rows * channels, -3, 3);
    float *h = fal_checker_floats(&c, all, -1, 1);
    fal_view first = fal_checker_put(&c, rows * channels, from);
    fal_view output = derivative.phi ? fal_checker_put(&c, all, h) : none;
    fal_view into = fal_checker_put(&c, all, NULL);
    fal_checker_run(&c, fal_spread_add(&c.launches, first, rows, positions,
                                       channels, derivative, output, into));
    const float *got = fal_checker_get(&c, into);
    for (size_t i = 0; got && i < all; i++) {
        size_t row = i / channels / positions;
        double value = (double)from[row * channels + i % channels];
        double expected = fal_reference_derive(derivative, value, h[i]);
        fal_checker_note(&c, got[i], expected,
                         3 * U * (fabs(value) + fabs(expected)) + TINY);
    }
    return fal_checker_end(&c);
}

/* ---- dropout ------------------------------------------------------------- */

fal_status fal_check_dropout(fal_device *device, const fal_random *numbers,
                             double rate, size_t rows, size_t positions,
                             size_t channels, double *worst)
{
    const fal_update_step now = {.draw = numbers->draw};
    size_t all = rows * positions * channels;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *x = fal_checker_floats(&c, all, -3, 3);
    fal_view from = fal_checker_put(&c, all, x);
    fal_view to = fal_checker_put(&c, all, NULL);
    fal_random undrawn = *numbers;
    undrawn.draw = 0;
    fal_status status = fal_dropout_add(&c.launches, &undrawn, rate, from, to, rows,
                                        positions, channels);
    if (!status)
        status = fal_launches_step(&c.launches, sizeof now, &now);
    fal_checker_run(&c, status);
    const float *y = fal_checker_get(&c, to);
    for (size_t i = 0; y && i < all; i++) {
        double expected = fal_reference_dropout(numbers, rate, positions, channels,
                                                i, x[i]);
        fal_checker_note(&c, y[i], expected, 2 * U * fabs(expected));
    }
    return fal_checker_end(&c);
}
