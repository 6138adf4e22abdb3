/* report.html of a study. */
#ifndef REPRODUCE_PAGE_H
#define REPRODUCE_PAGE_H

#include "reproduce/results.h"

/* *text is for free(). Errors: MEMORY. */
fal_status fal_page_make(const fal_outcome *outcome, char **text);

#endif
