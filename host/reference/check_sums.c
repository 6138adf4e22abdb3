/* Losses and norms.
 *
 * Bounds in u = 2^-24: a sum of n terms in strands of at least 4 is off by its
 * depth, n/4 + 260 at most (GPU-like teams add up to 256 shares), in units u of the
 * sum of magnitudes; for fewer terms by n. exp is good to 6 u and to u·|x| for its
 * rounded argument x, log to 6 u. */
#include "reference/check.h"
#include "reference/checker.h"
#include "reference/clip.h"
#include "reference/loss.h"

#include "ops/clip.h"

#include <math.h>

static const double U = 0x1p-24, TINY = 0x1p-120;

static double depth(size_t n)
{
    return n < 340 ? (double)n : (double)n / 4 + 260;
}

/* The sum's relative error is halved by the root. */
fal_status fal_check_clip(fal_device *device, size_t count, float limit, int wild,
                          double *worst)
{
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    size_t blocks = fal_square_sums_count(count);
    float *x = fal_checker_floats(&c, count, -1, 1);
    if (wild)
        fal_checker_spoil(&c, x, count, 13);
    fal_view from = fal_checker_put(&c, count, x);
    fal_view sums = fal_checker_put(&c, blocks, NULL);
    fal_view to = fal_checker_put(&c, 1, NULL);
    fal_status status = fal_square_sums_add(&c.launches, from, count, sums);
    if (!status)
        status = fal_clip_scale_add(&c.launches, limit, sums, blocks, to);
    fal_checker_run(&c, status);
    const float *partials = fal_checker_get(&c, sums);
    const float *scale = fal_checker_get(&c, to);
    if (scale) {
        double expected = fal_reference_clip(x, count, limit);
        fal_checker_note(&c, *scale, expected,
                         ((depth(count) + depth(blocks)) / 2 + 10) * U * expected);
        /* partial sums of squares are not negative, or not numbers */
        for (size_t i = 0; i < blocks; i++)
            fal_checker_note(&c, partials[i] < 0, 0, 0);
    }
    return fal_checker_end(&c);
}

/* Sums of a block of rows as the references have them, and their bounds. */
typedef struct block {
    double loss, bound, right;
} block;

/* How far a row's loss and its deltas may be off. */
typedef struct row_bounds {
    double loss, relative, absolute;
} row_bounds;

/* In delta, p = exp/sum is off by p·relative, the difference to one-hot by u. */
static row_bounds bounds_of(const fal_reference_loss *w, size_t r, double loss)
{
    const float *a = w->a + r * w->outputs;
    double n = depth(w->outputs), rows = w->summed ? 1 : (double)w->rows;
    if (w->loss == FAL_SQUARED_ERROR)
        return (row_bounds){(n + 6) * U * loss, 6 * U, TINY};
    double top = a[0], bottom = a[0];
    for (size_t i = 0; i < w->outputs; i++) {
        top = fmax(top, a[i]);
        bottom = fmin(bottom, a[i]);
    }
    double range = isfinite(bottom) ? top - bottom : 200;
    double sum = n + 7 + fmin(range, 200);
    double logarithm = log((double)w->outputs);
    return (row_bounds){U * (sum + 8 * logarithm + 2 * range + 2 * fabs(loss)),
                        (sum + 20) * U, 4 * U / rows};
}

static void compare_row(fal_checker *c, const fal_reference_loss *w, size_t r,
                        const float *delta, double *room, block *into)
{
    int right;
    double loss = fal_reference_loss_row(w, r, room, &right);
    row_bounds b = bounds_of(w, r, loss);
    for (size_t i = 0; i < w->outputs; i++)
        fal_checker_note(c, delta[r * w->outputs + i], room[i],
                         b.relative * fabs(room[i]) + b.absolute + TINY);
    into->loss += loss;
    into->bound += b.loss + FAL_LOSS_ROWS * U * loss + TINY;
    into->right += right;
}

