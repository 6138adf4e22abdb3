/* The tables as Markdown. */
#include "cli/facts.h"
#include "cli/values.h"
#include "data/known.h"
#include "learn/law.h"
#include "learn/rule.h"
#include "learn/schedule.h"
#include "manual/manual.h"
#include "net/layer.h"
#include "net/presets.h"
#include "net/text.h"
#include "train/run_files.h"

#include <string.h>

/* ---- cells --------------------------------------------------------------- */

static void print_escaped(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        fprintf(out, "%s%c", text[i] == '|' ? "\\" : "", text[i]);
}

static void code_cell(FILE *out, const char *text, const char *more)
{
    int empty = !*text && !*more;
    fprintf(out, "| %s", empty ? "" : "`");
    print_escaped(out, text, strlen(text));
    fprintf(out, "%s", *more && *text ? " " : "");
    print_escaped(out, more, strlen(more));
    fprintf(out, "%s ", empty ? "" : "`");
}

/* One word of a text; those like --net and $HOME are set as code. */
static void print_word(FILE *out, const char *word, size_t length)
{
    size_t start = *word == '(', end = length;
    while (end > start + 1 && strchr(",;:.)", word[end - 1]))
        end--;
    if (word[start] != '$' && strncmp(word + start, "--", 2) != 0) {
        print_escaped(out, word, length);
        return;
    }
    print_escaped(out, word, start);
    fprintf(out, "`");
    print_escaped(out, word + start, end - start);
    fprintf(out, "`");
    print_escaped(out, word + end, length - end);
}

static void text_cell(FILE *out, const char *text)
{
    fprintf(out, "| ");
    while (*text) {
        size_t length = strcspn(text, " ");
        print_word(out, text, length);
        fprintf(out, " ");
        text += length + (text[length] == ' ');
    }
}

/* `heads`: the columns' names with | between them. */
static void begin(FILE *out, const char *heads)
{
    fprintf(out, "| %s |\n|", heads);
    for (const char *at = heads; at; at = strchr(at + 1, '|'))
        fprintf(out, " --- |");
    fprintf(out, "\n");
}

static void pair(FILE *out, const char *name, const char *meaning)
{
    code_cell(out, name, "");
    text_cell(out, meaning);
    fprintf(out, "|\n");
}

/* ---- options ------------------------------------------------------------- */

static void commands_cell(FILE *out, unsigned commands)
{
    size_t count = 0;
    fprintf(out, "| ");
    for (size_t i = 0; i < cli_command_count && commands != CLI_ALL; i++)
        if (commands & cli_commands[i].bit)
            fprintf(out, "%s%s", count++ ? ", " : "", cli_commands[i].name);
    fprintf(out, "%s ", commands == CLI_ALL ? "all" : "");
}

/* "1 to 2147483647" of "a whole number from 1 to 2147483647". */
static void bounds_cell(FILE *out, const cli_option *option)
{
    static const char *const heads[] = {"a whole number from ", "a number from ",
                                        "a number of ", "a number "};
    char range[96];
    size_t skip = 0;
    cli_value_range(option, range, sizeof range);
    for (size_t i = 0; i < sizeof heads / sizeof *heads && skip == 0; i++)
        if (strncmp(range, heads[i], strlen(heads[i])) == 0)
            skip = strlen(heads[i]);
    text_cell(out, range + skip);
}

static void print_option(FILE *out, const cli_option *option)
{
    char name[64], meaning[400];
    snprintf(name, sizeof name, "--%s", option->name);
    cli_option_meaning(option, meaning, sizeof meaning);
    code_cell(out, name, option->argument ? option->argument : "");
    code_cell(out, option->standard ? option->standard : "", "");
    bounds_cell(out, option);
    commands_cell(out, option->commands);
    fprintf(out, "| %s", option->recorded ? "yes " : "");
    text_cell(out, meaning);
    fprintf(out, "|\n");
}

