/* Findings from within. */
#ifndef REPRODUCE_FINDINGS_H
#define REPRODUCE_FINDINGS_H

#include "report/curve.h"
#include "report/list.h"
#include "reproduce/experiment.h"

typedef struct fal_figure {
    char *name;
    double *values; /* [count]; NAN: none for that seed */
    size_t count;
    report_spread spread;
} fal_figure;

struct fal_findings {
    fal_figure *figures;
    size_t figure_count;
    fal_plot *plots; /* with copies of all that they point to */
    size_t plot_count;
    report_notes notes;
};

/* The deviation of the mean; NAN: fewer than two values. */
double fal_figure_error(const fal_figure *figure);

/* NULL: there is none of that name. */
const fal_figure *fal_findings_find(const fal_findings *findings, const char *name);

void fal_findings_release(fal_findings *findings);

/* How many figures have a value. */
size_t fal_findings_with_values(const fal_findings *findings);

#endif
