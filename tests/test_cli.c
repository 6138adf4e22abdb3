/* The tool as a user meets it: what it says, what it leaves, how it ends. */
#include "tool.h"

#include "cli/commands.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- run folders --------------------------------------------------------- */

static const char run_files[] =
    "config.yaml metrics.jsonl model.safetensors start.safetensors";

static void assert_same_files(const char *one, const char *other)
{
    if (!tool_same(one, other))
        fail_msg("%s and %s differ", one, other);
}

static void assert_same_run(const char *one, const char *other)
{
    char a[128], b[128];
    snprintf(a, sizeof a, "%s/model.safetensors", one);
    snprintf(b, sizeof b, "%s/model.safetensors", other);
    assert_same_files(a, b);
    snprintf(a, sizeof a, "%s/metrics.jsonl", one);
    snprintf(b, sizeof b, "%s/metrics.jsonl", other);
    char *x = tool_read_untimed(a), *y = tool_read_untimed(b);
    assert_string_equal(x, y);
    assert_has(x, "\"type\":\"epoch\",\"step\":16,\"epoch\":1,\"train_loss\":");
    assert_has(x, "\"type\":\"step\",\"step\":5,\"epoch\":0,\"train_loss\":");
    free(x);
    free(y);
}

static void same_seed_same_bytes(void **state)
{
    (void)state;
    assert_good("$T --rule fa --epochs 2 --log 5 --out one");
    assert_good("$T --rule fa --epochs 2 --log 5 --out two");
    assert_good("$T --rule fa --epochs 2 --log 5 --seed 2 --out three");
    assert_string_equal(tool_list("one"), run_files);
    assert_same_run("one", "two");
    assert_same_files("one/config.yaml", "two/config.yaml");
    char *one = tool_read("one/metrics.jsonl"),
         *three = tool_read("three/metrics.jsonl");
    assert_string_not_equal(one, three);
    free(one);
    free(three);
}

/* Sums are split by shapes alone. */
static void threads_change_no_bit(void **state)
{
    static const char *const lines[] = {"$T --net mlp-2x100 --norm batch --rule fa "
                                        "--epochs 1 --log 5 --out threads%d-0",
                                        "$T --net mlp-2x100 --norm layer --clip 1 "
                                        "--epochs 1 --log 5 --out threads%d-1"};
    (void)state;
    for (int threads = 1; threads <= 2; threads++)
        for (int i = 0; i < 2; i++) {
            char line[128];
            snprintf(line, sizeof line, "%d", threads);
            setenv("POCL_MAX_PTHREAD_COUNT", line, 1);
            snprintf(line, sizeof line, lines[i], threads);
            assert_good(line);
        }
    unsetenv("POCL_MAX_PTHREAD_COUNT");
    assert_same_run("threads1-0", "threads2-0");
    assert_same_run("threads1-1", "threads2-1");
}

static void saved_start_repeats_the_run(void **state)
{
    (void)state;
    assert_good("$T --rule fa --epochs 2 --log 5 --out first");
    assert_good(
        "train --data $D --init first/start.safetensors --rule fa --epochs 2 "
        "--log 5 --seed 8 --feedback-seed 9 --quiet --out again");
    assert_same_run("first", "again");
    assert_same_files("first/start.safetensors", "again/start.safetensors");
    /* The folder itself: trained weights, same feedback. */
    assert_good("train --data $D --init first --epochs 0 --quiet --out loaded");
    assert_same_files("first/model.safetensors", "loaded/model.safetensors");
    /* Feedback of one rule is none for another. */
    assert_good(
        "train --data $D --init first --rule dfa --epochs 1 --quiet --out d");
    const struct tool *tool = tool_run("$T --init first --net 'dense 9, relu, "
                                       "dense 10' --out refused");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "dense1=dense 8");
    assert_has(tool->error, "dense1=dense 9");
}

