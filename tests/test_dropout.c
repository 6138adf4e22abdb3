/* Dropout: which elements go, by the host's Philox and the contract's numbering, to the
 * bit; what the others become; which step they are drawn at. */
#include "data/random.h"
#include "families.h"
#include "ops/optimize.h"
#include "reference/check.h"
#include "reference/checker.h"

#include <math.h>

/* Rows, positions, channels: rows of numbers, and maps; about every edge of draws */
static const size_t shapes[][3] = {
    {1, 1, 1}, {3, 1, 15},  {7, 1, 64},  {128, 1, 131}, {2, 4, 16},  {3, 49, 17},
    {1, 9, 3}, {5, 64, 33}, {2, 1, 401}, {33, 25, 6},   {2, 1024, 5}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static const fal_random numbers = {
    .seed = 0xfedcba9876543210, .purpose = FAL_PURPOSE_DROPOUT, .layer = 2};

static void dropout_agrees(void **state)
{
    static const double rates[] = {0, .1, .5, .999};
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < SHAPES * 4; i++) {
            const size_t *s = shapes[i / 4];
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_random drawn = numbers;
            drawn.draw = 7 * (uint32_t)i;
            fal_status status = fal_check_dropout(families[d], &drawn, rates[i % 4],
                                                  s[0], s[1], s[2], &worst);
            judge(families[d], before, status, worst, "dropout", i / 4);
        }
}

/* At step `draw`, of x in place. */
static void drop(fal_device *on, double rate, const size_t *s, uint32_t draw,
                 float *values)
{
    const fal_update_step now = {.draw = draw};
    size_t all = s[0] * s[1] * s[2];
    double worst = 0;
    fal_checker c;
    fal_checker_begin(&c, on, &worst);
    fal_view x = fal_checker_put(&c, all, values);
    fal_status status = fal_dropout_add(&c.launches, &numbers, rate, x, x, s[0],
                                        s[1], s[2]);
    if (!status)
        status = fal_launches_step(&c.launches, sizeof now, &now);
    fal_checker_run(&c, status);
    const float *got = fal_checker_get(&c, x);
    must(c.status);
    memcpy(values, got, all * sizeof *got);
    must(fal_checker_end(&c));
}

/* The contract, spelled out: [row][channel][position], ⌊P·2³²⌋, 1/(1−P). */
static void bits_are_the_contract_s(void **state)
{
    enum { ROWS = 3, HIGH = 5, WIDE = 7, CHANNELS = 18, POSITIONS = HIGH * WIDE };
    static const size_t shape[] = {ROWS, POSITIONS, CHANNELS};
    static float x[ROWS][HIGH][WIDE][CHANNELS];
    const uint32_t limit = 1288490188; /* ⌊.3·2³²⌋ */
    const float factor = (float)(1 / .7);
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        float *flat = &x[0][0][0][0];
        for (size_t i = 0; i < ROWS * POSITIONS * CHANNELS; i++)
            flat[i] = (float)i + .125f;
        drop(families[d], .3, shape, 11, flat);
        for (size_t i = 0; i < ROWS * POSITIONS * CHANNELS; i++) {
            size_t c = i % CHANNELS, p = i / CHANNELS % POSITIONS;
            size_t r = i / CHANNELS / POSITIONS;
            uint32_t word = fal_random_word(numbers.seed, 4, 2, 11,
                                            (r * CHANNELS + c) * POSITIONS + p);
            float kept = ((float)i + .125f) * factor;
            assert_true(flat[i] == (word < limit ? 0 : kept));
        }
    }
}

static void the_step_draws(void **state)
{
    enum { N = 20000 };
    static const size_t shape[] = {N, 1, 1};
    static float first[N], again[N], other[N];
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        size_t dropped = 0, differ = 0;
        for (size_t i = 0; i < N; i++)
            first[i] = again[i] = other[i] = 1;
        drop(families[d], .25, shape, 1, first);
        drop(families[d], .25, shape, 1, again);
        drop(families[d], .25, shape, 2, other);
        assert_memory_equal(first, again, sizeof first);
        for (size_t i = 0; i < N; i++) {
            dropped += first[i] == 0;
            differ += first[i] != other[i];
        }
        /* .25 and 2·.25·.75, four deviations wide */
        assert_true(fabs((double)dropped / N - .25) < 4 * sqrt(.1875 / N));
        assert_true(fabs((double)differ / N - .375) < 4 * sqrt(.2344 / N));
    }
}

/* What is dropped is 0 whatever it was; NaN elsewhere passes. */
static void nan_goes_where_it_is_kept(void **state)
{
    enum { N = 1000 };
    static const size_t shape[] = {N, 1, 1};
    static float x[N], mask[N];
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        for (size_t i = 0; i < N; i++)
            x[i] = NAN, mask[i] = 1;
        drop(families[d], .5, shape, 3, x);
        drop(families[d], .5, shape, 3, mask);
        for (size_t i = 0; i < N; i++)
            assert_true(mask[i] == 0 ? x[i] == 0 : isnan(x[i]));
    }
}

static void impossible_rates_are_refused(void **state)
{
    static const double rates[] = {-.1, 1, 1.5, NAN};
    const fal_view none = {NULL, 0};
    fal_launches list = {.device = families[0]};
    (void)state;
    for (size_t i = 0; i < 4; i++)
        expect_refusal(
            fal_dropout_add(&list, &numbers, rates[i], none, none, 1, 1, 1),
            "below 1");
    expect_refusal(fal_dropout_add(&list, &numbers, .5, none, none, 1, 0, 1),
                   "at least 1");
    assert_int_equal(list.count, 0);
    fal_launches_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dropout_agrees),
        cmocka_unit_test(bits_are_the_contract_s),
        cmocka_unit_test(the_step_draws),
        cmocka_unit_test(nan_goes_where_it_is_kept),
        cmocka_unit_test(impossible_rates_are_refused),
    };
    return cmocka_run_group_tests_name("dropout", tests, open_families,
                                       close_families);
}