/* The group whose first row is `first`. */
static void print_group(FILE *out, int first)
{
    const char *group = cli_table[first].group;
    for (int id = 0; id < first; id++)
        if (cli_table[id].group == group)
            return;
    fprintf(out, "%s### %s\n\n", first ? "\n" : "", group);
    begin(out, "option | default | bounds | commands | of a run | meaning");
    for (int id = first; id < CLI_OPTIONS; id++)
        if (cli_table[id].group == group)
            print_option(out, &cli_table[id]);
}

static void options(FILE *out)
{
    for (int id = 0; id < CLI_OPTIONS; id++)
        print_group(out, id);
}

/* ---- the other tables ---------------------------------------------------- */

static void commands(FILE *out)
{
    begin(out, "command | does");
    for (size_t i = 0; i < cli_command_count; i++) {
        fprintf(out, "| `falign ");
        print_escaped(out, cli_commands[i].name, strlen(cli_commands[i].name));
        fprintf(out, " ");
        print_escaped(out, cli_commands[i].usage, strlen(cli_commands[i].usage));
        fprintf(out, "` ");
        text_cell(out, cli_commands[i].summary);
        fprintf(out, "|\n");
    }
}

static void facts(FILE *out, const char *head, const cli_fact *list)
{
    begin(out, head);
    for (; list->name; list++)
        pair(out, list->name, list->meaning);
}

static void exits(FILE *out)
{
    facts(out, "code | means", cli_exits);
}

static void variables(FILE *out)
{
    facts(out, "variable | meaning", cli_variables);
}

static void layers(FILE *out)
{
    begin(out, "item | meaning");
    for (size_t i = 0; i < fal_layer_kind_count; i++) {
        code_cell(out, fal_layer_kinds[i]->name, fal_layer_kinds[i]->arguments);
        text_cell(out, fal_layer_kinds[i]->meaning);
        fprintf(out, "|\n");
    }
    code_cell(out, fal_block_form, "");
    text_cell(out, fal_block_meaning);
    fprintf(out, "|\n");
}

static void presets(FILE *out)
{
    begin(out, "preset | stands for");
    for (size_t i = 0; i < fal_preset_count; i++)
        pair(out, fal_preset_at(i)->name, fal_preset_at(i)->meaning);
}

static void rules(FILE *out)
{
    begin(out, "rule | what carries the error down to a hidden layer");
    for (size_t i = 0; i < fal_rule_count(); i++)
        pair(out, fal_rules[i].name, fal_rules[i].meaning);
}

static void laws(FILE *out)
{
    begin(out, "law | for | values");
    for (size_t i = 0; i < fal_law_count; i++) {
        code_cell(out, fal_laws[i].name, "");
        text_cell(out, fal_laws[i].feedback_only ? "feedback" : "both");
        text_cell(out, fal_laws[i].meaning);
        fprintf(out, "|\n");
    }
}

static void schedules(FILE *out)
{
    begin(out, "schedule | rate");
    for (size_t i = 0; i < fal_schedule_count; i++)
        pair(out, fal_schedules[i].name, fal_schedules[i].meaning);
}

static void datasets(FILE *out)
{
    begin(out, "name | classes | where from");
    for (size_t i = 0; i < fal_known_count; i++) {
        code_cell(out, fal_known_sets[i].name, "");
        fprintf(out, "| %zu ", fal_known_sets[i].classes->count);
        text_cell(out, fal_known_sets[i].advice);
        fprintf(out, "|\n");
    }
}

static void files(FILE *out)
{
    begin(out, "file | holds");
    for (size_t i = 0; i < fal_run_file_count; i++)
        pair(out, fal_run_files[i].name, fal_run_files[i].meaning);
}

static const struct {
    const char *name;
    void (*print)(FILE *out);
} tables[] = {{"commands", commands},   {"options", options},     {"exits", exits},
              {"variables", variables}, {"layers", layers},       {"rules", rules},
              {"laws", laws},           {"schedules", schedules}, {"files", files},
              {"datasets", datasets},   {"presets", presets}};

int manual_table(const char *name, FILE *out)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (strcmp(tables[i].name, name) == 0) {
            tables[i].print(out);
            return 1;
        }
    return 0;
}
