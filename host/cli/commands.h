/* The subcommands, one file each, and their help. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/options.h"

typedef struct cli_command {
    const char *name;
    const char *usage;    /* what follows the name */
    const char *summary;  /* one line */
    const char *details;  /* a paragraph for --help */
    const char *examples; /* lines of at most 64 columns, without "falign " */
    unsigned bit;
    size_t arguments; /* at most so many without dashes */

    /* Returns the exit code. */
    int (*run)(const cli_options *options);
} cli_command;

extern const cli_command cli_commands[];
extern const size_t cli_command_count;

int cli_devices(const cli_options *options);
int cli_train(const cli_options *options);
int cli_compare(const cli_options *options);
int cli_evaluate(const cli_options *options);
int cli_predict(const cli_options *options);
int cli_datasets(const cli_options *options);
int cli_report(const cli_options *options);
int cli_analyze(const cli_options *options);
int cli_reproduce(const cli_options *options);
int cli_bench(const cli_options *options);

/* What `devices` runs in a process of its own: opens the device and computes a
 * little; the outcome goes to file descriptor 3. */
int cli_probe(const char *selector);

/* The whole program. */
int cli_main(int count, char **words);

/* --help, of one command or of all. */
void cli_help(void);
void cli_help_command(const cli_command *command);

#endif