static void compare_signal(fal_checker *c, const fal_reference_loss *w,
                           const float *signal)
{
    double *row = fal_checker_room(c, w->outputs, sizeof *row);
    for (size_t r = 0; row && signal && r < w->rows; r++) {
        fal_reference_signal_row(w, r, row);
        for (size_t i = 0; i < w->outputs; i++)
            fal_checker_note(c, signal[r * w->outputs + i], row[i],
                             2 * U * fabs(row[i]) + TINY);
    }
}

/* Slot 1 of 3 was written; the rest still holds what was put there: NaN. */
static void compare_loss(fal_checker *c, const fal_reference_loss *w, size_t stride,
                         const float *delta, const float *partials, int halted)
{
    double *room = fal_checker_room(c, w->outputs, sizeof *room);
    int finite = 1;
    for (size_t i = 0; i < 3 * stride && room; i++) {
        size_t first = (i - stride) * FAL_LOSS_ROWS;
        block b = {NAN, 0, NAN};
        if (i >= stride && first < w->rows) {
            b.loss = b.right = 0;
            for (size_t r = first; r < first + FAL_LOSS_ROWS && r < w->rows; r++)
                compare_row(c, w, r, delta, room, &b);
            finite = finite && isfinite(b.loss);
        }
        fal_checker_note(c, partials[2 * i], b.loss, b.bound);
        fal_checker_note(c, partials[2 * i + 1], b.right, 0);
    }
    fal_checker_note(c, halted, !finite, 0);
}

fal_status fal_check_loss(fal_device *device, fal_loss loss, int parts, size_t rows,
                          size_t outputs, int wild, double *worst)
{
    const size_t count = rows * outputs, stride = rows / FAL_LOSS_ROWS + 2;
    const int32_t zero = 0;
    const uint32_t wanted = 1;
    const fal_view none = {NULL, 0};
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *a = fal_checker_floats(&c, count, -9, 9);
    int32_t *labels = fal_checker_ints(&c, rows, outputs);
    float *targets = fal_checker_floats(&c, count, -1, 1);
    /* Equal outputs, and labels that are right */
    for (size_t r = 0; targets && r < rows; r += 2)
        a[r * outputs + (size_t)labels[r]] = 9;
    for (size_t r = 0; targets && r < rows; r += 3)
        a[r * outputs] = a[r * outputs + outputs - 1] = 9;
    if (wild)
        fal_checker_spoil(&c, a, count, 41);
    fal_loss_work work = {
        .loss = loss,
        .rows = rows,
        .outputs = outputs,
        .a = fal_checker_put(&c, count, a),
        .labels = parts & FAL_CHECK_LABELS ? fal_checker_put(&c, rows, labels)
                                           : none,
        .targets = parts & FAL_CHECK_TARGETS ? fal_checker_put(&c, count, targets)
                                             : none,
        .delta = fal_checker_put(&c, count, NULL),
        .partials = fal_checker_put(&c, 6 * stride, NULL),
        .stride = stride,
        .halted = fal_checker_put(&c, 1, &zero),
        .summed = parts & FAL_CHECK_SUMMED,
        .signal = fal_checker_put(&c, count, NULL),
    };
    unsigned slot = 0;
    fal_status status = fal_loss_add(&c.launches, &work, &slot);
    if (!status)
        status = fal_launch_set(&c.launches, 0, slot, sizeof wanted, &wanted);
    fal_checker_run(&c, status);
    const fal_reference_loss reference = {loss,
                                          rows,
                                          outputs,
                                          a,
                                          parts & FAL_CHECK_LABELS ? labels : NULL,
                                          parts & FAL_CHECK_TARGETS ? targets
                                                                    : NULL,
                                          parts & FAL_CHECK_SUMMED};
    const float *delta = fal_checker_get(&c, work.delta);
    const float *partials = fal_checker_get(&c, work.partials);
    const int32_t *halted = fal_checker_get(&c, work.halted);
    if (halted)
        compare_loss(&c, &reference, stride, delta, partials, *halted);
    compare_signal(&c, &reference, fal_checker_get(&c, work.signal));
    return fal_checker_end(&c);
}
