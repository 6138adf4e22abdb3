#include "cli/commands.h"
#include "cli/output.h"
#include "device/error.h"

#include <string.h>

const cli_command cli_commands[] = {
    {"devices", "[--check [NAME]]",
     "list OpenCL platforms and devices, or check one",
     "Each device is tried in a process of its own, so that a driver that crashes "
     "marks only its device. With --check every kernel runs there against its "
     "reference in plain C.",
     CLI_DEVICES, 0, cli_devices},
    {"train", "--data D --net N [OPTIONS]", "train a network: one run",
     "Writes a run folder: config.yaml, metrics.jsonl, start.safetensors (weights "
     "and "
     "feedback before the first step) and model.safetensors, which is rewritten "
     "after each epoch. Ctrl-C finishes the step and saves.",
     CLI_TRAIN, 0, cli_train},
    {"compare", "--data D --net N [OPTIONS]",
     "several learning rules from one start",
     "Every rule starts from the same weights and sees the samples in the same "
     "order. Ends with a table; writes compare.json and a run folder RULE-SEED for "
     "each run.",
     CLI_COMPARE, 0, cli_compare},
    {"evaluate", "MODEL --data D [OPTIONS]", "loss and accuracy on the test split",
     "MODEL is a .safetensors file or a run folder.", CLI_EVALUATE, 1,
     cli_evaluate},
    {"bench", "gemm --m M --n N --k K [OPTIONS]", "time a matrix product",
     "Prints the median and the fastest tenth in milliseconds, and GFLOP/s. All "
     "packing is inside the time.",
     CLI_BENCH, 1, cli_bench},
};
const size_t cli_command_count = sizeof cli_commands / sizeof *cli_commands;

static const cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < cli_command_count; i++)
        if (strcmp(cli_commands[i].name, name) == 0)
            return &cli_commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    static const char *const flags[] = {"--help", "--version"};
    const char *known[sizeof cli_commands / sizeof *cli_commands];
    for (size_t i = 0; i < cli_command_count; i++)
        known[i] = cli_commands[i].name;
    if (*name == '-')
        return cli_end(fal_fail_unknown("option", name, flags, 2));
    return cli_end(fal_fail_unknown("command", name, known, cli_command_count));
}

static int run_command(const cli_command *command, int count, char **words)
{
    cli_options options;
    fal_status status = cli_options_read(&options, command->bit, count, words,
                                         command->arguments);
    if (status)
        return cli_end(fal_fail_within(status, "%s", command->name));
    if (!cli_flag(&options, CLI_HELP))
        return command->run(&options);
    cli_help_command(command);
    return cli_end(FAL_OK);
}

/* Options without a command; -1: it is a command. */
static int run_general(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        cli_help();
    else if (strcmp(word, "--version") == 0)
        cli_print("falign %s\n", fal_version());
    else
        return -1;
    return cli_end(FAL_OK);
}

int cli_main(int count, char **words)
{
    if (count < 2)
        return cli_end(
            fal_fail(FAL_ERROR_ARGUMENT, "no command given; see falign --help"));
    cli_signals_catch();
    if (strcmp(words[1], "--probe") == 0 && count == 3)
        return cli_probe(words[2]);
    int code = run_general(words[1]);
    if (code >= 0)
        return code;
    const cli_command *command = find_command(words[1]);
    if (!command)
        return unknown_command(words[1]);
    return run_command(command, count - 2, words + 2);
}
