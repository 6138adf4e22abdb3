/* Runs that go on: killed at any moment, stopped by Ctrl-C, on another number of
 * threads; they come to the bytes of a run that was never stopped, times apart.
 * `test_resume maps` takes only networks on maps; `test_resume slow` these, of fewer
 * samples, and one dense run, for devices on which launches take long: those of Mesa. */
#include "tool.h"

#include "files/safetensors.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static int is_slow;
static pid_t child; /* 0: none runs */

static int leave(void **state)
{
    if (child > 0) { /* a test that failed leaves it running */
        kill(child, SIGKILL);
        tool_wait(child);
    }
    child = 0;
    return tool_leave(state);
}

static void pause_us(long us)
{
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

/* ---- what is compared ---------------------------------------------------- */

static void expect_same_files(const char *one, const char *other, const char *name)
{
    char a[128], b[128];
    snprintf(a, sizeof a, "%s/%s", one, name);
    snprintf(b, sizeof b, "%s/%s", other, name);
    if (!tool_same(a, b))
        fail_msg("%s and %s differ", a, b);
}

static void expect_same_lines(const char *one, const char *other)
{
    char a[128], b[128];
    snprintf(a, sizeof a, "%s/metrics.jsonl", one);
    snprintf(b, sizeof b, "%s/metrics.jsonl", other);
    char *x = tool_read_untimed(a), *y = tool_read_untimed(b);
    assert_has(x, "\"train_loss\":");
    assert_string_equal(x, y);
    free(x);
    free(y);
}

static fal_safetensors *open_checkpoint(const char *folder)
{
    char path[256];
    fal_safetensors *file = NULL;
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", folder);
    if (fal_safetensors_open(&file, path))
        fail_msg("%s", fal_error_message());
    return file;
}

/* All but the times, and the sum that is over them too. */
static void expect_same_checkpoints(const char *one, const char *other)
{
    static const char *const keys[] = {
        "network",      "rule",          "optimizer", "step",          "epoch",
        "data_samples", "data_checksum", "log_loss",  "epoch_correct", "measured",
        "epochs_begun", "epoch_batches", "mean",      "within_fit"};
    fal_safetensors *a = open_checkpoint(one), *b = open_checkpoint(other);
    assert_int_equal(fal_safetensors_count(a), fal_safetensors_count(b));
    for (size_t i = 0; i < fal_safetensors_count(a); i++) {
        const fal_tensor_view *t = fal_safetensors_at(a, i);
        const fal_tensor_view *u = fal_safetensors_find(b, t->name);
        if (!u || t->bytes != u->bytes ||
            (strcmp(t->name, "checksum") != 0 &&
             memcmp(t->data, u->data, t->bytes) != 0))
            fail_msg("%s and %s: %s differs", one, other, t->name);
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_string_equal(fal_safetensors_metadata(a, keys[i]),
                            fal_safetensors_metadata(b, keys[i]));
    fal_safetensors_close(a);
    fal_safetensors_close(b);
}

static void expect_same_run(const char *one, const char *other)
{
    expect_same_files(one, other, "config.yaml");
    expect_same_files(one, other, "start.safetensors");
    expect_same_files(one, other, "model.safetensors");
    expect_same_lines(one, other);
    expect_same_checkpoints(one, other);
    assert_null(strstr(tool_list(other), ".tmp-"));
    assert_null(strstr(tool_list(other), "lock"));
}

/* ---- killed runs --------------------------------------------------------- */

static const char CHECKPOINT[] = "part/checkpoint.safetensors";

static int is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* The tool is killed so much later than its run has its folder's `file`; 0: it came to
 * its end before. */
static int kill_later(const char *line, const char *file, long us)
{
    child = tool_start(line, -1);
    for (int i = 0; i < (is_slow ? 200000 : 20000) && !is_there(file); i++)
        pause_us(500);
    pause_us(us);
    kill(child, SIGKILL);
    int code = tool_wait(child);
    child = 0;
    if (code != 0 && code != 1000 + SIGKILL)
        fail_msg("%s: ended with %d before it was killed", line, code);
    return code != 0;
}

/* Of runs that are too long to end before. */
static void kill_after(const char *line, const char *file, long us)
{
    if (!kill_later(line, file, us))
        fail_msg("%s: ended before it was killed", line);
}

/* 1: steps are left of run `run` in "part" (".": the folder itself), all of which
 * "whole" has made; a run that has none left proves nothing. */
static int is_unfinished(const char *run)
{
    char path[128];
    snprintf(path, sizeof path, "part/%s/checkpoint.safetensors", run);
    if (!is_there(path))
        return 1;
    snprintf(path, sizeof path, "part/%s", run);
    fal_safetensors *part = open_checkpoint(path);
    snprintf(path, sizeof path, "whole/%s", run);
    fal_safetensors *whole = open_checkpoint(path);
    int differ = strcmp(fal_safetensors_metadata(part, "step"),
                        fal_safetensors_metadata(whole, "step"));
    fal_safetensors_close(part);
    fal_safetensors_close(whole);
    return differ != 0;
}

/* Kills what is made in "part" before `last` of it is at its end; when that comes too
 * late, once more from the beginning, in half the time. */
static void kill_unfinished(const char *line, const char *file, const char *last,
                            long us)
{
    for (int tries = 0; tries < 30; tries++, us /= 2) {
        if (is_there("part"))
            assert_int_equal(system("rm -r part"), 0);
        kill_later(line, file, us);
        if (is_unfinished(last))
            return;
    }
    fail_msg("%s: always ended before it was killed", line);
}

static const char *const kinds[] = {
    "--rule fa --optimizer adam",
    "--rule dfa --optimizer sgd --nesterov --clip 0.5 --measure 5",
    "--rule bp --optimizer muon --norm batch --measure epoch",
    "--rule shallow --optimizer adamw --weight-decay 0.01,dense3=0.5 --warmup 3 "
    "--weight-decay-schedule linear --weight-decay-steps 50 --resize 9x9",
    "--rule fa --optimizer sgd --schedule step --milestones 1,2 --validation 0.2 "
    "--label-noise 0.3 --loss-reduction sum --lr 0.001",
};
enum { KINDS = sizeof kinds / sizeof *kinds };

#define SMALL                                                                      \
    "train --data $D --samples 700 --net mlp-2x16 --batch 32 --epochs 3 --log 3 "  \
    "--checkpoint 2 --quiet "

/* Checkpoints come so often that most kills hit one that is being written; some runs
 * are killed several times, and all come to the same end. */
static void killed_at_any_moment(void **state)
{
    unsigned noise = 7;
    (void)state;
    for (int k = 0; k < (is_slow ? 1 : KINDS); k++) {
        char line[512];
        snprintf(line, sizeof line, SMALL "%s --out whole --force", kinds[k]);
        assert_good(line);
        for (int i = 0; i < (is_slow ? 1 : 4); i++) {
            snprintf(line, sizeof line, SMALL "%s --out part", kinds[k]);
            for (int again = 0; again <= i % 3; again++) {
                noise = noise * 1103515245 + 12345;
                long us = (long)(noise / 65536 % 120000);
                if (again) /* which may be at its end */
                    kill_later("train --resume part --quiet", CHECKPOINT, us);
                else
                    kill_unfinished(line, CHECKPOINT, ".", us);
            }
            assert_good("train --resume part --quiet");
            expect_same_run("whole", "part");
            assert_int_equal(system("rm -r part"), 0);
        }
    }
}

/* Half a line, and whole ones of steps that are not in the checkpoint. */
static void lines_are_cut_back(void **state)
{
    static const char more[] = "{\"type\":\"step\",\"step\":999999,\"epoch\":9}\n"
                               "{\"type\":\"st";
    (void)state;
    assert_good(SMALL "--checkpoint epoch --epochs 40 --out whole");
    kill_unfinished(SMALL "--checkpoint epoch --epochs 40 --out part", CHECKPOINT,
                    ".", 1000);
    FILE *file = fopen("part/metrics.jsonl", "a");
    assert_non_null(file);
    fputs(more, file);
    fclose(file);
    assert_good("train --resume part --quiet");
    expect_same_run("whole", "part");
}

/* Lines of the steps that are in the checkpoint do not come again. */
static void lost_lines_are_missed(void **state)
{
    static const char *const cuts[] = {"head -n 3 run/metrics.jsonl >cut",
                                       "sed '2s/^.//' run/metrics.jsonl >cut",
                                       "true >cut"};
    (void)state;
    kill_after(SMALL "--epochs 100000 --checkpoint 50 --out run",
               "run/checkpoint.safetensors", 1000);
    for (int i = 0; i < 3; i++) {
        char line[128];
        snprintf(line, sizeof line, "%s && cp cut run/metrics.jsonl", cuts[i]);
        assert_int_equal(system(line), 0);
        const struct tool *tool = tool_run("train --resume run --quiet");
        assert_int_equal(tool->code, 1);
        assert_has(tool->error, "file 'run/metrics.jsonl': its whole lines end at");
        assert_int_equal(system("cmp -s cut run/metrics.jsonl"), 0);
    }
}

/* ---- Ctrl-C -------------------------------------------------------------- */

static void ctrl_c_goes_on(void **state)
{
    (void)state;
    assert_good("$T --net mlp-2x16 --batch 8 --epochs 4 --checkpoint 100000 --out "
                "whole");
    for (int i = 0; i < 3; i++) {
        child = tool_start("$T --net mlp-2x16 --batch 8 --epochs 4 --checkpoint "
                           "100000 --out part",
                           -1);
        for (int n = 0; n < 20000 && !is_there("part/start.safetensors"); n++)
            pause_us(500);
        pause_us(40000 * (i + 1));
        kill(child, SIGINT);
        int code = tool_wait(child);
        child = 0;
        assert_true(code == 130 || code == 0);
        assert_good("train --resume part --quiet");
        expect_same_run("whole", "part");
        assert_int_equal(system("rm -r part"), 0);
    }
}

/* Weights of a file have no law of their own: the one given is that of the run, of the
 * resumed one too. */
static void from_weights_of_a_file_it_goes_on(void **state)
{
    (void)state;
    assert_good("$T --net mlp-2x16 --weight-law xavier --steps 1 --out from");
    assert_good(
        "train --data $D --quiet --init from --rule usf --weight-law "
        "normal:0.2 --feedback-law weights --batch 8 --epochs 2 --out whole");
    kill_unfinished("train --data $D --quiet --init from --rule usf --weight-law "
                    "normal:0.2 --feedback-law weights --batch 8 --epochs 2 "
                    "--checkpoint 2 --out part",
                    CHECKPOINT, ".", 1000);
    assert_good("train --resume part --quiet");
    expect_same_files("whole", "part", "model.safetensors");
}

/* ---- another machine ----------------------------------------------------- */

static void expect_same_on_threads(const char *run, const char *threads)
{
    char line[512];
    snprintf(line, sizeof line, "%s --out whole --force", run);
    assert_good(line);
    snprintf(line, sizeof line, "%s --out part", run);
    kill_unfinished(line, CHECKPOINT, ".", 9000);
    const struct tool *tool = tool_run_with(is_slow ? "LP_NUM_THREADS"
                                                    : "POCL_MAX_PTHREAD_COUNT",
                                            threads, "train --resume part --quiet");
    assert_int_equal(tool->code, 0);
    expect_same_run("whole", "part");
    assert_int_equal(system("rm -r part"), 0);
}

static void on_other_threads(void **state)
{
    (void)state;
    expect_same_on_threads(SMALL "--rule fa", "2");
    expect_same_on_threads(SMALL "--rule fa", "1");
}

#define MAPS                                                                       \
    "train --data $D --samples 100 --resize 9x9 --batch 16 --epochs 2 --log 3 "    \
    "--checkpoint 2 --quiet "

/* Convolutions, norms and shortcuts; images that the noise seed moves, masks and mirrors
 * that it draws. */
static const char *const map_kinds[] = {
    "--net resnet20 --rule bp --optimizer muon --augment crop:2,flip",
    "--net resnet20 --rule dfa --dfa-conv channel --measure epoch",
    "--rule wm --net 'conv 6 3, norm, relu, dropout .2, block(conv 8 3 stride 2, "
    "norm, relu, dropout .3, conv 8 3, norm; shortcut=projection), relu, pool max "
    "2, "
    "dense 10' --augment flip",
};
enum { MAP_KINDS = sizeof map_kinds / sizeof *map_kinds };

static void networks_on_maps_go_on(void **state)
{
    (void)state;
    for (int k = 0; k < MAP_KINDS; k += is_slow ? MAP_KINDS - 1 : 1) {
        char line[512];
        snprintf(line, sizeof line, MAPS "%s %s", is_slow ? "--samples 48" : "",
                 map_kinds[k]);
        expect_same_on_threads(line, "1");
    }
}

/* ---- what is refused ----------------------------------------------------- */

static void expect_refused(const char *line, int code, const char *part)
{
    const struct tool *tool = tool_run(line);
    if (tool->code != code)
        fail_msg("%s: %d: %s", line, tool->code, tool->error);
    assert_has(tool->error, part);
}

static void differences_are_named(void **state)
{
    (void)state;
    kill_after(SMALL "--epochs 100000 --rule fa --out run",
               "run/checkpoint.safetensors", 1000);
    char *before = tool_read("run/metrics.jsonl");
    expect_refused("train --resume run --rule dfa", 2,
                   "option --rule: \"dfa\" here, but the run in 'run' has \"fa\";");
    expect_refused("train --resume run --net mlp-1x8", 2,
                   "option --net: \"mlp-1x8\"");
    expect_refused("train --resume run --seed 2", 2,
                   "option --seed: 2 here, but the run in 'run' has 1;");
    expect_refused(
        "train --resume run --epochs 200000", 2,
        "option --epochs: 200000 here, but the run in 'run' has 100000;");
    expect_refused("train --resume run --samples 500", 2, "option --samples: 500");
    expect_refused("train --resume run --lr 0.5", 2, "option --lr: 0.5 here");
    expect_refused("train --resume run --init x", 2, "option --init: \"x\" here");
    expect_refused("train --resume run --out x", 2,
                   "option --out: is for a new run");
    expect_refused("train --resume run --force", 2, "option --force: is for a new");
    expect_refused("train --resume run --dry-run", 2, "option --dry-run: is for");
    expect_refused("train x.yaml --resume run", 2, "argument 'x.yaml': --resume");
    expect_refused(
        "compare --resume run", 2,
        "'run' is the folder of a run; go on with falign train --resume");
    expect_refused("train --resume nowhere", 2, "'nowhere': No such file");
    expect_refused("train --resume .", 2, "'.' has no config.yaml");
    expect_refused("train --resume run/config.yaml", 2, "has no config.yaml");
    char *after = tool_read("run/metrics.jsonl");
    assert_string_equal(before, after);
    free(before);
    free(after);
    expect_refused("train --resume run --data other", 2, "other");
}

static void broken_folders_are_refused(void **state)
{
    (void)state;
    assert_good(SMALL "--steps 9 --out run");
    assert_good(SMALL "--steps 9 --rule dfa --out other");
    assert_int_equal(system("cp -r run cut && truncate -s -7 "
                            "cut/checkpoint.safetensors"),
                     0);
    expect_refused("train --resume cut", 1, "cut/checkpoint.safetensors");
    assert_int_equal(system("cp run/checkpoint.safetensors cut && printf x | dd "
                            "of=cut/checkpoint.safetensors bs=1 seek=9000 "
                            "conv=notrunc 2>errors"),
                     0);
    expect_refused("train --resume cut", 1, "its checksum is not that");
    expect_refused("evaluate cut/checkpoint.safetensors --data $D", 1,
                   "its checksum is not that");
    expect_refused(SMALL "--init cut/checkpoint.safetensors --out no", 1,
                   "its checksum is not that");
    assert_good("evaluate run/checkpoint.safetensors --data $D --quiet");
    assert_int_equal(system("cp other/checkpoint.safetensors cut"), 0);
    expect_refused("train --resume cut", 2,
                   "rule: the checkpoint has dfa, this run bp;");
    assert_int_equal(system("cp run/model.safetensors "
                            "cut/checkpoint.safetensors"),
                     0);
    expect_refused("train --resume cut", 1, "it is no checkpoint");
    assert_int_equal(unlink("cut/checkpoint.safetensors"), 0);
    expect_refused(
        "train --resume cut", 2,
        "it has no checkpoint.safetensors yet; begin it again with falign train "
        "cut/config.yaml --out cut --force");
    assert_good("train cut/config.yaml --out cut --force --quiet");
    expect_same_files("run", "cut", "model.safetensors");
    tool_write("cut/config.yaml", "data: x\nnet: mlp-1x8\n", 21);
    expect_refused("train --resume cut", 2, "that falign wrote");
    /* A finished one says so. */
    const struct tool *tool = tool_run("train --resume run");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, "resumed  after step 9 of 9: it is finished\n");
}

static void one_process_at_a_time(void **state)
{
    (void)state;
    kill_after(SMALL "--epochs 100000 --out run", "run/checkpoint.safetensors",
               1000);
    child = tool_start("train --resume run --quiet", -1);
    pause_us(100000);
    for (int i = 0; i < 100 && tool_run("train --resume run --rule bp")->code != 2;
         i++)
        pause_us(10000);
    assert_has(tool_run("train --resume run")->error,
               "another process is writing there");
    kill(child, SIGINT);
    assert_int_equal(tool_wait(child), 130);
    child = 0;
}

/* ---- comparisons --------------------------------------------------------- */

static void strip_times(cJSON *json)
{
    cJSON_DeleteItemFromObject(json, "seconds");
    cJSON_DeleteItemFromObject(json, "samples_per_second");
    for (cJSON *item = json->child; item; item = item->next)
        strip_times(item);
}

static char *untimed(const char *path)
{
    char *text = tool_read(path);
    cJSON *json = cJSON_Parse(text);
    free(text);
    assert_non_null(json);
    strip_times(json);
    text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    return text;
}

#define COMPARE                                                                    \
    "compare --data $D --samples 700 --net mlp-1x16 --rules bp,fa --seeds 2 "      \
    "--data-seed 5 --batch 32 --epochs 6 --checkpoint 3 --measure epoch --quiet "

static void comparisons_go_on(void **state)
{
    static const char *const runs[] = {"bp-1", "bp-2", "fa-1", "fa-2"};
    static const char *const moments[] = {"part/bp-1/start.safetensors",
                                          "part/fa-1/checkpoint.safetensors",
                                          "part/bp-2/checkpoint.safetensors"};
    (void)state;
    assert_good(COMPARE "--out whole");
    char *whole = untimed("whole/compare.json");
    for (int i = 0; i < 3; i++) {
        kill_unfinished(COMPARE "--out part", moments[i], "fa-2", 1000);
        assert_good("compare --resume part --quiet");
        char *part = untimed("part/compare.json");
        assert_string_equal(whole, part);
        free(part);
        for (int r = 0; r < 4; r++) {
            char a[32], b[32];
            snprintf(a, sizeof a, "whole/%s", runs[r]);
            snprintf(b, sizeof b, "part/%s", runs[r]);
            expect_same_run(a, b);
        }
        assert_int_equal(system("cp -r part kept"), 0);
        assert_good("compare --resume part --quiet"); /* all are finished */
        expect_same_files("kept", "part", "fa-2/metrics.jsonl");
        expect_same_files("kept", "part", "fa-2/checkpoint.safetensors");
        assert_int_equal(system("rm -r part kept"), 0);
    }
    free(whole);
    expect_refused(
        "train --resume whole", 2,
        "'whole' is the folder of a comparison; go on with falign compare");
    expect_refused(
        "compare --resume whole --rules bp", 2,
        "option --rules: \"bp\" here, but the run in 'whole' has \"bp,fa\"");
}

/* Runs of the comparison that have their figures. */
static int count_done(const char *path)
{
    char *text = tool_read(path);
    cJSON *json = cJSON_Parse(text);
    const cJSON *runs = cJSON_GetObjectItem(json, "runs"), *run;
    int done = 0;
    cJSON_ArrayForEach(run, runs)
        done += cJSON_IsNumber(cJSON_GetObjectItem(run, "test_accuracy"));
    cJSON_Delete(json);
    free(text);
    return done;
}

/* The first to be run is lost and runs anew: those behind it are finished all the same. */
static void interrupted_again_it_has_what_is_finished(void **state)
{
    (void)state;
    assert_good(
        "compare --data $D --net mlp-1x16 --rules bp,fa --batch 4 --epochs 20 "
        "--checkpoint 100 --quiet --out all");
    assert_int_equal(count_done("all/compare.json"), 2);
    assert_int_equal(system("rm -r all/bp-1"), 0);
    child = tool_start("compare --resume all", -1);
    for (int i = 0; i < 20000 && !is_there("all/bp-1/checkpoint.safetensors"); i++)
        pause_us(500);
    kill(child, SIGINT);
    assert_int_equal(tool_wait(child), 130);
    child = 0;
    assert_int_equal(count_done("all/compare.json"), 1);
    assert_good("compare --resume all --quiet");
    assert_int_equal(count_done("all/compare.json"), 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, leave)

int main(int argc, char **argv)
{
    const struct CMUnitTest slow[] = {
        TEST(killed_at_any_moment),
        TEST(networks_on_maps_go_on),
    };
    const struct CMUnitTest maps[] = {TEST(networks_on_maps_go_on)};
    const struct CMUnitTest tests[] = {
        TEST(killed_at_any_moment),
        TEST(lines_are_cut_back),
        TEST(lost_lines_are_missed),
        TEST(ctrl_c_goes_on),
        TEST(from_weights_of_a_file_it_goes_on),
        TEST(on_other_threads),
        TEST(networks_on_maps_go_on),
        TEST(differences_are_named),
        TEST(broken_folders_are_refused),
        TEST(one_process_at_a_time),
        TEST(comparisons_go_on),
        TEST(interrupted_again_it_has_what_is_finished),
    };
    is_slow = argc > 1 && strcmp(argv[1], "slow") == 0;
    if (is_slow)
        return cmocka_run_group_tests(slow, NULL, NULL);
    if (argc > 1 && strcmp(argv[1], "maps") == 0)
        return cmocka_run_group_tests(maps, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
