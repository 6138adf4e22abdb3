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

/* The loss that FOLDER/config.yaml names, empty where there is none. */
void cli_config_loss(const char *folder, char *loss, size_t size);

#endif
