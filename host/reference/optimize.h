/* Optimizers in double, one parameter at a time. */
#ifndef FAL_REFERENCE_OPTIMIZE_H
#define FAL_REFERENCE_OPTIMIZE_H

#include "ops/optimize.h"

typedef struct fal_reference_parameter {
    double weight, moment, square;
    double feedback; /* takes the weight's step and decay */
} fal_reference_parameter;

/* Update t = 1, 2, … by PyTorch's formulas; of `update` only rule, momentum,
 * weight_decay, nesterov and decoupled are read. */
fal_reference_parameter fal_reference_update(const fal_update *update, uint64_t t,
                                             double rate, double gradient,
                                             fal_reference_parameter p);

/* How far from that float32 may end up, where the gradient is right to +-error. */
fal_reference_parameter fal_reference_update_bound(const fal_update *update,
                                                   uint64_t t, double rate,
                                                   double gradient, double error,
                                                   fal_reference_parameter p);

#endif
