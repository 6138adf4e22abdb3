/* What `falign report` was given: folders of runs and of comparisons, as one list of
 * runs. */
#ifndef REPORT_INPUT_H
#define REPORT_INPUT_H

#include "report/run.h"

/* A comparison's folder; its runs stand in the list of runs. */
typedef struct report_comparison {
    char *folder;
    char *text; /* of compare.json, NULL: there is none */
} report_comparison;

typedef struct report_input {
    report_run *runs;
    size_t run_count;
    report_comparison *comparisons;
    size_t comparison_count;
    report_notes notes;
} report_input;

/* A comparison's run that is not there is left out with a note, and a folder that is
 * given twice counts once. Errors: ARGUMENT (no folder of a run), FORMAT, FILE, MEMORY,
 * each naming the folder. Release the input also after an error. */
fal_status report_input_read(report_input *input, char **folders, size_t count);
void report_input_release(report_input *input);

#endif
