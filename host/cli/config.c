#include "cli/config.h"
#include "cli/values.h"
#include "cli/yaml.h"
#include "device/error.h"
#include "device/memory.h"
#include "train/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static void add_decays(fal_json *json, const cli_value *value)
{
    if (strpbrk(value->text, ",="))
        fal_json_string(json, value->text);
    else
        fal_json_number(json, value->real);
}

static void add_size(fal_json *json, uint64_t size)
{
    char text[64];
    snprintf(text, sizeof text, "%llux%llu", (unsigned long long)(size >> 32),
             (unsigned long long)(uint32_t)size);
    fal_json_string(json, text);
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
    else if (option->kind == CLI_SIZE)
        add_size(json, value->whole);
    else if (option->kind == CLI_DECAYS)
        add_decays(json, value);
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
    if (fclose(file) != 0 || !block) {
        free(block);
        return no_memory();
    }
    *text = block;
    return status;
}

void cli_config_value(const cli_options *options, cli_id id, fal_json *json)
{
    add_value(json, &cli_table[id], &options->values[id]);
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

/* ---- reading all --------------------------------------------------------- */

struct reading {
    cli_config *config;
    cli_options *options;
    cli_yaml_place seen[CLI_OPTIONS]; /* line 0: not yet */
};

/* These say how one call behaves, not what the run is. */
static int is_of_call(int id)
{
    return id == CLI_RESUME || id == CLI_JSON || id == CLI_QUIET || id == CLI_HELP;
}

static int is_key(const cli_options *options, int id)
{
    return cli_table[id].commands & options->command && !is_of_call(id);
}

static fal_status fail_unknown_key(const cli_options *options, const char *key)
{
    const char *known[CLI_OPTIONS];
    size_t count = 0;
    for (int id = 0; id < CLI_OPTIONS; id++)
        if (is_of_call(id) && strcmp(key, cli_table[id].name) == 0)
            return fal_fail(FAL_ERROR_ARGUMENT,
                            "key '%s' is for the command line only; give --%s", key,
                            key);
        else if (is_key(options, id))
            known[count++] = cli_table[id].name;
    return fal_fail_unknown("key", key, known, count);
}

static fal_status find_key(struct reading *reading, const cli_yaml_entry *entry,
                           int *found)
{
    int id = 0;
    while (id < CLI_OPTIONS && (!is_key(reading->options, id) ||
                                strcmp(entry->key, cli_table[id].name) != 0))
        id++;
    *found = id;
    if (id == CLI_OPTIONS)
        return fail_unknown_key(reading->options, entry->key);
    size_t line = reading->seen[id].line;
    reading->seen[id] = entry->key_place;
    if (line == 0)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "key '%s' is there already, in line %zu; keep one of them",
                    entry->key, line);
}

/* A value that a flag overrules must be good all the same. */
static fal_status take_text(struct reading *reading, const cli_yaml_entry *entry,
                            int id)
{
    cli_value value = {.origin = CLI_FROM_FILE, .place = entry->text_place};
    char *text = fal_copy_text(entry->text);
    if (!text)
        return FAL_ERROR_MEMORY;
    reading->config->texts[id] = text;
    fal_status status = cli_value_read(&value, &cli_table[id], text);
    if (!status && !cli_in_words(reading->options, (cli_id)id))
        reading->options->values[id] = value;
    return status;
}

static fal_status take_entry(const cli_yaml_entry *entry, void *user)
{
    struct reading *reading = user;
    const char *path = reading->options->file;
    int id;
    fal_status status = find_key(reading, entry, &id);
    if (status)
        return cli_yaml_fail_at(status, path, entry->key_place);
    if (entry->text)
        status = take_text(reading, entry, id);
    if (!status)
        return FAL_OK;
    return cli_yaml_fail_at(fal_fail_within(status, "%s", entry->key), path,
                            entry->text_place);
}

/* A file beside `path` with a name near to its own; `name` stays "" where none is.
 */
static void find_near(const char *path, size_t head, char name[256])
{
    char *folder = fal_copy_text(head > 0 ? path : ".");
    if (folder && head > 0)
        folder[head] = 0;
    DIR *entries = folder ? opendir(folder) : NULL;
    struct dirent *entry = NULL;
    while (entries && !*name && (entry = readdir(entries)) != NULL) {
        const char *known = entry->d_name, *end = strrchr(known, '.');
        if (end && strcmp(end, ".yaml") == 0 && fal_nearest(path + head, &known, 1))
            snprintf(name, 256, "%s", known);
    }
    if (entries)
        closedir(entries);
    fal_release(folder);
}

/* A run folder in place of its config.yaml, a name that is nearly right, a data set
 * without --data, or the rest of a text that was not quoted. */
static fal_status say_what_was_meant(const char *path, fal_status status)
{
    char name[256] = "", *inside = fal_folder_path(path, "config.yaml");
    const char *slash = strrchr(path, '/');
    size_t head = slash ? (size_t)(slash - path) + 1 : 0;
    struct stat facts = {0};
    int is_file = stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
    if (access(path, F_OK) != 0)
        find_near(path, head, name);
    if (inside && access(inside, F_OK) == 0)
        fal_fail(status, "%s; did you mean '%s'?", fal_error_message(), inside);
    else if (*name)
        fal_fail(status, "%s; did you mean '%.*s%s'?", fal_error_message(),
                 (int)head, path, name);
    else if (!is_file)
        fal_fail(status,
                 "%s: a YAML file of options; data go behind --data, and texts "
                 "with blanks into quotes",
                 fal_error_message());
    fal_release(inside);
    return status;
}

fal_status cli_config_read(cli_config *config, cli_options *options,
                           const char *path)
{
    struct reading reading = {.config = config, .options = options};
    options->file = path;
    fal_status status = cli_yaml_read(path, take_entry, &reading);
    return status == FAL_ERROR_FILE ? say_what_was_meant(path, status) : status;
}

void cli_config_release(cli_config *config)
{
    for (int id = 0; id < CLI_OPTIONS; id++)
        fal_release(config->texts[id]);
    fal_release(config->path);
    *config = (cli_config)CLI_CONFIG;
}

static fal_status fail_no_config(const char *folder, const char *use, int code)
{
    if (code == EACCES || access(folder, F_OK) != 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "'%s': %s; give the folder of a run",
                        folder, strerror(code));
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "'%s' has no config.yaml, which says %s; give the folder of a "
                    "run",
                    folder, use);
}

fal_status cli_config_folder(cli_config *config, cli_options *options,
                             const char *folder, const char *use)
{
    config->path = fal_folder_path(folder, "config.yaml");
    if (!config->path)
        return FAL_ERROR_MEMORY;
    if (access(config->path, F_OK) != 0)
        return fail_no_config(folder, use, errno);
    return cli_config_read(config, options, config->path);
}

fal_status cli_config_run(cli_config *config, cli_options *run, const char *folder,
                          const char *use)
{
    fal_status status = cli_options_read(run, CLI_TRAIN, 0, NULL, 0);
    return status ? status : cli_config_folder(config, run, folder, use);
}

/* ---- reading one key ----------------------------------------------------- */

struct search {
    const char *key;
    char *text;
};

static fal_status match_key(const cli_yaml_entry *entry, void *user)
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
        status = cli_yaml_read(path, match_key, &search);
    fal_release(path);
    if (status)
        fal_release(search.text);
    else
        *text = search.text;
    return status;
}
