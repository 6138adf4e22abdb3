/* falign analyze: what it says of runs and of files. Oracles: under bp J is minus the
 * Hessian; the count of unstable directions of one hidden layer and one output; the loss
 * that evaluate finds. */
#include "analysis/spectrum.h"
#include "run_files.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a run ---------------------------------------------------------------- */

/* Sixty samples over and over: a batch has all of them, an epoch, at whose end files
 * are written, many batches. */
enum { BATCH = 60, SAMPLES = 40 * BATCH };

/* waves: y = tanh(2 x0) - tanh(x1 + 1) and a wave on it, no teacher's. */
static void write_waves(void)
{
    static float x[SAMPLES][2], y[SAMPLES];
    for (int at = 0; at < SAMPLES; at++) {
        const int i = at % BATCH;
        x[at][0] = (float)(2 * sin(1.7 * i));
        x[at][1] = (float)(2 * cos(2.3 * i));
        y[at] = (float)(tanh(2 * (double)x[at][0]) - tanh((double)x[at][1] + 1) +
                        .1 * sin(31 * i));
    }
    assert_int_equal(mkdir("waves", 0700), 0);
    tool_write_npy("waves/train-x.npy", "<f4", "(2400, 2)", x, sizeof x);
    tool_write_npy("waves/train-y.npy", "<f4", "(2400,)", y, sizeof y);
    tool_write_npy("waves/test-x.npy", "<f4", "(2400, 2)", x, sizeof x);
    tool_write_npy("waves/test-y.npy", "<f4", "(2400,)", y, sizeof y);
}

#define TRAIN                                                                      \
    "train --data waves --net 'dense 2, tanh, dense 1 nobias' --loss mse "         \
    "--optimizer sgd --lr 0.5 --momentum 0 --schedule constant --batch 60 "        \
    "--no-shuffle --quiet "

static cJSON *analyze(const char *options)
{
    char line[256];
    snprintf(line, sizeof line, "analyze fixed-point run --data waves --json %s",
             options);
    const struct tool *tool = tool_run(line);
    if (tool->code != 0)
        fail_msg("%s: %s", line, tool->error);
    cJSON *json = cJSON_Parse(tool->out);
    assert_non_null(json);
    return json;
}

static const cJSON *part(const cJSON *json, const char *key)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(json, key);
    assert_non_null(found);
    return found;
}

static double item(const cJSON *array, int i)
{
    return cJSON_GetArrayItem(array, i)->valuedouble;
}

/* ---- what it finds -------------------------------------------------------- */

static void expect_minimum(const cJSON *json)
{
    const cJSON *jacobian = part(part(json, "jacobian"), "real");
    const cJSON *hessian = part(part(json, "hessian"), "real");
    assert_int_equal(cJSON_GetArraySize(hessian), 8);
    for (int i = 0; i < 8; i++)
        assert_true(fabs(item(jacobian, i) + item(hessian, 7 - i)) < 1e-12);
    assert_true(number(part(json, "hessian"), "positive") == 8);
    assert_true(number(part(json, "stability"), "positive") == 8);
    assert_true(number(json, "cosine") <= 1 && number(json, "update_norm") < 1e-14);
    assert_true(fabs(number(part(json, "least_stable"), "cosine") - 1) < 1e-12);
    assert_string_equal(part(json, "verdict")->valuestring,
                        "a fixed point that bp stays at; it is a minimum of the "
                        "loss");
}

/* The same point under other feedback: how many directions are unstable is known. */
static void expect_count(const char *options, int *opposed)
{
    cJSON *json = analyze(options);
    const double units = number(json, "opposed_units");
    assert_true(number(json, "unstable_expected") == 3 * units);
    assert_true(number(part(json, "jacobian"), "positive") == 3 * units);
    assert_true((number(part(json, "least_stable"), "cosine") < 0) == (units > 0));
    assert_has(part(json, "verdict")->valuestring,
               units > 0 ? "leaves" : "stays at");
    *opposed |= 1 << (int)units;
    cJSON_Delete(json);
}

static void a_minimum_and_fresh_feedback(void **state)
{
    int opposed = 0;
    char line[128];
    (void)state;
    write_waves();
    assert_good(TRAIN "--epochs 100 --out run");
    cJSON *rough = analyze(""), *json = analyze("--polish");
    expect_minimum(json);
    assert_true(number(rough, "update_norm") > number(json, "update_norm"));
    assert_true(number(json, "polish_steps") > 0);
    assert_true(number(json, "polish_distance") < 1e-2);
    assert_true(number(json, "samples") == SAMPLES);
    assert_true(number(json, "parameters") == 8);
    const struct tool *tool = tool_run("evaluate run --data waves --json --split "
                                       "train");
    cJSON *evaluated = cJSON_Parse(tool->out);
    assert_true(fabs(number(evaluated, "loss") - number(rough, "loss")) < 1e-7);
    cJSON_Delete(evaluated);
    cJSON_Delete(rough);
    cJSON_Delete(json);
    assert_good(TRAIN "--epochs 0 --out start");
    tool = tool_run("analyze fixed-point start --data waves --polish");
    assert_has(tool->out, "train longer"); /* what is found is not the model's */
    assert_null(strstr(tool->out, "inf "));
    for (int seed = 1; seed <= 8; seed++) {
        snprintf(line, sizeof line, "--polish --rule %s --feedback-seed %d",
                 seed % 2 ? "fa" : "dfa", seed);
        expect_count(line, &opposed);
    }
    assert_true(opposed & 1 && opposed & 6);
}

