/* Random numbers: published vectors, the contract's counter layout, bounds, shapes
 * of the distributions. */
#include "data/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* kat_vectors of Random123, "philox4x32 10". */
static void philox_gives_published_vectors(void **state)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t out[4];
        fal_philox(known[i].counter, known[i].key, out);
        assert_memory_equal(out, known[i].out, sizeof out);
    }
}

static void words_follow_the_contract(void **state)
{
    const uint64_t seed = 0x0123456789abcdefu, element = 0x3000000016u;
    const uint32_t counter[4] = {0x00000005, 0x0000000c, 77, 256 * 3 + 2};
    const uint32_t key[2] = {0x89abcdef, 0x01234567};
    uint32_t out[4];
    (void)state;
    fal_philox(counter, key, out);
    assert_int_equal(fal_random_word(seed, FAL_PURPOSE_FEEDBACK, 3, 77, element),
                     out[2]);
}

static void philox_zero_words_are_element_0_to_3(void **state)
{
    (void)state;
    assert_int_equal(fal_random_word(0, FAL_PURPOSE_WEIGHT, 0, 0, 0), 0x6627e8d5);
    assert_int_equal(fal_random_word(0, FAL_PURPOSE_WEIGHT, 0, 0, 3), 0x9b00dbd8);
}

static void uniform_is_the_signed_top_of_the_word(void **state)
{
    (void)state;
    /* 0x6627e8 = 6694888; 0xe169c5 - 2^24 = -2004539. */
    assert_true(fal_random_uniform(0, 0, 0, 0, 0, 1) == 6694888.0f / 8388608.0f);
    assert_true(fal_random_uniform(0, 0, 0, 0, 1, 1) == -2004539.0f / 8388608.0f);
    float scale = 0.3f / 8388608.0f;
    assert_true(fal_random_uniform(0, 0, 0, 0, 1, 0.3f) == -2004539.0f * scale);
    assert_true(fal_random_uniform(0, 0, 0, 0, 1, 0) == 0);
}

static void uniform_stays_in_its_bounds(void **state)
{
    double sum = 0, squares = 0;
    const int n = 100000;
    (void)state;
    for (int i = 0; i < n; i++) {
        float v = fal_random_uniform(5, FAL_PURPOSE_WEIGHT, 1, 0, (uint64_t)i,
                                     0.5f);
        assert_true(v >= -0.5f && v < 0.5f);
        sum += v;
        squares += (double)v * v;
    }
    assert_true(fabs(sum / n) < 4 * 0.2887 / sqrt(n));
    assert_true(fabs(squares / n - 1.0 / 12) < 4 * 0.0745 / sqrt(n));
}

static void gaussian_pairs_follow_the_contract(void **state)
{
    const double pi = 3.14159265358979323846;
    (void)state;
    /* Words 0, 1 of the zero vector: a = 0x6627e8d5, b = 0xe169c58d. */
    double radius = sqrt(-2 * log((0x3313f4 + 0.5) / 8388608.0));
    double angle = pi * 0xe169c5 / 8388608.0;
    assert_true(fal_random_gaussian(0, 0, 0, 0, 0, 1) ==
                (float)(radius * cos(angle)));
    assert_true(fal_random_gaussian(0, 0, 0, 0, 1, 1) ==
                (float)(radius * sin(angle)));
    assert_true(fabs(fal_random_gaussian(0, 0, 0, 0, 1, 2) -
                     2 * radius * sin(angle)) < 1e-6);
    /* Words 2, 3: a = 0xbc57ac4c, b = 0x9b00dbd8. */
    radius = sqrt(-2 * log((0x5e2bd6 + 0.5) / 8388608.0));
    angle = pi * 0x9b00db / 8388608.0;
    assert_true(fal_random_gaussian(0, 0, 0, 0, 2, 1) ==
                (float)(radius * cos(angle)));
    assert_true(fal_random_gaussian(0, 0, 0, 0, 3, 1) ==
                (float)(radius * sin(angle)));
}

