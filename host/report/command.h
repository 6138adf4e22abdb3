/* The command lines that make a run or a comparison again. */
#ifndef REPORT_COMMAND_H
#define REPORT_COMMAND_H

#include "report/input.h"

/* "falign train …" with the options that are not what would be taken without them, in
 * lines that a shell takes as one. *text is for free(); NULL: the options are not
 * those of this falign. Errors: MEMORY. */
fal_status report_command_of_run(const report_run *run, char **text);

/* "falign compare …", likewise; NULL also where there is no compare.json. */
fal_status report_command_of_comparison(const report_input *input,
                                        const report_comparison *comparison,
                                        char **text);

#endif