/* The feedback is the run's own, from wherever it lies. */
static void feedback_of_the_run(void **state)
{
    double norm;
    (void)state;
    write_waves();
    assert_good(TRAIN "--epochs 2 --rule fa --feedback-seed 9 --out run");
    cJSON *json = analyze("");
    norm = number(json, "update_norm");
    assert_has(part(json, "verdict")->valuestring, "no fixed point of fa");
    cJSON_Delete(json);
    assert_true(norm > 1e-4);
    static const char *const same[] = {"--feedback-seed 9", "--rule fa"};
    for (size_t i = 0; i < 2; i++) {
        json = analyze(same[i]);
        assert_true(number(json, "update_norm") == norm);
        cJSON_Delete(json);
    }
    json = analyze("--feedback-seed 1");
    assert_true(number(json, "update_norm") != norm);
    cJSON_Delete(json);
    const struct tool *tool = tool_run(
        "analyze fixed-point run/checkpoint.safetensors "
        "--data waves --json");
    json = cJSON_Parse(tool->out);
    assert_true(number(json, "update_norm") == norm);
    cJSON_Delete(json);
    json = analyze("--samples 120");
    assert_true(number(json, "samples") == 120);
    cJSON_Delete(json);
}

static void text_for_people(void **state)
{
    (void)state;
    write_waves();
    assert_good(TRAIN "--epochs 100 --rule fa --weight-decay 1e-6 --out run");
    const struct tool *tool = tool_run("analyze fixed-point run --data waves "
                                       "--polish");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, "\nJ = du/dtheta ");
    assert_has(tool->out, "\nverdict           a fixed point that fa stays at");
    assert_has(tool->out, "\nunstable          0, expected 0 = 3 ");
    assert_has(tool->error, "decayed its weights (weight-decay ");
    assert_true(tool_fits(tool->out));
    tool = tool_run("analyze fixed-point run --data waves --quiet");
    assert_string_equal(tool->out, "");
    assert_string_equal(tool->error, "");
}

/* ---- refusals ------------------------------------------------------------- */

static void refuse(const char *line, int code, const char *why)
{
    const struct tool *tool = tool_run(line);
    if (tool->code != code)
        fail_msg("%s: exit code %d, not %d: %s", line, tool->code, code,
                 tool->error);
    assert_string_equal(tool->out, "");
    assert_has(tool->error, why);
}

static void wrong_use(void **state)
{
    (void)state;
    write_waves();
    assert_good(TRAIN "--epochs 1 --rule fa --out run");
    refuse("analyze", 2, "argument ANALYSIS: missing; give fixed-point");
    refuse("analyze fixedpoint run --data waves", 2, "did you mean 'fixed-point'?");
    refuse("analyze fixed-point --data waves", 2, "argument MODEL: missing");
    refuse("analyze fixed-point run", 2, "--data");
    refuse("analyze fixed-point nothing --data waves", 1, "nothing");
    refuse("analyze fixed-point waves --data waves", 2,
           "'waves' has no config.yaml");
    refuse("analyze fixed-point run --data nowhere", 2, "nowhere");
    refuse("analyze fixed-point run/model.safetensors --data waves", 2,
           "holds no feedback; give the run's folder, or --feedback-seed");
    refuse("analyze fixed-point run --data waves --rule brsf", 2,
           "rule brsf: it draws its feedback anew for each step");
    refuse("analyze fixed-point run --data waves --rule shallow", 2,
           "rule shallow: its hidden layers do not learn");
    refuse("analyze fixed-point run --data waves --loss cross-entropy", 2, "loss");
    refuse("analyze fixed-point run --data $D", 2, "");
    assert_good("analyze fixed-point run/model.safetensors --data waves --quiet "
                "--feedback-seed 3");
    assert_good("analyze fixed-point run/model.safetensors --data waves --quiet "
                "--rule bp");
    unlink("run/checkpoint.safetensors");
    assert_good("analyze fixed-point run --data waves --quiet");
    unlink("run/start.safetensors");
    refuse("analyze fixed-point run --data waves", 1,
           "'run' has neither checkpoint.safetensors nor start.safetensors");
}

static void networks_that_are_not_analyzed(void **state)
{
    (void)state;
    assert_good("$T --rule fa --net mlp-1x8 --steps 1 --out large");
    refuse("analyze fixed-point large --data $D", 2,
           "parameters; at most 2000 are analyzed");
    assert_good("train --data $D --net 'dense 2, norm, relu, dense 10' --steps 1 "
                "--rule fa --quiet --out norm");
    refuse("analyze fixed-point norm --data $D", 2,
           "layer norm1: it is of the kind "
           "norm");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_minimum_and_fresh_feedback),
        TEST(feedback_of_the_run),
        TEST(text_for_people),
        TEST(wrong_use),
        TEST(networks_that_are_not_analyzed),
    };
    if (fal_spectrum_check() != FAL_OK) {
        print_message("built without LAPACK: skipped\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
