/* Every kernel but the product against its reference: odd and tiny shapes, guards
 * around what is written, NaN and infinity, every vector width and both families.
 * The comparisons and the bounds of their errors, in units of 2^-24, are those of
 * host/reference/check_*.c: an error is given over its bound, so 1 passes. */
#include "families.h"
#include "device/memory.h"
#include "ops/clip.h"
#include "ops/gather.h"
#include "reference/check.h"
#include "reference/checker.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const size_t COUNTS[] = {1, 2, 3, 15, 16, 17, 127, 1000, 16411, 40009};
static const fal_view none = {NULL, 0};

/* Passes if the comparison ran, was close enough and freed what it made. */
static void judge_sizes(const fal_device *device, uint64_t allocated,
                        fal_status status, double worst, const char *what, size_t a,
                        size_t b)
{
    must(status);
    if (!(worst <= 1))
        fail_msg("%s %zu x %zu, %s kernels, vectors of %d: error %g of its bound",
                 what, a, b, device->facts.family ? "gpu" : "cpu",
                 device->facts.vector, worst);
    assert_int_equal(device->allocated, allocated);
}

/* ---- elementwise --------------------------------------------------------- */

static void activations_agree(void **state)
{
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < COUNT(COUNTS) * FAL_PHIS * 2; i++) {
            size_t phi = i % FAL_PHIS;
            fal_activation activation = {(fal_phi)phi, .01f};
            size_t count = COUNTS[i / FAL_PHIS / 2];
            int wild = i / FAL_PHIS % 2;
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_status status = fal_check_activation(families[d], activation, count,
                                                     wild, &worst);
            judge_sizes(families[d], before, status, worst, "activation", phi,
                        count);
            status = fal_check_derivative(families[d], activation, count, wild,
                                          &worst);
            judge_sizes(families[d], before, status, worst, "derivative", phi,
                        count);
        }
}

/* A span that ends in a tail must not be read by another after it was written. */
static void activations_work_in_place(void **state)
{
    enum { N = 50021 };
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        double worst = 0;
        fal_checker c;
        fal_checker_begin(&c, families[d], &worst);
        float *a = fal_checker_floats(&c, N, -1, 1);
        fal_view both = fal_checker_put(&c, N, a);
        fal_activation relu = {FAL_RELU, 0};
        fal_checker_run(&c, fal_activate_add(&c.launches, relu, both, both, N));
        const float *h = fal_checker_get(&c, both);
        for (size_t i = 0; h && i < N; i++)
            fal_checker_note(&c, h[i], a[i] < 0 ? 0 : a[i], 0);
        must(fal_checker_end(&c));
        assert_true(worst == 0);
    }
}

static const fal_update RULES[] = {
    {.rule = FAL_SGD},
    {.rule = FAL_SGD, .weight_decay = .1f},
    {.rule = FAL_SGD, .momentum = .9f, .weight_decay = .01f},
    {.rule = FAL_SGD, .momentum = .9f, .nesterov = 1},
    {.rule = FAL_ADAM},
    {.rule = FAL_ADAM, .weight_decay = .01f},
    {.rule = FAL_ADAMW, .weight_decay = .01f},
    {.rule = FAL_MUON, .weight_decay = .01f},
};

static void updates_agree(void **state)
{
    static const uint64_t steps[] = {1, 2, 10, 1000, 1000000, 0};
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t r = 0; r < COUNT(RULES); r++)
            for (size_t i = 0; i < COUNT(COUNTS); i++) {
                fal_update settings = RULES[r];
                settings.count = COUNTS[i];
                uint64_t before = families[d]->allocated;
                double worst = 0;
                fal_status status = fal_check_update(families[d], &settings,
                                                     steps[i % 5], i % 3 == 1, 0,
                                                     i % 2, &worst);
                judge_sizes(families[d], before, status, worst, "update", r,
                            COUNTS[i]);
            }
}

static void halted_updates_change_nothing(void **state)
{
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t r = 0; r < COUNT(RULES); r++) {
            fal_update settings = RULES[r];
            settings.count = 1013;
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_status status = fal_check_update(families[d], &settings, 1, 0, 1, 1,
                                                 &worst);
            judge_sizes(families[d], before, status, worst, "halted update", r,
                        1013);
        }
}

