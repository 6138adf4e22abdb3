/* Pooling: kernels against double precision over shapes, families and vector widths;
 * which of equal values counts; and Σ y·signal = Σ x·into, which holds for means and
 * maxima alike and needs no reference. */
#include "families.h"
#include "reference/check.h"
#include "reference/checker.h"

#include <math.h>

/* Images, height, width, channels, window high, wide, stride: side by side, over each
 * other, with gaps and a rest, as large as the map, of one pixel; channels about every
 * edge of vectors */
static const size_t shapes[][7] = {
    {1, 1, 1, 1, 1, 1, 1},   {2, 4, 4, 1, 2, 2, 2},  {3, 6, 8, 16, 2, 2, 2},
    {2, 9, 9, 17, 2, 2, 2},  {2, 7, 7, 15, 3, 3, 2}, {1, 5, 9, 33, 3, 3, 1},
    {2, 8, 7, 3, 2, 2, 3},   {3, 11, 5, 7, 1, 1, 4}, {2, 4, 6, 65, 4, 6, 1},
    {2, 5, 6, 31, 2, 4, 3},  {1, 9, 4, 8, 5, 4, 2},  {130, 2, 2, 5, 2, 2, 2},
    {1, 3, 3, 129, 3, 3, 3}, {2, 13, 13, 4, 3, 2, 5}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void pools_agree(void **state)
{
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < SHAPES * 16; i++) {
            fal_pool p = fal_check_pool_of(shapes[i / 16]);
            uint64_t before = families[d]->allocated;
            double worst = 0;
            int wild = i % 4 / 2;
            p.average = i % 2;
            p.accumulate = i % 8 / 4;
            p.derivative = (fal_activation){i % 16 / 8 ? FAL_RELU : FAL_LINEAR, 0};
            fal_status status = fal_check_pool(families[d], &p, wild, &worst);
            judge(families[d], before, status, worst, "pool", i);
            status = fal_check_pool_backward(families[d], &p, wild, &worst);
            judge(families[d], before, status, worst, "backward", i);
        }
}

static void derivatives_agree(void **state)
{
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (int phi = FAL_LINEAR; phi < FAL_PHIS; phi++) {
            fal_pool p = fal_check_pool_of(shapes[4]);
            uint64_t before = families[d]->allocated;
            double worst = 0;
            p.derivative = (fal_activation){(fal_phi)phi, .25f};
            fal_status status = fal_check_pool_backward(families[d], &p, 0, &worst);
            judge(families[d], before, status, worst, "derivative", (size_t)phi);
        }
}

typedef struct passes {
    fal_checker c;
    const float *y, *into;
} passes;

/* Forward and backward of given numbers. */
static passes both_ways(fal_device *on, fal_pool p, const float *x,
                        const float *signal)
{
    static double worst;
    passes done;
    fal_checker *c = &done.c;
    fal_checker_begin(c, on, &worst);
    size_t in = p.images * p.height * p.width * p.channels;
    size_t out = p.images * p.out_height * p.out_width * p.channels;
    p.input = fal_checker_put(c, in, x);
    p.output = fal_checker_put(c, out, NULL);
    p.signal = fal_checker_put(c, out, signal);
    p.into = fal_checker_put(c, in, NULL);
    fal_checker_run(c, fal_pool_add(&c->launches, &p));
    fal_launches_release(&c->launches);
    fal_checker_run(c, fal_pool_backward_add(&c->launches, &p));
    done.y = fal_checker_get(c, p.output);
    done.into = fal_checker_get(c, p.into);
    must(c->status);
    return done;
}