static void config_is_complete(void **state)
{
    (void)state;
    assert_good("$T --optimizer sgd --rule dfa --steps 3 --net "
                "'in=dense 8, tanh, dense 10' --lr 0.5,dfa=0.25 --out told");
    char *text = tool_read("told/config.yaml");
    assert_has(text, "\nnet: \"in=dense 8, tanh, dense 10\"\n");
    assert_has(text, "\nrule: \"dfa\"\n");
    assert_has(text, "\nlr: 0.25\n");
    assert_has(text, "\nmomentum: 0.9");
    assert_has(text, "\nfeedback-law: \"units\"\n");
    assert_has(text, "\nepochs: null\nsteps: 3\n");
    assert_has(text, "\nno-shuffle: false\n");
    assert_has(text, "\nmilestones: null\ndecay: null\nwarmup: 0\nclip: null\n");
    for (int id = 0; id < CLI_OPTIONS; id++) {
        char key[64];
        snprintf(key, sizeof key, "\n%s: ", cli_table[id].name);
        if (cli_table[id].recorded && cli_table[id].commands & CLI_TRAIN)
            assert_has(text, key);
    }
    free(text);
}

static void schedules_are_resolved(void **state)
{
    (void)state;
    assert_good("$T --schedule step --milestones 1,3 --warmup 2 --clip 0.5 "
                "--epochs 2 --out stepped");
    char *text = tool_read("stepped/config.yaml");
    assert_has(text, "\nschedule: \"step\"\nmilestones: \"1,3\"\ndecay: 0.1\n"
                     "warmup: 2\nclip: 0.5\n");
    free(text);
}

static void letters_of_any_script_name_a_run(void **state)
{
    const char *data = getenv("FALIGN_TEST_DATA");
    (void)state;
    assert_int_equal(symlink(data, "Äpfel & Nüsse"), 0);
    assert_int_equal(symlink(data, "日\xE2\x80\xAE!"), 0);
    tool_run("train --data 'Äpfel & Nüsse' --steps 1 --net mlp-1x8");
    tool_run("train --data '日\xE2\x80\xAE!' --steps 1 --net mlp-1x8");
    assert_string_equal(tool_list("runs"),
                        "Äpfel-Nüsse-mlp-1x8-bp-001 日-mlp-1x8-bp-001");
}

static void a_run_is_not_overwritten(void **state)
{
    (void)state;
    assert_good("$T --steps 1 --out kept");
    char *before = tool_read("kept/config.yaml");
    tool_write("kept/notes.txt", "mine", 4);
    const struct tool *tool = tool_run("$T --steps 2 --out kept");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "holds a run");
    assert_has(tool->error, "--force");
    char *after = tool_read("kept/config.yaml");
    assert_string_equal(before, after);
    /* A refusal that comes later leaves the old run too. */
    assert_int_equal(tool_run("$T --net 'dense 9' --out kept --force")->code, 2);
    assert_string_equal(tool_list("kept"), "config.yaml metrics.jsonl "
                                           "model.safetensors notes.txt "
                                           "start.safetensors");
    assert_good("$T --epochs 0 --out kept --force");
    char *mine = tool_read("kept/notes.txt"),
         *metrics = tool_read("kept/metrics.jsonl");
    assert_string_equal(mine, "mine");
    assert_string_equal(metrics, "");
    free(before);
    free(after);
    free(mine);
    free(metrics);
}

static void processes_do_not_share_a_folder(void **state)
{
    (void)state;
    enum { PROCESSES = 4 };
    pid_t children[PROCESSES];
    int good = 0;
    for (int i = 0; i < PROCESSES; i++)
        children[i] = tool_start("$T --steps 1", -1);
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(tool_wait(children[i]), 0);
    assert_string_equal(tool_list("runs"),
                        "sample-mlp-1x8-bp-001 sample-mlp-1x8-bp-002 "
                        "sample-mlp-1x8-bp-003 sample-mlp-1x8-bp-004");
    for (int i = 0; i < PROCESSES; i++)
        children[i] = tool_start("$T --steps 1 --out deep/er/shared/", -1);
    for (int i = 0; i < PROCESSES; i++)
        good += tool_wait(children[i]) == 0;
    assert_int_equal(good, 1);
    assert_string_equal(tool_list("deep/er/shared"), run_files);
}

