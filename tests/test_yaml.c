/* Options from a YAML file: what is taken, what wins, what is refused and where. */
#include "tool.h"

#include "cli/config.h"
#include "cli/settings.h"
#include "device/error.h"
#include "device/memory.h"

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

static cli_options options;
static cli_config config;

/* Reads run.yaml with these words in front, as `falign train` does. */
static fal_status read_run(int count, char **words)
{
    cli_config_release(&config);
    assert_int_equal(cli_options_read(&options, CLI_TRAIN, count, words, 1),
                     FAL_OK);
    fal_status status = cli_config_read(&config, &options, "run.yaml");
    if (!status)
        cli_runs_give_way(&options);
    return status;
}

static fal_status take_bytes(const void *text, size_t bytes)
{
    tool_write("run.yaml", text, bytes);
    return read_run(0, NULL);
}

/* A file that is good, read beside up to four words. */
static void take(const char *text, const char *a, const char *b, const char *c)
{
    char *words[] = {(char *)a, (char *)b, (char *)c, NULL};
    int count = 0;
    while (words[count])
        count++;
    tool_write("run.yaml", text, strlen(text));
    if (read_run(count, words) != FAL_OK)
        fail_msg("%s: %s", text, fal_error_message());
}

static int leave(void **state)
{
    cli_config_release(&config);
    fal_memory_fail_at(0);
    return tool_leave(state);
}

static void assert_text(cli_id id, const char *text)
{
    const char *found = cli_text(&options, id);
    if (text ? !found || strcmp(text, found) != 0 : found != NULL)
        fail_msg("%s is '%s', not '%s'", cli_table[id].name,
                 found ? found : "not set", text ? text : "not set");
}

/* ---- what is taken ------------------------------------------------------- */

static void values_are_read_by_the_table(void **state)
{
    (void)state;
    take("# a run\n"
         "net: dense 512, relu, dense 10 # plain\n"
         "data:   'it''s # here'\n"
         "rule: \"df\\x61\"\n"
         "lr: 0.1,fa=0.001\n"
         "momentum: .5\n"
         "batch: \"64\"\n"
         "seed: 18446744073709551615\n"
         "log: epoch\n"
         "no-shuffle: true\n"
         "no-bias: false\n"
         "nesterov: \"true\"\n"
         "out: runs/a b\n",
         NULL, NULL, NULL);
    assert_text(CLI_NET, "dense 512, relu, dense 10");
    assert_text(CLI_DATA, "it's # here");
    assert_text(CLI_RULE_NAME, "dfa");
    assert_text(CLI_OUT, "runs/a b");
    assert_true(cli_rate_of(&options, "fa") == 0.001);
    assert_true(cli_rate_of(&options, "bp") == 0.1);
    assert_true(cli_real(&options, CLI_MOMENTUM) == 0.5);
    assert_true(cli_whole(&options, CLI_BATCH) == 64);
    assert_true(cli_whole(&options, CLI_SEED_WEIGHTS) == UINT64_MAX);
    assert_true(cli_flag(&options, CLI_LOG) && cli_whole(&options, CLI_LOG) == 0);
    assert_true(cli_flag(&options, CLI_NO_SHUFFLE));
    assert_false(cli_flag(&options, CLI_NO_BIAS));
    assert_true(cli_flag(&options, CLI_NESTEROV));
    /* Not in the file: as ever. */
    assert_true(cli_whole(&options, CLI_EPOCHS) == 5);
    assert_false(cli_given(&options, CLI_EPOCHS));
}

static void null_is_not_given(void **state)
{
    (void)state;
    take("batch: null\nepochs: ~\nsteps:\nseed: NULL\nno-bias: Null\nnet: 'null'\n",
         NULL, NULL, NULL);
    assert_true(cli_whole(&options, CLI_BATCH) == 128);
    assert_false(cli_given(&options, CLI_EPOCHS));
    assert_false(cli_flag(&options, CLI_STEPS));
    assert_true(cli_whole(&options, CLI_SEED_WEIGHTS) == 1);
    assert_false(cli_flag(&options, CLI_NO_BIAS));
    assert_text(CLI_NET, "null");
}

