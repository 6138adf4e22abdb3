/* What the tool refuses: each message says what is wrong and fits 80 columns, nothing
 * is left behind. */
#include "tool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct refusal {
    const char *line;
    int code;
    const char *parts[3]; /* of the message */
};

static const struct refusal refusals[] = {
    {"", 2, {"no command", "--help"}},
    {"trian", 2, {"unknown command 'trian'", "evaluate", "did you mean 'train'"}},
    {"--vershun", 2, {"unknown command", "did you mean '--version'"}},
    {"help train", 2, {"unknown command 'help'", "did you mean '--help'"}},
    {"--data $D train", 2, {"unknown command '--data'", "known: devices, train"}},
    {"$T --epoch 3", 2, {"unknown option '--epoch'", "--net", "mean '--epochs'"}},
    {"$T --rules bp", 2, {"unknown option '--rules'", "did you mean '--rule'"}},
    {"$T -x", 2, {"unknown option '-x'"}},
    {"$T extra", 1, {"'extra'", "No such file", "blanks into quotes"}},
    {"train $D --net mlp-1x8", 1, {"is a folder", "data go behind --data"}},
    {"$T --net dense 10", 1, {"'10'", "blanks into quotes"}},
    {"$T more extra", 2, {"'extra'", "not expected"}},
    {"$T --batch", 2, {"--batch", "needs a value"}},
    {"$T --batch --quiet", 2, {"--batch", "needs a value"}},
    {"$T --quiet=1", 2, {"--quiet", "'1'", "true or false"}},
    {"$T --batch 0", 2, {"--batch", "'0'", "from 1 to 2147483647"}},
    {"$T --batch=-1", 2, {"--batch", "'-1' is negative", "from 1 to 2147483647"}},
    {"$T --batch 1e3", 2, {"--batch", "'1e3'", "whole number"}},
    {"$T --batch 2147483648", 2, {"--batch", "'2147483648'", "too large"}},
    {"$T --epochs 99999999999999999999", 2, {"--epochs", "too large"}},
    {"$T --samples 0", 2, {"--samples", "from 1 to 2147483647"}},
    {"$T --samples 2001", 2, {"2001", "2000"}},
    {"$T --steps 0", 2, {"--steps", "from 1"}},
    {"$T --log 0", 2, {"--log", "from 1", "epoch"}},
    {"$T --seed -1", 2, {"--seed", "negative", "18446744073709551615"}},
    {"$T --seed 18446744073709551616", 2, {"--seed", "too large"}},
    {"$T --lr 0", 2, {"--lr", "'0'", "above 0"}},
    {"$T --lr nan", 2, {"--lr", "'nan' is not a number"}},
    {"$T --lr=-1", 2, {"--lr", "'-1' is too small", "above 0"}},
    {"$T --lr 0.1,fb=1", 2, {"--lr", "unknown rule 'fb'", "did you mean"}},
    {"$T --lr 0.1,fa=x", 2, {"--lr", "fa: 'x' is not a number", "above 0"}},
    {"$T --lr 0.1,fa=0,dfa=1", 2, {"--lr", "fa: '0' is too small", "above 0"}},
    {"$T --lr 0.1,fa", 2, {"--lr", "'fa' is not a number"}},
    {"$T --lr fa=1,fa=1", 2, {"--lr", "'fa=1,fa=1' has fa twice"}},
    {"$T --lr 0.1,fa=1,0.2", 2, {"--lr", "second rate for all", "RULE=0.2"}},
    {"$T --lr 0.1,", 2, {"--lr", "'' is not a number"}},
    {"$T --lr =0.1", 2, {"--lr", "unknown rule ''"}},
    {"$T --validation 1", 2, {"--validation", "'1'", "from 0 to below 1"}},
    {"$T --validation=-0.1", 2, {"--validation", "'-0.1' is too small"}},
    {"$T --validation x", 2, {"--validation", "'x' is not a number"}},
    {"$T --validation 0.0002", 2, {"--validation", "0.0002 of 2000", "none"}},
    {"$T --validation 0.9998", 2, {"--validation", "0.9998 of 2000", "all"}},
    {"$T --samples 1 --validation 0.5", 2, {"--validation", "0.5 of 1 sample is"}},
    {"$T --norm batch --samples 200 --validation 0.355", 2, {"on 129 samples"}},
    {"$T --net 'dense 10' --activation tanh", 2, {"--activation", "presets"}},
    {"$T --net 'dense 10' --norm batch", 2, {"--norm", "presets"}},
    {"bench step --net 'dense 10' --no-bias", 2, {"--no-bias", "presets"}},
    {"$T --net 'dense 8, ReLU, dense 10'", 2, {"'ReLU'", "did you mean 'relu'"}},
    {"$T --momentum 1 --optimizer sgd", 2, {"--momentum", "below 1"}},
    {"$T --momentum 0.5", 2, {"--momentum", "adam", "sgd"}},
    {"$T --nesterov --optimizer adamw", 2, {"--nesterov", "adamw", "sgd"}},
    {"$T --optimizer sgdd", 2, {"unknown optimizer", "adamw", "mean 'sgd'"}},
    {"$T --optimizer muon --nesterov", 2, {"--nesterov", "muon", "sgd"}},
    {"$T --lr-adamw 0.1", 2, {"--lr-adamw", "adam", "--optimizer muon"}},
    {"$T --optimizer muon --lr-adamw 0", 2, {"--lr-adamw", "above 0"}},
    {"$T --rule dfaa", 2, {"unknown rule 'dfaa'", "shallow", "mean 'dfa'"}},
    {"$T --rule drtp", 2, {"drtp", "layer dense1: relu1", "--activation tanh"}},
    {"$T --weight-decay -1", 2, {"--weight-decay", "'-1' is too small"}},
    {"$T --weight-decay 0.1,dense3=1", 2, {"--weight-decay", "'dense3'", "dense2"}},
    {"$T --weight-decay 0.1,dense2=x", 2, {"--weight-decay", "dense2: 'x'"}},
    {"$T --weight-decay dense2=1,dense2=2", 2, {"--weight-decay", "dense2 twice"}},
    {"$T --weight-decay 0.1,0.2", 2, {"--weight-decay", "second", "LAYER=0.2"}},
    {"$T --weight-decay =1", 2, {"--weight-decay", "no layer", "LAYER=1"}},
    {"$T --weight-decay-schedule cut", 2, {"--weight-decay-schedule", "above 0"}},
    {"$T --weight-decay 1 --weight-decay-schedule cut", 2, {"-steps", "missing"}},
    {"$T --weight-decay 1 --weight-decay-steps 5", 2, {"-steps", "cut or linear"}},
    {"$T --loss-reduction summ", 2, {"--loss-reduction", "did you mean 'sum'"}},
    {"$T --resize 14", 2, {"--resize", "'14' is no size", "14x14"}},
    {"$T --resize 14x", 2, {"--resize", "'' is not a whole number"}},
    {"train --data $D --net 'input 28x28x1, dense 10' --resize 14x14",
     2,
     {"--resize", "come out as 14x14x1", "leave one of both out"}},
    {"$T --resize 0x4", 2, {"--resize", "'0' is too small", "1 to 2147483647"}},
    {"$T --resize 14x14x1", 2, {"--resize", "'14x1' is not a whole number"}},
    {"$T --label-noise 1.5", 2, {"--label-noise", "from 0 to 1"}},
    {"$T --net 'dense 8, scale 0, dense 10'", 2, {"'scale 0'", "other than 0"}},
    {"$T --net 'dense 10, scale 2, relu'", 2, {"relu1", "'scale'"}},
    {"$T --schedule stepp", 2, {"unknown schedule", "cosine", "mean 'step'"}},
    {"$T --schedule step", 2, {"--milestones", "missing"}},
    {"$T --milestones 2", 2, {"--milestones", "cosine", "--schedule step"}},
    {"$T --decay 0.5", 2, {"--decay", "cosine", "--schedule step"}},
    {"$T --schedule step --milestones 2,1", 2, {"--milestones", "'2,1'", "ascen"}},
    {"$T --schedule step --milestones 1 --decay 0", 2, {"--decay", "above 0"}},
    {"$T --warmup -1", 2, {"--warmup", "negative"}},
    {"$T --steps 4 --warmup 4", 2, {"warm-up of 4 steps", "which has 4"}},
    {"$T --epochs 1 --warmup 2000", 2, {"warm-up of 2000 steps", "train longer"}},
    {"$T --clip 0", 2, {"--clip", "above 0"}},
    {"$T --norm bach", 2, {"--norm", "unknown norm 'bach'", "mean 'batch'"}},
    {"$T --norm batch --batch 1", 2, {"norm1", "--samples", "--batch"}},
    {"$T --norm batch --samples 129", 2, {"norm1", "129 samples", "--batch"}},
    {"$T --loss mes", 2, {"unknown loss", "cross-entropy", "mean 'mse'"}},
    {"$T --weight-law xavir", 2, {"xavir", "xavier"}},
    {"$T --rule fa --feedback-law unit", 2, {"unit", "weights"}},
    {"$T --rule usf --feedback-law zero", 2, {"'zero'", "the rule usf"}},
    {"$T --rule fa --feedback regenerated --feedback-law normal:0.1",
     2,
     {"not uniform", "--feedback stored"}},
    {"$T --rule bp --feedback regenerated", 2, {"the rule bp has no random"}},
    {"$T --rule kp --feedback regenerated", 2, {"rule kp changes its feedback"}},
    {"$T --augment flop", 2, {"--augment", "known: crop:P, flip", "did you mean"}},
    {"$T --augment crop:28", 2, {"crop:28", "28x28", "by less than 28"}},
    {"$T --net 'input 784, dense 10' --augment flip",
     2,
     {"no images", "leave it out"}},
    {"$T --mirror-rate 0.1", 2, {"--mirror-rate", "bp has no mirror", "rule wm"}},
    {"$T --rule wm --mirror-rate 0", 2, {"--mirror-rate", "above 0"}},
    {"$T --rule wm --mirror-decay 0", 2, {"--mirror-decay", "from above 0 to 1"}},
    {"$T --rule wm --mirror-decay 1.1", 2, {"--mirror-decay", "too large"}},
    {"$T --rule wm --batch 1", 2, {"batch 1", "the rule wm", "2 or more"}},
    {"compare --data $D --net mlp-1x8 --rules fa,kp --mirror-decay 0.1",
     2,
     {"--mirror-decay", "none of the rules", "compare wm"}},
    {"$T --rule fa --feedback kept", 2, {"kept", "stored", "regenerated"}},
    {"$T --device quantum", 2, {"quantum", "cpu"}},
    {"$T --conv winograd",
     2,
     {"--conv", "unknown conv", "did you mean 'winograd4'"}},
    {"bench conv --conv x", 2, {"--conv", "'x'", "known: auto, direct, winograd4"}},
    {"$T --net conv", 2, {"item 1", "it must be 'conv N K'"}},
    {"$T --net mlp", 2, {"the preset is mlp-LxW"}},
    {"$T --net 'dens 10'", 2, {"unknown layer 'dens'", "mean 'dense'"}},
    {"$T --net 'dense 0'", 2, {"0"}},
    {"$T --net 'dense -5'", 2, {"-5"}},
    {"$T --net 'dense x'", 2, {"x"}},
    {"$T --net 'dense 2147483648'", 2, {"2147483648"}},
    {"$T --net mlp-2x0", 2, {"mlp-2x0"}},
    {"$T --net 'input 27x27x1, dense 10'", 2, {"28x28x1", "27x27x1"}},
    {"train --data $D --net 'dense 9'", 2, {"10 classes", "9", "dense 10"}},
    {"train --data $D --net 'dense 9' --dry-run", 2, {"10 classes"}},
    {"train --data $D --net mlp-1x8 --steps 4 --warmup 4", 2, {"which has 4"}},
    {"compare --data $D --net 'dense 9'", 2, {"10 classes", "9"}},
    {"$T --net=", 2, {"--net", "empty"}},
    {"$T --data nonesuch", 2, {"no folder", "unknown data set", "fashion-mnist"}},
    {"$T --data fashion-mnis", 2, {"did you mean 'fashion-mnist'"}},
    {"$T --data ./nonesuch", 1, {"./nonesuch", "no such folder"}},
    {"$T --data mnist --data-path /nonexistent", 1, {"mnist", "/nonexistent"}},
    {"$T --init nonesuch.safetensors", 1, {"nonesuch.safetensors"}},
    {"$T --init plain", 1, {"plain"}},
    {"$T --out plain/run", 1, {"plain", "Not a directory"}},
    {"$T --out /proc/run", 1, {"/proc/run", "--out"}},
    {"train --net mlp-1x8", 2, {"--data", "missing"}},
    {"train --data $D", 2, {"--net", "missing"}},
    {"compare --data $D --net mlp-1x8 --rules bp,bp", 2, {"bp twice"}},
    {"compare --data $D --net mlp-1x8 --rules bp,", 2, {"unknown rule ''"}},
    {"compare --data $D --net mlp-1x8 --seeds 0", 2, {"--seeds"}},
    {"compare --data $D --net mlp-1x8 --seeds 2 --seed 18446744073709551615",
     2,
     {"option --seed", "past 18446744073709551615"}},
    {"compare --data $D --net conv", 2, {"conv N K"}},
    {"evaluate", 2, {"MODEL"}},
    {"evaluate plain", 2, {"--data", "missing"}},
    {"evaluate plain --data $D", 1, {"plain"}},
    {"evaluate nonesuch --data $D", 1, {"nonesuch"}},
    {"evaluate plain --data $D --split validatio",
     2,
     {"--split", "mean 'validation'"}},
    {"evaluate plain --data $D --split validation",
     2,
     {"--split", "no config.yaml", "folder of a run"}},
    {"bench", 2, {"BENCHMARK", "gemm"}},
    {"bench gem", 2, {"unknown benchmark", "did you mean 'gemm'"}},
    {"bench gemm --m 1 --n 1", 2, {"--k", "missing"}},
    {"bench gemm --m 1 --n 1 --k 0", 2, {"--k", "from 1"}},
    {"bench gemm --m 1 --n 1 --k 1 --net a", 2, {"--net", "does not take"}},
    {"bench step", 2, {"--net", "missing"}},
    {"bench step --net mlp-1x8 --data-shape 4x4", 2, {"--data-shape", "HxWxC"}},
    {"devices --check quantum", 2, {"quantum"}},
};

