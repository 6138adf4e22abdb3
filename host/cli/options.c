/* Reading a command line by the table. */
#include "cli/options.h"
#include "cli/values.h"
#include "device/error.h"

#include <stdio.h>
#include <string.h>

/* ---- reading ------------------------------------------------------------- */

static fal_status set_default(cli_options *options, cli_id id)
{
    const cli_option *option = &cli_table[id];
    cli_value *value = &options->values[id];
    *value = (cli_value){.origin = CLI_FROM_TABLE};
    if (!option->standard || !(option->commands & options->command))
        return FAL_OK;
    return cli_value_read(value, option, option->standard);
}

static fal_status set_defaults(cli_options *options)
{
    fal_status status = FAL_OK;
    for (int id = 0; id < CLI_OPTIONS && !status; id++)
        status = set_default(options, (cli_id)id);
    return status;
}

static fal_status fail_unknown_flag(unsigned command, const char *flag)
{
    static char flags[CLI_OPTIONS][32];
    const char *known[CLI_OPTIONS];
    size_t count = 0;
    for (int id = 0; id < CLI_OPTIONS; id++)
        if (cli_table[id].commands & command) {
            snprintf(flags[count], sizeof flags[count], "--%s", cli_table[id].name);
            known[count] = flags[count];
            count++;
        }
    return fal_fail_unknown("option", flag, known, count);
}

/* The row that `word` (--NAME or --NAME=VALUE) means, CLI_OPTIONS: none. */
static int find_flag(unsigned command, const char *word)
{
    size_t length = strcspn(word, "=");
    int id = 0;
    for (; id < CLI_OPTIONS; id++)
        if (cli_table[id].commands & command &&
            strlen(cli_table[id].name) == length - 2 &&
            strncmp(cli_table[id].name, word + 2, length - 2) == 0)
            break;
    return id;
}

/* Where the words are read. */
struct reader {
    cli_options *options;
    int count, next;
    char **words;
};

/* The value of a flag: behind its = or the next word. */
static fal_status take_value(struct reader *reader, const cli_option *option,
                             const char *equals, const char **text)
{
    const char *following = reader->next < reader->count
                                ? reader->words[reader->next]
                                : NULL;
    *text = equals ? equals + 1 : NULL;
    if (equals)
        return FAL_OK;
    int optional = option->kind == CLI_OPTIONAL_TEXT;
    if (following && (optional ? *following != '-' : strncmp(following, "--", 2))) {
        *text = following;
        reader->next++;
    }
    if (*text || optional)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT, "needs a value; give --%s %s", option->name,
                    option->argument);
}

static fal_status read_flag(struct reader *reader, const char *word)
{
    char name[64];
    const char *equals = strchr(word, '=');
    int id = find_flag(reader->options->command, word);
    if (id == CLI_OPTIONS) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
        return fail_unknown_flag(reader->options->command, name);
    }
    const cli_option *option = &cli_table[id];
    cli_value *value = &reader->options->values[id];
    const char *text = equals ? equals + 1 : NULL;
    value->origin = CLI_FROM_WORDS;
    fal_status status = FAL_OK;
    if (option->kind != CLI_FLAG)
        status = take_value(reader, option, equals, &text);
    if (!status)
        status = cli_value_read(value, option, text);
    return status ? cli_fail_option(status, reader->options, (cli_id)id) : FAL_OK;
}

static fal_status read_argument(struct reader *reader, char *word, size_t limit)
{
    cli_options *options = reader->options;
    if (options->argument_count == limit)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "argument '%.200s': not expected; see --help, and quote "
                        "texts with blanks",
                        word);
    options->arguments[options->argument_count++] = word;
    return FAL_OK;
}

fal_status cli_options_read(cli_options *options, unsigned command, int count,
                            char **words, size_t limit)
{
    struct reader reader = {options, count, 0, words};
    *options = (cli_options){.command = command, .arguments = words};
    fal_status status = set_defaults(options);
    while (!status && reader.next < count && !cli_flag(options, CLI_HELP)) {
        char *word = words[reader.next++];
        if (strcmp(word, "-h") == 0)
            status = read_flag(&reader, "--help");
        else if (strncmp(word, "--", 2) == 0)
            status = read_flag(&reader, word);
        else if (*word == '-' && word[1])
            status = fail_unknown_flag(command, word);
        else
            status = read_argument(&reader, word, limit);
    }
    return status;
}

/* ---- asking and setting -------------------------------------------------- */

const char *cli_text(const cli_options *options, cli_id id)
{
    return options->values[id].set ? options->values[id].text : NULL;
}

uint64_t cli_whole(const cli_options *options, cli_id id)
{
    return options->values[id].set ? options->values[id].whole : 0;
}

double cli_real(const cli_options *options, cli_id id)
{
    return options->values[id].set ? options->values[id].real : 0;
}

int cli_flag(const cli_options *options, cli_id id)
{
    return options->values[id].set;
}

int cli_given(const cli_options *options, cli_id id)
{
    return options->values[id].origin != CLI_FROM_TABLE;
}

int cli_in_words(const cli_options *options, cli_id id)
{
    return options->values[id].origin == CLI_FROM_WORDS;
}

void cli_set_text(cli_options *options, cli_id id, const char *text)
{
    options->values[id].text = text;
    options->values[id].set = 1;
}

void cli_set_whole(cli_options *options, cli_id id, uint64_t whole)
{
    options->values[id].whole = whole;
    cli_set_text(options, id, NULL);
}

void cli_set_real(cli_options *options, cli_id id, double real)
{
    options->values[id].real = real;
    cli_set_text(options, id, NULL);
}

void cli_unset(cli_options *options, cli_id id)
{
    options->values[id].set = 0;
}

void cli_drop_from_file(cli_options *options, cli_id id)
{
    if (options->values[id].origin == CLI_FROM_FILE)
        set_default(options, id);
}

fal_status cli_fail_option(fal_status status, const cli_options *options, cli_id id)
{
    const char *name = cli_table[id].name;
    if (options->values[id].origin != CLI_FROM_FILE)
        return fal_fail_within(status, "option --%s", name);
    return cli_yaml_fail_at(fal_fail_within(status, "%s", name), options->file,
                            options->values[id].place);
}

fal_status cli_fail_in_file(fal_status status, const cli_options *options,
                            cli_id id)
{
    int is_in_file = options->values[id].origin == CLI_FROM_FILE;
    return status && is_in_file ? cli_fail_option(status, options, id) : status;
}

fal_status cli_require(const cli_options *options, cli_id id)
{
    const cli_option *option = &cli_table[id];
    if (options->values[id].set)
        return FAL_OK;
    fal_status status = fal_fail(FAL_ERROR_ARGUMENT,
                                 "option --%s: missing; give --%s %s", option->name,
                                 option->name, option->argument);
    if (options->file)
        fal_fail(status, "%s, or %s in '%s'", fal_error_message(), option->name,
                 options->file);
    return status;
}

double cli_rate_of(const cli_options *options, const char *rule)
{
    const char *text = cli_text(options, CLI_RATE);
    return text ? cli_rate_read(text, rule) : cli_real(options, CLI_RATE);
}
