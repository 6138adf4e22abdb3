/* From the text of an option to its value. */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include "cli/options.h"

/* Sets value->text and, by the option's kind, whole or real. `text` NULL: a flag
 * alone. The message names the text and what would do; cli_fail_option says where. */
fal_status cli_value_read(cli_value *value, const cli_option *option,
                          const char *text);

/* What would do: "a whole number from 1 to 2147483647"; "" where the kind has no
 * bounds. */
void cli_value_range(const cli_option *option, char *text, size_t size);

/* Calls `visit` with each part of `text` between separators; a status other than
 * FAL_OK ends it. */
typedef fal_status (*cli_part_visit)(const char *part, void *user);
fal_status cli_parts(const char *text, char separator, cli_part_visit visit,
                     void *user);

/* The rate for `rule` in RATE[,RULE=RATE…], 0: the text has none. */
double cli_rate_read(const char *text, const char *rule);

#endif