/* As torch.nn.functional.max_pool2d(x, 3, 2) and its gradient give them. */
static void the_first_of_equal_ones_counts(void **state)
{
    const float x[25] = {1, 1, 0, 2, 2, 1, 1, 0, 2, 2, 0, 0,  5,
                         0, 0, 3, 3, 0, 0, 0, 3, 3, 0, 0, NAN};
    const float signal[4] = {1, 10, 100, 1000};
    const float y[4] = {5, 5, 5, NAN};
    const size_t shape[7] = {1, 5, 5, 1, 3, 3, 2};
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        passes done = both_ways(families[d], fal_check_pool_of(shape), x, signal);
        for (size_t i = 0; i < 4; i++)
            assert_true(isnan(y[i]) ? isnan(done.y[i]) : done.y[i] == y[i]);
        for (size_t i = 0; i < 25; i++)
            assert_true(done.into[i] == (i == 12 ? 111 : i == 24 ? 1000 : 0));
        must(fal_checker_end(&done.c));
    }
}

static void of_nothing_but_zeros_the_first_counts(void **state)
{
    const float x[16] = {0}, signal[4] = {1, 2, 3, 4};
    const size_t shape[7] = {1, 4, 4, 1, 2, 2, 2};
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        passes done = both_ways(families[d], fal_check_pool_of(shape), x, signal);
        for (size_t i = 0; i < 16; i++) {
            int first = i / 4 % 2 == 0 && i % 2 == 0;
            assert_true(done.into[i] ==
                        (first ? (float)(i / 8 * 2 + i % 4 / 2 + 1) : 0));
        }
        must(fal_checker_end(&done.c));
    }
}

static void expect_equal_sums(fal_device *on, fal_pool p, size_t shape)
{
    static float x[4096], signal[4096];
    size_t in = p.images * p.height * p.width * p.channels;
    size_t out = p.images * p.out_height * p.out_width * p.channels;
    double forward = 0, backward = 0, size = 0;
    assert_true(in <= 4096);
    for (size_t i = 0; i < in; i++)
        x[i] = (float)(i * 7919 % 1009) / 1009 - .5f;
    for (size_t i = 0; i < out; i++)
        signal[i] = (float)(i * 104729 % 997) / 997 - .5f;
    passes done = both_ways(on, p, x, signal);
    for (size_t i = 0; i < out; i++) {
        forward += (double)done.y[i] * (double)signal[i];
        size += fabs((double)done.y[i] * (double)signal[i]);
    }
    for (size_t i = 0; i < in; i++)
        backward += (double)x[i] * (double)done.into[i];
    must(fal_checker_end(&done.c));
    if (!(fabs(forward - backward) <= 1e-5 * size + 1e-7))
        fail_msg("shape %zu, average %d: sums %g and %g", shape, p.average, forward,
                 backward);
}

static void signals_come_down_as_values_went_up(void **state)
{
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < 2 * SHAPES; i++) {
            fal_pool p = fal_check_pool_of(shapes[i / 2]);
            p.average = i % 2;
            expect_equal_sums(families[d], p, i / 2);
        }
}

static void impossible_pools_are_refused(void **state)
{
    const size_t shape[7] = {1, 5, 5, 3, 2, 2, 2};
    fal_launches list = {.device = families[0]};
    fal_pool p = fal_check_pool_of(shape);
    (void)state;
    p.high = 6;
    expect_refusal(fal_pool_add(&list, &p), "fit into the maps");
    p = fal_check_pool_of(shape);
    p.stride = 0;
    expect_refusal(fal_pool_backward_add(&list, &p), "stride");
    p = fal_check_pool_of(shape);
    p.out_height = 3;
    expect_refusal(fal_pool_add(&list, &p), "another size");
    p.height = p.high = 300, p.width = p.wide = 300, p.out_height = p.out_width = 1;
    expect_refusal(fal_pool_add(&list, &p), "smaller windows");
    assert_int_equal(list.count, 0);
    fal_launches_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_agree),
        cmocka_unit_test(derivatives_agree),
        cmocka_unit_test(the_first_of_equal_ones_counts),
        cmocka_unit_test(of_nothing_but_zeros_the_first_counts),
        cmocka_unit_test(signals_come_down_as_values_went_up),
        cmocka_unit_test(impossible_pools_are_refused),
    };
    return cmocka_run_group_tests_name("pool", tests, open_families,
                                       close_families);
}
