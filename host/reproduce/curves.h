/* A plot made of lists of numbers that parts left: a line for each setting, its band
 * over the seeds. */
#ifndef REPRODUCE_CURVES_H
#define REPRODUCE_CURVES_H

#include "reproduce/experiment.h"

enum { FAL_CURVES = 24 };

/* Zero-initialise; `status` keeps the first failure, so that adding needs no care. */
typedef struct fal_curves {
    fal_series series[FAL_CURVES];
    char names[FAL_CURVES][64];
    double *values[FAL_CURVES];
    size_t count;
    fal_status status;
} fal_curves;

/* Adds the list `member` of all parts of a kind and setting against x [count], which
 * stays the caller's until the plot is made; a line that nobody ran is left out. */
void fal_curves_add(fal_curves *curves, const fal_study *study, int kind,
                    size_t setting, const char *member, const double *x,
                    size_t count, const char *name, ...)
    __attribute__((format(printf, 8, 9)));

/* Hands the plot over with these lines, and releases them. */
fal_status fal_curves_plot(fal_curves *curves, fal_findings *findings,
                           fal_plot plot);

#endif