/* Without `halted` the kernel must not look at it. */
static void updates_need_no_flag(void **state)
{
    const float one[] = {1, 1, 1};
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        double worst = 0;
        fal_checker c;
        fal_checker_begin(&c, families[d], &worst);
        fal_update u = {.rule = FAL_SGD, .count = 3};
        u.weights = fal_checker_put(&c, 3, one);
        u.gradient = fal_checker_put(&c, 3, one);
        must(fal_update_add(&c.launches, &u));
        fal_update_step half = fal_update_at(1, .5);
        must(fal_launches_step(&c.launches, sizeof half, &half));
        fal_checker_run(&c, FAL_OK);
        const float *w = fal_checker_get(&c, u.weights);
        must(c.status);
        assert_true(w[0] == .5f && w[1] == .5f && w[2] == .5f);
        must(fal_checker_end(&c));
    }
}

static void updates_that_lack_room_are_refused(void **state)
{
    (void)state;
    fal_launches list = {.device = families[0]};
    fal_update adam = {.rule = FAL_ADAM}, sgd = {.rule = FAL_SGD, .momentum = .9f};
    assert_int_equal(fal_update_add(&list, &adam), FAL_ERROR_ARGUMENT);
    assert_int_equal(fal_update_add(&list, &sgd), FAL_ERROR_ARGUMENT);
    assert_int_equal(list.count, 0);
}

/* ---- sums ---------------------------------------------------------------- */

static void losses_agree(void **state)
{
    static const size_t rows[] = {1, 3, 16, 17, 127, 300};
    static const size_t outputs[] = {1, 2, 3, 10, 17, 64, 65, 101, 1000, 1031};
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < COUNT(rows) * COUNT(outputs) * 8; i++) {
            size_t m = rows[i / 8 % COUNT(rows)], n = outputs[i / 8 / COUNT(rows)];
            int parts = (int)(i / 2 % 4), wild = i % 2;
            if (m * n > 40000)
                continue;
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_loss loss = parts ? FAL_SQUARED_ERROR : FAL_CROSS_ENTROPY;
            fal_status status = fal_check_loss(families[d], loss,
                                               parts ? parts : FAL_CHECK_LABELS, m,
                                               n, wild, &worst);
            judge_sizes(families[d], before, status, worst,
                        parts ? "mse" : "cross-entropy", m, n);
        }
}

static void losses_of_many_outputs_agree(void **state)
{
    static const size_t outputs[] = {1025, 8192, 8193, 100000};
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < COUNT(outputs); i++) {
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_status status = fal_check_loss(families[d], FAL_CROSS_ENTROPY,
                                               FAL_CHECK_LABELS, 18, outputs[i], 0,
                                               &worst);
            judge_sizes(families[d], before, status, worst, "cross-entropy", 18,
                        outputs[i]);
            status = fal_check_loss(families[d], FAL_SQUARED_ERROR,
                                    FAL_CHECK_LABELS, 18, outputs[i], 0, &worst);
            judge_sizes(families[d], before, status, worst, "mse", 18, outputs[i]);
        }
}

/* Rows of two outputs, their loss and whether label 0 is right */
static void evaluate(fal_device *device, size_t rows, const float *a,
                     const int32_t *labels, float partials[2], int *halted)
{
    const int32_t zero = 0;
    double worst = 0;
    unsigned slot;
    fal_checker c;
    fal_checker_begin(&c, device, &worst);
    fal_loss_work work = {.loss = FAL_CROSS_ENTROPY,
                          .rows = rows,
                          .outputs = 2,
                          .a = fal_checker_put(&c, 2 * rows, a),
                          .labels = fal_checker_put(&c, rows, labels),
                          .partials = fal_checker_put(&c, 2, NULL),
                          .stride = 1,
                          .halted = halted ? fal_checker_put(&c, 1, &zero) : none};
    fal_checker_run(&c, fal_loss_add(&c.launches, &work, &slot));
    const float *sums = fal_checker_get(&c, work.partials);
    const int32_t *flag = halted ? fal_checker_get(&c, work.halted) : NULL;
    must(c.status);
    memcpy(partials, sums, 2 * sizeof *sums);
    if (flag)
        *halted = *flag;
    must(fal_checker_end(&c));
}

/* Evaluation: no delta, no halted. */
static void losses_need_no_delta(void **state)
{
    const float a[] = {1, 1, 0, 3, 100, -100};
    const int32_t labels[] = {0, 1, 1};
    float partials[2];
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        evaluate(families[d], 3, a, labels, partials, NULL);
        assert_true(fabs(partials[0] - (log(2) + log(1 + exp(-3)) + 200)) < 1e-4);
        assert_true(partials[1] == 2);
    }
}

