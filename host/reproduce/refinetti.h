/* The chapters of "Align, then memorise" (Refinetti et al. 2021): each has a file of
 * its own, and parts of its kind. */
#ifndef REPRODUCE_REFINETTI_H
#define REPRODUCE_REFINETTI_H

#include "reproduce/experiment.h"

typedef enum fal_refinetti_kind {
    FAL_REFINETTI_ONLINE,
    FAL_REFINETTI_RECOVERY,
    FAL_REFINETTI_DEEP,
    FAL_REFINETTI_DATA,
    FAL_REFINETTI_MEMORIZE,
    FAL_REFINETTI_DEGENERACY,
    FAL_REFINETTI_KINDS
} fal_refinetti_kind;

/* As of fal_experiment. */
typedef struct fal_refinetti_chapter {
    fal_status (*list)(fal_study *study, fal_parts *parts);
    fal_status (*run)(fal_study *study, const fal_part *part, cJSON *result);
    fal_status (*conclude)(fal_study *study, fal_findings *findings);
} fal_refinetti_chapter;

extern const fal_refinetti_chapter fal_refinetti_online, fal_refinetti_recovery,
    fal_refinetti_deep, fal_refinetti_data, fal_refinetti_memorize,
    fal_refinetti_degeneracy;

/* Of networks that are trained: the setting network-seeds, or --seeds if that is more;
 * simulations, each of which is a mean of runs, need fewer. */
uint64_t fal_refinetti_seeds(fal_study *study);

#endif