/* Every way to write "batch 64 and net dense 10". */
static void any_spelling_will_do(void **state)
{
    static const struct {
        const char *text;
        size_t bytes; /* 0: to the zero byte */
    } files[] = {
        {"net: dense 10\nbatch: 64", 0},
        {"batch: 64\r\nnet: dense 10\r\n", 0},
        {"\xEF\xBB\xBF"
         "batch: 64\nnet: dense 10\n",
         0},
        {"\xFF\xFE"
         "b\0a\0t\0c\0h\0:\0 \0"
         "6\0"
         "4\0\n\0n\0e\0t\0:\0 \0d\0e\0n\0s\0e\0 \0"
         "1\0"
         "0\0",
         48},
        {"{\"batch\": 64, \"net\": \"dense 10\"}\n", 0},
        {"{batch: 64,\n\tnet: dense 10}\n", 0},
        {"%YAML 1.1\n---\nbatch: 64\nnet: dense 10\n...\n", 0},
        {"net: |\n  dense 10\nbatch: >-\n  64\n", 0},
        {"net: >\n  dense\n  10\n\nbatch:\t64 # tab\n", 0},
        {"net: dense\n  10\nbatch: +64\n", 0},
        {"? batch\n: 64\n? net\n: dense 10\n", 0},
        {"\"net\": \"dense\\x2010\"\n'batch': '64'\n", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t bytes = files[i].bytes ? files[i].bytes : strlen(files[i].text);
        if (take_bytes(files[i].text, bytes) != FAL_OK)
            fail_msg("%s: %s", files[i].text, fal_error_message());
        assert_text(CLI_NET, "dense 10");
        assert_true(cli_whole(&options, CLI_BATCH) == 64);
    }
}

static void an_empty_file_is_all_defaults(void **state)
{
    static const char *const files[] = {"",    "\n\n", "# nothing\n",    "---\n",
                                        "~\n", "{}\n", "--- null\n...\n"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        take(files[i], "--samples", "9", NULL);
        assert_true(cli_whole(&options, CLI_BATCH) == 128);
        assert_true(cli_whole(&options, CLI_SAMPLES) == 9);
        const struct tool *tool = tool_run("train run.yaml");
        assert_int_equal(tool->code, 2);
        assert_string_equal(tool->error,
                            "falign: option --data: missing; give --data NAME|DIR, "
                            "or data in 'run.yaml'\n");
    }
}

/* ---- what wins ----------------------------------------------------------- */

static void flags_win(void **state)
{
    static const char file[] = "batch: 64\nno-shuffle: true\nrule: dfa\nseed: 7\n";
    (void)state;
    take(file, "--batch=32", "--no-shuffle=false", "--seed=1");
    assert_true(cli_whole(&options, CLI_BATCH) == 32);
    assert_false(cli_flag(&options, CLI_NO_SHUFFLE));
    assert_true(cli_whole(&options, CLI_SEED_WEIGHTS) == 1); /* the default, said */
    assert_text(CLI_RULE_NAME, "dfa");
    /* A flag does not hide what is wrong in the file. */
    char *words[] = {(char *)"--batch=32"};
    tool_write("run.yaml", "batch: many\n", 12);
    assert_int_equal(read_run(1, words), FAL_ERROR_ARGUMENT);
    assert_has(fal_error_message(), "run.yaml, line 1, column 8: batch: 'many'");
}

/* What a flag leaves without sense is not held against it. */
static void the_file_gives_way(void **state)
{
    static const char sgd[] = "optimizer: sgd\nmomentum: 0.9\nnesterov: true\n"
                              "lr: 0.5\n";
    static const char dfa[] = "rule: dfa\nfeedback-law: units\n";
    static const char own[] = "rule: dfa\nfeedback-law: xavier\n";
    static const char mixed[] =
        "rule: wm\nmirror-rate: 0.02\nfeedback-law: xavier\n"
        "net: dense 8, relu, dense 2 rule=fa\n";
    static const char step[] = "schedule: step\nmilestones: 3,5\ndecay: 0.5\n";
    static const char init[] = "standardize: global\ninit: a\n";
    static const char preset[] = "net: mlp-1x8\nactivation: tanh\nno-bias: true\n";
    (void)state;
    take(sgd, "--optimizer", "adam", NULL);
    assert_false(cli_flag(&options, CLI_MOMENTUM));
    assert_false(cli_flag(&options, CLI_NESTEROV));
    assert_true(cli_rate_of(&options, "bp") == 0.5);
    take(sgd, "--optimizer", "sgd", NULL);
    assert_true(cli_flag(&options, CLI_MOMENTUM));
    take(sgd, "--optimizer", "muon", NULL);
    assert_true(cli_flag(&options, CLI_MOMENTUM));
    assert_false(cli_flag(&options, CLI_NESTEROV));
    take("optimizer: muon\nlr-adamw: 0.1\n", "--optimizer", "sgd", NULL);
    assert_false(cli_flag(&options, CLI_RATE_ADAMW));
    take(sgd, "--optimizer=adam", "--momentum=0.5", NULL);
    assert_true(cli_flag(&options, CLI_MOMENTUM)); /* to be refused */
    take(dfa, "--rule", "fa", NULL);
    assert_text(CLI_FEEDBACK_LAW, NULL);
    take(dfa, "--rule", "dfa", NULL);
    assert_text(CLI_FEEDBACK_LAW, "units");
    take(own, "--rule", "fa", NULL);
    assert_text(CLI_FEEDBACK_LAW, "xavier");
    take(own, "--rule", "bp", NULL);
    assert_text(CLI_FEEDBACK_LAW, NULL);
    take(own, "--rule=bp", "--feedback-law=zero", NULL);
    assert_text(CLI_FEEDBACK_LAW, "zero"); /* to be refused */
    take(mixed, "--rule", "bp", NULL);
    assert_text(CLI_FEEDBACK_LAW, "xavier"); /* of the layer */
    assert_false(cli_given(&options, CLI_MIRROR_RATE));
    take(mixed, "--rule=bp", "--net=mlp-1x8", NULL);
    assert_text(CLI_FEEDBACK_LAW, NULL);
    take(mixed, "--net=dense 8 rule=bp, relu, dense 2 rule=wm", "--rule=bp", NULL);
    assert_true(cli_given(&options, CLI_MIRROR_RATE));
    take(preset, "--net", "mlp-2x9", NULL);
    assert_text(CLI_ACTIVATION, "tanh");
    take(preset, "--net", "dense 9", NULL);
    assert_text(CLI_ACTIVATION, "relu");
    assert_false(cli_flag(&options, CLI_NO_BIAS));
    take(step, "--schedule", "cosine", NULL);
    assert_text(CLI_MILESTONE_LIST, NULL);
    assert_false(cli_flag(&options, CLI_DECAY));
    take(step, "--schedule", "step", NULL);
    assert_text(CLI_MILESTONE_LIST, "3,5");
    take(init, NULL, NULL, NULL);
    assert_true(cli_given(&options, CLI_STANDARDIZE));
    take(init, "--init", "b", NULL);
    assert_false(cli_given(&options, CLI_STANDARDIZE));
}

static void lengths_belong_together(void **state)
{
    (void)state;
    take("epochs: 5\nsteps: null\n", "--steps", "9", NULL);
    assert_true(cli_whole(&options, CLI_STEPS) == 9);
    assert_false(cli_given(&options, CLI_EPOCHS)); /* no limit */
    take("epochs: null\nsteps: 9\n", "--epochs", "2", NULL);
    assert_true(cli_whole(&options, CLI_EPOCHS) == 2);
    assert_false(cli_flag(&options, CLI_STEPS));
    take("epochs: 3\nsteps: 9\n", "--epochs=2", "--steps=8", NULL);
    assert_true(cli_whole(&options, CLI_EPOCHS) == 2);
    assert_true(cli_whole(&options, CLI_STEPS) == 8);
    take("epochs: 3\nsteps: 9\n", NULL, NULL, NULL);
    assert_true(cli_given(&options, CLI_EPOCHS) && cli_given(&options, CLI_STEPS));
}

/* ---- what is refused ----------------------------------------------------- */

struct hostile {
    const char *text;
    size_t bytes; /* 0: to the zero byte */
    fal_status status;
    const char *place; /* behind "run.yaml, " */
    const char *part;  /* of the message */
};

#define SAYS FAL_ERROR_ARGUMENT
#define FORM FAL_ERROR_FORMAT

static const struct hostile hostile_files[] = {
    /* values */
    {"batch: 64\nlr: 1e999\n", 0, SAYS,
     "line 2, column 5: lr: '1e999' is too large", "above 0"},
    {"lr: .nan\n", 0, SAYS, "line 1, column 5: lr: '.nan'", "above 0"},
    {"lr: -.inf\n", 0, SAYS, "line 1, column 5: lr: '-.inf'", "above 0"},
    {"lr: 0\n", 0, SAYS, "line 1, column 5: lr: '0'", "above 0"},
    {"lr: 0.1,fb=1\n", 0, SAYS, "line 1, column 5: lr: unknown", "did you mean"},
    {"lr: 0.1,fa=0.2,dfa=x\n", 0, SAYS, "line 1, column 5: lr: dfa: 'x'", "above"},
    {"lr: fa=0.1,fa=0.2\n", 0, SAYS, "line 1, column 5: lr: ", "fa twice"},
    {"validation: 1\n", 0, SAYS, "line 1, column 13: validation: '1'", "below 1"},
    {"momentum: 1\n", 0, SAYS, "line 1, column 11: momentum: '1'", "below 1"},
    {"batch: 0x10\n", 0, SAYS, "line 1, column 8: batch: '0x10'", "whole number"},
    {"batch: 1_000\n", 0, SAYS, "line 1, column 8: batch: '1_000'", "whole"},
    {"batch: 64.0\n", 0, SAYS, "line 1, column 8: batch: '64.0'", "whole number"},
    {"batch: 1e2\n", 0, SAYS, "line 1, column 8: batch: '1e2'", "whole number"},
    {"{\"batch\": -1}\n", 0, SAYS, "line 1, column 11: batch: '-1'", "negative"},
    {"batch: 0\n", 0, SAYS, "line 1, column 8: batch: '0'", "from 1 to 2147483647"},
    {"seed: 18446744073709551616\n", 0, SAYS,
     "line 1, column 7: seed: ", "too large"},
    {"batch: true\n", 0, SAYS, "line 1, column 8: batch: 'true'", "whole number"},
    {"no-shuffle: yes\n", 0, SAYS, "line 1, column 13: no-shuffle: 'yes'",
     "true or false"},
    {"no-shuffle: 1\n", 0, SAYS, "line 1, column 13: no-shuffle: '1'",
     "true or false"},
    {"rule: dfaa\n", 0, SAYS, "line 1, column 7: rule: unknown rule 'dfaa'",
     "did you mean 'dfa'?"},
    {"weight-law: xavir\n", 0, SAYS,
     "line 1, column 13: weight-law: unknown law 'xavir'",
     "did you mean 'xavier'?"},
    {"weight-law: units\n", 0, SAYS, "line 1, column 13: weight-law: unknown law",
     "uniform"},
    {"feedback-law: normal:x\n", 0, SAYS, "line 1, column 15: feedback-law: law",
     "number above 0"},
    {"milestones: 5,3\n", 0, SAYS, "line 1, column 13: milestones: ", "5"},
    {"loss: mes\n", 0, SAYS, "line 1, column 7: loss: unknown loss 'mes'",
     "did you mean 'mse'?"},
    {"net: ''\n", 0, SAYS, "line 1, column 6: net: its value is empty", "PRESET"},
    /* keys */
    {"# x\n\n  epoch: 3\n", 0, SAYS, "line 3, column 3: unknown key 'epoch'",
     "did you mean 'epochs'?"},
    {"weight_decay: 0\n", 0, SAYS, "line 1, column 1: unknown key 'weight_decay'",
     "did you mean 'weight-decay'?"},
    {"seeds: 3\n", 0, SAYS, "line 1, column 1: unknown key 'seeds'; known: data",
     "did you mean 'seed'?"},
    {"json: true\n", 0, SAYS, "line 1, column 1: key 'json'", "give --json"},
    {"resume: run\n", 0, SAYS, "line 1, column 1: key 'resume'", "give --resume"},
    {"help: true\n", 0, SAYS, "line 1, column 1: key 'help'", "give --help"},
    {"<<: {batch: 3}\n", 0, FORM, "line 1, column 5: <<: a mapping", "one value"},
    {"<<: 3\n", 0, SAYS, "line 1, column 1: unknown key '<<'", "known"},
    {"'': 3\n", 0, SAYS, "line 1, column 1: unknown key ''", "known"},
    {"batch: 1\nseed: 2\nbatch: 1\n", 0, SAYS, "line 3, column 1: key 'batch'",
     "in line 1; keep one"},
    {"batch:\nbatch:\n", 0, SAYS, "line 2, column 1: key 'batch'", "in line 1"},
    /* what is no single value */
    {"batch: [64]\n", 0, FORM, "line 1, column 8: batch: a list", "such as 3,5"},
    {"batch:\n  - 64\n", 0, FORM, "line 2, column 3: batch: a list", "without"},
    {"net: [dense 5, relu]\n", 0, FORM, "line 1, column 6: net: a list",
     "one text"},
    {"lr: {fa: 0.1}\n", 0, FORM, "line 1, column 5: lr: a mapping", "one value"},
    {"train:\n  batch: 3\n", 0, FORM, "line 2, column 3: train: a mapping", ""},
    {"batch:\n  n: 3\n", 0, FORM, "line 2, column 3: batch: a mapping",
     "one value"},
    {"? [batch]\n: 3\n", 0, FORM, "line 1, column 3: a list", ""},
    {"? {a: b}\n: 3\n", 0, FORM, "line 1, column 3: a mapping", ""},
    {"batch: &n 64\nseed: *n\n", 0, FORM, "line 1, column 8: batch: an anchor",
     "&NAME"},
    {"&k batch: 64\n", 0, FORM, "line 1, column 1: an anchor", "leave"},
    {"batch: *n\n", 0, FORM, "line 1, column 8: batch: an alias",
     "the value itself"},
    {"a: &a [lol]\nb: &b [*a, *a]\nc: [*b, *b]\n", 0, FORM,
     "line 1, column 4: a: a list", ""},
    {"net: &a [lol, lol]\ndata: &b [*a, *a]\n", 0, FORM,
     "line 1, column 6: net: a list", ""},
    {"batch: !!int 64\n", 0, FORM, "line 1, column 8: batch: a tag",
     "leave '!TAG' out"},
    {"net: !!python/object:os.system x\n", 0, FORM, "line 1, column 6: net: a tag",
     ""},
    {"!!map {batch: 3}\n", 0, FORM, "line 1, column 1: an anchor or a tag", ""},
    {"&all\nbatch: 3\n", 0, FORM, "line 1, column 1: an anchor or a tag", ""},
    {"net: \"a\\0b\"\n", 0, FORM, "line 1, column 6: net: the text holds a zero",
     ""},
    {"\"bat\\0ch\": 3\n", 0, FORM, "line 1, column 1: the text holds a zero", ""},
    /* what is no mapping */
    {"- batch: 3\n", 0, FORM, "line 1, column 1: a file of options has lines",
     "'batch: 64'"},
    {"batch=3\n", 0, FORM, "line 1, column 1: a file of options", "'batch: 64'"},
    {"# x\n--batch 3\n", 0, FORM, "line 2, column 1: a file of options", ""},
    {"*a\n", 0, FORM, "line 1, column 1: a file of options", ""},
    {"batch: 3\n---\nseed: 4\n", 0, FORM, "line 2, column 1: a second document",
     "keep one"},
    {"---\n---\n", 0, FORM, "line 2, column 1: a second document", ""},
    {"batch: 3\n...\nx\n", 0, FORM, "line 3, column 1: ", "<document start>"},
    /* what is no YAML */
    {"batch: 3\n\tseed: 4\n", 0, FORM,
     "line 2, column 1: ", "without blanks or tabs"},
    {"\tbatch: 3\n", 0, FORM, "line 1, column 1: ", "without blanks or tabs"},
    {"net: dense 5,\n\trelu\n", 0, FORM,
     "line 2, column 1: ", "without blanks or tabs"},
    {"batch: 3\n  seed: 4\n", 0, SAYS, "line 1, column 8: batch: '3 seed'", ""},
    {"net: a: b\n", 0, FORM, "line 1, column 7: mapping values", "quote"},
    {" batch: 3\nseed: 4\n", 0, FORM, "line 2, column 1: ", "'key: value'"},
    {"batch: 3\nseed 4\n", 0, FORM, "line 3, column 1: ", "(line 2, column 1)"},
    {"net: \"dense 5\nbatch: 3\n", 0, FORM,
     "line 3, column 1: ", "while scanning a quoted scalar (line 1, column 6)"},
    {"net: 'dense 5\n", 0, FORM, "line 2, column 1: ", "(line 1, column 6)"},
    {"net: \"\\q\"\n", 0, FORM, "line 1, column 7: ", "escape"},
    {"{batch: 3\n", 0, FORM, "line 2, column 1: ", "flow mapping"},
    {"net: [\n", 0, FORM, "line 1, column 6: net: a list", ""},
    {"batch: @3\n", 0, FORM, "line 1, column 8: ", "cannot start any token"},
    {"%YAML 9.9\n---\n", 0, FORM, "line 1, column 1: ", "incompatible"},
    /* what is no text */
    {"net: \xFF\n", 0, FORM, "line 1, column 6: ", "UTF-8"},
    {"# \xC3\xA4\nnet: \xC3\xA4\xC3\n", 0, FORM, "line 2, column 8: ", "UTF-8"},
    {"net: \xED\xA0\x80\n", 0, FORM, "line 1, column 6: ", "UTF-8"},
    {"net: \xC0\x80\n", 0, FORM, "line 1, column 6: ", "UTF-8"},
    {"batch: 3\nnet: a\0b\n", 18, FORM, "line 2, column 7: ", "control"},
    {"\0\0\0\0", 4, FORM, "line 1, column 1: ", "control"},
    {"net: \x1B[2J\n", 0, FORM, "line 1, column 6: ", "control"},
    {"\x7F"
     "ELF\2\1\1\0\0\0",
     10, FORM, "line 1, column 1: ", "control"},
    {"\x1F\x8B\x08\0\0\0\0\0", 8, FORM, "line 1, column 1: ", "control"},
};

static void hostile_files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile_files / sizeof *hostile_files; i++) {
        const struct hostile *h = &hostile_files[i];
        char place[256];
        fal_status status = take_bytes(h->text,
                                       h->bytes ? h->bytes : strlen(h->text));
        if (status != h->status)
            fail_msg("%s: status %d: %s", h->text, status, fal_error_message());
        snprintf(place, sizeof place, "run.yaml, %s", h->place);
        if (strncmp(fal_error_message(), place, strlen(place)) != 0)
            fail_msg("%s: '%s' does not begin: %s", h->text, place,
                     fal_error_message());
        assert_has(fal_error_message(), h->part);
    }
}

