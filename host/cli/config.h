/* The options of a run as config.yaml and as JSON. */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "cli/options.h"
#include "files/json.h"

/* One "key: value" a line, with comment lines `head` (each begins with #) on top.
 * *text is the caller's, for free(). An option that is not set is null. */
fal_status cli_config_yaml(const cli_options *options, const char *head,
                           char **text);

/* The same as one JSON object. */
void cli_config_json(const cli_options *options, fal_json *json);

/* What FOLDER/config.yaml has under `key`: *text is for fal_release, NULL where the
 * file or the key is not there, or null. Errors: FILE, FORMAT, MEMORY. */
fal_status cli_config_text(const char *folder, const char *key, char **text);

#endif
