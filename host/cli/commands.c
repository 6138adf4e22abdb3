#include "cli/commands.h"
#include "cli/output.h"
#include "device/error.h"

#include <string.h>

const cli_command cli_commands[] = {
    {.name = "devices",
     .usage = "[--check [NAME]]",
     .summary = "list OpenCL platforms and devices, or check one",
     .details =
         "Each device is tried in a process of its own, so that a driver "
         "that crashes marks only its device. With --check every kernel runs "
         "there against its reference in plain C.",
     .examples = "devices\n"
                 "devices --check gpu:0\n",
     .bit = CLI_DEVICES,
     .run = cli_devices},
    {.name = "train",
     .usage = "[FILE.yaml] [OPTIONS]",
     .summary = "train a network: one run",
     .details =
         "Writes a run folder: config.yaml, metrics.jsonl, start.safetensors "
         "(weights and feedback before the first step) and "
         "model.safetensors, which is rewritten after each epoch. Ctrl-C "
         "finishes the step and saves; --resume goes on, to the same bytes as "
         "if nothing had happened.\n\n"
         "FILE.yaml holds options, a line each, as 'batch: 64' or "
         "'no-shuffle: true': any of those below but --resume, --json, --quiet "
         "and --help; null stands for the default, paths start from the current "
         "folder. "
         "Options of the command line win over it (--no-shuffle=false over its "
         "true), and what they leave without sense there is dropped, as momentum "
         "where --optimizer is not sgd. A run's own config.yaml repeats it.",
     .examples = "train --data fashion-mnist --net mlp-2x512 --rule dfa\n"
                 "train --data fashion-mnist --net 'dense 256, tanh, dense 10'\n"
                 "train --data DIR --net mlp-1x64 --epochs 20 --out runs/mine\n"
                 "train runs/mine/config.yaml --out runs/again\n"
                 "train --resume runs/mine\n",
     .bit = CLI_TRAIN,
     .arguments = 1,
     .run = cli_train},
    {.name = "compare",
     .usage = "--data D --net N [OPTIONS]",
     .summary = "several learning rules from one start",
     .details = "Every rule starts from the same weights and sees the samples in "
                "the same order. Ends with a table; writes compare.json and a run "
                "folder RULE-SEED for each run. --resume keeps runs that are "
                "finished, goes on with one that was stopped and makes the rest.",
     .examples = "compare --data fashion-mnist --net mlp-2x512 --seeds 3\n"
                 "compare --data fashion-mnist --net mlp-2x512 --rules bp,dfa\n"
                 "compare --resume runs/mine\n",
     .bit = CLI_COMPARE,
     .run = cli_compare},
    {.name = "evaluate",
     .usage = "MODEL --data D [OPTIONS]",
     .summary = "loss and accuracy of a model",
     .details =
         "MODEL is a .safetensors file or a run folder. Prints samples, loss, "
         "accuracy and how many are correct; with real targets samples and "
         "loss. With --measure a table of the run's metrics by layer follows. "
         "Images are "
         "resized as the model's were; labels are those of the files, unless "
         "--label-noise is given, which draws by the run's data seed (1 without a "
         "run "
         "folder).",
     .examples = "evaluate runs/mine --data fashion-mnist\n"
                 "evaluate runs/mine --data fashion-mnist --split train\n"
                 "evaluate runs/mine --data fashion-mnist --measure\n",
     .bit = CLI_EVALUATE,
     .arguments = 1,
     .run = cli_evaluate},
    {.name = "predict",
     .usage = "MODEL [FILE...] [OPTIONS]",
     .summary = "what a model makes of samples, your own or a data set's",
     .details =
         "MODEL is a .safetensors file or a run folder. FILE is a .npy file of "
         "numpy or an IDX file, gzipped or not: one sample "
         "[height][width][channels] or [numbers], or [count] of them, in the units "
         "of the training data. With --data those of a data set follow, its test "
         "split unless --split says otherwise.\n\n"
         "Prints a line a sample: FILE[INDEX], then class and probability (softmax "
         "of the outputs); with --json an object a line: input, index, and top, a "
         "list of class, name and probability. A model of real targets gives its "
         "outputs instead.",
     .examples = "predict runs/mine shirt.npy --top 3\n"
                 "predict runs/mine t10k-images-idx3-ubyte.gz --json\n"
                 "predict runs/mine --data cifar-10 --split test --samples 20\n",
     .bit = CLI_PREDICT,
     .arguments = SIZE_MAX,
     .run = cli_predict},
    {.name = "datasets",
     .usage = "[OPTIONS]",
     .summary = "the known data sets and where they are",
     .details = "Prints for each name what is in it and the folder it comes from, "
                "or where "
                "it was looked for and why it cannot be used; with --json an "
                "array of places: name, folder, missing (why it cannot be used; "
                "null: it can), train, test, height, width, channels, classes. "
                "Data of your own need no name: give --data their folder.",
     .examples = "datasets\n"
                 "datasets --data-path DIR --json\n",
     .bit = CLI_DATASETS,
     .run = cli_datasets},
    {.name = "report",
     .usage = "RUN... [OPTIONS]",
     .summary = "runs as one page of figures",
     .details =
         "RUN is the folder of a run or of a comparison. Writes one HTML page that "
         "needs no other file and no network: accuracy and loss, alignment and "
         "rank by layer where --measure took them, as curves and as maps of layers "
         "by time, final figures, and the commands that make the runs again. Runs "
         "that differ in their seeds alone are drawn as their mean, with a "
         "deviation to either side.\n\n"
         "The page goes to report.html in the first RUN, or to --out. A file that "
         "is there is replaced if it is such a page, else left alone. With --json "
         "prints report, runs, groups and notes.",
     .examples = "report runs/mine\n"
                 "report runs/bp runs/dfa --out bp-dfa.html\n",
     .bit = CLI_REPORT,
     .arguments = SIZE_MAX,
     .run = cli_report},
    {.name = "analyze",
     .usage = "fixed-point MODEL --data D [OPTIONS]",
     .summary = "why training stays at a point, or leaves it",
     .details =
         "fixed-point: with u the update of the rule over all training "
         "samples and L the loss, prints |u|, |grad L|, the cosine of -grad "
         "L and u, and how many directions are stable, unstable and neutral: "
         "eigenvalues of J = du/dtheta; beside it those of the Hessian, and "
         "of Q = sym(-Hessian J), all positive where u goes downhill "
         "whichever way the model is pushed (Chu & Bacho 2024). A verdict "
         "ends it. With one hidden layer and one output the number of "
         "unstable directions is known, and stands beside the one "
         "found.\n\nMODEL is a run folder, or a .safetensors file that holds "
         "feedback too, or any with --feedback-seed. The rule is one whose "
         "feedback stays: bp, fa, dfa, usf, frsf. Only dense layers and "
         "nonlinearities, and at most 2000 parameters: those take some "
         "minutes, half as many an eighth of that. Needs LAPACK.",
     .examples = "analyze fixed-point runs/mine --data DIR --polish\n"
                 "analyze fixed-point runs/bp --data DIR --rule fa --json\n",
     .bit = CLI_ANALYZE,
     .arguments = 2,
     .run = cli_analyze},
    {.name = "reproduce",
     .usage = "[NAME] [OPTIONS]",
     .summary = "a paper's experiments, and whether its claims hold",
     .details =
         "Without NAME lists the experiments and how long they take here. With it "
         "runs one in small parts, and prints each claim of the paper: what was "
         "published, what was measured, and whether it holds (at --tiny only that "
         "it "
         "works). Writes a folder: "
         "results.json (every figure with its values and spread, settings, "
         "verdicts), report.html (the verdicts and the paper's plots as one page) "
         "and parts (a result for each part).\n\n"
         "After Ctrl-C or a crash --resume goes on behind the last part that was "
         "done. Claims that need the experiment's data set where it is not there "
         "are not run, the rest is; one named by --data must be there and have "
         "images with classes. --json prints results.json, or of the list an "
         "array: name, "
         "paper, about, data, claims, seconds (by scale).",
     .examples = "reproduce\n"
                 "reproduce song\n"
                 "reproduce song --full --seeds 8 --out runs/song\n"
                 "reproduce --resume runs/song\n",
     .bit = CLI_REPRODUCE,
     .arguments = 1,
     .run = cli_reproduce},
    {.name = "bench",
     .usage = "gemm|conv|muon|step|teacher [OPTIONS]",
     .summary = "time a matrix product, a convolution, Newton-Schulz, a "
                "training step or online students",
     .details = "gemm needs --m, --n and --k, conv --size, --in and --out, muon "
                "--rows and --cols, step --net. "
                "Prints the median and the "
                "fastest tenth in milliseconds, and GFLOP/s, samples or steps a "
                "second. "
                "All packing is inside the time; a step's samples are random and "
                "lie on the device. teacher times one step of one student that "
                "learns online (bp or dfa), the drawing of its sample inside.",
     .examples = "bench gemm --m 128 --n 512 --k 784\n"
                 "bench conv --batch 48 --size 32 --in 64 --out 64 --pass data\n"
                 "bench step --net mlp-2x512 --rule dfa --optimizer sgd\n",
     .bit = CLI_BENCH,
     .arguments = 1,
     .run = cli_bench},
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
    enum { COMMANDS = sizeof cli_commands / sizeof *cli_commands };
    const char *known[COMMANDS + 2];
    for (size_t i = 0; i < COMMANDS; i++)
        known[i] = cli_commands[i].name;
    known[COMMANDS] = "--help";
    known[COMMANDS + 1] = "--version";
    return cli_end(fal_fail_unknown("command", name, known, COMMANDS + 2));
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
    cli_begin();
    if (count < 2)
        return cli_end(
            fal_fail(FAL_ERROR_ARGUMENT, "no command given; see falign --help"));
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
