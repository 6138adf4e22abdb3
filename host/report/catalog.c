#include "report/catalog.h"

#include <math.h>

#define MEAN_COSINE                                                                \
    "Mean cosine between the error that the rule brings to a layer and the true "  \
    "gradient, over the samples of the batch: 1 is backpropagation, 0 chance. "    \
    "Total: all hidden layers of a sample together."
#define CARRIED "Of the error a layer is sent, before its nonlinearity."
#define UPDATE "Of a layer's weight gradient."
#define ACTIVATION "Of a layer's output."
#define POSITION "Of convolutions, each position of a map by itself."

const report_metric report_metrics[] = {
    {"gradient_alignment", "Gradient alignment", MEAN_COSINE, REPORT_COSINE,
     REPORT_ALIGNMENT},
    {"weight_alignment", "Weight alignment",
     "Cosine between a layer's weights and what carries the error back in their "
     "place. The first layer has none.",
     REPORT_COSINE, REPORT_ALIGNMENT},
    {"effective_rank", "Effective rank of the error",
     "How many directions the errors of a batch spread over: the exponential of "
     "the entropy of the singular values. Total: mean over the hidden layers.",
     REPORT_RANK, REPORT_RANKS},
    {"effective_rank.carried", "Effective rank of the carried error", CARRIED,
     REPORT_RANK, REPORT_RANKS},
    {"effective_rank.update", "Effective rank of the update", UPDATE, REPORT_RANK,
     REPORT_MORE},
    {"effective_rank.activation", "Effective rank of the activations", ACTIVATION,
     REPORT_RANK, REPORT_MORE},
    {"effective_rank.position", "Effective rank of the error by position", POSITION,
     REPORT_RANK, REPORT_MORE},
    {"update_alignment", "Update alignment",
     "Cosine between the rule's weight gradient and the true one.", REPORT_COSINE,
     REPORT_MORE},
    {"participation_ratio", "Participation ratio of the error",
     "The rank as (sum of s\xC2\xB2)\xC2\xB2 over the sum of "
     "s\xE2\x81\xB4, s the singular values.",
     REPORT_RANK, REPORT_MORE},
    {"participation_ratio.carried", "Participation ratio of the carried error",
     CARRIED, REPORT_RANK, REPORT_MORE},
    {"participation_ratio.update", "Participation ratio of the update", UPDATE,
     REPORT_RANK, REPORT_MORE},
    {"participation_ratio.activation", "Participation ratio of the activations",
     ACTIVATION, REPORT_RANK, REPORT_MORE},
    {"participation_ratio.position", "Participation ratio of the error by position",
     POSITION, REPORT_RANK, REPORT_MORE},
    {"stable_rank", "Stable rank of the error",
     "The rank as the sum of s\xC2\xB2 over the largest s\xC2\xB2.", REPORT_RANK,
     REPORT_MORE},
    {"stable_rank.carried", "Stable rank of the carried error", CARRIED,
     REPORT_RANK, REPORT_MORE},
    {"stable_rank.update", "Stable rank of the update", UPDATE, REPORT_RANK,
     REPORT_MORE},
    {"stable_rank.activation", "Stable rank of the activations", ACTIVATION,
     REPORT_RANK, REPORT_MORE},
    {"stable_rank.position", "Stable rank of the error by position", POSITION,
     REPORT_RANK, REPORT_MORE},
    {"reference_norm", "Norm of the true gradient",
     "A cosine with a gradient that has vanished means nothing.", REPORT_SIZE,
     REPORT_MORE},
    {"dead_units", "Dead units",
     "Share of the units whose output is 0 on the whole batch.", REPORT_PART,
     REPORT_MORE},
    {"left_out", "Samples left out",
     "Samples of the batch without a cosine, as one of the two errors is zero.",
     REPORT_NUMBER, REPORT_MORE},
};
const size_t report_metric_count = sizeof report_metrics / sizeof *report_metrics;

const report_figure report_figures[2] = {
    {"Accuracy",
     REPORT_SHARE,
     {{"test_accuracy", "test accuracy", "test"},
      {"validation_accuracy", "validation accuracy", "validation"},
      {"train_accuracy", "training accuracy", "training"}}},
    {"Loss",
     REPORT_SIZE,
     {{"test_loss", "test loss", "test"},
      {"validation_loss", "validation loss", "validation"},
      {"train_loss", "training loss", "training"}}},
};

/* ---- values -------------------------------------------------------------- */

void report_value(FILE *out, report_unit unit, double value)
{
    if (isnan(value))
        fputs("\xE2\x80\x93", out);
    else if (unit == REPORT_SHARE || unit == REPORT_PART)
        fprintf(out, "%.2f\xC2\xA0%%", 100 * value);
    else
        fprintf(out, fabs(value) >= 100 ? "%.1f" : "%.4f", value);
}

/* As many digits as a cell of a heat map has room for. */
void report_cell(char text[32], report_unit unit, double value)
{
    double shown = unit == REPORT_SHARE || unit == REPORT_PART ? 100 * value
                                                               : value;
    double size = fabs(shown);
    if (size < 5e-3 && unit != REPORT_SIZE)
        shown = 0; /* not -0.00 */
    if (isnan(value))
        snprintf(text, 32, "\xE2\x80\x93");
    else if (size >= 1e5 || (size > 0 && size < 5e-3 && unit == REPORT_SIZE))
        snprintf(text, 32, "%.0e", shown);
    else
        snprintf(text, 32, "%.*f",
                 size >= 99.95   ? 0
                 : size >= 9.995 ? 1
                                 : 2,
                 shown);
}
