/* Mean and deviation over the runs of a group, step by step. */
#ifndef REPORT_CURVE_H
#define REPORT_CURVE_H

#include "report/group.h"

typedef struct report_sample {
    uint64_t step;
    double time;            /* on the time axis */
    double mean, deviation; /* NAN: no run has a value; fewer than two have */
} report_sample;

/* Where the band below the mean ends: a deviation down; on a logarithmic axis, where that
 * may be below 0, as far down as it goes up. */
double report_lower_edge(const report_sample *sample, int log);

typedef struct report_curve {
    report_sample *samples; /* steps ascend */
    size_t count;
} report_curve;

/* What is drawn: a number of the lines (`layer` NULL), of whichever type has more of
 * it, or a metric of a layer. No run has it: a curve of 0 samples. Errors: MEMORY. */
fal_status report_curve_make(report_curve *curve, const report_groups *groups,
                             const report_group *group, const char *name,
                             const char *layer);

/* A copy of at most `limit` samples, each the mean of `each` neighbours (1: as they
 * are). Errors: MEMORY. */
fal_status report_curve_thin(report_curve *thin, const report_curve *curve,
                             size_t limit, size_t *each);
void report_curve_release(report_curve *curve);

/* The sample of a step, NULL: there is none. */
const report_sample *report_curve_at(const report_curve *curve, uint64_t step);

/* Mean and sample deviation of the values that are not NAN. */
typedef struct report_spread {
    size_t count;
    double mean, deviation; /* NAN: none; fewer than two */
} report_spread;

report_spread report_spread_of(const double *values, size_t count);

#endif
