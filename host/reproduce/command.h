/* falign reproduce, of any list of experiments. */
#ifndef REPRODUCE_COMMAND_H
#define REPRODUCE_COMMAND_H

#include "cli/options.h"
#include "reproduce/experiment.h"

/* Lists the experiments, or runs the one that is the command's argument; NULL ends
 * `list`. Returns the exit code. */
int fal_reproduce(const cli_options *options, const fal_experiment *const *list);

#endif