static void dry_run_makes_nothing(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("train --data $D --net mlp-2x64 --dry-run "
                                       "--out dry");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, "[64, 784]");
    assert_has(tool->out, "55050");
    assert_has(tool->out, "launches");
    tool = tool_run("train --data $D --net mlp-2x64 --dry-run --json --out dry");
    cJSON *json = cJSON_Parse(tool->out);
    assert_int_equal(cJSON_GetObjectItem(json, "parameters")->valueint, 55050);
    assert_true(cJSON_GetObjectItem(json, "launches")->valueint <= 20);
    cJSON_Delete(json);
    struct stat facts;
    assert_int_not_equal(stat("dry", &facts), 0);
}

/* ---- ends before the end ------------------------------------------------- */

static void a_diverging_run_keeps_the_last_good_epoch(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("$T --optimizer sgd --lr 1e25 --out burst");
    assert_int_equal(tool->code, 1);
    assert_has(tool->error, "step 2");
    assert_has(tool->error, "dense");
    assert_has(tool->error, "burst/start.safetensors");
    assert_string_equal(tool_list("burst"),
                        "config.yaml metrics.jsonl start.safetensors");
}

/* ---- results ------------------------------------------------------------- */

static double number(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(json, key);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

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

static void assert_spread(const cJSON *runs, const cJSON *rule, const char *key)
{
    const char *name = cJSON_GetObjectItem(rule, "rule")->valuestring;
    double values[8], mean = 0, squares = 0;
    int count = 0;
    const cJSON *run;
    cJSON_ArrayForEach(
        run, runs) if (!strcmp(cJSON_GetObjectItem(run, "rule")->valuestring, name))
        values[count++] = number(run, key);
    assert_int_equal(count, 3);
    for (int i = 0; i < count; i++)
        mean += values[i] / count;
    for (int i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    const cJSON *spread = cJSON_GetObjectItem(rule, key);
    assert_true(fabs(number(spread, "mean") - mean) <= 1e-12 * fabs(mean));
    assert_true(fabs(number(spread, "deviation") - sqrt(squares / 2)) <=
                1e-9 * (fabs(mean) + 1));
}

/* ---- validation ---------------------------------------------------------- */

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

static void a_run_tells_of_validation(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("train --data $D --net mlp-1x8 --epochs 1 "
                                       "--validation 0.25 --log epoch --out v");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, ": 1500 train, 500 validation, 500 test, ");
    assert_has(tool->out, " %  validation ");
    assert_has(tool->out, "\nvalidation accuracy ");
    assert_has(tool->out, " %, validation loss ");
    /* --log epoch counts what is trained on: 12 steps */
    char *metrics = tool_read("v/metrics.jsonl");
    assert_has(metrics, "{\"type\":\"step\",\"step\":12,");
    free(metrics);
    assert_good("$T --epochs 1 --out none");
    metrics = tool_read("none/metrics.jsonl");
    assert_null(strstr(metrics, "validation"));
    free(metrics);
    tool = tool_run("evaluate none --data $D --split validation");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "option --split: the run in 'none' split nothing off");
}

/* Each seed of the data splits other samples off. */
static void compare_validates(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "compare --data $D --net mlp-1x8 --rules bp,dfa --epochs 1 --seeds 3 "
        "--validation 0.2 --out held");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out,
               "\nrule        test accuracy %     validation %   train loss  "
               "samples/s  seconds\n");
    assert_true(tool_fits(strstr(tool->out, "\nrule  ")));
    char *text = tool_read("held/compare.json");
    cJSON *json = cJSON_Parse(text);
    const cJSON *runs = cJSON_GetObjectItem(json, "runs"), *rule;
    cJSON_ArrayForEach(rule, cJSON_GetObjectItem(json, "rules"))
        assert_spread(runs, rule, "validation_accuracy");
    cJSON_Delete(json);
    free(text);
    assert_good("$T --rule dfa --epochs 1 --validation 0.2 --seed 2 "
                "--feedback-seed 2 --data-seed 2 --noise-seed 2 --out alone");
    assert_same_files("held/dfa-2/model.safetensors", "alone/model.safetensors");
}

