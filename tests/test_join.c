/* Joins, their backward pass, sums of signals and signals spread over maps: kernels
 * against double precision over shapes, families and vector widths; and
 * Σ shortcut(x)·signal = Σ x·into, which needs no reference. */
#include "families.h"
#include "reference/check.h"
#include "reference/checker.h"

#include <math.h>

/* Images, height, width, channels, stride, channels at the end: identities, strides
 * that leave a rest, an odd number of channels more; about every edge of vectors */
static const fal_shortcut shapes[] = {
    {1, 1, 1, 1, 1, 1},    {2, 3, 5, 16, 1, 16}, {3, 7, 5, 17, 1, 17},
    {2, 8, 8, 16, 2, 32},  {2, 7, 9, 32, 2, 64}, {3, 5, 5, 3, 2, 8},
    {1, 9, 10, 15, 3, 34}, {2, 4, 4, 65, 2, 65}, {2, 3, 3, 7, 1, 12},
    {140, 2, 2, 9, 2, 10}, {1, 6, 5, 4, 4, 5},   {3, 16, 16, 64, 1, 64}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void joins_agree(void **state)
{
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < SHAPES * FAL_PHIS; i++) {
            fal_activation activation = {(fal_phi)(i % FAL_PHIS), .25f};
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_status status = fal_check_join(families[d], &shapes[i / FAL_PHIS],
                                               activation, i / FAL_PHIS % 2,
                                               &worst);
            judge(families[d], before, status, worst, "join", i / FAL_PHIS);
        }
}

static void signals_come_back(void **state)
{
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < SHAPES * 2; i++) {
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_status status = fal_check_join_backward(families[d], &shapes[i / 2],
                                                        i % 2, &worst);
            judge(families[d], before, status, worst, "backward", i / 2);
        }
}

static void sums_agree(void **state)
{
    static const size_t counts[] = {1, 3, 16, 17, 1000, 40009};
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < 6 * FAL_PHIS; i++) {
            fal_activation derivative = {(fal_phi)(i % FAL_PHIS), .25f};
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_status status = fal_check_sum(families[d], counts[i / FAL_PHIS],
                                              derivative, &worst);
            judge(families[d], before, status, worst, "sum", i / FAL_PHIS);
        }
}

static void spreading_agrees(void **state)
{
    /* Rows, positions, channels */
    static const size_t sizes[][3] = {{1, 1, 1},  {2, 9, 3},   {3, 4, 16},
                                      {5, 7, 17}, {1, 64, 65}, {130, 4, 5},
                                      {2, 49, 31}};
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < 7 * FAL_PHIS; i++) {
            const size_t *s = sizes[i / FAL_PHIS];
            fal_activation derivative = {(fal_phi)(i % FAL_PHIS), .25f};
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_status status = fal_check_spread(families[d], s[0], s[1], s[2],
                                                 derivative, &worst);
            judge(families[d], before, status, worst, "spread", i / FAL_PHIS);
        }
}

static size_t size_at_the_end(const fal_shortcut *s)
{
    return s->images * ((s->height + s->stride - 1) / s->stride) *
           ((s->width + s->stride - 1) / s->stride) * s->out_channels;
}

static void expect_equal_sums(fal_device *on, const fal_shortcut *s)
{
    const fal_activation linear = {FAL_LINEAR, 0};
    size_t in = s->images * s->height * s->width * s->channels;
    size_t out = size_at_the_end(s);
    double worst, up = 0, down = 0, size = 0;
    fal_checker c;
    fal_checker_begin(&c, on, &worst);
    float *x = fal_checker_floats(&c, in, -1, 1);
    float *signal = fal_checker_floats(&c, out, -1, 1);
    float *zeros = fal_checker_floats(&c, out, 0, 0);
    fal_view a = fal_checker_put(&c, out, zeros), from = fal_checker_put(&c, in, x);
    fal_view end = fal_checker_put(&c, out, signal);
    fal_view into = fal_checker_put(&c, in, NULL);
    fal_checker_run(&c, fal_join_add(&c.launches, s, a, from, linear, a));
    fal_launches_release(&c.launches);
    fal_checker_run(&c, fal_join_backward_add(&c.launches, s, end, 0, into));
    const float *y = fal_checker_get(&c, a), *back = fal_checker_get(&c, into);
    must(c.status);
    for (size_t i = 0; i < out; i++) {
        up += (double)y[i] * (double)signal[i];
        size += fabs((double)y[i] * (double)signal[i]);
    }
    for (size_t i = 0; i < in; i++)
        down += (double)x[i] * (double)back[i];
    assert_true(size > 0 && fabs(up - down) <= 1e-10 * size);
    must(fal_checker_end(&c));
}

static void signals_come_down_as_values_went_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES * family_count; i++)
        expect_equal_sums(families[i / SHAPES], &shapes[i % SHAPES]);
}

static void impossible_shortcuts_are_refused(void **state)
{
    const fal_view none = {NULL, 0};
    const fal_activation linear = {FAL_LINEAR, 0};
    fal_launches list = {.device = families[0]};
    fal_shortcut s = {1, 4, 4, 8, 1, 7};
    (void)state;
    expect_refusal(fal_join_add(&list, &s, none, none, linear, none),
                   "8 channels to 7");
    s.out_channels = 8, s.stride = 0;
    expect_refusal(fal_join_backward_add(&list, &s, none, 0, none), "stride 0");
    expect_refusal(
        fal_spread_add(&list, none, 1, 1 << 20, 1 << 12, linear, none, none),
        "below 2^31");
    assert_int_equal(list.count, 0);
    fal_launches_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_agree),
        cmocka_unit_test(signals_come_back),
        cmocka_unit_test(sums_agree),
        cmocka_unit_test(spreading_agrees),
        cmocka_unit_test(signals_come_down_as_values_went_up),
        cmocka_unit_test(impossible_shortcuts_are_refused),
    };
    return cmocka_run_group_tests_name("join", tests, open_families,
                                       close_families);
}
