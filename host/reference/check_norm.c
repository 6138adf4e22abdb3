/* Batch and layer norm.
 *
 * Bounds in u = 2^-24. A mean of n values is off by its depth (see check_sums.c)
 * times u times the mean magnitude: call it m. A variance is then off by its own
 * depth and by m², its root by half of that, and xhat by m/√variance and by xhat
 * times what its root is off. The backward pass is given statistics that are exact;
 * its sums are off by their depth times their magnitudes. */
#include "reference/activation.h"
#include "reference/check.h"
#include "reference/checker.h"
#include "reference/normalize.h"

#include <math.h>

static const double U = 0x1p-24, TINY = 0x1p-100, EPSILON = 1e-5, RATE = .5;

static double depth(size_t n)
{
    return n < 340 ? (double)n : (double)n / 4 + 260;
}

/* One comparison: what goes in, as floats, and in double. */
typedef struct work {
    fal_checker c;
    const fal_check_norm_shape *shape;
    size_t all, groups, channels;
    float *x, *beside, *signal, *weights;
    double *wide, *gain, *mean, *variance;
    fal_reference_norm norm;
    fal_norm device;
} work;

static double *widened(fal_checker *c, const float *values, size_t count)
{
    double *wide = fal_checker_room(c, count, sizeof *wide);
    for (size_t i = 0; wide && i < count; i++)
        wide[i] = (double)values[i];
    return wide;
}

/* Channels have means and widths of their own; the last is constant. */
static void draw(work *w, int wild)
{
    fal_checker *c = &w->c;
    w->x = fal_checker_floats(c, w->all, -1, 1);
    w->signal = fal_checker_floats(c, w->all, -1, 1);
    w->beside = w->shape->beside ? fal_checker_floats(c, w->all, -2, 2) : NULL;
    w->weights = fal_checker_floats(c, 2 * w->channels, -2, 2);
    for (size_t i = 0; w->weights && i < w->all; i++) {
        size_t channel = i % w->channels;
        float width = channel + 1 == w->channels ? 0 : 1 + (float)(channel % 3);
        w->x[i] = width * w->x[i] + (float)(channel % 5) - 2;
    }
    if (wild)
        fal_checker_spoil(c, w->x, w->all, 41);
}

static void begin(work *w, fal_device *device, const fal_check_norm_shape *shape,
                  int wild, double *worst)
{
    *w = (work){.shape = shape, .channels = shape->channels};
    fal_checker_begin(&w->c, device, worst);
    w->all = shape->rows * shape->positions * shape->channels;
    w->norm = (fal_reference_norm){shape->rows,
                                   shape->positions,
                                   shape->channels,
                                   shape->by_sample,
                                   NULL,
                                   NULL,
                                   NULL};
    w->groups = fal_reference_norm_groups(&w->norm);
    draw(w, wild);
    w->wide = widened(&w->c, w->x, w->all);
    w->gain = widened(&w->c, w->weights, 2 * w->channels);
    w->mean = fal_checker_room(&w->c, w->groups, sizeof *w->mean);
    w->variance = fal_checker_room(&w->c, w->groups, sizeof *w->variance);
    w->norm.x = w->wide;
    if (!shape->plain)
        w->norm.gain = w->gain, w->norm.bias = w->gain + w->channels;
    w->device = (fal_norm){.rows = shape->rows,
                           .positions = shape->positions,
                           .channels = shape->channels,
                           .activation = shape->activation};
    w->device.input = fal_checker_put(&w->c, w->all, w->x);
    if (shape->beside)
        w->device.beside = fal_checker_put(&w->c, w->all, w->beside);
    if (!shape->plain)
        w->device.weights = fal_checker_put(&w->c, 2 * w->channels, w->weights);
    if (!w->c.status)
        fal_reference_norm_statistics(&w->norm, w->mean, w->variance);
}

/* ---- forward ------------------------------------------------------------- */

/* How far mean, variance and root of a group may be off. */
typedef struct slack {
    double mean, variance, root;
} slack;

static slack slack_of(const work *w, size_t group)
{
    size_t values = fal_reference_norm_values(&w->norm);
    double sum = 0, d = depth(values) + 6, v = w->variance[group];
    for (size_t k = 0; k < values; k++)
        sum += fabs(w->wide[fal_reference_norm_member(&w->norm, group, k)]) /
               (double)values;
    slack s = {.mean = d * U * sum};
    s.variance = (d + 6) * U * v + 2 * s.mean * s.mean;
    s.root = .5 * s.variance / (v + EPSILON) + 8 * U;
    return s;
}

