/* falign reproduce refinetti, its tiny form on the sample of Fashion-MNIST: figures
 * against what they were when the quick form showed what the paper shows, from two
 * seeds; both kernel families agree to 1e-6. What breaks them was tried: see
 * recorded_figures. */
#include "tool.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct expected {
    const char *figure;
    double mean, bound;
} expected;

static cJSON *read_results(void)
{
    char *text = tool_read("out/results.json");
    cJSON *json = cJSON_Parse(text);
    free(text);
    assert_non_null(json);
    return json;
}

static double mean_of(const cJSON *results, const char *figure)
{
    const cJSON *figures = cJSON_GetObjectItem(results, "figures");
    const cJSON *mean = cJSON_GetObjectItem(cJSON_GetObjectItem(figures, figure),
                                            "mean");
    if (!cJSON_IsNumber(mean))
        fail_msg("no figure %s", figure);
    return mean->valuedouble;
}

static void expect_all(const cJSON *results, const expected *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double mean = mean_of(results, list[i].figure);
        if (!(fabs(mean - list[i].mean) <= list[i].bound))
            fail_msg("%s is %.9g, not %.9g", list[i].figure, mean, list[i].mean);
    }
}

static void expect_verdict(const cJSON *results, const char *id, int holds)
{
    const cJSON *claim;
    cJSON_ArrayForEach(claim, cJSON_GetObjectItem(results, "claims"))
    {
        const char *own = cJSON_GetObjectItem(claim, "id")->valuestring;
        if (strcmp(own, id) == 0) {
            assert_int_equal(cJSON_IsTrue(cJSON_GetObjectItem(claim, "holds")),
                             holds);
            return;
        }
    }
    fail_msg("no claim %s", id);
}

/* Each was seen to fail: those of erf and linear units by another seed of the starts, by
 * equations half a step late, by v for F, and by g' too small by 3 %; those of relu units
 * by F = |F|, by a teacher of one unit more, by another seed, and the shares of those
 * with enough by half of the time. */
static void expect_students(const cJSON *results)
{
    static const expected list[] = {
        {"online.erf.bp.largest-difference", .0350619, 1e-4},
        {"online.erf.bp.ratio-t10", 1.00405, 1e-4},
        {"online.erf.dfa.largest-difference", .0536355, 1e-4},
        {"online.erf.dfa.ratio-t10", 1.00905, 1e-4},
        {"online.erf.dfa.ratio-t100", .999517, 1e-4},
        {"online.linear.bp.largest-difference", .0587251, 1e-4},
        {"online.linear.bp.ratio-t10", 1.03959, 1e-4},
        {"online.linear.dfa.largest-difference", .869139, 1e-4},
        {"online.linear.dfa.ratio-t10", 1.0332, 1e-4},
        {"recovery.students-2.share", .25, 1e-9},
        {"recovery.students-3.share", .5625, 1e-9},
        {"recovery.students-4.share", .75, 1e-9},
        {"recovery.students-5.share", .84375, 1e-9},
        {"recovery.students-4.share-of-fewer", 0, 1e-9},
        {"recovery.students-4.share-of-enough", 1, 1e-9},
    };
    expect_all(results, list, sizeof list / sizeof *list);
    expect_verdict(results, "online-order-parameters", 1);
    expect_verdict(results, "online-errors", 1);
    expect_verdict(results, "online-linear-order-parameters", 0);
    expect_verdict(results, "recovery-fewer", 1);
    expect_verdict(results, "recovery-enough", 1);
}

/* Each was seen to fail: those of deep networks by B, teacher or rates of the wrong seed,
 * sign or size, and by A_l without B B^T; those of data by half the rate, a mean in
 * place of the sum, one B for all, a flipped sign in the targets and a shuffle; those of
 * images by a mean, by one weight seed for all, without standardisation, by labels of
 * another seed and fewer wrong ones. Of the students that learn online see below. */
static void recorded_figures(void **state)
{
    static const expected list[] = {
        {"conditioning.spread-1.dense2", 1.85607, 1e-4},
        {"conditioning.spread-1.dense4", 1.41434, 1e-4},
        {"conditioning.spread-8.dense2", 16.513, 1e-3},
        {"conditioning.spread-8.dense3", 235.12, .1},
        {"deep.spread-1.dense4.weight-alignment", 0.991506, 1e-5},
        {"deep.spread-8.dense2.weight-alignment", 0.812664, 1e-5},
        {"deep.spread-8.dense4.weight-alignment", 0.694465, 1e-5},
        {"deep.rank-correlation", -1, 1e-9},
        {"deep.spread-8.apart", 0, 5e-6},
        {"data.tanh.a0.8-b1.gradient-alignment", 0.285462, 1e-5},
        {"data.tanh.a0.8-b1.peak", 0.0868935, 1e-5},
        {"data.relu.a0.8-b1.gradient-alignment", 0.394439, 1e-5},
        {"data.relu.a0.8-b1.peak", 0.0313796, 1e-5},
        {"memorize.tanh.noise-0.half-epoch.dense2", 2.93272, 1e-4},
        {"memorize.tanh.noise-0.half-epoch.dense3", 3.79067, 1e-4},
        {"memorize.tanh.noise-0.half-epoch.dense4", 4.48097, 1e-4},
        {"memorize.tanh.noise-0.half-epoch.dense5", 3.67286, 1e-4},
        {"memorize.tanh.noise-0.gradient-alignment", 0.287741, 1e-5},
        {"memorize.tanh.noise-0.test-accuracy", 0.736, 2.5e-3},
        {"memorize.relu.noise-0.5.half-epoch.dense3", 4.52421, 1e-4},
        {"memorize.relu.noise-0.5.gradient-alignment", 0.240206, 1e-5},
        {"degeneracy.dfa", 0.186235, 1e-5},
        {"degeneracy.bp", 0.0109784, 1e-5},
    };
    (void)state;
    assert_good("reproduce refinetti --tiny --data $D --out out");
    cJSON *results = read_results();
    expect_all(results, list, sizeof list / sizeof *list);
    expect_verdict(results, "deep-made-of", 1);
    expect_verdict(results, "deep-conditioning", 1);
    expect_students(results);
    cJSON_Delete(results);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(recorded_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