/* The same through the tool: exit code, one message that fits, nothing made. */
static void refusals_leave_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile_files / sizeof *hostile_files; i += 3) {
        const struct hostile *h = &hostile_files[i];
        tool_write("run.yaml", h->text, h->bytes ? h->bytes : strlen(h->text));
        const struct tool *tool = tool_run(
            "train run.yaml --data $D --net mlp-1x8");
        assert_int_equal(tool->code, h->status == SAYS ? 2 : 1);
        assert_int_equal(strncmp(tool->error, "falign: run.yaml, line ", 23), 0);
        assert_true(tool_fits(tool->lines));
        assert_string_equal(tool->out, "");
        assert_string_equal(tool_list("."), "run.yaml");
    }
}

static void put_many(const char *text, size_t bytes)
{
    char *block = malloc(bytes);
    size_t length = strlen(text);
    for (size_t i = 0; i < bytes; i++)
        block[i] = text[i % length];
    tool_write("run.yaml", block, bytes);
    free(block);
}

/* As deep, as long and as many as a file may be: an answer at once. */
static void large_files_are_answered(void **state)
{
    static const struct {
        const char *text;
        fal_status status;
    } many[] = {
        {"[", FORM},         {"{", FORM},    {"batch: [", FORM}, {"- ", FORM},
        {"? ", FORM},        {"# ", FAL_OK}, {"\n", FAL_OK},     {"a: ", SAYS},
        {"batch: \n", SAYS}, {"a", FORM},    {"\"", FORM},       {"&a ", FORM},
        {"!", FORM},         {"*", FORM},    {"x\n", FORM},      {"--- ", FORM},
    };
    (void)state;
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        put_many(many[i].text, 1 << 20);
        fal_status status = read_run(0, NULL);
        if (status != many[i].status)
            fail_msg("%s: %d: %s", many[i].text, status, fal_error_message());
    }
    put_many("# ", (1 << 20) + 1);
    assert_int_equal(read_run(0, NULL), FAL_ERROR_FILE);
    assert_string_equal(fal_error_message(),
                        "reading file 'run.yaml': its 1048577 bytes are more than "
                        "the 1048576 allowed here; name another file");
    assert_int_equal(truncate("run.yaml", 100 << 20), 0);
    const struct tool *tool = tool_run("train run.yaml");
    assert_int_equal(tool->code, 1);
    assert_has(tool->error, "104857600 bytes are more than the 1048576 allowed");
}