static void compare_output(work *w, const float *y, const slack *slacks)
{
    double *expected = fal_checker_room(&w->c, w->all, sizeof *expected);
    if (!expected)
        return;
    fal_reference_norm_forward(&w->norm, w->mean, w->variance, expected);
    for (size_t i = 0; i < w->all; i++) {
        size_t g = fal_reference_norm_group(&w->norm, i);
        double gain = w->norm.gain ? fabs(w->norm.gain[i % w->channels]) : 1;
        double xhat = fal_reference_norm_xhat(&w->norm, w->mean, w->variance, i);
        double off = slacks[g].mean / sqrt(w->variance[g] + EPSILON) +
                     fabs(xhat) * (slacks[g].root + 4 * U);
        double size = fabs(expected[i]) + 2;
        if (w->beside)
            expected[i] += (double)w->beside[i], size += fabs((double)w->beside[i]);
        double h = fal_reference_activate(w->shape->activation, expected[i]);
        fal_checker_note(&w->c, y[i], h, gain * off + 8 * U * size + TINY);
    }
}

static void compare_kept(work *w, const float *kept, const slack *slacks)
{
    for (size_t g = 0; g < w->groups; g++) {
        double root = 1 / sqrt(w->variance[g] + EPSILON);
        fal_checker_note(&w->c, kept[2 * g], w->mean[g], slacks[g].mean + TINY);
        fal_checker_note(&w->c, kept[2 * g + 1], root, root * slacks[g].root);
    }
}

static void compare_statistics(work *w, const float *mean, const float *variance,
                               const slack *slacks)
{
    double values = (double)fal_reference_norm_values(&w->norm);
    double unbiased = values / (values - 1);
    for (size_t g = 0; g < w->groups; g++) {
        fal_checker_note(&w->c, mean[g], w->mean[g], slacks[g].mean + TINY);
        fal_checker_note(&w->c, variance[g], unbiased * w->variance[g],
                         unbiased * (slacks[g].variance + 2 * U * w->variance[g]) +
                             TINY);
    }
}

static fal_status forward(work *w)
{
    fal_checker *c = &w->c;
    int by_sample = w->shape->by_sample;
    w->device.output = fal_checker_put(c, w->all, NULL);
    w->device.kept = by_sample ? fal_checker_put(c, 2 * w->groups, NULL)
                               : (fal_view){NULL, 0};
    if (!by_sample) {
        w->device.mean = fal_checker_put(c, w->groups, NULL);
        w->device.variance = fal_checker_put(c, w->groups, NULL);
    }
    fal_checker_run(c, by_sample ? fal_layer_norm_add(&c->launches, &w->device)
                                 : fal_batch_norm_add(&c->launches, &w->device));
    const float *y = fal_checker_get(c, w->device.output);
    slack *slacks = fal_checker_room(c, w->groups, sizeof *slacks);
    for (size_t g = 0; slacks && g < w->groups; g++)
        slacks[g] = slack_of(w, g);
    if (slacks)
        compare_output(w, y, slacks);
    const float *first = fal_checker_get(c, by_sample ? w->device.kept
                                                      : w->device.mean);
    const float *second = by_sample ? first
                                    : fal_checker_get(c, w->device.variance);
    if (second && by_sample)
        compare_kept(w, first, slacks);
    else if (second)
        compare_statistics(w, first, second, slacks);
    return fal_checker_end(c);
}

fal_status fal_check_norm(fal_device *device, const fal_check_norm_shape *shape,
                          int wild, double *worst)
{
    work w;
    begin(&w, device, shape, wild, worst);
    return forward(&w);
}

/* ---- given statistics ---------------------------------------------------- */

