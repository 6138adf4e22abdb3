#include "cli/config.h"
#include "cli/values.h"
#include "cli/yaml.h"
#include "device/error.h"
#include "device/memory.h"
#include "train/folder.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- writing ------------------------------------------------------------- */

static int is_recorded(const cli_options *options, int id)
{
    return cli_table[id].recorded && cli_table[id].commands & options->command;
}

static void add_rates(fal_json *json, const cli_value *value)
{
    if (value->text && strpbrk(value->text, ",="))
        fal_json_string(json, value->text);
    else
        fal_json_number(json,
                        value->text ? cli_rate_read(value->text, "") : value->real);
}

/* JSON values are YAML values. */
static void add_value(fal_json *json, const cli_option *option,
                      const cli_value *value)
{
    int is_whole = option->kind == CLI_COUNT || option->kind == CLI_SEED ||
                   (option->kind == CLI_EVERY && value->whole > 0);
    if (option->kind == CLI_FLAG)
        fal_json_bool(json, value->set);
    else if (!value->set)
        fal_json_null(json);
    else if (is_whole)
        fal_json_unsigned(json, value->whole);
    else if (option->kind == CLI_REAL)
        fal_json_number(json, value->real);
    else if (option->kind == CLI_RATES)
        add_rates(json, value);
    else
        fal_json_string(json, value->text);
}

static fal_status print_line(FILE *file, const cli_option *option,
                             const cli_value *value)
{
    fal_json json = FAL_JSON;
    add_value(&json, option, value);
    fal_status status = json.status;
    if (!status)
        fprintf(file, "%s: %s\n", option->name, json.text);
    fal_json_release(&json);
    return status;
}

static fal_status no_memory(void)
{
    return fal_fail(FAL_ERROR_MEMORY, "writing config.yaml: no host memory");
}

fal_status cli_config_yaml(const cli_options *options, const char *head,
                           char **text)
{
    char *block = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&block, &size);
    if (!file)
        return no_memory();
    fal_status status = FAL_OK;
    fputs(head, file);
    for (int id = 0; id < CLI_OPTIONS && !status; id++)
        if (is_recorded(options, id))
            status = print_line(file, &cli_table[id], &options->values[id]);
    if (fclose(file) != 0 || !block)
        return no_memory();
    *text = block;
    return status;
}

void cli_config_json(const cli_options *options, fal_json *json)
{
    fal_json_begin_object(json);
    for (int id = 0; id < CLI_OPTIONS; id++)
        if (is_recorded(options, id)) {
            fal_json_key(json, cli_table[id].name);
            add_value(json, &cli_table[id], &options->values[id]);
        }
    fal_json_end_object(json);
}

/* ---- reading ------------------------------------------------------------- */

struct search {
    const char *key;
    char *text;
};

static fal_status find_key(const cli_yaml_entry *entry, void *user)
{
    struct search *search = user;
    if (search->text || !entry->text || strcmp(entry->key, search->key) != 0)
        return FAL_OK;
    search->text = fal_copy_text(entry->text);
    return search->text ? FAL_OK : FAL_ERROR_MEMORY;
}

fal_status cli_config_text(const char *folder, const char *key, char **text)
{
    struct search search = {.key = key};
    fal_status status = FAL_OK;
    char *path = fal_folder_path(folder, "config.yaml");
    *text = NULL;
    if (!path)
        return FAL_ERROR_MEMORY;
    if (access(path, F_OK) == 0)
        status = cli_yaml_read(path, find_key, &search);
    fal_release(path);
    if (status)
        fal_release(search.text);
    else
        *text = search.text;
    return status;
}