/* ---- comparisons --------------------------------------------------------- */

/* Each rule learns at its own rate, and its run says so. */
static void a_rule_has_its_own_rate(void **state)
{
    static const char *const lines[] = {"bp-1 0.1", "fa-1 0.001", "dfa-1 0.1"};
    (void)state;
    assert_good("compare --data $D --net mlp-1x8 --rules bp,fa,dfa --steps 2 "
                "--optimizer sgd --lr 0.1,fa=0.001 --quiet --out rates");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char path[64], line[64];
        int length = (int)strcspn(lines[i], " ");
        snprintf(path, sizeof path, "rates/%.*s/config.yaml", length, lines[i]);
        snprintf(line, sizeof line, "\nlr: %s\n", lines[i] + length + 1);
        char *config = tool_read(path);
        assert_has(config, line);
        free(config);
    }
    assert_good("$T --rule fa --steps 2 --optimizer sgd --lr 0.001 --out alone");
    assert_same_files("rates/fa-1/model.safetensors", "alone/model.safetensors");
    char *text = tool_read("rates/compare.json");
    assert_has(text, "\"lr\":\"0.1,fa=0.001\"");
    free(text);
    /* A rule without one of its own, and no rate for all: the usual. */
    assert_good("$T --steps 1 --lr fa=0.5 --out usual");
    text = tool_read("usual/config.yaml");
    assert_has(text, "\nlr: 0.001\n");
    free(text);
}

/* A law of feedback is for those rules that have feedback. */
static void compare_takes_a_feedback_law(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "compare --data $D --net mlp-1x8 --rules bp,fa,dfa,shallow "
        "--feedback-law xavier --steps 2 --out law");
    assert_int_equal(tool->code, 0);
    char *text = tool_read("law/fa-1/config.yaml");
    assert_has(text, "\nfeedback-law: \"xavier\"\n");
    free(text);
    text = tool_read("law/bp-1/config.yaml");
    assert_has(text, "\nfeedback-law: null\n");
    free(text);
}

/* The last update of a run can break the weights: no training loss shows it. */
static void a_broken_last_step_is_seen(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "train --data $D --net mlp-2x8 --optimizer sgd --lr 1e30 --steps 1 "
        "--out last");
    assert_int_equal(tool->code, 1);
    assert_has(tool->error, "step 1: the loss on the test set is no longer finite");
    assert_null(strstr(tool_list("last"), "model.safetensors"));
}

static void compare_sums_up(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "compare --data $D --net mlp-1x8 --rules bp,dfa "
        "--epochs 1 --log 5 --seeds 3 --data-seed 5 --out "
        "all");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out,
               "rule        test accuracy %   train loss  samples/s  seconds");
    assert_has(tool->out, "\xC2\xB1");
    assert_string_equal(tool_list("all"),
                        "bp-1 bp-2 bp-3 compare.json dfa-1 dfa-2 dfa-3");
    assert_string_equal(tool_list("all/dfa-3"), run_files);
    char *text = tool_read("all/compare.json"),
         *config = tool_read("all/dfa-3/config.yaml");
    assert_has(config,
               "\nseed: 3\nfeedback-seed: 3\ndata-seed: 5\nnoise-seed: 3\n");
    cJSON *json = cJSON_Parse(text);
    const cJSON *runs = cJSON_GetObjectItem(json, "runs"), *rule;
    assert_int_equal(cJSON_GetArraySize(runs), 6);
    cJSON_ArrayForEach(rule, cJSON_GetObjectItem(json, "rules"))
    {
        assert_spread(runs, rule, "test_accuracy");
        assert_spread(runs, rule, "train_loss");
    }
    cJSON_Delete(json);
    free(text);
    free(config);
    /* One of its runs by itself. */
    assert_good(
        "$T --rule dfa --epochs 1 --log 5 --seed 3 --feedback-seed 3 --data-seed "
        "5 --noise-seed 3 --out alone");
    assert_same_run("all/dfa-3", "alone");
    assert_int_equal(tool_run("compare --data $D --net mlp-1x8 --out all")->code,
                     2);
}

