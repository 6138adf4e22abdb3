/* What the runs of a comparison came to: their table and compare.json. */
#ifndef CLI_OUTCOME_H
#define CLI_OUTCOME_H

#include "cli/options.h"
#include "train/metric_list.h"
#include "train/metrics.h"

/* One run; the figures are those of its last epoch, NAN if it failed or did not come
 * to its end. */
typedef struct cli_outcome {
    const char *rule;
    int begun;  /* the folder holds it */
    int failed; /* it diverged */
    uint64_t seed;
    double test_accuracy, test_loss, validation_accuracy, validation_loss;
    double train_loss, samples_per_second, seconds;
    double totals[FAL_METRICS]; /* of the last measurement */
    char folder[64];            /* within the comparison's */
} cli_outcome;

/* Of `rule`, with no figures yet. */
void cli_outcome_begin(cli_outcome *outcome, const char *rule);

/* Takes the totals of a measurement. */
void cli_outcome_measured(cli_outcome *outcome, const fal_metric_list *metrics);

typedef struct cli_spread {
    size_t count;
    double mean, deviation; /* sample deviation, NAN for one run */
} cli_spread;

/* Of the finite values of a figure, a double at `offset` in each of the runs. */
cli_spread cli_spread_of(const cli_outcome *runs, size_t count, size_t offset);

/* All runs, ordered by rule, `seeds` runs each; an interrupted comparison has not
 * begun them all. */
typedef struct cli_outcomes {
    const cli_outcome *runs;
    size_t rules, seeds;
    int real_targets; /* losses stand where accuracies would */
    int validates;
} cli_outcomes;

void cli_outcomes_print(const cli_outcomes *all);
void cli_outcomes_json(const cli_outcomes *all, const cli_options *options,
                       fal_json *json);

#endif