static void gaussian_has_its_moments(void **state)
{
    double sum = 0, squares = 0, fourth = 0;
    const int n = 100000;
    (void)state;
    for (int i = 0; i < n; i++) {
        double v = fal_random_gaussian(9, FAL_PURPOSE_FEEDBACK, 2, 0, (uint64_t)i,
                                       1);
        assert_true(isfinite(v));
        sum += v;
        squares += v * v;
        fourth += v * v * v * v;
    }
    assert_true(fabs(sum / n) < 4 / sqrt(n));
    assert_true(fabs(squares / n - 1) < 4 * sqrt(2.0 / n));
    assert_true(fabs(fourth / n - 3) < 4 * sqrt(96.0 / n));
}

/* The contract's rule, word by word. */
static void shuffle_follows_the_contract(void **state)
{
    enum { N = 1003 };
    uint32_t order[N], expected[N];
    int seen[N] = {0};
    (void)state;
    for (uint32_t i = 0; i < N; i++)
        expected[i] = i;
    for (uint32_t i = N - 1; i >= 1; i--) {
        uint64_t word = fal_random_word(42, FAL_PURPOSE_ORDER, 0, 7, i);
        uint32_t j = (uint32_t)(word * (i + 1) >> 32), kept = expected[i];
        expected[i] = expected[j];
        expected[j] = kept;
    }
    fal_shuffle(42, FAL_PURPOSE_ORDER, 7, order, N);
    assert_memory_equal(order, expected, sizeof order);
    for (int i = 0; i < N; i++)
        seen[order[i]]++;
    for (int i = 0; i < N; i++)
        assert_int_equal(seen[i], 1);
    fal_shuffle(42, FAL_PURPOSE_ORDER, 8, order, N);
    assert_memory_not_equal(order, expected, sizeof order);
}

static void shuffle_of_none_and_one(void **state)
{
    uint32_t order[2] = {9, 9};
    (void)state;
    fal_shuffle(1, FAL_PURPOSE_ORDER, 0, order, 0);
    assert_int_equal(order[0], 9);
    fal_shuffle(1, FAL_PURPOSE_ORDER, 0, order, 1);
    assert_int_equal(order[0], 0);
    assert_int_equal(order[1], 9);
}

/* Chance that the first place gets any of five values: equal within 4 deviations.
 */
static void shuffle_is_fair(void **state)
{
    int first[5] = {0};
    const int n = 20000;
    (void)state;
    for (int i = 0; i < n; i++) {
        uint32_t order[5];
        fal_shuffle(3, FAL_PURPOSE_VALIDATION, (uint32_t)i, order, 5);
        first[order[0]]++;
    }
    for (int i = 0; i < 5; i++)
        assert_true(fabs(first[i] - n / 5.0) < 4 * sqrt(n * 0.2 * 0.8));
}

/* With all seeds equal no two tensors may resemble each other. */
static void streams_are_independent(void **state)
{
    enum { N = 4096, STREAMS = 9 };
    static float v[STREAMS][N];
    (void)state;
    for (uint32_t s = 0; s < STREAMS; s++)
        for (uint32_t i = 0; i < N; i++)
            v[s][i] = fal_random_uniform(1, s % 3, 1 + s / 3, 0, i, 1);
    for (int a = 0; a < STREAMS; a++)
        for (int b = 0; b < a; b++) {
            double product = 0;
            for (int i = 0; i < N; i++)
                product += (double)v[a][i] * v[b][i];
            assert_true(fabs(product / N * 3) <= 4 / sqrt(N));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_published_vectors),
        cmocka_unit_test(words_follow_the_contract),
        cmocka_unit_test(philox_zero_words_are_element_0_to_3),
        cmocka_unit_test(uniform_is_the_signed_top_of_the_word),
        cmocka_unit_test(uniform_stays_in_its_bounds),
        cmocka_unit_test(gaussian_pairs_follow_the_contract),
        cmocka_unit_test(gaussian_has_its_moments),
        cmocka_unit_test(shuffle_follows_the_contract),
        cmocka_unit_test(shuffle_of_none_and_one),
        cmocka_unit_test(shuffle_is_fair),
        cmocka_unit_test(streams_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
