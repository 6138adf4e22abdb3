#include "report/command.h"
#include "cli/config.h"
#include "cli/settings.h"
#include "cli/values.h"
#include "device/error.h"
#include "device/memory.h"
#include "report/html.h"
#include "train/folder.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which options ------------------------------------------------------- */

/* What a command makes of its options, on the device that was taken. */
static void resolve(cli_options *resolved, const cli_options *options)
{
    const char *device = cli_text(options, CLI_DEVICE);
    const char *gemm = cli_text(options, CLI_GEMM);
    cli_ground ground = {.info.selector = device, .info.gemm = gemm};
    cli_options all;
    cli_runs_resolve(&all, options, &ground);
    if (options->command == CLI_TRAIN)
        cli_run_resolve(resolved, &all, cli_text(&all, CLI_RULE_NAME), 0);
    else
        *resolved = all;
}

static int same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* One rate for all rules is a number however it is written. */
static int same_rates(const cli_value *a, const cli_value *b)
{
    double one = a->text ? cli_rate_read(a->text, "") : a->real;
    double other = b->text ? cli_rate_read(b->text, "") : b->real;
    int by_rule = (a->text && strchr(a->text, '=')) ||
                  (b->text && strchr(b->text, '='));
    return by_rule ? same_text(a->text, b->text) : one == other;
}

static int same_decays(const cli_value *a, const cli_value *b)
{
    int by_layer = strchr(a->text, '=') || strchr(b->text, '=');
    return by_layer ? same_text(a->text, b->text) : a->real == b->real;
}

static int same_value(const cli_value *a, const cli_value *b, cli_kind kind)
{
    if (a->set != b->set)
        return 0;
    if (kind == CLI_FLAG || !a->set)
        return 1;
    if (kind == CLI_COUNT || kind == CLI_EVERY || kind == CLI_SEED ||
        kind == CLI_SIZE)
        return a->whole == b->whole;
    if (kind == CLI_RATES)
        return same_rates(a, b);
    if (kind == CLI_DECAYS)
        return same_decays(a, b);
    if (kind == CLI_REAL)
        return a->real == b->real;
    return same_text(a->text, b->text);
}

/* Whether the command comes to the same without it. The device is not what a run is,
 * and another machine has another. */
static int is_needless(const cli_options *options, cli_id id)
{
    cli_options without = *options, with_it, without_it;
    if (id == CLI_DEVICE || id == CLI_GEMM)
        return 1;
    cli_drop_from_file(&without, id);
    resolve(&with_it, options);
    resolve(&without_it, &without);
    return same_value(&with_it.values[id], &without_it.values[id],
                      cli_table[id].kind);
}

/* ---- printing ------------------------------------------------------------ */

enum { COLUMNS = 76 };

static void print_words(FILE *out, size_t *column, const char *name,
                        const char *word)
{
    size_t length = strlen(name) + strlen(word) + 4;
    int fits = *column + length <= COLUMNS;
    fprintf(out, "%s--%s%s%s", fits ? " " : " \\\n    ", name, *word ? " " : "",
            word);
    *column = fits ? *column + length : length + 4;
}

static fal_status print_option(FILE *out, size_t *column,
                               const cli_options *options, cli_id id)
{
    const char *text = cli_text(options, id);
    if (cli_table[id].kind == CLI_FLAG) {
        print_words(out, column, cli_table[id].name, "");
        return FAL_OK;
    }
    char *word = report_shell_word(text ? text : "");
    if (!word)
        return FAL_ERROR_MEMORY;
    print_words(out, column, cli_table[id].name, word);
    fal_release(word);
    return FAL_OK;
}

static fal_status print_command(const cli_options *options, const int *wanted,
                                const char *command, char **text)
{
    size_t size = 0, column = strlen("falign ") + strlen(command);
    FILE *out = open_memstream(text, &size);
    if (!out)
        return fal_fail(FAL_ERROR_MEMORY, "report: no host memory");
    fal_status status = FAL_OK;
    fprintf(out, "falign %s", command);
    for (int id = 0; id < CLI_OPTIONS && !status; id++)
        if (wanted[id])
            status = print_option(out, &column, options, (cli_id)id);
    fclose(out);
    if (status) {
        free(*text);
        *text = NULL;
    }
    return status;
}

static void choose(const cli_options *options, int *wanted)
{
    for (int id = 0; id < CLI_OPTIONS; id++)
        wanted[id] = cli_given(options, (cli_id)id) &&
                     cli_flag(options, (cli_id)id) && cli_table[id].recorded &&
                     !is_needless(options, (cli_id)id);
}

/* ---- of a run ------------------------------------------------------------ */

