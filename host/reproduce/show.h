/* What falign reproduce prints. */
#ifndef REPRODUCE_SHOW_H
#define REPRODUCE_SHOW_H

#include "reproduce/job.h"
#include "reproduce/results.h"

/* The first lines, before the first part. */
void fal_show_head(const fal_job *job);

/* The verdicts, and where everything is. */
void fal_show_outcome(const fal_outcome *outcome, const char *folder);

/* The experiments there are, and how long they take here; with --json as one array.
 * Errors: FORMAT, MEMORY, those of experiments. */
fal_status fal_show_list(const cli_options *options,
                         const fal_experiment *const *list);

#endif
