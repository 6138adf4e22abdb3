/* A run's config.yaml repeats it byte for byte, timing fields apart. */
#include "tool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_repeated(const char *one, const char *other, const char *line)
{
    static const char *const files[] = {"config.yaml", "start.safetensors",
                                        "model.safetensors"};
    char a[128], b[128];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(a, sizeof a, "%s/%s", one, files[i]);
        snprintf(b, sizeof b, "%s/%s", other, files[i]);
        if (!tool_same(a, b))
            fail_msg("%s: %s is not %s", line, b, a);
    }
    snprintf(a, sizeof a, "%s/metrics.jsonl", one);
    snprintf(b, sizeof b, "%s/metrics.jsonl", other);
    char *first = tool_read_untimed(a), *again = tool_read_untimed(b);
    assert_string_equal(first, again);
    assert_has(first, "\"train_loss\":");
    free(first);
    free(again);
    assert_string_equal(
        tool_list(other),
        "checkpoint.safetensors config.yaml metrics.jsonl model.safetensors "
        "start.safetensors");
}

/* A data set's folder whose name has all that YAML and JSON could stumble over. */
#define ODD                                                                        \
    "./da  ta: #\"\xC3\xA4\\n\\{}[]&*!|>%@`\t\n\x7F\xC2\x85\xE2\x80\xA8\xEF\xBB"   \
    "\xBF\xF0\x9F\x98\x80 - null "

static const char *const repeated[] = {
    "$T --epochs 2 --log 5",
    "$T --rule fa --lr 0.01,fa=0.0123456789012345678 --epochs 1",
    "$T --rule dfa --optimizer sgd --momentum 0.3 --nesterov --steps 5 --log 2",
    "$T --optimizer adamw --weight-decay 1e-05 --no-bias --loss mse --epochs 1",
    "$T --optimizer muon --lr-adamw 0.003 --momentum 0.9 --norm batch --epochs 1",
    "$T --schedule step --milestones 1,2 --warmup 5 --clip 0.5 --epochs 3",
    "$T --no-shuffle --samples 300 --batch 7 --epochs 1 --log epoch "
    "--seed 18446744073709551615 --feedback-seed 0 --data-seed 5 --noise-seed 6",
    "$T --validation 0.25 --data-seed 3 --epochs 2 --log epoch --norm batch",
    "$T --rule fa --measure 2 --log 3 --epochs 1",
    "$T --rule kp --weight-decay 0.1 --measure 2 --log 3 --epochs 1",
    "$T --rule wm --mirror-rate 0.05 --noise-seed 3 --measure 2 --epochs 1",
    "$T --augment crop:4,flip --noise-seed 5 --measure epoch --epochs 2",
    "$T --net mlp-2x8 --rule dfa --norm batch --measure epoch --log epoch "
    "--epochs 2",
    "$T --rule shallow --activation tanh --schedule constant --standardize none "
    "--weight-law normal:0.05 --epochs 1 --steps 7",
    "train --data $D --quiet --epochs 1 --net "
    "'in=dense 8 nobias,\ttanh,\n dense 10'",
    "train --data '" ODD "' --quiet --epochs 1 --net mlp-1x8",
    "train --data sample --data-path . --quiet --epochs 1 --net mlp-1x8",
    "train --data real --loss mse --net 'dense 5, tanh, dense 4' --rule dfa "
    "--quiet",
    "train --data $D --init base --quiet --rule fa --epochs 1",
    "train --data $D --init base/start.safetensors --net mlp-1x8 --quiet --rule "
    "dfa "
    "--standardize global --epochs 1",
    "train --data $D --init base --quiet --epochs 1",
    "$T --net 'fc1=dense 8, tanh, fc2=dense 8 rule=fa, tanh, dense 10 rule=usf' "
    "--rule drtp --weight-law xavier --measure epoch --epochs 1",
    "train --data $D --init base --net 'dense 8, relu, dense 10 rule=fa' --quiet "
    "--epochs 1",
    "$T --optimizer sgd --weight-decay 0.01,dense2=0.5 --weight-decay-schedule "
    "linear "
    "--weight-decay-steps 20 --loss-reduction sum --lr 0.001 --epochs 1",
    "$T --resize 14x9 --label-noise 0.3 --validation 0.25 --weight-decay "
    "dense1=1e-4 "
    "--epochs 1",
};

/* real: four targets of each of eight samples. */
static void write_real_data(void)
{
    float x[24], y[32];
    for (int i = 0; i < 32; i++)
        y[i] = (float)(i * i % 7) / 7;
    for (int i = 0; i < 24; i++)
        x[i] = (float)(i * 5 % 11);
    assert_int_equal(mkdir("real", 0777), 0);
    tool_write_npy("real/train-x.npy", "<f4", "(8, 3)", x, sizeof x);
    tool_write_npy("real/train-y.npy", "<f4", "(8, 4)", y, sizeof y);
    tool_write_npy("real/test-x.npy", "<f4", "(8, 3)", x, sizeof x);
    tool_write_npy("real/test-y.npy", "<f4", "(8, 4)", y, sizeof y);
}

