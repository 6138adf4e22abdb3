/* What falign analyze found, for the functions that print it. */
#ifndef CLI_ANALYZE_H
#define CLI_ANALYZE_H

#include "analysis/fixed_point.h"
#include "cli/options.h"

typedef struct cli_fixed_point {
    fal_fixed_point point;
    const char *network, *rule, *loss;
    size_t samples, parameters;
    int polished;
    size_t steps; /* of polishing … */
    double moved; /* … and how far they led, as a share of |theta| */
} cli_fixed_point;

/* As text, or as one JSON object. */
void cli_fixed_point_print(const cli_fixed_point *found);
fal_status cli_fixed_point_json(const cli_fixed_point *found);

#endif