static void equals_count_for_the_first(void **state)
{
    const float a[] = {1, 1, 1, 1};
    const int32_t labels[] = {0, 1};
    float partials[2];
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        evaluate(families[d], 2, a, labels, partials, NULL);
        assert_true(partials[1] == 1);
    }
}

/* exp(200) would overflow, exp(-200) vanish. */
static void large_outputs_are_stable(void **state)
{
    const float a[] = {3e38f, -3e38f, -200, -201, 200, 201};
    const int32_t labels[] = {0, 0, 1};
    float partials[2];
    int halted = 0;
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        evaluate(families[d], 3, a, labels, partials, &halted);
        assert_true(fabs(partials[0] - 2 * log(1 + exp(-1))) < 1e-4);
        assert_int_equal(halted, 0);
    }
}

static void losses_that_are_not_finite_halt(void **state)
{
    const float wild[][2] = {{NAN, 1},      {1, NAN},       {NAN, NAN},
                             {INFINITY, 1}, {-INFINITY, 1}, {-INFINITY, -INFINITY}};
    const int32_t zero = 0;
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < COUNT(wild); i++) {
            float partials[2];
            int halted = 0;
            evaluate(families[d], 1, wild[i], &zero, partials, &halted);
            assert_false(isfinite(partials[0]));
            assert_int_equal(halted, 1);
        }
}

static void labels_that_are_none_halt(void **state)
{
    const float a[] = {1, 2};
    const int32_t labels[] = {-1, 2, INT32_MAX, INT32_MIN};
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < COUNT(labels); i++) {
            float partials[2];
            int halted = 0;
            evaluate(families[d], 1, a, &labels[i], partials, &halted);
            assert_true(isnan(partials[0]) && partials[1] == 0 && halted == 1);
        }
}

static void losses_without_labels_are_refused(void **state)
{
    unsigned slot;
    (void)state;
    fal_launches list = {.device = families[0]};
    fal_loss_work work = {.loss = FAL_CROSS_ENTROPY, .rows = 1, .outputs = 1};
    assert_int_equal(fal_loss_add(&list, &work, &slot), FAL_ERROR_ARGUMENT);
    work.rows = 0;
    assert_int_equal(fal_loss_add(&list, &work, &slot), FAL_ERROR_ARGUMENT);
    assert_int_equal(list.count, 0);
}

static void clipping_factors_agree(void **state)
{
    static const size_t counts[] = {1, 2, 15, 17, 16383, 16384, 16385, 70001};
    static const float limits[] = {1e-3f, 1, 50, 1e9f};
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < COUNT(counts) * COUNT(limits) * 2; i++) {
            size_t count = counts[i / 2 / COUNT(limits)];
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_status status = fal_check_clip(
                families[d], count, limits[i / 2 % COUNT(limits)], i % 2, &worst);
            judge_sizes(families[d], before, status, worst, "clip", i, count);
        }
}

/* What is behind the end belongs to others: it must not count. */
static void norms_end_where_they_end(void **state)
{
    static const float values[] = {3, 4, 1e9f, 1e9f};
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        double worst = 0;
        fal_checker c;
        fal_checker_begin(&c, families[d], &worst);
        fal_view x = fal_checker_put(&c, 4, values);
        fal_view sums = fal_checker_put(&c, 4, values);
        fal_view scale = fal_checker_put(&c, 1, NULL);
        must(fal_square_sums_add(&c.launches, x, 2, sums));
        fal_checker_run(&c, fal_clip_scale_add(&c.launches, 1, sums, 1, scale));
        const float *got = fal_checker_get(&c, scale);
        must(c.status);
        assert_true(fabsf(*got - .2f) < 1e-6f);
        must(fal_checker_end(&c));
    }
}

/* Results of `units` compute units: partial losses and squares */
static void sums_by_units(fal_device *device, unsigned units, float *into)
{
    enum { ROWS = 200, COLUMNS = 1003, BLOCKS = 13, SQUARES = 13 };
    unsigned own = device->facts.units, slot;
    double worst = 0;
    fal_checker c;
    fal_checker_begin(&c, device, &worst);
    device->facts.units = units;
    fal_view x = fal_checker_put(&c, ROWS * COLUMNS,
                                 fal_checker_floats(&c, ROWS * COLUMNS, -1, 1));
    fal_view labels = fal_checker_put(&c, ROWS,
                                      fal_checker_ints(&c, ROWS, COLUMNS));
    fal_loss_work work = {.rows = ROWS,
                          .outputs = COLUMNS,
                          .a = x,
                          .labels = labels,
                          .partials = fal_checker_put(&c, 2 * BLOCKS, NULL),
                          .stride = BLOCKS};
    fal_view squares = fal_checker_put(&c, SQUARES, NULL);
    must(fal_square_sums_add(&c.launches, x, ROWS * COLUMNS, squares));
    fal_checker_run(&c, fal_loss_add(&c.launches, &work, &slot));
    device->facts.units = own;
    const float *partials = fal_checker_get(&c, work.partials);
    const float *norm = fal_checker_get(&c, squares);
    must(c.status);
    memcpy(into, partials, 2 * BLOCKS * sizeof *partials);
    memcpy(into + 2 * BLOCKS, norm, SQUARES * sizeof *norm);
    must(fal_checker_end(&c));
}

