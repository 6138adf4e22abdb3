/* Fixed points of a learning rule and critical points of the loss (Chu & Bacho 2024).
 * With u the field of a rule (analysis/field.h), J = du/dtheta and H the Hessian of L:
 * training leaves a fixed point u = 0 along eigenvectors of J whose eigenvalues have
 * positive real parts. x away from a point where both u and grad L vanish
 * <grad L, −u> ~ x^T Q x, Q = sym(−H J): where all eigenvalues of Q are positive, u
 * goes downhill in every direction.
 *
 * One hidden layer, one output, feedback B that stays: u = −D grad L with D = 1 on the
 * output layer and B_k/V_k on what leads into unit k, V the output weights. At a
 * minimum with H positive definite J = −D H therefore has real eigenvalues, exactly
 * (inputs + bias) * #{k: B_k V_k < 0} of them positive. */
#ifndef FAL_FIXED_POINT_H
#define FAL_FIXED_POINT_H

#include "analysis/field.h"
#include "analysis/spectrum.h"

/* LAPACK's dgeev takes some 25 n^3 operations: about a minute for so many. */
enum { FAL_FIXED_POINT_PARAMETERS = 2000 };

typedef struct fal_fixed_point {
    double loss, weight_norm; /* |theta| */
    double update_norm;       /* |u| */
    double gradient_norm;     /* |grad L| */
    double cosine;            /* of −grad L and u; NAN where one is zero */
    double
        update_step; /* |J^+ u|, Newton's way to the next fixed point; INFINITY: none in reach */
    double gradient_step; /* |H^+ grad L|, to the next critical point */
    fal_spectrum jacobian, hessian, stability; /* of J, H and Q */

    /* Of the eigenvector of J whose eigenvalue has the largest real part of those that
     * are not zero: its place in `jacobian`, and the cosine of −grad L and u on the
     * way along it, of −H v and J v; NAN where there is none. */
    size_t least_stable;
    double along;

    int has_count;  /* 1: one hidden layer, one output, B fixed, no B_k V_k = 0 */
    size_t opposed; /* units with B_k V_k < 0 */
    size_t unit_inputs; /* inputs of a hidden unit, its bias included */
} fal_fixed_point;

/* At theta. Errors: ARGUMENT (no LAPACK; numbers that are not finite), MEMORY. */
fal_status fal_fixed_point_find(fal_fixed_point *point, fal_field *field,
                                const double *theta);
void fal_fixed_point_release(fal_fixed_point *point);

/* Moves theta to the fixed point next to it by Newton's method, by the shortest steps
 * that lead there, and halved where |u| would grow: by the true way to the next
 * critical point of the loss. It ends where |u| falls no further; *steps (may be NULL)
 * counts. */
fal_status fal_fixed_point_polish(fal_field *field, fal_field_way way,
                                  double *theta, size_t *steps);

/* Whether u, or the gradient, vanishes but for rounding: the next zero is nearer than
 * a thousandth of |theta|. */
int fal_fixed_point_is_fixed(const fal_fixed_point *point);
int fal_fixed_point_is_critical(const fal_fixed_point *point);

/* Whether the count of unstable directions is known: both, with H positive definite;
 * then it is unit_inputs * opposed. */
int fal_fixed_point_is_counted(const fal_fixed_point *point);

#endif