/* The reference's, rounded, go to the device, and the reference takes them so. */
static void give_statistics(work *w)
{
    fal_checker *c = &w->c;
    int by_sample = w->shape->by_sample;
    double values = (double)fal_reference_norm_values(&w->norm);
    double unbiased = by_sample || w->device.fixed ? 1 : values / (values - 1);
    float *pairs = fal_checker_room(c, 2 * w->groups + w->channels, sizeof *pairs);
    float *mean = fal_checker_room(c, w->groups, sizeof *mean);
    float *variance = fal_checker_room(c, w->groups, sizeof *variance);
    for (size_t g = 0; variance && g < w->groups; g++) {
        mean[g] = pairs[2 * g] = (float)w->mean[g];
        variance[g] = (float)(unbiased * w->variance[g]);
        pairs[2 * g + 1] = (float)(1 / sqrt(w->variance[g] + EPSILON));
        w->mean[g] = (double)mean[g];
        w->variance[g] = by_sample ? 1 / ((double)pairs[2 * g + 1] *
                                          (double)pairs[2 * g + 1]) -
                                         EPSILON
                                   : (double)variance[g] / unbiased;
    }
    if (by_sample) {
        w->device.kept = fal_checker_put(c, 2 * w->groups + w->channels, pairs);
    } else {
        w->device.mean = fal_checker_put(c, w->groups, mean);
        w->device.variance = fal_checker_put(c, w->groups, variance);
    }
}

fal_status fal_check_norm_fixed(fal_device *device,
                                const fal_check_norm_shape *shape, double *worst)
{
    work w;
    begin(&w, device, shape, 0, worst);
    w.device.fixed = 1;
    give_statistics(&w);
    w.device.output = fal_checker_put(&w.c, w.all, NULL);
    fal_checker_run(&w.c, fal_batch_norm_add(&w.c.launches, &w.device));
    const float *y = fal_checker_get(&w.c, w.device.output);
    slack *exact = fal_checker_room(&w.c, w.groups, sizeof *exact);
    for (size_t g = 0; exact && g < w.groups; g++)
        exact[g] = (slack){U * fabs(w.mean[g]), 0, 8 * U};
    if (exact)
        compare_output(&w, y, exact);
    return fal_checker_end(&w.c);
}

/* ---- backward ------------------------------------------------------------ */

/* Magnitudes of a group's or channel's sums. */
typedef struct sums {
    double plain, weighted;
} sums;

static double bound_of_sum(size_t values, double magnitude)
{
    return (depth(values) + 16) * U * magnitude + TINY;
}

/* Signals that come out; `before` are those that went in. */
static void compare_signal(work *w, const float *signal, const double *expected,
                           const double *before, sums *room)
{
    double values = (double)fal_reference_norm_values(&w->norm);
    for (size_t g = 0; g < w->groups; g++)
        room[g] = (sums){0, 0};
    for (size_t i = 0; i < w->all; i++) {
        size_t g = fal_reference_norm_group(&w->norm, i);
        double gain = w->norm.gain ? fabs(w->norm.gain[i % w->channels]) : 1;
        double xhat = fal_reference_norm_xhat(&w->norm, w->mean, w->variance, i);
        room[g].plain += gain * fabs(before[i]);
        room[g].weighted += gain * fabs(before[i] * xhat);
    }
    for (size_t i = 0; i < w->all; i++) {
        size_t g = fal_reference_norm_group(&w->norm, i);
        double gain = w->norm.gain ? fabs(w->norm.gain[i % w->channels]) : 1;
        double xhat = fabs(
            fal_reference_norm_xhat(&w->norm, w->mean, w->variance, i));
        size_t n = (size_t)values;
        double off = bound_of_sum(n, room[g].plain) / values +
                     xhat * bound_of_sum(n, room[g].weighted) / values +
                     16 * U * gain * fabs(before[i]);
        fal_checker_note(&w->c, signal[i], expected[i],
                         off / sqrt(w->variance[g] + EPSILON) +
                             20 * U * fabs(expected[i]) + TINY);
    }
}

/* Gradients, or weights after a step of plain sgd. */
static void compare_gradients(work *w, const float *got, const double *dgain,
                              const double *before, sums *room)
{
    size_t lines = w->shape->rows * w->shape->positions;
    for (size_t i = 0; i < w->channels; i++)
        room[i] = (sums){0, 0};
    for (size_t i = 0; i < w->all; i++) {
        double xhat = fal_reference_norm_xhat(&w->norm, w->mean, w->variance, i);
        room[i % w->channels].plain += fabs(before[i]);
        room[i % w->channels].weighted += fabs(before[i] * xhat);
    }
    for (size_t i = 0; i < 2 * w->channels; i++) {
        sums s = room[i % w->channels];
        double bound = bound_of_sum(lines, i < w->channels ? s.weighted : s.plain);
        double expected = dgain[i];
        if (w->shape->updates) {
            expected = w->gain[i] - RATE * dgain[i];
            bound = RATE * bound + 4 * U * (fabs(w->gain[i]) + fabs(expected));
        }
        fal_checker_note(&w->c, got[i], expected, bound);
    }
}

