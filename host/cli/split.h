/* The part of a data set that a command looks at. */
#ifndef CLI_SPLIT_H
#define CLI_SPLIT_H

#include "cli/options.h"

/* Opens the part of --data that --split names, its first --samples; "validation" by
 * the config.yaml of the run that is the command's first argument. */
fal_status cli_split_open(fal_dataset **dataset, const cli_options *options);

#endif
