/* results.json: what was found, as data. */
#ifndef REPRODUCE_RESULTS_H
#define REPRODUCE_RESULTS_H

#include "reproduce/verdict.h"

/* Everything that was found. */
typedef struct fal_outcome {
    const fal_study *study;
    fal_findings findings;
    fal_verdicts verdicts;
    const char *device, *platform; /* NULL: none was used */
    double seconds;                /* that the parts of this call took */
} fal_outcome;

/* In place of verdicts where the scale is tiny, whose figures say nothing of claims;
 * takes a size_t, how many figures have a value. */
#define FAL_TINY_WORDS "it works: %zu figures; whether claims hold needs --quick"

/* One object; whatever may differ between two runs of the same settings on the same
 * device stands in its last member, `run`. Errors: in json->status. */
void fal_results_json(const fal_outcome *outcome, fal_json *json);

#endif
