#include "reference/loss.h"

#include <math.h>

/* Of deltas */
static double divisor(const fal_reference_loss *w)
{
    return w->summed ? 1 : (double)w->rows;
}

static double cross_entropy(const fal_reference_loss *w, const float *a,
                            size_t label, double *delta)
{
    double top = -INFINITY, sum = 0;
    for (size_t i = 0; i < w->outputs; i++)
        top = isnan(a[i]) || a[i] > top ? a[i] : top;
    for (size_t i = 0; i < w->outputs; i++)
        sum += exp(a[i] - top);
    for (size_t i = 0; i < w->outputs; i++)
        delta[i] = (exp(a[i] - top) / sum - (i == label)) / divisor(w);
    return log(sum) + top - a[label];
}

static double squared_error(const fal_reference_loss *w, const float *a,
                            const float *targets, size_t label, double *delta)
{
    double sum = 0;
    for (size_t i = 0; i < w->outputs; i++) {
        double difference = a[i] - (targets ? (double)targets[i] : i == label);
        sum += difference * difference;
        delta[i] = difference / divisor(w);
    }
    return sum / 2;
}

static size_t first_largest(const float *a, size_t n)
{
    size_t best = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(a[i]))
            return SIZE_MAX;
        if (a[i] > a[best])
            best = i;
    }
    return best;
}

double fal_reference_loss_row(const fal_reference_loss *w, size_t r, double *delta,
                              int *right)
{
    const float *a = w->a + r * w->outputs;
    const float *targets = w->targets ? w->targets + r * w->outputs : NULL;
    size_t label = w->labels ? (size_t)w->labels[r] : 0;
    *right = w->labels && first_largest(a, w->outputs) == label;
    return w->loss == FAL_CROSS_ENTROPY
               ? cross_entropy(w, a, label, delta)
               : squared_error(w, a, targets, label, delta);
}

void fal_reference_signal_row(const fal_reference_loss *w, size_t r, double *signal)
{
    const float *targets = w->targets ? w->targets + r * w->outputs : NULL;
    for (size_t i = 0; i < w->outputs; i++) {
        double t = targets ? (double)targets[i] : i == (size_t)w->labels[r];
        signal[i] = -t / divisor(w);
    }
}
