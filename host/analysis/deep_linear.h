/* Deep linear networks that learn by dfa from zero weights, in double (Refinetti et
 * al. 2021, in our row form). Their weights are never free: from small matrices,
 * the alignment matrices A_1 [inputs][outputs] and A_l [outputs][outputs], come
 *
 *   W_1 = A_1 B_1,  W_l = B_{l-1}^T A_l B_l,  W_L = B_{L-1}^T A_L
 *
 * with B_l [outputs][units of l], and a step on inputs x [n][inputs] with errors
 * e = dL/da_L [n][outputs], which hold any 1/n, is
 *
 *   A_1 <- A_1 - rate x^T e,  A_l <- A_l - rate u_{l-1}^T e,
 *   u_1 = x A_1,  u_l = u_{l-1} (B_{l-1} B_{l-1}^T) A_l,
 *
 * u from the A before the step; u_L is what the network gives. Where A_l is a multiple
 * of the identity, W_l is one of B_{l-1}^T B_l, which stands in for it on the way
 * down: weights align as well as A_l is conditioned. */
#ifndef FAL_DEEP_LINEAR_H
#define FAL_DEEP_LINEAR_H

#include "device/error.h"

enum { FAL_DEEP_LINEAR_LAYERS = 32 };

typedef struct fal_deep_linear {
    size_t layers, inputs, outputs;       /* L from 2 on */
    size_t units[FAL_DEEP_LINEAR_LAYERS]; /* of layer l at [l - 1], the last too */
    double *feedback[FAL_DEEP_LINEAR_LAYERS];  /* B_l at [l - 1] … */
    double *gram[FAL_DEEP_LINEAR_LAYERS];      /* … B_l B_l^T */
    double *alignment[FAL_DEEP_LINEAR_LAYERS]; /* A_l at [l - 1] */
} fal_deep_linear;

/* units[L], the last the outputs; A_l = 0. feedback[l - 1], copied, is B_l of the L - 1
 * hidden layers. Errors: ARGUMENT (fewer than 2 layers, or more than there is room
 * for), MEMORY. */
fal_status fal_deep_linear_make(fal_deep_linear *net, size_t inputs, size_t layers,
                                const size_t *units, const double *const *feedback);
void fal_deep_linear_release(fal_deep_linear *net);

/* outputs [n][outputs] of x [n][inputs]. */
fal_status fal_deep_linear_predict(const fal_deep_linear *net, const double *x,
                                   size_t n, double *outputs);

fal_status fal_deep_linear_step(fal_deep_linear *net, const double *x,
                                const double *e, size_t n, double rate);

/* W_l [units below][units], l from 1 on. */
fal_status fal_deep_linear_weight(const fal_deep_linear *net, size_t number,
                                  double *weight);

/* Condition number of A_l, l from 2 on; NAN until A_l has full rank: it is exactly
 * zero for the first l - 1 steps. Needs LAPACK. */
fal_status fal_deep_linear_conditioning(const fal_deep_linear *net, size_t number,
                                        double *conditioning);

#endif
