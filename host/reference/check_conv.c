/* Convolutions, all passes. Bounds: reference/gemm.h, reference/optimize.h. */
#include "reference/activation.h"
#include "reference/check.h"
#include "reference/checker.h"
#include "reference/conv.h"
#include "reference/gemm.h"
#include "reference/optimize.h"

#include <math.h>
#include <string.h>

/* ---- sizes and arrays ---------------------------------------------------- */

static size_t input_size(const fal_conv *c)
{
    return c->images * c->height * c->width * c->channels;
}

static size_t output_size(const fal_conv *c)
{
    return c->images * c->out_height * c->out_width * c->out_channels;
}

/* Without the bias */
static size_t weight_size(const fal_conv *c)
{
    return c->kernel * c->kernel * c->channels * c->out_channels;
}

/* Numbers on the host and on the device */
typedef struct array {
    float *values;
    fal_view view;
    size_t count;
} array;

static array put(fal_checker *c, size_t count)
{
    array made = {fal_checker_floats(c, count, -1, 1), {NULL, 0}, count};
    made.view = fal_checker_put(c, count, made.values);
    return made;
}

/* If it is wanted; else not there */
static array put_if(fal_checker *c, int wanted, size_t count)
{
    return wanted ? put(c, count) : (array){NULL, {NULL, 0}, count};
}

static fal_view put_room(fal_checker *c, const fal_conv *shape, fal_conv_pass pass)
{
    uint64_t count = fal_conv_room(c->device, shape, pass);
    return count ? fal_checker_put(c, count, NULL) : (fal_view){NULL, 0};
}

static fal_reference_total *totals(fal_checker *c, size_t count)
{
    return fal_checker_room(c, count, sizeof(fal_reference_total));
}

/* Filtering transforms windows of a map, so that a sum is as far off as its neighbours
 * may be: all have the bound of the largest. */
static void share_bounds(const fal_checker *c, const fal_conv *conv,
                         fal_conv_pass pass, fal_reference_total *totals,
                         size_t count)
{
    fal_reference_total most = {0, 0, 0};
    if (strncmp(fal_conv_form(c->device, conv, pass), "winograd", 8) != 0)
        return;
    for (size_t i = 0; i < count; i++) {
        most.magnitude = fmax(most.magnitude, totals[i].magnitude);
        most.terms = most.terms > totals[i].terms ? most.terms : totals[i].terms;
    }
    for (size_t i = 0; i < count; i++) {
        totals[i].magnitude = most.magnitude;
        totals[i].terms = most.terms;
    }
}

/* What is added to a sum counts among its magnitudes. */
static fal_estimate with(fal_reference_total total, const float *one, size_t at,
                         const float *other, size_t beside)
{
    double a = one ? (double)one[at] : 0, b = other ? (double)other[beside] : 0;
    return fal_reference_sum(total.value + a + b,
                             total.magnitude + fabs(a) + fabs(b), total.terms);
}

/* ---- forward ------------------------------------------------------------- */

fal_status fal_check_conv(fal_device *device, const fal_check_conv_shape *shape,
                          double *worst)
{
    const fal_conv *conv = &shape->conv;
    size_t count = output_size(conv), outs = conv->out_channels;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    array input = put(&c, input_size(conv)), weight = put(&c, weight_size(conv));
    array bias = put_if(&c, shape->has_bias, outs);
    array beside = put_if(&c, shape->adds, count);
    fal_view output = fal_checker_put(&c, count, NULL);
    fal_reference_total *expected = totals(&c, count);
    const fal_conv_forward pass = {
        .input = input.view,
        .weight = weight.view,
        .output = output,
        .bias = bias.view,
        .beside = beside.view,
        .activation = shape->activation,
        .room = put_room(&c, conv, FAL_CONV_FORWARD),
    };
    fal_checker_run(&c, c.status ? c.status
                                 : fal_conv_forward_add(&c.launches, conv, &pass));
    if (!c.status) {
        fal_reference_conv(conv, input.values, weight.values, expected);
        share_bounds(&c, conv, FAL_CONV_FORWARD, expected, count);
    }
    const float *got = fal_checker_get(&c, output);
    for (size_t i = 0; got && i < count; i++) {
        fal_estimate v = fal_reference_activated(
            shape->activation,
            with(expected[i], bias.values, i % outs, beside.values, i));
        fal_checker_note(&c, got[i], v.value, v.error);
    }
    return fal_checker_end(&c);
}

