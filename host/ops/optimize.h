/* Optimizers over a span of the parameter arena, by PyTorch's formulas. Kernel:
 * cl/optimize.cl. */
#ifndef FAL_OPTIMIZE_H
#define FAL_OPTIMIZE_H

#include "device/launch.h"

typedef enum fal_update_rule {
    FAL_SGD = 0,
    FAL_ADAM = 1,
    FAL_ADAMW = 2,
    FAL_MUON = 3
} fal_update_rule;

/* sgd: g += wd·w; m <- momentum·m + g; w -= rate·(nesterov ? g + momentum·m : m)
 * adam: g += wd·w; adamw: w *= 1 − rate·wd; then both
 * m <- β1·m + (1−β1)·g, v <- β2·v + (1−β2)·g²,
 * w -= rate/(1−β1^t) · m/(√v/√(1−β2^t) + 1e-8), β = (.9, .999).
 * muon: adamw with β = (.9, .95) and 1e-10, for what Muon leaves to it; its matrices
 * are host/ops/newton_schulz.h's. */
typedef struct fal_update {
    fal_update_rule rule;
    size_t count;
    fal_view weights, gradient;
    fal_view moment;  /* sgd with momentum, adam, adamw; else no buffer */
    fal_view squares; /* adam, adamw; else no buffer */
    float momentum, weight_decay;
    int nesterov;
    int decoupled; /* sgd and adam take the decay off as adamw does */
    fal_view
        feedback;    /* B laid out as the weights, which takes the same step and the
                        * same decay; or no buffer. Decay is decoupled then */
    fal_view halted; /* one int: nothing changes where it is not 0; or no buffer */
    fal_view scale;  /* one float: the gradient's factor; or no buffer: 1 */
} fal_update;

/* What changes each step, one kernel argument (cl/common.cl: update_step). */
typedef struct fal_update_step {
    float rate;
    float first, second; /* 1/(1−β1^t), 1/√(1−β2^t) */
    float third;         /* as second, with muon's β2 */
    float decay;         /* what the weight decay is multiplied by */
    uint32_t draw;       /* of operands of products that are drawn anew each step */
} fal_update_step;

/* The step's numbers for update t = 1, 2, …, computed in double; all of the decay. */
fal_update_step fal_update_at(uint64_t t, double rate);

/* fal_launches_step gives it a fal_update_step. */
fal_status fal_update_add(fal_launches *list, const fal_update *update);

/* What kernels take of an update: cl/common.cl, `optimizer`. */
typedef struct fal_kernel_optimizer {
    cl_int rule;
    cl_uint parts;
    cl_float momentum, decay;
} fal_kernel_optimizer;

/* Errors: ARGUMENT (no room for what the rule keeps). */
fal_status fal_update_describe(const fal_update *update,
                               fal_kernel_optimizer *optimizer);

/* Arguments of a launch: moment, squares, feedback, halted */
void fal_update_views(fal_launches *list, const fal_update *update);

#endif