static void sums_do_not_depend_on_units(void **state)
{
    static float results[2][39];
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        sums_by_units(families[d], 1, results[0]);
        sums_by_units(families[d], 37, results[1]);
        assert_memory_equal(results[0], results[1], sizeof results[0]);
    }
}

/* ---- data ---------------------------------------------------------------- */

/* Uniform numbers equal the reference to the bit: so they are equal everywhere. */
static void random_numbers_agree(void **state)
{
    static const size_t sizes[] = {1, 3, 17, 127, 257};
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < COUNT(sizes) * COUNT(sizes) * 6; i++) {
            size_t positions = 1 + i % 5; /* of a map that a line is */
            size_t lines = sizes[i / 6 / COUNT(sizes)];
            size_t channels = sizes[i / 6 % COUNT(sizes)];
            size_t rows = i % 2 ? positions * channels : lines;
            size_t columns = i % 2 ? lines : positions * channels;
            fal_random random = {(fal_distribution)(i / 2 % 3),
                                 .7f,
                                 0xfedcba9876543210u + i,
                                 4,
                                 65536,
                                 1000000,
                                 positions > 1 ? (uint32_t)channels : 0};
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_status status = fal_check_random(families[d], &random, rows,
                                                 columns, i % 2, &worst);
            judge_sizes(families[d], before, status, worst, "random numbers", rows,
                        columns);
            if (random.distribution != FAL_NORMAL)
                assert_true(worst == 0);
        }
}

static void batches_agree(void **state)
{
    /* Rows, width, channels, outputs (0: labels) */
    static const size_t shapes[][4] = {
        {1, 1, 1, 0},    {1, 3, 3, 1},    {3, 17, 1, 0},   {2, 17, 17, 3},
        {5, 6, 2, 17},   {7, 63, 7, 0},   {4, 75, 15, 1},  {4, 48, 16, 2},
        {4, 51, 17, 10}, {33, 784, 1, 0}, {9, 3072, 3, 0}, {130, 127, 127, 1000},
        {257, 5, 5, 0},
    };
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < COUNT(shapes) * 2; i++) {
            const size_t *s = shapes[i / 2];
            uint64_t before = families[d]->allocated;
            double worst = 0;
            fal_status status = fal_check_gather(
                families[d], i % 2 ? FAL_BYTES : FAL_FLOATS, s[0], s[1], s[2], s[3],
                1, NULL, &worst);
            judge_sizes(families[d], before, status, worst, "batch", s[0], s[1]);
        }
}

static void channels_that_do_not_divide_are_refused(void **state)
{
    unsigned start;
    (void)state;
    fal_launches list = {.device = families[0]};
    fal_gather gather = {.rows = 1, .width = 10, .channels = 3};
    assert_int_equal(fal_gather_add(&list, &gather, &start), FAL_ERROR_ARGUMENT);
    gather.channels = 0;
    assert_int_equal(fal_gather_add(&list, &gather, &start), FAL_ERROR_ARGUMENT);
}

/* ---- large offsets, the table, failures ---------------------------------- */

/* Past 2^31 bytes; only the end of the buffer is ever touched. */
static void offsets_may_be_large(void **state)
{
    enum { N = 1003 };
    const uint64_t offset = ((uint64_t)1 << 29) + 7;
    static float a[N], h[N];
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        cl_mem buffer = NULL;
        fal_launches list = {.device = families[d]};
        size_t place = (size_t)offset * sizeof(float);
        if (fal_buffer_create(families[d], place + sizeof a, "test", &buffer))
            continue;
        for (int i = 0; i < N; i++)
            a[i] = (float)(i - 500);
        fal_view view = {buffer, offset};
        fal_activation relu = {FAL_RELU, 0};
        must(fal_write(families[d], buffer, place, sizeof a, a));
        must(fal_activate_add(&list, relu, view, view, N));
        must(fal_launches_run(&list));
        must(fal_read(families[d], buffer, place, sizeof h, h));
        for (int i = 0; i < N; i++)
            assert_true(h[i] == (i < 500 ? 0 : (float)(i - 500)));
        fal_launches_release(&list);
        fal_buffer_destroy(families[d], buffer);
    }
}