static void other_files_are_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    assert_has(tool_run("train run")->error, "'run': it is a folder, not a file");
    tool_write("run/config.yaml", "batch: 0\n", 9);
    assert_has(tool_run("train run")->error, "did you mean 'run/config.yaml'?");
    assert_has(tool_run("train run/confg.yaml")->error,
               "'run/confg.yaml': No such file or directory; name a file that "
               "exists and can be read; did you mean 'run/config.yaml'?");
    assert_has(tool_run("train far")->error, "'far': No such file");
    assert_has(tool_run("train ''")->error, "'': No such file");
    assert_has(tool_run("train /dev/null")->error, "not a regular file");
    assert_has(tool_run("train run/config.yaml/x")->error, "Not a directory");
    assert_has(tool_run("train run/config.yaml run")->error, "'run': not expected");
    assert_has(tool_run("train run/config.yaml")->error,
               "falign: run/config.yaml, line 1, column 8: batch: '0'");
    assert_int_equal(tool_run("train nothing --help")->code, 0);
    assert_string_equal(tool_list("."), "run");
    assert_string_equal(tool_list("run"), "config.yaml");
}

/* Long names keep line and column behind them. */
static void a_long_name_is_told_whole(void **state)
{
    char name[4096] = "", line[4200];
    (void)state;
    while (strlen(name) < 4000)
        strcat(name, "./");
    strcat(name, "run.yaml");
    tool_write("run.yaml", "batch: 0\n", 9);
    snprintf(line, sizeof line, "train %s", name);
    assert_has(tool_run(line)->error, "run.yaml, line 1, column 8: batch: '0'");
    memset(name, 'x', 300);
    snprintf(line, sizeof line, "train %s", name);
    assert_has(tool_run(line)->error, "File name too long");
}