/* ---- data ---------------------------------------------------------------- */

/* The carrier as it is meant: W's numbers, or their signs with magnitudes. */
static const float *carrier(fal_checker *c, const fal_values *values,
                            const array *weight, const array *magnitude)
{
    float *made = fal_checker_room(c, weight->count, sizeof *made);
    for (size_t i = 0; made && i < weight->count; i++) {
        float w = weight->values[i];
        float m = magnitude->values ? fabsf(magnitude->values[i]) : values->scale;
        made[i] = values->kind == FAL_VALUES_STORED ? w
                  : w > 0                           ? m
                  : w < 0                           ? -m
                                                    : w;
    }
    return made;
}

fal_status fal_check_conv_data(fal_device *device,
                               const fal_check_conv_shape *shape, double *worst)
{
    const fal_conv *conv = &shape->conv;
    size_t count = input_size(conv);
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    array delta = put(&c, output_size(conv)), weight = put(&c, weight_size(conv));
    for (size_t i = 0; !c.status && i < weight.count; i += 7)
        weight.values[i] = 0;
    weight.view = fal_checker_put(&c, weight.count, weight.values);
    array old = put(&c, count), output = put_if(&c, shape->derives, count);
    array magnitude = put_if(&c, shape->values == FAL_VALUES_MAGNITUDE_SIGN,
                             weight.count);
    const fal_values values = {
        .kind = shape->values, .scale = .3f, .magnitude = magnitude.view};
    const float *carried = carrier(&c, &values, &weight, &magnitude);
    fal_reference_total *expected = totals(&c, count);
    const fal_conv_data pass = {
        .delta = delta.view,
        .carrier = weight.view,
        .values = values,
        .signal = old.view,
        .accumulate = shape->adds,
        .output = output.view,
        .derivative = shape->activation,
        .room = put_room(&c, conv, FAL_CONV_DATA),
    };
    fal_checker_run(&c, c.status ? c.status
                                 : fal_conv_data_add(&c.launches, conv, &pass));
    if (!c.status) {
        fal_reference_conv_data(conv, delta.values, carried, expected);
        share_bounds(&c, conv, FAL_CONV_DATA, expected, count);
    }
    const float *got = fal_checker_get(&c, old.view);
    for (size_t i = 0; got && i < count; i++) {
        fal_estimate v = with(expected[i], shape->adds ? old.values : NULL, i, NULL,
                              0);
        if (output.values)
            v = fal_reference_derived(shape->activation, v, output.values[i]);
        fal_checker_note(&c, got[i], v.value, v.error);
    }
    return fal_checker_end(&c);
}

/* ---- weight -------------------------------------------------------------- */

/* The sums of a weight pass; its weights' rows without those of a bias that is not
 * wanted */
static fal_reference_total *gradients(fal_checker *c, const fal_conv *conv,
                                      const array *input, const array *delta)
{
    fal_reference_total *made = totals(c, weight_size(conv) + conv->out_channels);
    if (!c->status) {
        fal_reference_conv_weight(conv, input->values, delta->values, made);
        share_bounds(c, conv, FAL_CONV_WEIGHT, made, weight_size(conv));
    }
    return made;
}

fal_status fal_check_conv_weight(fal_device *device,
                                 const fal_check_conv_shape *shape, int halted,
                                 double *worst)
{
    const int32_t flag = halted;
    const fal_conv *conv = &shape->conv;
    const float alpha = .75f, beta = shape->adds ? -1.5f : 0;
    size_t count = weight_size(conv) + (shape->has_bias ? conv->out_channels : 0);
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    array input = put(&c, input_size(conv)), delta = put(&c, output_size(conv));
    array old = put(&c, count);
    const fal_reference_total *expected = gradients(&c, conv, &input, &delta);
    const fal_conv_weight pass = {
        .input = input.view,
        .delta = delta.view,
        .gradient = old.view,
        .has_bias = shape->has_bias,
        .alpha = alpha,
        .beta = beta,
        .halted = fal_checker_put(&c, 1, &flag),
        .room = put_room(&c, conv, FAL_CONV_WEIGHT),
    };
    fal_checker_run(&c, c.status ? c.status
                                 : fal_conv_weight_add(&c.launches, conv, &pass));
    const float *got = fal_checker_get(&c, old.view);
    for (size_t i = 0; got && i < count; i++) {
        fal_reference_total t = expected[i];
        double added = (double)beta * (double)old.values[i];
        fal_estimate v = fal_reference_sum((double)alpha * t.value + added,
                                           t.magnitude + fabs(added), t.terms);
        fal_checker_note(&c, got[i], halted ? (double)old.values[i] : v.value,
                         halted ? 0 : v.error);
    }
    return fal_checker_end(&c);
}

