/* The options of a run as YAML, written and read, and as JSON. */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "cli/options.h"
#include "files/json.h"

/* One "key: value" a line, with comment lines `head` (each begins with #) on top.
 * *text is the caller's, for free(). An option that is not set is null. */
fal_status cli_config_yaml(const cli_options *options, const char *head,
                           char **text);

/* The same as one JSON object; and the value of one of them. */
void cli_config_json(const cli_options *options, fal_json *json);
void cli_config_value(const cli_options *options, cli_id id, fal_json *json);

/* The texts that options read from a file point to. */
typedef struct cli_config {
    char *texts[CLI_OPTIONS];
    char *path; /* of a folder's file */
} cli_config;

#define CLI_CONFIG                                                                 \
    {                                                                              \
        {NULL}, NULL                                                               \
    }

/* Sets the options that a YAML file names and the command line does not; all of the
 * file is checked. Release `config` after the options' last use, also after an
 * error. Errors: ARGUMENT (key or value), FILE, FORMAT, MEMORY. */
fal_status cli_config_read(cli_config *config, cli_options *options,
                           const char *path);
void cli_config_release(cli_config *config);

/* The same of the config.yaml in a folder. Errors: the same, ARGUMENT (there is none);
 * `use`: what is asked of it, as "the batch size". */
fal_status cli_config_folder(cli_config *config, cli_options *options,
                             const char *folder, const char *use);

/* The options of the run that a folder holds, as of `train`. */
fal_status cli_config_run(cli_config *config, cli_options *run, const char *folder,
                          const char *use);

/* What FOLDER/config.yaml has under `key`: *text is for fal_release, NULL where the
 * file or the key is not there, or null. Errors: FILE, FORMAT, MEMORY. */
fal_status cli_config_text(const char *folder, const char *key, char **text);

#endif
