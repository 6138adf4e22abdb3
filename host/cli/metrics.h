/* The metrics of a run on data of choice: evaluate --measure. */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

#include "cli/options.h"
#include "train/metric_list.h"

/* Measures `model`, which comes from the run folder that is the command's first
 * argument, by the run's rule, feedback and batch size. The names of layers in
 * `metrics` are the model's. Errors: ARGUMENT (no run folder), those of its files. */
fal_status cli_metrics_of_run(fal_metric_list *metrics, const cli_options *options,
                              fal_model *model, const fal_dataset *data,
                              const char *loss);

/* A trainer with the rule, feedback law and seeds of a run, which trains nothing, and the
 * feedback that the run in `folder` ended with, else the one it began with. */
fal_status cli_run_trainer(fal_trainer **trainer, fal_model *model,
                           const cli_options *run, const char *loss);
fal_status cli_run_feedback(fal_trainer *trainer, const char *folder, int quiet);

/* A line a metric, a column a layer; of a wide network in several blocks. */
void cli_metrics_print(const fal_metric_list *metrics);

#endif
