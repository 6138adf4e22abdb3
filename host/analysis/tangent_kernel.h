/* The tangent kernel of a two-layer network that learns by random backpropagation (fa):
 * what its errors do to first order in the step. With p units and n samples,
 *
 *   f(x) = scale · sum over r of beta_r psi(w_r·x),    e_i = f(x_i) − y_i
 *   w_r    <- w_r − eta · scale · b_r · sum over i of e_i psi'(w_r·x_i) x_i
 *   beta_r <- (1 − eta · decay) beta_r − eta · scale · sum over i of e_i psi(w_r·x_i)
 *
 * (eta is the step of the summed loss, half the sum of e²) give, with these steps put into
 * f's differential,
 *
 *   e <- e − eta · (K e + decay · f),    K = output + hidden
 *   output_ij = scale² · sum over r of psi(w_r·x_i) psi(w_r·x_j)
 *   hidden_ij = scale² · x_i·x_j · sum over r of b_r beta_r psi'(w_r·x_i) psi'(w_r·x_j)
 *
 * `output` is what beta's step does, never negative. `hidden` is what w's does and has the
 * sign of b_r beta_r: with backpropagation (b = beta) it is never negative either; where b
 * and beta are independent of mean 0, its mean is 0 and it is of the order 1/sqrt(p), so
 * that `output` alone is the kernel of the limit of many units. Song, Xu and Lafferty
 * (2021) call the means of the two G and H.
 *
 * Without decay, and while w and beta stay near their start, e(t) = (1 − eta K)^t e(0): once
 * the fast directions are gone, the loss falls by (1 − eta least)² a step, at the rate
 * 2 · eta · least, `least` being K's smallest eigenvalue; it falls at all only for eta
 * below 2/most. Where b·beta grows in training (alignment), so does `hidden`, and the loss
 * falls faster than the start foretells. */
#ifndef FAL_TANGENT_KERNEL_H
#define FAL_TANGENT_KERNEL_H

#include "ops/activation.h"

typedef struct fal_two_layers {
    size_t inputs, units;
    fal_activation activation; /* psi */
    double scale;
    const float *w;        /* [units][inputs] */
    const float *beta, *b; /* [units] */
} fal_two_layers;

/* Both [n][n] and symmetric, for samples x [n][inputs]. */
fal_status fal_tangent_kernel(const fal_two_layers *net, const float *x, size_t n,
                              double *output, double *hidden);

/* Eigenvalues: the smallest of `output` alone, the smallest and the largest of K. */
typedef struct fal_tangent_extremes {
    double output_least, least, most;
} fal_tangent_extremes;

/* Needs LAPACK. */
fal_status fal_tangent_extremes_of(const fal_two_layers *net, const float *x,
                                   size_t n, fal_tangent_extremes *extremes);

#endif
