/* --help, from the table: at most 80 columns. */
#include "cli/facts.h"
#include "cli/output.h"

#include <stdio.h>
#include <string.h>

enum { COLUMN = 27 };

/* Of a run rather than by default; which rules will do stands in what is said of the
 * command. */
static int is_runs(const cli_command *command, const cli_option *option)
{
    return command->bit == CLI_ANALYZE && (option == &cli_table[CLI_RULE_NAME] ||
                                           option == &cli_table[CLI_SEED_FEEDBACK]);
}

static void print_option(const cli_command *command, const cli_option *option)
{
    const char *standard = is_runs(command, option) ? NULL : option->standard;
    char flag[80], meaning[512], text[400];
    snprintf(flag, sizeof flag, "  --%s%s%s", option->name,
             option->argument ? " " : "", option->argument ? option->argument : "");
    if (is_runs(command, option))
        snprintf(text, sizeof text, "%s", option->meaning);
    else
        cli_option_meaning(option, text, sizeof text);
    snprintf(meaning, sizeof meaning, "%s%s%s%s", text, standard ? " (" : "",
             standard ? standard : "", standard ? ")" : "");
    cli_print("%s", flag);
    if (strlen(flag) + 2 > COLUMN)
        cli_print("\n%*s", COLUMN, "");
    else
        cli_print("%*s", (int)(COLUMN - strlen(flag)), "");
    cli_print_words(meaning, COLUMN);
}

/* Options of the group that row `first` is in, where it is the group's first. */
static void print_group(const cli_command *command, int first)
{
    const char *group = cli_table[first].group;
    for (int id = 0; id < first; id++)
        if (cli_table[id].group == group && cli_table[id].commands & command->bit)
            return;
    cli_print("\n%s\n", group);
    for (int id = first; id < CLI_OPTIONS; id++)
        if (cli_table[id].group == group && cli_table[id].commands & command->bit)
            print_option(command, &cli_table[id]);
}

static void print_examples(const char *examples, size_t lines)
{
    for (; *examples && lines > 0; lines--) {
        size_t length = strcspn(examples, "\n");
        cli_print("  falign %.*s\n", (int)length, examples);
        examples += length + (examples[length] != 0);
    }
}

static void print_exits(void)
{
    cli_print("Exit codes:");
    for (const cli_fact *exit = cli_exits; exit->name; exit++)
        cli_print("%s %s %s", exit == cli_exits ? "" : ",", exit->name,
                  exit->meaning);
    cli_print(".\n");
}

void cli_help_command(const cli_command *command)
{
    cli_print("falign %s%s%s\n\n", command->name, *command->usage ? " " : "",
              command->usage);
    cli_print_words(command->summary, 0);
    cli_print("\n");
    cli_print_words(command->details, 0);
    cli_print("\nFor example\n");
    print_examples(command->examples, SIZE_MAX);
    for (int id = 0; id < CLI_OPTIONS; id++)
        if (cli_table[id].commands & command->bit)
            print_group(command, id);
    cli_print("\n");
    cli_print_words(cli_conventions, 0);
    print_exits();
}

void cli_help(void)
{
    cli_print("falign %s: neural networks trained by backpropagation and feedback "
              "alignment,\non any OpenCL device\n\nfalign COMMAND OPTIONS\n\n",
              fal_version());
    for (size_t i = 0; i < cli_command_count; i++) {
        cli_print("  %-10s", cli_commands[i].name);
        cli_print_words(cli_commands[i].summary, 12);
    }
    cli_print("\nfalign COMMAND --help says more; falign --version prints the "
              "version.\n\nFor example\n\n");
    for (size_t i = 0; i < cli_command_count; i++)
        print_examples(cli_commands[i].examples, 1);
}
