/* falign evaluate: of a run, what the run says of itself. */
#include "run_files.h"

#include <math.h>
#include <unistd.h>

static void evaluate_agrees_with_training(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "train --data $D --net mlp-1x8 --epochs 1 --loss "
        "mse --json --out judged");
    assert_int_equal(tool->code, 0);
    cJSON *run = cJSON_Parse(tool->out);
    assert_true(number(run, "start_ms") > 0);
    tool = tool_run("evaluate judged --data $D --json");
    assert_int_equal(tool->code, 0);
    cJSON *result = cJSON_Parse(tool->out);
    assert_true(number(result, "samples") == 500);
    assert_true(number(result, "accuracy") == number(result, "correct") / 500);
    assert_true(number(result, "accuracy") == number(run, "test_accuracy"));
    assert_true(fabs(number(result, "loss") - number(run, "test_loss")) < 1e-6);
    cJSON_Delete(result);
    cJSON_Delete(run);
    tool = tool_run("evaluate judged/model.safetensors --data $D --samples 100");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, "samples   100\n");
}

static void assert_same_number(const cJSON *one, const char *key,
                               const cJSON *other, const char *name)
{
    if (fabs(number(one, key) - number(other, name)) > 1e-6)
        fail_msg("%s is %g, %s %g", key, number(one, key), name,
                 number(other, name));
}

/* In the last line, an epoch's, between training and test. */
static void assert_line_has_validation(const char *path)
{
    char *text = tool_read(path);
    const char *line = strstr(text, "{\"type\":\"epoch\",\"step\":12,\"epoch\":2,");
    const char *train = strstr(line ? line : "", "\"train_accuracy\":");
    assert_has(train, ",\"validation_loss\":");
    assert_has(strstr(train, "\"validation_loss\":"), ",\"validation_accuracy\":");
    assert_has(strstr(train, "\"validation_accuracy\":"), ",\"test_loss\":");
    free(text);
}

/* What a run says of the samples that it split off, evaluate finds too. */
static void evaluate_knows_what_was_split_off(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "train --data $D --net mlp-1x8 --epochs 2 --samples 1000 --validation 0.3 "
        "--data-seed 7 --json --out held");
    assert_int_equal(tool->code, 0);
    cJSON *run = cJSON_Parse(tool->out);
    assert_line_has_validation("held/metrics.jsonl");
    tool = tool_run("evaluate held --data $D --split validation --json");
    assert_int_equal(tool->code, 0);
    cJSON *result = cJSON_Parse(tool->out);
    assert_true(number(result, "samples") == 300);
    assert_same_number(result, "loss", run, "validation_loss");
    assert_same_number(result, "accuracy", run, "validation_accuracy");
    cJSON_Delete(result);
    cJSON_Delete(run);
    assert_has(
        tool_run("evaluate held --data $D --split validation --samples 20")->out,
        "samples   20\n");
    tool = tool_run("evaluate held --data $D --split validation --samples 301");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "option --samples: 301 are asked for, the run split "
                            "off 300");
    tool = tool_run("evaluate held/model.safetensors --data $D --split validation");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "no config.yaml");
    assert_has(tool_run("evaluate held --data $D --split train")->out, "2000\n");
}

/* ---- metrics ------------------------------------------------------------- */

/* Weights and feedback are those at the end of the run, wherever they come from: their
 * alignment is the last that the run measured. */
static void assert_measured(const char *folder, const char *options)
{
    char line[128];
    snprintf(line, sizeof line, "evaluate %s --data $D --measure --json", folder);
    const struct tool *tool = tool_run(line);
    assert_int_equal(tool->code, 0);
    cJSON *json = cJSON_Parse(tool->out);
    assert_true(number(json, "samples") == 500);
    double here = number(cJSON_GetObjectItem(json, "weight_alignment"), "total");
    double there = last_metric(folder, "weight_alignment", "total");
    if (!(fabs(here - there) <= 1e-9))
        fail_msg("%s: weight alignment %.12g, not %.12g", options, here, there);
    const cJSON *cosines = cJSON_GetObjectItem(json, "gradient_alignment");
    assert_true(number(cosines, "dense1") <= 1 + 1e-12);
    assert_null(cJSON_GetObjectItem(cosines, "dense3"));
    cJSON_Delete(json);
}

static void measures_with_the_feedback_of_the_run(void **state)
{
    static const char *const options[] = {
        "--rule dfa --norm batch --loss mse --batch 50 --validation 0.5",
        "--rule bp",
        "--rule usf",
        "--rule brsf",
        "--rule fa --feedback regenerated",
        "--rule usf --weight-law xavier",
        "--rule brsf --weight-law xavier-normal",
        "--rule frsf --feedback regenerated --weight-law uniform:0.3",
        "--rule kp --weight-decay 0.5",
        "--rule wm --mirror-rate 0.1 --mirror-decay 0.1",
        "--rule frsf --init other/start.safetensors --feedback-seed 9",
    };
    enum { RUNS = sizeof options / sizeof *options };
    char line[256], folder[32];
    (void)state;
    assert_good(
        "$T --rule fa --net mlp-2x8 --steps 1 --feedback-seed 5 --out other");
    for (size_t i = 0; i < RUNS; i++) {
        snprintf(folder, sizeof folder, "run%zu", i);
        snprintf(line, sizeof line,
                 "$T --net mlp-2x8 --epochs 2 --measure epoch %s --out %s",
                 options[i], folder);
        assert_good(line);
        assert_measured(folder, options[i]);
    }
    /* of the last, as it was before the first step */
    snprintf(line, sizeof line, "%s/checkpoint.safetensors", folder);
    assert_int_equal(unlink(line), 0);
    assert_measured(folder, "no checkpoint");
}

