/* Activations, their derivatives, optimizers.
 *
 * Bounds, in u = 2^-24, the rounding of one operation. OpenCL grants exp and log 3
 * ulp = 6 u, tanh 5 ulp, sqrt 3 ulp, a quotient 2.5 ulp; a product or sum is one u,
 * and TINY stands for numbers that flush to 0. */
#include "reference/activation.h"
#include "reference/check.h"
#include "reference/checker.h"
#include "reference/optimize.h"

#include "ops/signs.h"

#include <math.h>

static const double U = 0x1p-24, TINY = 0x1p-120;

/* tanh 10 u; sigmoid: exp 6, sum 1, quotient 5; leaky's product 1. */
fal_status fal_check_activation(fal_device *device, fal_activation activation,
                                size_t count, int wild, double *worst)
{
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *a = fal_checker_floats(&c, count, -20, 20);
    if (wild)
        fal_checker_spoil(&c, a, count, 3);
    fal_view from = fal_checker_put(&c, count, a);
    fal_view to = fal_checker_put(&c, count, NULL);
    fal_checker_run(&c, fal_activate_add(&c.launches, activation, from, to, count));
    const float *h = fal_checker_get(&c, to);
    for (size_t i = 0; h && i < count; i++) {
        double expected = fal_reference_activate(activation, a[i]);
        fal_checker_note(&c, h[i], expected, 12 * U * fabs(expected) + TINY);
    }
    return fal_checker_end(&c);
}

/* 1 − h·h: 1 u of h·h (at most 1) and 1 of the difference; then the product.
 * Spoiled are deltas, and h by NaN alone: phi never gives infinity but for infinite
 * a. */
fal_status fal_check_derivative(fal_device *device, fal_activation activation,
                                size_t count, int wild, double *worst)
{
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *delta = fal_checker_floats(&c, count, -3, 3);
    float *h = fal_checker_floats(&c, count, -1, 1);
    if (wild) {
        fal_checker_spoil(&c, delta, count, 3);
        for (size_t i = 0; h && i < count; i += 7)
            h[i] = i % 2 ? 0 : NAN;
    }
    fal_view both = fal_checker_put(&c, count, delta);
    fal_view output = fal_checker_put(&c, count, h);
    fal_checker_run(&c,
                    fal_derive_add(&c.launches, activation, both, output, count));
    const float *got = fal_checker_get(&c, both);
    for (size_t i = 0; got && i < count; i++) {
        double expected = fal_reference_derive(activation, delta[i], h[i]);
        fal_checker_note(&c, got[i], expected,
                         3 * U * (fabs(delta[i]) + fabs(expected)) + TINY);
    }
    return fal_checker_end(&c);
}

static void compare_update(fal_checker *c, const fal_update *u, uint64_t t,
                           double rate, double scale, const float *from[5],
                           const float *to[5])
{
    int adam = u->rule != FAL_SGD;
    int with_moment = adam || u->momentum != 0;
    for (size_t i = 0; i < u->count; i++) {
        double g = scale * from[3][i];
        fal_reference_parameter p = {from[0][i], with_moment ? from[1][i] : 0,
                                     adam ? from[2][i] : 0, from[4][i]};
        fal_reference_parameter expected = fal_reference_update(u, t, rate, g, p);
        fal_reference_parameter b = fal_reference_update_bound(u, t, rate, g, 0, p);
        fal_checker_note(c, to[0][i], expected.weight, b.weight);
        if (with_moment)
            fal_checker_note(c, to[1][i], expected.moment, b.moment);
        if (adam)
            fal_checker_note(c, to[2][i], expected.square, b.square);
        if (u->feedback.buffer)
            fal_checker_note(c, to[4][i], expected.feedback, b.feedback);
    }
}

/* Where halted, or where there is no moment, nothing changes to the bit. */
static void compare_same(fal_checker *c, size_t count, const float *from,
                         const float *to)
{
    for (size_t i = 0; i < count; i++)
        fal_checker_note(c, to[i], from[i], 0);
}

fal_status fal_check_update(fal_device *device, const fal_update *settings,
                            uint64_t t, int wild, int halted, int scaled,
                            double *worst)
{
    const double rate = .01;
    const float half = .5f;
    const int32_t flag = halted;
    fal_update u = *settings;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    const float *from[5] = {fal_checker_floats(&c, u.count, -1, 1),
                            fal_checker_floats(&c, u.count, -.1, .1),
                            fal_checker_floats(&c, u.count, 0, .01), NULL,
                            fal_checker_floats(&c, u.count, -1, 1)};
    float *gradient = fal_checker_floats(&c, u.count, -1, 1);
    if (wild)
        fal_checker_spoil(&c, gradient, u.count, 3);
    from[3] = gradient;
    fal_view views[5];
    for (int i = 0; i < 5; i++)
        views[i] = fal_checker_put(&c, u.count, from[i]);
    u.weights = views[0];
    u.moment = u.rule != FAL_SGD || u.momentum != 0 ? views[1]
                                                    : (fal_view){NULL, 0};
    u.squares = u.rule != FAL_SGD ? views[2] : (fal_view){NULL, 0};
    u.gradient = views[3];
    u.feedback = u.decoupled ? views[4] : (fal_view){NULL, 0};
    u.halted = fal_checker_put(&c, 1, &flag);
    if (scaled)
        u.scale = fal_checker_put(&c, 1, &half);
    fal_update_step numbers = fal_update_at(t, rate);
    numbers.decay = half;
    fal_status status = fal_update_add(&c.launches, &u);
    if (!status)
        status = fal_launches_step(&c.launches, sizeof numbers, &numbers);
    fal_checker_run(&c, status);
    const float *to[5];
    for (int i = 0; i < 5; i++)
        to[i] = fal_checker_get(&c, views[i]);
    u.weight_decay *= half;
    if (!c.status && !halted)
        compare_update(&c, &u, t, rate, scaled ? half : 1, from, to);
    for (int i = 0; i < 5 && !c.status; i++)
        if (halted || i == 3 || (i == 4 && !u.decoupled))
            compare_same(&c, u.count, from[i], to[i]);
    return fal_checker_end(&c);
}

/* Exact: nothing is computed. */
fal_status fal_check_signs(fal_device *device, size_t count, int with_magnitudes,
                           int wild, double *worst)
{
    const float scale = .3f;
    const fal_view none = {NULL, 0};
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *w = fal_checker_floats(&c, count, -1, 1);
    float *m = fal_checker_floats(&c, count, -2, 2);
    if (wild) {
        fal_checker_spoil(&c, w, count, 3);
        fal_checker_spoil(&c, m, count, 5);
    }
    fal_view from = fal_checker_put(&c, count, w);
    fal_view size = with_magnitudes ? fal_checker_put(&c, count, m) : none;
    fal_view to = fal_checker_put(&c, count, NULL);
    fal_checker_run(&c, fal_signs_add(&c.launches, from, size, scale, to, count));
    const float *got = fal_checker_get(&c, to);
    for (size_t i = 0; got && i < count; i++) {
        double magnitude = fabs((double)(with_magnitudes ? m[i] : scale));
        double expected = w[i] > 0 ? magnitude : w[i] < 0 ? -magnitude : w[i];
        fal_checker_note(&c, got[i], expected, 0);
    }
    return fal_checker_end(&c);
}
