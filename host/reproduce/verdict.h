/* Whether claims hold. */
#ifndef REPRODUCE_VERDICT_H
#define REPRODUCE_VERDICT_H

#include "reproduce/findings.h"
#include "reproduce/study.h"

typedef enum fal_holds { FAL_NOT_RUN, FAL_HOLDS, FAL_HOLDS_NOT } fal_holds;

typedef struct fal_verdict {
    const fal_claim *claim;
    fal_holds holds;
    char *measured; /* "0.66 ± 0.03 (n = 8)"; not run: why, and how to get it */
    char *bound;    /* "above 0.7" */
} fal_verdict;

typedef struct fal_verdicts {
    fal_verdict *list;
    size_t count;
} fal_verdicts;

/* "yes", "no", "not run". */
const char *fal_holds_name(fal_holds holds);

/* Of all claims. Release them also after an error. Errors: MEMORY. */
fal_status fal_verdicts_make(fal_verdicts *verdicts, const fal_study *study,
                             const fal_findings *findings);
void fal_verdicts_release(fal_verdicts *verdicts);

size_t fal_verdicts_count(const fal_verdicts *verdicts, fal_holds holds);

#endif