static void one_run_has_no_deviation(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "compare --data $D --net mlp-1x8 --rules fa,bp "
        "--optimizer sgd --lr 0.01,fa=1e25 --steps 20 "
        "--json --out single");
    assert_int_equal(tool->code, 1); /* fa diverges, bp goes on */
    assert_has(tool->error, "fa-1");
    char *text = tool_read("single/compare.json");
    assert_string_equal(tool->out, text);
    assert_has(text,
               "\"rule\":\"fa\",\"runs\":0,\"test_accuracy\":{\"mean\":null,");
    assert_has(text, "\"rule\":\"bp\",\"runs\":1,");
    assert_has(text, "\"deviation\":null");
    free(text);
}

/* ---- devices and bench --------------------------------------------------- */

static void devices_are_probed(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("devices --json");
    assert_int_equal(tool->code, 0);
    cJSON *json = cJSON_Parse(tool->out);
    const cJSON *device;
    int usable = 0;
    cJSON_ArrayForEach(device, json)
        usable += cJSON_IsTrue(cJSON_GetObjectItem(device, "usable"));
    cJSON_Delete(json);
    assert_true(usable >= 1);
    assert_has(tool_run("devices")->out, "probe     ok");
}

static void check_runs_every_kernel(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("devices --check");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, "gemm");
    assert_has(tool->out, " 0 failed");
}

/* A compiler's warnings go to standard error past us, when nothing is cached. */
static void kernels_compile_without_a_word(void **state)
{
    (void)state;
    char cache[256];
    assert_non_null(getcwd(cache, sizeof cache));
    const struct tool *tool = tool_run_with("POCL_CACHE_DIR", cache,
                                            "$T --samples 100 --epochs 1");
    assert_int_equal(tool->code, 0);
    assert_string_equal(tool->error, "");
}

static void bench_gives_figures(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "bench gemm --m 32 --n=32 --k 32 --ta --json");
    assert_int_equal(tool->code, 0);
    cJSON *json = cJSON_Parse(tool->out);
    assert_true(number(json, "ms") >= number(json, "ms_p10"));
    assert_true(fabs(number(json, "gflops") * number(json, "ms") / 0.065536 - 1) <
                1e-9);
    cJSON_Delete(json);
    tool = tool_run(
        "bench gemm --m 32 --n 32 --k 32 --ta --epilogue update --json");
    assert_int_equal(tool->code, 0);
    tool = tool_run("bench step --net mlp-1x8 --data-shape 4x4x3 --classes 3 "
                    "--batch 16 --rule dfa --json");
    assert_int_equal(tool->code, 0);
    json = cJSON_Parse(tool->out);
    assert_true(number(json, "ms") >= number(json, "ms_p10"));
    assert_true(
        fabs(number(json, "samples_per_second") * number(json, "ms") / 16000 - 1) <
        1e-9);
    assert_true(number(json, "start_ms") > 0);
    cJSON_Delete(json);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(same_seed_same_bytes),
        TEST(threads_change_no_bit),
        TEST(saved_start_repeats_the_run),
        TEST(config_is_complete),
        TEST(schedules_are_resolved),
        TEST(letters_of_any_script_name_a_run),
        TEST(a_run_is_not_overwritten),
        TEST(processes_do_not_share_a_folder),
        TEST(dry_run_makes_nothing),
        TEST(a_diverging_run_keeps_the_last_good_epoch),
        TEST(evaluate_agrees_with_training),
        TEST(evaluate_knows_what_was_split_off),
        TEST(a_run_tells_of_validation),
        TEST(compare_validates),
        TEST(a_rule_has_its_own_rate),
        TEST(compare_sums_up),
        TEST(compare_takes_a_feedback_law),
        TEST(a_broken_last_step_is_seen),
        TEST(one_run_has_no_deviation),
        TEST(devices_are_probed),
        TEST(check_runs_every_kernel),
        TEST(kernels_compile_without_a_word),
        TEST(bench_gives_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
