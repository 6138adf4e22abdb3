/* --init: weights, and where it fits feedback, of an earlier run. */
#ifndef CLI_INIT_H
#define CLI_INIT_H

#include "cli/ground.h"

/* The model of --init FILE. With --net it must be of that network. */
fal_status cli_init_model(fal_model **model, const cli_ground *ground,
                          const cli_options *run);

/* Takes the feedback that lies beside or in FILE; none, or feedback of another
 * rule's shape, leaves the trainer's own. */
fal_status cli_init_feedback(fal_trainer *trainer, const cli_options *run);

/* A model that comes from a file was made by a law that is not known here: the run's
 * stands in its place. */
fal_status cli_init_law(fal_model *model, const cli_options *run);

/* Where --init gives a model that resizes its images and --resize is not given, sets it,
 * so that the data are resized and config.yaml says so. A file that cannot be read is
 * left to cli_init_model. */
void cli_init_resize(cli_options *options);

#endif