static void compare_backward(work *w, const float *signal, const float *weights)
{
    fal_checker *c = &w->c;
    double *before = widened(c, w->signal, w->all);
    double *expected = widened(c, w->signal, w->all);
    double *dgain = fal_checker_room(c, 2 * w->channels, sizeof *dgain);
    size_t most = w->groups > w->channels ? w->groups : w->channels;
    sums *room = fal_checker_room(c, most, sizeof *room);
    if (!room)
        return;
    fal_reference_norm_backward(&w->norm, w->mean, w->variance, expected, dgain,
                                dgain + w->channels);
    compare_signal(w, signal, expected, before, room);
    if (weights)
        compare_gradients(w, weights, dgain, before, room);
}

fal_status fal_check_norm_backward(fal_device *device,
                                   const fal_check_norm_shape *shape, int halted,
                                   double *worst)
{
    const int32_t flag = halted;
    const fal_update_step step = fal_update_at(1, RATE);
    work w;
    fal_update update = {.rule = FAL_SGD};
    begin(&w, device, shape, 0, worst);
    fal_checker *c = &w.c;
    give_statistics(&w);
    w.device.signal = fal_checker_put(c, w.all, w.signal);
    if (shape->beside)
        w.device.into = fal_checker_put(c, w.all, NULL);
    w.device.gradient = fal_checker_put(c, 2 * w.channels, NULL);
    update.halted = fal_checker_put(c, 1, &flag);
    w.device.update = shape->updates ? &update : NULL;
    fal_status status = shape->by_sample
                            ? fal_layer_norm_backward_add(&c->launches, &w.device)
                            : fal_batch_norm_backward_add(&c->launches, &w.device);
    if (!status)
        status = fal_launches_step(&c->launches, sizeof step, &step);
    fal_checker_run(c, status);
    const float *signal = fal_checker_get(c, shape->beside ? w.device.into
                                                           : w.device.signal);
    const float *weights = shape->plain
                               ? NULL
                               : fal_checker_get(c, shape->updates
                                                        ? w.device.weights
                                                        : w.device.gradient);
    if (!c->status && !halted)
        compare_backward(&w, signal, weights);
    for (size_t i = 0; halted && !c->status && i < 2 * w.channels; i++)
        fal_checker_note(c, weights[i], (double)w.weights[i], 0);
    return fal_checker_end(c);
}

/* ---- centering ----------------------------------------------------------- */

fal_status fal_check_center(fal_device *device, size_t rows, size_t columns,
                            int wild, double *worst)
{
    const fal_check_norm_shape shape = {
        .rows = rows, .positions = 1, .channels = columns, .plain = 1};
    work w;
    begin(&w, device, &shape, wild, worst);
    fal_view x = fal_checker_put(&w.c, w.all, w.x);
    fal_checker_run(&w.c, fal_center_add(&w.c.launches, x, rows, columns));
    const float *got = fal_checker_get(&w.c, x);
    for (size_t g = 0; got && g < columns; g++) {
        double off = slack_of(&w, g).mean;
        for (size_t i = g; i < w.all; i += columns)
            fal_checker_note(&w.c, got[i], w.wide[i] - w.mean[g],
                             off + 2 * U * (fabs(w.wide[i]) + fabs(w.mean[g])));
    }
    return fal_checker_end(&w.c);
}

/* ---- running statistics -------------------------------------------------- */

fal_status fal_check_running(fal_device *device, size_t count, int halted,
                             double *worst)
{
    const int32_t flag = halted;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *batch = fal_checker_floats(&c, count, -3, 3);
    float *running = fal_checker_floats(&c, count, -3, 3);
    fal_view from = fal_checker_put(&c, count, batch);
    fal_view to = fal_checker_put(&c, count, running);
    fal_view stop = fal_checker_put(&c, 1, &flag);
    fal_checker_run(&c, fal_running_add(&c.launches, from, to, count, stop));
    const float *got = fal_checker_get(&c, to);
    for (size_t i = 0; got && i < count; i++) {
        double old = (double)running[i], fresh = (double)batch[i];
        fal_checker_note(&c, got[i], halted ? old : .9 * old + .1 * fresh,
                         halted ? 0 : 4 * U * (fabs(old) + fabs(fresh)));
    }
    return fal_checker_end(&c);
}