static fal_status command_of_config(const char *path, char **text)
{
    cli_options options;
    cli_config config = CLI_CONFIG;
    int wanted[CLI_OPTIONS];
    fal_status status = cli_options_read(&options, CLI_TRAIN, 0, NULL, 0);
    if (!status)
        status = cli_config_read(&config, &options, path);
    if (!status) {
        choose(&options, wanted);
        status = print_command(&options, wanted, "train", text);
    }
    cli_config_release(&config);
    return status == FAL_ERROR_MEMORY ? status : FAL_OK;
}

fal_status report_command_of_run(const report_run *run, char **text)
{
    char *path = fal_folder_path(run->folder, "config.yaml");
    *text = NULL;
    fal_status status = path ? command_of_config(path, text) : FAL_ERROR_MEMORY;
    fal_release(path);
    return status;
}

/* ---- of a comparison ----------------------------------------------------- */

static int find_option(const char *name)
{
    int id = 0;
    while (id < CLI_OPTIONS && (!(cli_table[id].commands & CLI_COMPARE) ||
                                strcmp(cli_table[id].name, name) != 0))
        id++;
    return id;
}

/* A number as it stands in the file: cJSON's has no room for all seeds. */
static char *number_text(const char *json, const char *key)
{
    char *mark = fal_allocate(strlen(key) + 4, 1), *text = NULL;
    if (!mark)
        return NULL;
    sprintf(mark, "\"%s\":", key);
    const char *at = strstr(json, mark);
    if (at)
        text = fal_copy_text(at + strlen(mark));
    if (text)
        text[strcspn(text, ",}")] = 0;
    fal_release(mark);
    return text;
}

static char *value_text(const cJSON *item, const char *json)
{
    if (cJSON_IsString(item))
        return fal_copy_text(item->valuestring);
    if (cJSON_IsBool(item))
        return fal_copy_text(cJSON_IsTrue(item) ? "true" : "false");
    return number_text(json, item->string);
}

static fal_status take_options(cli_options *options, cli_config *config,
                               const cJSON *object, const char *json)
{
    fal_status status = FAL_OK;
    for (const cJSON *item = object->child; item && !status; item = item->next) {
        int id = find_option(item->string);
        cli_value value = {.origin = CLI_FROM_FILE};
        if (id == CLI_OPTIONS || config->texts[id])
            return FAL_ERROR_ARGUMENT;
        if (cJSON_IsNull(item))
            continue;
        config->texts[id] = value_text(item, json);
        if (!config->texts[id])
            return FAL_ERROR_MEMORY;
        status = cli_value_read(&value, &cli_table[id], config->texts[id]);
        options->values[id] = value;
    }
    return status;
}

/* Whether a seed that is the default was given all the same, so that --seeds does not
 * add to it: a run of another weight seed has it too. */
static int is_held(const report_input *input, const char *folder,
                   const cli_options *options, cli_id seed)
{
    size_t length = strlen(folder);
    for (size_t i = 0; i < input->run_count; i++) {
        const report_run *run = &input->runs[i];
        const char *weights = report_run_setting(run, "seed");
        const char *own = report_run_setting(run, cli_table[seed].name);
        if (strncmp(run->folder, folder, length) == 0 &&
            run->folder[length] == '/' && weights && own &&
            strtoull(weights, NULL, 10) != cli_whole(options, CLI_SEED_WEIGHTS) &&
            strtoull(own, NULL, 10) == cli_whole(options, seed))
            return 1;
    }
    return 0;
}

static fal_status command_of_json(const report_input *input,
                                  const report_comparison *comparison,
                                  const cJSON *object, char **text)
{
    static const cli_id held[] = {CLI_SEED_FEEDBACK, CLI_SEED_DATA, CLI_SEED_NOISE};
    cli_options options;
    cli_config config = CLI_CONFIG;
    int wanted[CLI_OPTIONS];
    fal_status status = cli_options_read(&options, CLI_COMPARE, 0, NULL, 0);
    if (!status)
        status = take_options(&options, &config, object, comparison->text);
    if (!status) {
        choose(&options, wanted);
        for (size_t i = 0; i < sizeof held / sizeof *held; i++)
            wanted[held[i]] |= is_held(input, comparison->folder, &options,
                                       held[i]);
        status = print_command(&options, wanted, "compare", text);
    }
    cli_config_release(&config);
    return status == FAL_ERROR_MEMORY ? status : FAL_OK;
}

fal_status report_command_of_comparison(const report_input *input,
                                        const report_comparison *comparison,
                                        char **text)
{
    fal_status status = FAL_OK;
    *text = NULL;
    cJSON *root = comparison->text ? cJSON_Parse(comparison->text) : NULL;
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(root, "config");
    if (cJSON_IsObject(object))
        status = command_of_json(input, comparison, object, text);
    cJSON_Delete(root);
    return status;
}
