/* The page: one HTML text that needs nothing else. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "report/group.h"

#include <stdio.h>

/* Its look and its script, texts from files of these names. */
extern const unsigned char report_page_css[], report_page_js[];

/* Errors: MEMORY. */
fal_status report_page_print(FILE *out, const report_input *input,
                             const report_groups *groups);

/* The beginning of any such page up to its title's text, behind it up to the body's,
 * and the end; a list of notes. */
void report_page_begin(FILE *out);
void report_page_open(FILE *out);
void report_page_end(FILE *out);
void report_notes_print(FILE *out, const report_notes *notes);

/* Its parts: accuracy and loss; the metrics of layers. */
fal_status report_learning_print(FILE *out, const report_groups *groups);
fal_status report_metrics_print(FILE *out, const report_groups *groups);

/* Final figures by group and, folded, by run. */
fal_status report_finals_print(FILE *out, const report_groups *groups);
void report_runs_print(FILE *out, const report_groups *groups);

/* Commands and options. */
fal_status report_configs_print(FILE *out, const report_input *input,
                                const report_groups *groups);

#endif
