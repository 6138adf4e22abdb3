/* Running a data set through a model without training. */
#ifndef FAL_EVALUATE_H
#define FAL_EVALUATE_H

#include "train/feed.h"

/* Made once, run as often as the weights change. */
typedef struct fal_evaluator {
    const fal_model *model;
    fal_workspace workspace;
    fal_feed feed;
    fal_plan plans[2]; /* of full batches and of the last */
    fal_loss loss;
    size_t batches, last; /* rows of the last batch */
} fal_evaluator;

fal_status fal_evaluator_open(fal_evaluator *evaluator, const fal_model *model,
                              const fal_arrays *data, fal_loss loss, int resident);
void fal_evaluator_close(fal_evaluator *evaluator);

fal_status fal_evaluator_run(fal_evaluator *evaluator, double *loss,
                             size_t *correct);

#endif
