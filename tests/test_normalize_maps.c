/* Batch norm of maps large enough to go by pieces: kernels against double precision over
 * shapes, families and vector widths; means far from 0; whether sums keep their order. */
#include "families.h"
#include "reference/check.h"
#include "reference/checker.h"

#include <math.h>

/* Rows, positions, channels: about every edge of vectors, strips and pieces, the last of
 * which is a single line or a whole one */
static const size_t shapes[][3] = {{9, 911, 1},   {4, 2048, 16}, {5, 1000, 17},
                                   {3, 683, 64},  {2, 505, 65},  {7, 73, 129},
                                   {4, 25, 700},  {1, 33, 2100}, {2, 4097, 3},
                                   {16, 128, 32}, {3, 1366, 24}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void maps_agree(void **state)
{
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < SHAPES * 3; i++) {
            const size_t *s = shapes[i / 3];
            const fal_check_norm_shape shape = {
                .rows = s[0],
                .positions = s[1],
                .channels = s[2],
                .plain = i % 3 == 2,
                .updates = i % 3 == 1,
                .beside = i % 2,
                .activation = {(fal_phi)(i % FAL_PHIS), .01f}};
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_status status = fal_check_norm(families[d], &shape, i % 5 == 0,
                                               &worst);
            judge(families[d], before, status, worst, "forward", i / 3);
            status = fal_check_norm_fixed(families[d], &shape, &worst);
            judge(families[d], before, status, worst, "given statistics", i / 3);
            status = fal_check_norm_backward(families[d], &shape, 0, &worst);
            judge(families[d], before, status, worst, "backward", i / 3);
            if (shape.updates)
                status = fal_check_norm_backward(families[d], &shape, 1, &worst);
            judge(families[d], before, status, worst, "halted", i / 3);
        }
}

/* x = mean ± 1, a hundred thousand deviations away: in squares nothing would be left.
 * Exact: every mean of a piece is a whole number or so near that a float holds it. */
static void far_means_keep_their_variance(void **state)
{
    enum { ROWS = 4, POSITIONS = 1024, CHANNELS = 35, LINES = ROWS * POSITIONS };
    static const float far[] = {1e5f, -1e5f, 0, 1e6f};
    (void)state;
    for (size_t d = 0; d < family_count * 4; d++) {
        double worst = 0, expected = LINES / (LINES - 1.);
        fal_checker c;
        fal_checker_begin(&c, families[d / 4], &worst);
        float *x = fal_checker_floats(&c, (size_t)LINES * CHANNELS, -1, 1);
        for (size_t i = 0; i < (size_t)LINES * CHANNELS; i++)
            x[i] = far[d % 4] + (i / CHANNELS % 2 ? 1 : -1);
        fal_norm norm = {
            .rows = ROWS, .positions = POSITIONS, .channels = CHANNELS};
        norm.input = fal_checker_put(&c, (size_t)LINES * CHANNELS, x);
        norm.output = fal_checker_put(&c, (size_t)LINES * CHANNELS, NULL);
        norm.mean = fal_checker_put(&c, CHANNELS, NULL);
        norm.variance = fal_checker_put(&c, CHANNELS, NULL);
        fal_checker_run(&c, fal_batch_norm_add(&c.launches, &norm));
        const float *variance = fal_checker_get(&c, norm.variance);
        must(c.status);
        for (size_t i = 0; i < CHANNELS; i++)
            if (!(fabs((double)variance[i] - expected) < 1e-2))
                fail_msg("mean %g, channel %zu: variance %g", (double)far[d % 4], i,
                         (double)variance[i]);
        must(fal_checker_end(&c));
    }
}

enum { UNIT_ROWS = 3, UNIT_POSITIONS = 700, UNIT_CHANNELS = 50 };
enum { UNIT_FLOATS = UNIT_ROWS * UNIT_POSITIONS * UNIT_CHANNELS };

/* Both ways with so many compute units: y, then what goes back, out of place or not. */
static void both_ways(fal_device *on, unsigned units, int in_place, float *results)
{
    unsigned own = on->facts.units;
    double worst = 0;
    fal_checker c;
    fal_checker_begin(&c, on, &worst);
    on->facts.units = units;
    float *x = fal_checker_floats(&c, UNIT_FLOATS, -1, 1);
    float *signal = fal_checker_floats(&c, UNIT_FLOATS, -1, 1);
    fal_norm norm = {
        .rows = UNIT_ROWS, .positions = UNIT_POSITIONS, .channels = UNIT_CHANNELS};
    norm.input = fal_checker_put(&c, UNIT_FLOATS, x);
    norm.output = fal_checker_put(&c, UNIT_FLOATS, NULL);
    norm.mean = fal_checker_put(&c, UNIT_CHANNELS, NULL);
    norm.variance = fal_checker_put(&c, UNIT_CHANNELS, NULL);
    norm.signal = fal_checker_put(&c, UNIT_FLOATS, signal);
    if (!in_place)
        norm.into = fal_checker_put(&c, UNIT_FLOATS, NULL);
    fal_status status = fal_batch_norm_add(&c.launches, &norm);
    if (!status)
        status = fal_batch_norm_backward_add(&c.launches, &norm);
    on->facts.units = own;
    fal_checker_run(&c, status);
    const float *y = fal_checker_get(&c, norm.output);
    const float *back = fal_checker_get(&c, in_place ? norm.signal : norm.into);
    must(c.status);
    memcpy(results, y, UNIT_FLOATS * sizeof *y);
    memcpy(results + UNIT_FLOATS, back, UNIT_FLOATS * sizeof *back);
    must(fal_checker_end(&c));
}

static void bits_depend_on_shapes_only(void **state)
{
    static float results[2][2 * UNIT_FLOATS];
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        both_ways(families[d], 1, 0, results[0]);
        both_ways(families[d], 37, 1, results[1]);
        assert_memory_equal(results[0], results[1], sizeof results[0]);
    }
}

static void impossible_maps_are_refused(void **state)
{
    fal_launches list = {.device = families[0]};
    fal_norm norm = {.rows = 1 << 20, .positions = 1 << 11, .channels = 3};
    const fal_update adam = {.rule = FAL_ADAM};
    (void)state;
    expect_refusal(fal_batch_norm_add(&list, &norm), "below 2^31");
    norm.rows = 1 << 16;
    expect_refusal(fal_batch_norm_add(&list, &norm), "use a smaller batch");
    norm.rows = 5;
    norm.channels = 64;
    norm.update = &adam;
    expect_refusal(fal_batch_norm_backward_add(&list, &norm), "room for moments");
    fal_launches_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_agree),
        cmocka_unit_test(far_means_keep_their_variance),
        cmocka_unit_test(bits_depend_on_shapes_only),
        cmocka_unit_test(impossible_maps_are_refused),
    };
    return cmocka_run_group_tests_name("normalize_maps", tests, open_families,
                                       close_families);
}