/* ---- updates ------------------------------------------------------------- */

/* Weights, and what a rule keeps for each */
typedef struct planes {
    array weights, moments, squares, feedback;
} planes;

static planes put_planes(fal_checker *c, const fal_update *u, size_t count)
{
    int squares = u->rule != FAL_SGD, moments = squares || u->momentum != 0;
    planes made = {put(c, count), put_if(c, moments, count),
                   put_if(c, squares, count), put_if(c, u->decoupled, count)};
    for (size_t i = 0; made.squares.values && i < count; i++)
        made.squares.values[i] = fabsf(made.squares.values[i]);
    if (squares)
        made.squares.view = fal_checker_put(c, count, made.squares.values);
    return made;
}

static double value_at(const array *of, size_t i)
{
    return of->values ? (double)of->values[i] : 0;
}

static void compare(fal_checker *c, const array *of, const float *got, size_t i,
                    int halted, double expected, double bound)
{
    if (got)
        fal_checker_note(c, got[i], halted ? value_at(of, i) : expected,
                         halted ? 0 : bound);
}

/* Update t of every weight, from gradients that are off by rounding */
static void compare_planes(fal_checker *c, const planes *s, const fal_update *u,
                           uint64_t t, double rate, int halted,
                           const fal_reference_total *gradient)
{
    const array *arrays[] = {&s->weights, &s->moments, &s->squares, &s->feedback};
    const float *got[4] = {NULL};
    for (int i = 0; i < 4; i++)
        got[i] = arrays[i]->values ? fal_checker_get(c, arrays[i]->view) : NULL;
    for (size_t i = 0; !c->status && i < s->weights.count; i++) {
        fal_estimate g = fal_reference_sum(gradient[i].value, gradient[i].magnitude,
                                           gradient[i].terms);
        fal_reference_parameter p = {
            value_at(&s->weights, i), value_at(&s->moments, i),
            value_at(&s->squares, i), value_at(&s->feedback, i)};
        fal_reference_parameter to = fal_reference_update(u, t, rate, g.value, p);
        fal_reference_parameter b = fal_reference_update_bound(u, t, rate, g.value,
                                                               g.error, p);
        compare(c, arrays[0], got[0], i, halted, to.weight, b.weight);
        compare(c, arrays[1], got[1], i, halted, to.moment, b.moment);
        compare(c, arrays[2], got[2], i, halted, to.square, b.square);
        compare(c, arrays[3], got[3], i, halted, to.feedback, b.feedback);
    }
}

fal_status fal_check_conv_update(fal_device *device,
                                 const fal_check_conv_shape *shape,
                                 const fal_update *settings, uint64_t t, int halted,
                                 double *worst)
{
    const double rate = .01;
    const fal_update_step numbers = fal_update_at(t, rate);
    const int32_t flag = halted;
    const fal_conv *conv = &shape->conv;
    size_t count = weight_size(conv) + (shape->has_bias ? conv->out_channels : 0);
    fal_update u = *settings;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    array input = put(&c, input_size(conv)), delta = put(&c, output_size(conv));
    planes s = put_planes(&c, settings, count);
    const fal_reference_total *expected = gradients(&c, conv, &input, &delta);
    u.moment = s.moments.view;
    u.squares = s.squares.view;
    u.feedback = s.feedback.view;
    u.halted = fal_checker_put(&c, 1, &flag);
    const fal_conv_weight pass = {
        .input = input.view,
        .delta = delta.view,
        .gradient = s.weights.view,
        .has_bias = shape->has_bias,
        .update = &u,
        .room = put_room(&c, conv, FAL_CONV_WEIGHT),
    };
    fal_status status = c.status ? c.status
                                 : fal_conv_weight_add(&c.launches, conv, &pass);
    if (!status)
        status = fal_launches_step(&c.launches, sizeof numbers, &numbers);
    fal_checker_run(&c, status);
    if (!c.status)
        compare_planes(&c, &s, settings, t, rate, halted, expected);
    return fal_checker_end(&c);
}
