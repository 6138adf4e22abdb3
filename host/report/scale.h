/* Axes: from values to places, and where the ticks stand. */
#ifndef REPORT_SCALE_H
#define REPORT_SCALE_H

#include <stddef.h>

enum { REPORT_TICKS = 12 };

typedef struct report_scale {
    double low, high; /* values at the ends; low < high */
    double from, to;  /* places of the ends */
    int log;          /* 1: logarithmic; values are positive */
    double ticks[REPORT_TICKS];
    size_t tick_count;
} report_scale;

/* From low to high, widened to round numbers where `round`; about `wanted` ticks at
 * 1, 2 or 5 times a power of ten. Where low is not below high, they are moved apart. */
report_scale report_scale_make(double low, double high, size_t wanted, int round);

/* The same, logarithmic; low and high are positive. Not `round`: from low to high as
 * they are. */
report_scale report_scale_log(double low, double high, int round);

/* The place of a value; one past an end gets the place of the end. */
double report_scale_at(const report_scale *scale, double value);

#endif
