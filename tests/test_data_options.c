/* --resize and --label-noise from the command line: what a run with them reports is what
 * evaluate and predict find with its model and the raw data; config.yaml and --init carry
 * them on.
 *
 * Seen to fail: with the size not in the model's file, with the run's noise in what
 * evaluate reports unasked, and without cli_init_resize. */
#include "tool.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The number behind the last "KEY": of a JSON text. */
static double number(const char *text, const char *key)
{
    char name[64];
    const char *at = NULL;
    snprintf(name, sizeof name, "\"%s\":", key);
    for (const char *next = text; (next = strstr(next, name)) != NULL; next++)
        at = next;
    if (!at)
        fail_msg("no %s in: %s", key, text);
    return strtod(at + strlen(name), NULL);
}

/* What evaluate says of a run. */
static double evaluated(const char *line, const char *key)
{
    const struct tool *tool = tool_run(line);
    if (tool->code != 0)
        fail_msg("%s: %s", line, tool->error);
    return number(tool->out, key);
}

/* Sums over batches of another size, in float32. */
static void expect_near(double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-5 * fabs(expected)))
        fail_msg("%.9g, not %.9g", got, expected);
}

static void expect_text(const char *path, const char *part)
{
    char *text = tool_read(path);
    assert_has(text, part);
    free(text);
}

/* ---- size ---------------------------------------------------------------- */

static void resized_runs_are_evaluated_on_raw_images(void **state)
{
    (void)state;
    assert_good("$T --resize 14x10 --epochs 1 --out run");
    expect_text("run/config.yaml", "\nresize: \"14x10\"\n");
    char *metrics = tool_read("run/metrics.jsonl");
    double loss = number(metrics, "test_loss");
    double accuracy = number(metrics, "test_accuracy");
    free(metrics);
    expect_near(evaluated("evaluate run --data $D --json", "loss"), loss);
    expect_near(evaluated("evaluate run --data $D --json", "accuracy"), accuracy);
    expect_near(
        evaluated("evaluate run/model.safetensors --data $D --json", "loss"), loss);
    evaluated("evaluate run --data $D --json --measure", "loss");
}

/* So are fixed points: the loss they start from is that of evaluate. */
static void fixed_points_take_raw_images(void **state)
{
    (void)state;
    assert_good("train --data $D --samples 100 --net 'dense 2, tanh, dense 10' "
                "--resize 3x4 --epochs 1 --quiet --out run");
    double loss = evaluated(
        "evaluate run --data $D --split train --samples 100 --json", "loss");
    const struct tool *tool = tool_run("analyze fixed-point run --data $D --json");
    if (strstr(tool->error, "LAPACK"))
        skip();
    expect_near(number(tool->out, "loss"), loss);
}

/* As many lines as samples, and the class that evaluate counts on. */
static void predictions_take_raw_images(void **state)
{
    uint8_t image[28 * 28];
    (void)state;
    for (size_t i = 0; i < sizeof image; i++)
        image[i] = (uint8_t)(i * 3);
    tool_write_npy("raw.npy", "|u1", "(28, 28)", image, sizeof image);
    tool_write_npy("small.npy", "|u1", "(14, 14)", image, 14 * 14);
    assert_good("$T --resize 14x14 --epochs 1 --out run");
    assert_good("predict run raw.npy");
    const struct tool *tool = tool_run("predict run small.npy");
    assert_int_equal(tool->code, 1);
    assert_has(tool->error, "its shape is [14][14], the model takes [28][28]");
}

static void dry_runs_show_the_size(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "train --data $D --net mlp-1x8 --resize 5x7 --dry-run");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, "5x7x1");
    assert_has(tool->out, "[8, 35]");
}

