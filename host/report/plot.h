/* One figure of curves as SVG: lines told apart by color, dashes and marks, each with its
 * name at its end, and a band of a deviation around means. The script of the page reads
 * the values from data- attributes. */
#ifndef REPORT_PLOT_H
#define REPORT_PLOT_H

#include "report/block.h"

/* Characters of a line's name that stand at its end, and of those that surely fit. */
enum { REPORT_LABEL_SHOWN = 11, REPORT_LABEL_FITS = 9 };

typedef struct report_line {
    const char *label;
    size_t style;              /* its color, dashes and marks */
    const report_group *group; /* NULL where the plot has no groups */
    report_curve curve;
    int points; /* 1: marks alone */
} report_line;

typedef struct report_plot {
    const char *title;    /* above it */
    const char *subtitle; /* below that; NULL: none */
    const char *about;    /* for those who do not see it */
    report_unit unit;
    const report_groups *groups; /* whose time axis it is; NULL: of `places` */
    report_scale places;         /* times of the samples, of any kind … */
    const char *places_name;     /* … and what they are */
    report_scale values;
    const report_line *lines;
    size_t line_count;
    int unnamed; /* 1: no names at the lines' ends, for a legend has them */
} report_plot;

void report_plot_print(FILE *out, const report_plot *plot);

/* A line's look beside its name, as in a legend. */
void report_key_print(FILE *out, size_t style);

#endif
