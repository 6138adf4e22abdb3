/* A metric as a map of layers x time for one group: the darker a cell, the higher its
 * value, which stands in it. */
#ifndef REPORT_HEAT_H
#define REPORT_HEAT_H

#include "report/block.h"

/* Nothing, where the group has no value. `low` and `high`: the values of the lightest
 * and the darkest cell. */
void report_heat_print(FILE *out, const report_block *block, size_t group,
                       double low, double high);

/* What shades mean. */
void report_shades_print(FILE *out, report_unit unit, double low, double high);

#endif
