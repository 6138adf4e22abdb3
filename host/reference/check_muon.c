/* What Muon is made of. The momentum's bounds in u = 2^-24: three operations a term;
 * 1 - beta is off by u. Newton-Schulz: ‖X - reference‖ <= bound · ‖reference‖. */
#include "reference/check.h"
#include "reference/checker.h"
#include "reference/newton_schulz.h"

#include "ops/clip.h"
#include "ops/newton_schulz.h"

#include <math.h>

static const double U = 0x1p-24, TINY = 0x1p-120;

fal_status fal_check_newton_schulz(fal_device *device, const float *given,
                                   size_t rows, size_t columns, double bound,
                                   double *worst)
{
    const size_t count = rows * columns;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    const float *u = given ? given : fal_checker_floats(&c, count, -1, 1);
    double *expected = fal_checker_room(&c, count, sizeof *expected);
    size_t blocks = fal_square_sums_count(count);
    fal_newton_schulz m = {
        .rows = rows,
        .columns = columns,
        .x = fal_checker_put(&c, count, u),
        .spare = fal_checker_put(&c, count, NULL),
        .factor = 1,
        .sums = fal_checker_put(&c, blocks, NULL),
        .room = fal_checker_put(&c, fal_newton_schulz_room(rows, columns), NULL)};
    fal_status status = fal_square_sums_add(&c.launches, m.x, count, m.sums);
    if (!status)
        status = fal_newton_schulz_add(&c.launches, &m, 1);
    fal_checker_run(&c, status);
    const float *got = fal_checker_get(&c, fal_newton_schulz_result(&m));
    for (size_t i = 0; got && i < count; i++)
        expected[i] = (double)u[i];
    if (got)
        c.status = fal_reference_newton_schulz(expected, rows, columns);
    double gap = 0, norm = 0;
    for (size_t i = 0; got && i < count; i++) {
        gap += pow((double)got[i] - expected[i], 2);
        norm += expected[i] * expected[i];
    }
    fal_checker_note(&c, sqrt(gap), 0, bound * sqrt(norm) + TINY);
    return fal_checker_end(&c);
}

/* Sums of squares of blocks of u, as it was found. */
static void compare_sums(fal_checker *c, const float *u, size_t count,
                         const float *sums)
{
    for (size_t i = 0; i < count;) {
        size_t end = i + FAL_SQUARES_BLOCK < count ? i + FAL_SQUARES_BLOCK : count;
        double sum = 0, terms = (double)(end - i);
        for (; i < end; i++)
            sum += (double)u[i] * (double)u[i];
        fal_checker_note(c, sums[(i - 1) / FAL_SQUARES_BLOCK], sum,
                         terms * U * sum + TINY);
    }
}

fal_status fal_check_momentum(fal_device *device, size_t count, int halted,
                              int scaled, double *worst)
{
    static const float half = .5f;
    const int32_t stops = halted != 0;
    const double beta = (double).95f, by = scaled ? .5 : 1;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    const float *g = fal_checker_floats(&c, count, -1, 1);
    const float *m = fal_checker_floats(&c, count, -1, 1);
    const float *old = fal_checker_floats(&c, count, -1, 1);
    size_t blocks = fal_square_sums_count(count);
    fal_momentum step = {.count = count,
                         .beta = .95f,
                         .gradient = fal_checker_put(&c, count, g),
                         .moment = fal_checker_put(&c, count, m),
                         .mixed = fal_checker_put(&c, count, old),
                         .sums = fal_checker_put(&c, blocks, NULL),
                         .halted = fal_checker_put(&c, 1, &stops)};
    if (scaled)
        step.scale = fal_checker_put(&c, 1, &half);
    fal_checker_run(&c, fal_momentum_add(&c.launches, &step));
    const float *moment = fal_checker_get(&c, step.moment);
    const float *mixed = fal_checker_get(&c, step.mixed);
    const float *sums = fal_checker_get(&c, step.sums);
    for (size_t i = 0; sums && i < count; i++) {
        double rest = (1 - beta) * by * (double)g[i];
        double now = beta * (double)m[i] + rest, after = rest + beta * now;
        double magnitude = fabs(beta * (double)m[i]) + 2 * fabs(rest);
        fal_checker_note(&c, moment[i], halted ? (double)m[i] : now,
                         halted ? 0 : 4 * U * magnitude);
        fal_checker_note(&c, mixed[i], halted ? (double)old[i] : after,
                         halted ? 0 : 6 * U * magnitude);
    }
    if (sums && !halted)
        compare_sums(&c, mixed, count, sums);
    return fal_checker_end(&c);
}
