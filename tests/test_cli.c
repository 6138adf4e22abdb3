/* The tool as a user meets it: what it says, what it leaves, how it ends. */
#include "run_files.h"

#include "cli/commands.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- run folders --------------------------------------------------------- */

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
    static const char *const lines[] = {
        "$T --net mlp-2x100 --norm batch --rule fa "
        "--epochs 1 --log 5 --out threads%d-0",
        "$T --net mlp-2x100 --norm layer --clip 1 "
        "--epochs 1 --log 5 --out threads%d-1",
        "$T --net mlp-2x100 --rule kp --weight-decay "
        "0.1 --epochs 1 --log 5 --out threads%d-2",
        "$T --net mlp-2x100 --rule wm "
        "--epochs 1 --log 5 --out threads%d-3",
        /* of the sample images fewer, but batches as large */
        "$T --net lenet --rule dfa --samples 768 "
        "--epochs 1 --log 5 --out threads%d-4",
        /* strips, patches and Winograd, each with a sum of its own in parts */
        "$T --net 'conv 72 3 stride 2 nobias, norm, relu, block(conv 24 3 stride 2 "
        "nobias, "
        "norm, relu, conv 24 3 nobias, norm; shortcut=projection), relu, pool max "
        "2, dense 10' --rule fa --optimizer muon --measure epoch "
        "--samples 768 --epochs 1 --log 5 --out threads%d-5"};
    enum { LINES = sizeof lines / sizeof *lines, FEWER = 4 };
    (void)state;
    for (int threads = 1; threads <= 2; threads++)
        for (int i = 0; i < LINES; i++) {
            char line[320];
            snprintf(line, sizeof line, "%d", threads);
            setenv("POCL_MAX_PTHREAD_COUNT", line, 1);
            snprintf(line, sizeof line, lines[i], threads);
            assert_good(line);
        }
    unsetenv("POCL_MAX_PTHREAD_COUNT");
    for (int i = 0; i < LINES; i++) {
        char one[32], two[32];
        snprintf(one, sizeof one, "threads1-%d", i);
        snprintf(two, sizeof two, "threads2-%d", i);
        assert_same_steps(one, two, i < FEWER ? 16 : 6);
    }
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
    assert_string_equal(tool_list("kept"), "checkpoint.safetensors config.yaml "
                                           "metrics.jsonl "
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
    tool = tool_run("train --data $D --net lenet --dry-run --out dry");
    assert_has(tool->out, "10x10x16     [16, 6, 5, 5]              2416");
    assert_has(tool->out, "61706");
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

/* ---- validation ---------------------------------------------------------- */

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
    tool = tool_run("bench teacher --inputs 33 --students 2 --teachers 3 --runs 3 "
                    "--rule dfa --json");
    assert_int_equal(tool->code, 0);
    json = cJSON_Parse(tool->out);
    assert_true(number(json, "ms") >= number(json, "ms_p10"));
    assert_true(fabs(number(json, "steps_per_second") * number(json, "ms") / 1000 -
                     1) < 1e-9);
    cJSON_Delete(json);
    tool = tool_run("bench teacher --rule fa");
    assert_int_equal(tool->code, 2);
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
        TEST(a_run_tells_of_validation),
        TEST(a_broken_last_step_is_seen),
        TEST(devices_are_probed),
        TEST(check_runs_every_kernel),
        TEST(kernels_compile_without_a_word),
        TEST(bench_gives_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
