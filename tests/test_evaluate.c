/* falign evaluate: of a run, what the run says of itself. */
#include "run_files.h"

#include <math.h>

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

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(evaluate_agrees_with_training),
        TEST(evaluate_knows_what_was_split_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