/* Names that would steer a terminal are opened, and shown without harm. */
static void strange_names_are_shown(void **state)
{
    (void)state;
    assert_int_equal(symlink(getenv("FALIGN_TEST_DATA"), "a \x1b[2J\xC3\xA4"), 0);
    const struct tool *tool = tool_run("train --data 'a \x1b[2J\xC3\xA4' --steps 1 "
                                       "--net mlp-1x8 --out 'r\nun\x07'");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, "run      r\\x0aun\\x07\n");
    assert_has(tool->out, "data     a \\x1b[2J\xC3\xA4: 2000 train");
    assert_has(tool->out, "saved in r\\x0aun\\x07\n");
    assert_has(tool_run("evaluate 'r\nun\x07' --data '../\x1b'")->error,
               "'../\\x1b'");
    assert_has(tool_run("evaluate 'r\nun\x07' --data '../\xff'")->error,
               "is not UTF-8");
}

static void bad_input_is_refused(void **state)
{
    (void)state;
    tool_write("plain", "not a model\n", 12);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        const struct tool *tool = tool_run(r->line);
        if (tool->code != r->code)
            fail_msg("%s: exit code %d, not %d: %s", r->line, tool->code, r->code,
                     tool->error);
        if (strncmp(tool->error, "falign: ", 8) != 0)
            fail_msg("%s: message '%s'", r->line, tool->error);
        for (int part = 0; part < 3 && r->parts[part]; part++)
            assert_has(tool->error, r->parts[part]);
        if (!tool_fits(tool->lines))
            fail_msg("%s: does not fit 80 columns: %s", r->line, tool->lines);
        assert_string_equal(tool->out, "");
        if (strcmp(tool_list("."), "plain") != 0)
            fail_msg("%s: leaves %s", r->line, tool_list("."));
    }
    unlink("plain");
}