/* The model brings its size, and the run that starts from it records it. */
static void init_brings_the_size(void **state)
{
    (void)state;
    assert_good("$T --resize 14x14 --rule fa --epochs 1 --out base");
    assert_good("train --data $D --init base --epochs 1 --quiet --out run");
    expect_text("run/config.yaml", "\nresize: \"14x14\"\n");
    assert_good("train run/config.yaml --quiet --out again");
    assert_true(tool_same("run/model.safetensors", "again/model.safetensors"));
    assert_good("train --resume run --quiet");
    assert_good("compare --data $D --init base --rules fa,dfa --epochs 1 --quiet "
                "--out all");
    expect_text("all/fa-1/config.yaml", "\nresize: \"14x14\"\n");
    const struct tool *tool = tool_run(
        "train --data $D --init base --resize 7x7 --quiet");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error,
               "--resize: the model of --init resizes images to 14x14");
    tool = tool_run("train --data $D --init base --resize 28x28 --quiet");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "resizes images to 14x14");
}

/* ---- labels -------------------------------------------------------------- */

static void runs_report_on_noisy_labels(void **state)
{
    (void)state;
    assert_good("$T --label-noise 0.5 --data-seed 4 --validation 0.2 --lr 0.01 "
                "--out run");
    char *metrics = tool_read("run/metrics.jsonl");
    double test = number(metrics, "test_loss");
    double validation = number(metrics, "validation_loss");
    double train = number(metrics, "train_loss");
    free(metrics);
    double clean = evaluated("evaluate run --data $D --json", "loss");
    expect_near(
        evaluated("evaluate run --data $D --label-noise 0.5 --json", "loss"), test);
    assert_true(clean < .9 * test);
    clean = evaluated("evaluate run --data $D --split validation --json", "loss");
    expect_near(evaluated("evaluate run --data $D --split validation "
                          "--label-noise 0.5 --json",
                          "loss"),
                validation);
    assert_true(clean < .9 * validation);
    clean = evaluated("evaluate run --data $D --split train --json", "loss");
    double noisy = evaluated(
        "evaluate run --data $D --split train --label-noise 0.5 --json", "loss");
    assert_true(clean < .9 * noisy && fabs(noisy - train) < .2 * train);
    expect_text("run/config.yaml", "\nlabel-noise: 0.5\n");
}

/* Each run of a comparison has the labels of its own data seed. */
static void compared_runs_draw_their_own(void **state)
{
    (void)state;
    assert_good(
        "compare --data $D --net mlp-1x8 --rules bp --seeds 2 --label-noise "
        "0.5 --epochs 1 --quiet --out all");
    assert_good("train all/bp-2/config.yaml --quiet --out two");
    assert_true(tool_same("all/bp-2/model.safetensors", "two/model.safetensors"));
    assert_good("$T --label-noise 0.5 --seed 2 --feedback-seed 2 --noise-seed 2 "
                "--epochs 1 --out odd");
    assert_false(tool_same("all/bp-2/model.safetensors", "odd/model.safetensors"));
}

static void heads_say_what_was_done_to_the_data(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "train --data $D --net mlp-1x8 --resize 14x14 "
        "--label-noise 0.25 --steps 2 --out run");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, "14x14x1 (resized), 10 classes, label noise 0.25");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(resized_runs_are_evaluated_on_raw_images,
                                        tool_enter, tool_leave),
        cmocka_unit_test_setup_teardown(fixed_points_take_raw_images, tool_enter,
                                        tool_leave),
        cmocka_unit_test_setup_teardown(predictions_take_raw_images, tool_enter,
                                        tool_leave),
        cmocka_unit_test_setup_teardown(dry_runs_show_the_size, tool_enter,
                                        tool_leave),
        cmocka_unit_test_setup_teardown(init_brings_the_size, tool_enter,
                                        tool_leave),
        cmocka_unit_test_setup_teardown(runs_report_on_noisy_labels, tool_enter,
                                        tool_leave),
        cmocka_unit_test_setup_teardown(compared_runs_draw_their_own, tool_enter,
                                        tool_leave),
        cmocka_unit_test_setup_teardown(heads_say_what_was_done_to_the_data,
                                        tool_enter, tool_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
