/* What a trainer does to its model, as a field: weights, feedback, loss and the samples
 * of a data set, in double. */
#ifndef FAL_FIELD_TRAINER_H
#define FAL_FIELD_TRAINER_H

#include "analysis/field.h"

typedef struct fal_trained_field {
    fal_field field;
    double *theta; /* the model's parameters */
    double *inputs, *targets;
} fal_trained_field;

/* Weights and feedback as they are now. Only rules whose updates are a function of the
 * weights alone have a field; weight decay, momentum and the like are no part of it.
 * `limit`: at most so many parameters. Errors: ARGUMENT (a network that is not dense, a
 * rule without a field, too many parameters, data that do not fit), MEMORY, DEVICE. */
fal_status fal_trained_field_make(fal_trained_field *trained, fal_trainer *trainer,
                                  const fal_dataset *data, size_t limit);
void fal_trained_field_release(fal_trained_field *trained);

/* The model's parameters now, in theta's order; and new ones, rounded to float32. */
fal_status fal_trained_field_weights(const fal_trained_field *trained,
                                     fal_model *model, double *theta);
fal_status fal_trained_field_set_weights(const fal_trained_field *trained,
                                         fal_model *model, const double *theta);

#endif