/* Of brsf only a checkpoint says which R the next step would take. */
static void r_of_the_start_is_told(void **state)
{
    static const char told[] =
        "'run' has no checkpoint.safetensors, which says how "
        "many steps were made: the R of brsf is that of the "
        "first step";
    (void)state;
    assert_good("$T --rule brsf --net mlp-2x8 --steps 2 --out run");
    const struct tool *tool = tool_run("evaluate run --data $D --measure");
    assert_null(strstr(tool->error, "checkpoint"));
    assert_int_equal(unlink("run/checkpoint.safetensors"), 0);
    tool = tool_run("evaluate run --data $D --measure");
    assert_int_equal(tool->code, 0);
    assert_has(tool->error, told);
    tool = tool_run("evaluate run --data $D --measure --quiet");
    assert_null(strstr(tool->error, "checkpoint"));
}

/* What evaluate finds. */
static double weight_alignment(const char *folder)
{
    char line[128];
    snprintf(line, sizeof line, "evaluate %s --data $D --measure --json", folder);
    const struct tool *tool = tool_run(line);
    assert_int_equal(tool->code, 0);
    cJSON *json = cJSON_Parse(tool->out);
    double total = number(cJSON_GetObjectItem(json, "weight_alignment"), "total");
    cJSON_Delete(json);
    return total;
}

/* What learned stands in the checkpoint alone; --init takes it from there. */
static void learned_feedback_is_the_checkpoints(void **state)
{
    (void)state;
    assert_good("$T --rule wm --net mlp-2x8 --epochs 1 --mirror-rate 0.3 "
                "--mirror-decay 0.3 --out run");
    assert_good("train --data $D --rule wm --init run --epochs 0 --quiet --out on");
    double before = weight_alignment("run"), on = weight_alignment("on");
    assert_true(before > .8 && before == on);
    assert_int_equal(unlink("run/checkpoint.safetensors"), 0);
    const struct tool *tool = tool_run("evaluate run --data $D --measure");
    assert_int_equal(tool->code, 0);
    assert_has(tool->error, "'run' has no checkpoint.safetensors, which holds what "
                            "feedback learned: the B of wm is that of before the "
                            "first step");
    assert_true(fabs(weight_alignment("run")) < .5);
}

/* A column a layer, 80 columns at most: then the next block. */
static void metrics_are_a_table(void **state)
{
    (void)state;
    assert_good("$T --rule fa --net mlp-6x8 --steps 2 --out deep");
    const struct tool *tool = tool_run("evaluate deep --data $D --measure "
                                       "--samples 200");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, "samples   200\n");
    assert_has(tool->out, "\n\n                                     dense1     "
                          "dense2     dense3     dense4\n");
    assert_has(tool->out, "\n\n                                     dense5     "
                          "dense6     dense7      total\n");
    assert_has(tool->out, "\nweight_alignment                          -   ");
    assert_true(tool_fits(tool->out));
    tool = tool_run("evaluate deep --data $D --measure --quiet");
    assert_int_equal(tool->code, 0);
    assert_string_equal(tool->out, "");
    assert_has(tool_run("evaluate deep --data $D --json")->out, "\"correct\":");
    assert_null(strstr(tool_run("evaluate deep --data $D")->out, "alignment"));
}

static void a_model_alone_is_not_measured(void **state)
{
    (void)state;
    assert_good("$T --rule fa --net mlp-2x8 --steps 2 --out run");
    const struct tool *tool = tool_run(
        "evaluate run/model.safetensors --data $D --measure");
    assert_int_equal(tool->code, 2);
    assert_string_equal(tool->out, "");
    assert_has(tool->error, "option --measure: 'run/model.safetensors' has no "
                            "config.yaml, which says by which rule, feedback and "
                            "batch to measure; give the folder of a run");
    char *bytes = tool_read("run/checkpoint.safetensors");
    tool_write("run/checkpoint.safetensors", bytes, 100);
    free(bytes);
    tool = tool_run("evaluate run --data $D --measure");
    assert_int_equal(tool->code, 1);
    assert_has(tool->error, "option --measure: ");
    assert_has(tool->error, "run/checkpoint.safetensors");
    unlink("run/start.safetensors");
    unlink("run/checkpoint.safetensors");
    tool = tool_run("evaluate run --data $D --measure");
    assert_int_equal(tool->code, 1);
    assert_has(tool->error, "'run' has neither checkpoint.safetensors nor "
                            "start.safetensors");
    tool_write("run/config.yaml", "batch: many\n", 12);
    tool = tool_run("evaluate run --data $D --measure");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "run/config.yaml, line 1, column 8: batch: 'many'");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(evaluate_agrees_with_training),
        TEST(evaluate_knows_what_was_split_off),
        TEST(measures_with_the_feedback_of_the_run),
        TEST(metrics_are_a_table),
        TEST(r_of_the_start_is_told),
        TEST(learned_feedback_is_the_checkpoints),
        TEST(a_model_alone_is_not_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
