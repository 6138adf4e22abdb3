/* Taking up a run or a comparison: --resume DIR. */
#ifndef CLI_RESUME_H
#define CLI_RESUME_H

#include "cli/config.h"

/* Puts the options of the folder's config.yaml in the place of `options`, those of the
 * command line, which must not differ; where the data are and what is no part of a run
 * is theirs. Release `config` as after cli_config_read. Errors: ARGUMENT (names the
 * option), FILE, FORMAT, MEMORY. */
fal_status cli_resume_read(cli_config *config, cli_options *options);

#endif