/* Columns are characters, a long word stays whole, nothing steers the terminal. */
static void messages_are_wrapped(void **state)
{
    (void)state;
#define DEEP                                                                       \
    "/tmp/\xC3\xA4\xC3\xB6/0123456789012345678901234567890123456789/"              \
    "0123456789012345678901234567890123456789"
    assert_string_equal(
        tool_run("train --data " DEEP " --net x")->lines,
        "falign: opening data set\n  '" DEEP
        "':\n  no such folder; give a known name, or a folder with IDX "
        "files, CIFAR's binary\n  files or train-x.npy, train-y.npy, test-x.npy, "
        "test-y.npy\n");
#undef DEEP
    assert_has(tool_run("'\033[31m\nx'")->lines,
               "unknown command '\\x1b[31m\\x0ax'");
    /* 80 characters, 82 bytes; and one more */
#define NAME "'\xC3\xA4\xC3\xA4 ---------"
    assert_string_equal(tool_run("bench " NAME "'")->lines,
                        "falign: unknown benchmark " NAME
                        "'; known: gemm, conv, muon, step, teacher\n");
    assert_string_equal(tool_run("bench " NAME "-'")->lines,
                        "falign: unknown benchmark " NAME
                        "-'; known: gemm, conv, muon, step,\n  teacher\n");
#undef NAME
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    /* Where the user may have all data sets */
    setenv("XDG_CACHE_HOME", "/nowhere", 1);
    const struct CMUnitTest tests[] = {
        TEST(bad_input_is_refused),
        TEST(strange_names_are_shown),
        TEST(messages_are_wrapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
