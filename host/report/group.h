/* Runs that differ in nothing but their seeds are one group: a rule, mostly. Its curves
 * are means over its runs. */
#ifndef REPORT_GROUP_H
#define REPORT_GROUP_H

#include "report/input.h"

typedef struct report_group {
    const report_run **runs;
    size_t count;
    char *label;          /* short and its own: "fa", or "fa 1" and "fa 2" */
    char *detail;         /* what tells it from others of its rule, or "" */
    uint64_t epoch_steps; /* 0: not known */
} report_group;

typedef struct report_groups {
    report_group *list;
    size_t count;
    int in_epochs; /* 1: times are epochs; 0: steps, an epoch's are not known */
    double end;    /* of the time axis */
} report_groups;

/* Of the runs that have lines, in the input's order; what is odd about them becomes a
 * note of the input. Release the groups also after an error. Errors: MEMORY. */
fal_status report_groups_make(report_groups *groups, report_input *input);
void report_groups_release(report_groups *groups);

/* Place of a step on the time axis. */
double report_time(const report_groups *groups, const report_group *group,
                   uint64_t step);

/* 1: a key's values are not the same in all groups. */
int report_groups_differ(const report_groups *groups, const char *key);

#endif