static void the_table_passes(void **state)
{
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i <= fal_check_count; i++) {
            uint64_t before = families[d]->allocated;
            double worst = 0;
            int row = i < fal_check_count;
            fal_status status = row ? fal_checks[i].run(families[d], &worst)
                                    : fal_check_probe(families[d], &worst);
            /* The first product makes its scratch, which stays */
            if (families[d]->scratch)
                before = families[d]->allocated;
            judge_sizes(families[d], before, status, worst,
                        row ? fal_checks[i].kernel : "probe", i, 0);
        }
}

static fal_status small_check(fal_device *device, size_t which)
{
    const fal_activation tanh_ = {FAL_TANH, 0};
    const fal_update adam = {.rule = FAL_ADAM, .count = 5};
    const fal_random normal = {FAL_NORMAL, 1, 1, 0, 0, 0, 0};
    const fal_random zero = {FAL_ZERO, 1, 1, 0, 0, 0, 0};
    double worst = 0;
    switch (which) {
    case 0:
        return fal_check_activation(device, tanh_, 3, 0, &worst);
    case 1:
        return fal_check_derivative(device, tanh_, 3, 0, &worst);
    case 2:
        return fal_check_loss(device, FAL_CROSS_ENTROPY, FAL_CHECK_LABELS, 3, 3, 0,
                              &worst);
    case 3:
        return fal_check_update(device, &adam, 1, 0, 0, 0, &worst);
    case 4:
        return fal_check_random(device, &normal, 3, 3, 0, &worst);
    case 5:
        return fal_check_random(device, &zero, 3, 3, 0, &worst);
    case 6:
        return fal_check_clip(device, 3, 1, 0, &worst);
    }
    return fal_check_gather(device, FAL_BYTES, 3, 3, 1, 0, 1, NULL, &worst);
}
enum { SMALL_CHECKS = 8 };

/* Each call fails once; the n-th from now, until there are fewer. */
static void fail_each(void (*fail_at)(long), fal_status expected)
{
    for (size_t d = 0; d < family_count; d++)
        for (size_t which = 0; which < SMALL_CHECKS; which++) {
            must(small_check(families[d], which));
            uint64_t before = families[d]->allocated;
            long n = 0;
            fal_status status = expected;
            while (status && n < 1000) {
                fail_at(++n);
                status = small_check(families[d], which);
                fail_at(0);
                assert_true(status == FAL_OK || status == expected);
                assert_int_equal(families[d]->allocated, before);
            }
            assert_in_range(n, 3, 999);
        }
}

static void failing_opencl_calls_are_reported(void **state)
{
    (void)state;
    fail_each(fal_cl_fail_at, FAL_ERROR_DEVICE);
}

static void failing_memory_is_reported(void **state)
{
    (void)state;
    fail_each(fal_memory_fail_at, FAL_ERROR_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_agree),
        cmocka_unit_test(activations_work_in_place),
        cmocka_unit_test(updates_agree),
        cmocka_unit_test(halted_updates_change_nothing),
        cmocka_unit_test(updates_need_no_flag),
        cmocka_unit_test(updates_that_lack_room_are_refused),
        cmocka_unit_test(losses_agree),
        cmocka_unit_test(losses_of_many_outputs_agree),
        cmocka_unit_test(losses_need_no_delta),
        cmocka_unit_test(equals_count_for_the_first),
        cmocka_unit_test(large_outputs_are_stable),
        cmocka_unit_test(losses_that_are_not_finite_halt),
        cmocka_unit_test(labels_that_are_none_halt),
        cmocka_unit_test(losses_without_labels_are_refused),
        cmocka_unit_test(clipping_factors_agree),
        cmocka_unit_test(norms_end_where_they_end),
        cmocka_unit_test(sums_do_not_depend_on_units),
        cmocka_unit_test(random_numbers_agree),
        cmocka_unit_test(batches_agree),
        cmocka_unit_test(channels_that_do_not_divide_are_refused),
        cmocka_unit_test(offsets_may_be_large),
        cmocka_unit_test(the_table_passes),
        cmocka_unit_test(failing_opencl_calls_are_reported),
        cmocka_unit_test(failing_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, open_families, close_families);
}
