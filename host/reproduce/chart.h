/* A plot of findings as SVG. */
#ifndef REPRODUCE_CHART_H
#define REPRODUCE_CHART_H

#include "reproduce/experiment.h"

#include <stdio.h>

/* With what its lines are, and its caption. Errors: MEMORY. */
fal_status fal_chart_print(FILE *out, const fal_plot *plot);

#endif
