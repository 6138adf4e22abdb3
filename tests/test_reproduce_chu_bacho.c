/* falign reproduce chu-bacho, its tiny form: where it starts and ends against derivations
 * that hold for any task, and figures against recorded bounds. What breaks them was tried:
 * see recorded_figures. */
#include "tool.h"

#include "analysis/spectrum.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "results.h"

static double at(const cJSON *object, const char *name, int index)
{
    const cJSON *array = cJSON_GetObjectItem(object, name);
    const int count = cJSON_GetArraySize(array);
    assert_true(count > 0);
    return cJSON_GetArrayItem(array, index < 0 ? count + index : index)
        ->valuedouble;
}

/* ---- what holds whatever the numbers -------------------------------------- */

/* Three inputs with the bias a unit; D = 1 and B_k/V_k has the signs of J. */
static void expect_escape(const cJSON *part)
{
    assert_true(number(part, "start_unstable") == 3 * number(part, "opposed"));
    assert_true(number(part, "start_unstable") == number(part, "start_expected"));
    assert_true(number(part, "opposed") > 0 && number(part, "opposed") < 3);
    assert_true(at(part, "opposed_units", 0) == number(part, "opposed"));
    assert_true(number(part, "end_opposed") == 0);
    assert_true(fabs(number(part, "end_loss") / number(part, "start_loss") - 1) <
                1e-6);
    /* aside by a thousandth, up, and back; float32 comes to rest at its own rounding */
    assert_true(at(part, "curve_loss", 0) / number(part, "start_loss") < 1.01);
    assert_true(number(part, "farthest") > .5);
    assert_true(at(part, "update_norm", -1) < 1e-5);
    assert_true(at(part, "weight_cosine", -1) > at(part, "weight_cosine", 0));
    assert_true(at(part, "steps", 0) == 0 && at(part, "steps", -1) == 60000);
}

static void parts_are_as_derived(void **state)
{
    (void)state;
    cJSON *part = read_json("out/parts/leaves-1.json");
    expect_escape(part);
    cJSON_Delete(part);
    part = read_json("out/parts/stays-1.json");
    assert_true(number(part, "opposed") == 0 &&
                number(part, "start_unstable") == 0);
    assert_true(number(part, "farthest") < .01);
    cJSON_Delete(part);
    part = read_json("out/parts/zero-1.json");
    /* 8 (2 + 1) + 8 * 2 weights, 6 * 2 residuals */
    assert_true(number(part, "zero") == 40 - 12);
    assert_true(number(part, "loss") < 1e-20);
    cJSON_Delete(part);
    part = read_json("out/parts/outputs-1.json");
    assert_true(number(part, "bp_gradient") < 1e-13);
    assert_true(number(part, "bp_update") > 1e-3);
    assert_true(number(part, "fa_update") < 1e-13);
    assert_true(number(part, "fa_gradient") > 1e-3);
    cJSON_Delete(part);
}

/* ---- figures --------------------------------------------------------------- */

/* Each of these, tried alone, left the bounds: another seed of the weights or the feedback,
 * no push aside, no noise on the targets, the scale of the weights dropped, fa and bp
 * exchanged, the sign of u. */
static void recorded_figures(void **state)
{
    static const recorded_figure recorded[] = {
        {"minimum-loss", .00529278905, 1e-8},
        {"return-loss", .00529278905, 1e-8},
        {"unstable-directions", 3, 0},
        {"unstable-cosine", -.715105, 1e-3},
        {"minimum-q-negative", 3, 0},
        {"farthest", 1.17258, .01},
        {"return-opposed-units", 0, 0},
        {"return-cosine", .806308, 1e-3},
        {"return-q-negative", 0, 0},
        {"count-exact", 1, 0},
        {"same-loss", 1, 0},
        {"stays-farthest", .00131860, 1e-5},
        {"zero-eigenvalues", 28, 0},
        {"zero-count-exact", 1, 0},
        {"outputs-bp-loss", .0143446, 1e-6},
        {"outputs-bp-update", .00400061, 1e-6},
        {"outputs-fa-loss", .0307121, 1e-4},
        {"outputs-fa-gradient", .0798618, 1e-4},
        {"wide-fa-accuracy", .574, .03},
        {"wide-fa-alignment", .0386, .01},
        {"wide-bp-accuracy", .712, .03},
        {"small-start-fa-accuracy", .482, .03},
        {"small-start-fa-alignment", .3437, .01},
        {"small-start-fa-output-alignment", .5043, .01},
        {"large-start-fa-alignment", .0090, .01},
        {"large-start-bp-accuracy", .444, .03},
        {"neck-1-bp-accuracy", .17, .03},
    };
    (void)state;
    expect_figures(recorded, sizeof recorded / sizeof *recorded);
}

/* Both look at one run. */
static int run_tiny(void **state)
{
    if (tool_enter(state))
        return -1;
    assert_good("reproduce chu-bacho --tiny --data $D --out out --quiet");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_as_derived),
        cmocka_unit_test(recorded_figures),
    };
    if (fal_spectrum_check() != FAL_OK) {
        print_message("built without LAPACK: skipped\n");
        return 0;
    }
    return cmocka_run_group_tests_name("reproduce chu-bacho", tests, run_tiny,
                                       tool_leave);
}
