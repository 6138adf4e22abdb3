/* What is known about the figures: their names in the page, meaning and units. */
#ifndef REPORT_CATALOG_H
#define REPORT_CATALOG_H

#include <stddef.h>
#include <stdio.h>

typedef enum report_unit {
    REPORT_NUMBER,
    REPORT_SHARE,  /* 0 to 1, shown in percent, axis from what is there */
    REPORT_PART,   /* the same, axis from 0 */
    REPORT_COSINE, /* -1 to 1, axis to 1 */
    REPORT_RANK,   /* 1 and more, axis from 0 */
    REPORT_SIZE    /* positive, over decades: logarithmic where that helps */
} report_unit;

/* Where a metric of layers stands. */
typedef enum report_place {
    REPORT_ALIGNMENT,
    REPORT_RANKS,
    REPORT_MORE
} report_place;

typedef struct report_metric {
    const char *name; /* in metrics.jsonl */
    const char *title;
    const char *meaning; /* a sentence, or "" */
    report_unit unit;
    report_place place;
} report_metric;

extern const report_metric report_metrics[];
extern const size_t report_metric_count;

/* A number that stands in the lines themselves. */
typedef struct report_field {
    const char *name;  /* in metrics.jsonl */
    const char *title; /* of a column */
    const char *part;  /* beside the other lines of its figure */
} report_field;

enum { REPORT_PARTS = 3 };

typedef struct report_figure {
    const char *title;
    report_unit unit;
    report_field fields[REPORT_PARTS];
} report_figure;

/* Accuracy and loss. */
extern const report_figure report_figures[2];

/* A value as a person reads it: "87.31 %", "0.5312". `short_form`: for ticks and
 * cells, "87.3", ".53". NAN: "–". */
void report_value(FILE *out, report_unit unit, double value);
void report_cell(char text[32], report_unit unit, double value);

#endif