/* What does not go together is told where it stands too. */
static void later_refusals_name_the_place(void **state)
{
    static const struct {
        const char *file, *flags, *message;
    } refused[] = {
        {"momentum: 0.5\n", "", "run.yaml, line 1, column 11: momentum: adam has"},
        {"optimizer: adamw\nnesterov: true\n", "",
         "run.yaml, line 2, column 11: nesterov: adamw has none"},
        {"optimizer: sgd\n", " --momentum 0 --nesterov",
         "option --nesterov: needs momentum"},
        {"optimizer: sgd\nnesterov: true\n", " --momentum 0",
         "run.yaml, line 2, column 11: nesterov: needs momentum"},
        {"decay: 0.5\n", "", "run.yaml, line 1, column 8: decay: the schedule"},
        {"schedule: step\n", "", "option --milestones: missing; give"},
        {"init: nowhere\n", "", "run.yaml, line 1, column 7: init: reading file"},
        {"init: nowhere\n", " --init there", "option --init: reading file 'there'"},
        {"net: dense 10, x\n", "",
         "run.yaml, line 1, column 6: net: network, item 2 'x': unknown layer"},
        {"net: x\n", " --net y", "falign: network: unknown preset 'y'"},
        {"device: quantum\n", "", "run.yaml, line 1, column 9: device: "},
        {"data: nowhere\n", "",
         "run.yaml, line 1, column 7: data: no folder 'nowhere'"},
        {"data: ./nowhere\n", "", "run.yaml, line 1, column 7: data: opening"},
        {"samples: 2001\n", "", "2001"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char line[256];
        tool_write("run.yaml", refused[i].file, strlen(refused[i].file));
        const char *file = refused[i].file;
        snprintf(line, sizeof line, "train run.yaml%s%s%s",
                 strncmp(file, "data", 4) ? " --data $D" : "",
                 strncmp(file, "net", 3) ? " --net mlp-1x8" : "", refused[i].flags);
        assert_has(tool_run(line)->error, refused[i].message);
        assert_string_equal(tool_list("."), "run.yaml");
    }
}

/* What config.yaml could not repeat does not run. */
static void names_are_utf8(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("train --data 'a\xFF' --net mlp-1x8");
    assert_int_equal(tool->code, 2);
    assert_string_equal(
        tool->error, "falign: train: option --data: its value is not UTF-8; write "
                     "names and paths in UTF-8\n");
    assert_string_equal(tool_list("."), "");
}

/* However memory fails, nothing is lost and the next reading is good. */
static void memory_may_fail(void **state)
{
    static const char text[] = "net: dense 10\nbatch: 64\n";
    fal_status status = FAL_ERROR_MEMORY;
    long n = 0;
    (void)state;
    tool_write("run.yaml", text, strlen(text));
    while (status == FAL_ERROR_MEMORY && n < 100) {
        fal_memory_fail_at(++n);
        status = read_run(0, NULL);
        fal_memory_fail_at(0);
    }
    assert_int_equal(status, FAL_OK);
    assert_true(n > 3);
    assert_text(CLI_NET, "dense 10");
}

/* ---- one key of a run folder --------------------------------------------- */

static void one_key_is_found(void **state)
{
    static const char text[] = "other: 1\nloss: \"m\\x73e\"\ndata: null\n";
    char *found;
    (void)state;
    assert_int_equal(cli_config_text("none", "loss", &found), FAL_OK);
    assert_null(found);
    tool_write("config.yaml", text, strlen(text));
    assert_int_equal(cli_config_text(".", "loss", &found), FAL_OK);
    assert_string_equal(found, "mse");
    fal_release(found);
    assert_int_equal(cli_config_text(".", "data", &found), FAL_OK);
    assert_null(found);
    assert_int_equal(cli_config_text(".", "net", &found), FAL_OK);
    assert_null(found);
    tool_write("config.yaml", "loss: mse\nloss: other\n", 22);
    assert_int_equal(cli_config_text(".", "loss", &found), FAL_OK);
    assert_string_equal(found, "mse");
    fal_release(found);
    tool_write("config.yaml", "loss: mse\nnet: [\n", 17);
    assert_int_equal(cli_config_text(".", "loss", &found), FAL_ERROR_FORMAT);
    assert_null(found);
    assert_has(fal_error_message(), "./config.yaml, line 2, column 6: net: a list");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_read_by_the_table),
        TEST(null_is_not_given),
        TEST(any_spelling_will_do),
        TEST(an_empty_file_is_all_defaults),
        TEST(flags_win),
        TEST(the_file_gives_way),
        TEST(lengths_belong_together),
        TEST(hostile_files_are_refused),
        TEST(refusals_leave_nothing),
        TEST(large_files_are_answered),
        TEST(other_files_are_refused),
        TEST(a_long_name_is_told_whole),
        TEST(later_refusals_name_the_place),
        TEST(names_are_utf8),
        TEST(memory_may_fail),
        TEST(one_key_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
