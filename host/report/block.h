/* The curves of one figure: for each of its rows, a layer or a number of the lines, and
 * each group one. */
#ifndef REPORT_BLOCK_H
#define REPORT_BLOCK_H

#include "report/catalog.h"
#include "report/curve.h"
#include "report/scale.h"

typedef struct report_row {
    const char *name, *layer; /* of the series */
    const char *title;        /* of its line among the other rows */
    const char *heading;      /* of a figure of its own */
} report_row;

typedef struct report_block {
    const report_groups *groups;
    const char *name; /* for links: the metric's, "accuracy" */
    const char *title, *meaning;
    report_unit unit;
    report_row *rows; /* that have a value; the total stands last */
    size_t row_count;
    report_curve *curves; /* [row][group], without samples where there are none */
} report_block;

/* Accuracy or loss. A block without a value has no rows. Errors: MEMORY. */
fal_status report_block_of_figure(report_block *block, const report_groups *groups,
                                  const report_figure *figure);

/* A metric, with the layers of all groups. */
fal_status report_block_of_metric(report_block *block, const report_groups *groups,
                                  const report_metric *metric);
void report_block_release(report_block *block);

const report_curve *report_block_curve(const report_block *block, size_t row,
                                       size_t group);

/* 1: the group has a value in the row. */
int report_block_has(const report_block *block, size_t row, size_t group);

/* What the values of some rows lie between. */
typedef struct report_range {
    double low, high;           /* means */
    double band_low, band_high; /* means and their deviations */
} report_range;

report_range report_block_range(const report_block *block, size_t first,
                                size_t count);

/* Their axis. */
report_scale report_range_scale(const report_range *range, report_unit unit);

#endif