static void config_repeats_the_run(void **state)
{
    (void)state;
    assert_int_equal(symlink(getenv("FALIGN_TEST_DATA"), ODD), 0);
    assert_int_equal(symlink(getenv("FALIGN_TEST_DATA"), "sample"), 0);
    write_real_data();
    assert_good("$T --rule fa --epochs 1 --out base");
    for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++) {
        char line[512], first[32], again[32];
        snprintf(first, sizeof first, "first%zu", i);
        snprintf(again, sizeof again, "again%zu", i);
        snprintf(line, sizeof line, "%s --out %s", repeated[i], first);
        assert_good(line);
        snprintf(line, sizeof line, "train %s/config.yaml --out %s --quiet", first,
                 again);
        assert_good(line);
        assert_repeated(first, again, repeated[i]);
    }
    char *text = tool_read("again3/config.yaml");
    assert_has(text, "\nweight-decay: 1.0e-05\n"); /* a number to Python too */
    free(text);
}

/* The runs of a comparison draw their own feedback, whatever --init brings. */
static void config_repeats_a_run_of_compare(void **state)
{
    static const char *const runs[] = {"fa-1", "fa-2", "dfa-2"};
    (void)state;
    assert_good("$T --rule fa --net mlp-2x8 --epochs 1 --out base");
    assert_good("compare --data $D --init base/start.safetensors --rules fa,dfa "
                "--seeds 2 --epochs 1 --quiet --out all");
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char line[128], first[32];
        snprintf(first, sizeof first, "all/%s", runs[i]);
        snprintf(line, sizeof line, "train %s/config.yaml --quiet --out %s", first,
                 runs[i]);
        assert_good(line);
        assert_repeated(first, runs[i], line);
    }
    assert_false(tool_same("fa-1/start.safetensors", "fa-2/start.safetensors"));
}

/* A file that a person writes, one flag over it, and a run in its own place. */
static void a_file_runs_as_its_flags_do(void **state)
{
    char text[512];
    (void)state;
    snprintf(text, sizeof text,
             "data: %s\nnet: mlp-1x8\nrule: dfa\nepochs: 1\nbatch: 50\n"
             "out: filed\n",
             getenv("FALIGN_TEST_DATA"));
    tool_write("run.yaml", text, strlen(text));
    assert_good("train run.yaml --quiet");
    assert_good("$T --rule dfa --epochs 1 --batch 50 --out flags");
    assert_repeated("filed", "flags", text);
    assert_good("train run.yaml --quiet --rule fa --out other");
    assert_good("train filed/config.yaml --quiet --rule fa --out third");
    assert_repeated("other", "third", text);
    assert_int_equal(tool_run("train filed/config.yaml --out filed")->code, 2);
    assert_good("train filed/config.yaml --out filed --force --quiet");
    assert_repeated("filed", "flags", text);
    assert_good("train run.yaml --dry-run --out never");
    assert_string_equal(tool_list("."), "filed flags other run.yaml third");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

static void assert_config(const char *path, const char *line)
{
    char *text = tool_read(path);
    assert_has(text, line);
    free(text);
}

/* Who makes the products is decided once; "auto" does not come again. */
static void products_are_made_as_before(void **state)
{
    static const char wants_clblast[] = "data: x\nnet: mlp-1x8\ngemm: clblast\n";
    (void)state;
    assert_good("$T --steps 2 --out own");
    assert_config("own/config.yaml", "gemm: \"own\"\n");
    if (FAL_CLBLAST) {
        assert_good("$T --steps 3 --log 1 --gemm clblast --out one");
        assert_config("one/config.yaml", "gemm: \"clblast\"\n");
        assert_good("train one/config.yaml --quiet --out two");
        assert_repeated("one", "two", "--gemm clblast");
        return;
    }
    assert_int_equal(tool_run("$T --gemm clblast")->code, 2);
    assert_has(tool_run("$T --gemm clblast")->error, "built without CLBlast");
    tool_write("run.yaml", wants_clblast, strlen(wants_clblast));
    assert_has(tool_run("train run.yaml --data $D")->error,
               "run.yaml, line 3, column 7: gemm: ");
    assert_string_equal(tool_list("."), "own run.yaml");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(config_repeats_the_run),
        TEST(config_repeats_a_run_of_compare),
        TEST(a_file_runs_as_its_flags_do),
        TEST(products_are_made_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
