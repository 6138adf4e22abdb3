/* Online learning of a student from a teacher in the limit of many inputs (science
 * §5B): what a run of host/analysis/simulation.h does, as differential equations of
 * the overlaps of its fields λ_k = w_k·x/√N and ν_m = B_m·x/√N,
 *
 *   Q = w·w/N, R = w·B/N, T = B·B/N,
 *
 * in time = steps/N; by Runge and Kutta's fourth order in steps of .05 at most. For
 * erf and linear units; of relu's overlaps only the error is known. */
#ifndef FAL_TEACHER_STUDENT_H
#define FAL_TEACHER_STUDENT_H

#include "analysis/integrals.h"

/* Order parameters. With `fields` = K + M, the students first, all blocks lie in one
 * covariance: [Q R; Rᵀ T]. */
typedef struct fal_order {
    fal_teacher_student is;
    double time;
    size_t fields;
    double *covariance; /* [fields][fields], then */
    double *outputs;    /* [fields]: (−v, A) */
    double *feedback;   /* [K]: F */
    double *room;
} fal_order;

/* All numbers 0. Errors: ARGUMENT (sizes, rate or noise), MEMORY. */
fal_status fal_order_create(fal_order *order, const fal_teacher_student *is);
void fal_order_release(fal_order *order);

/* Sets the covariance of w [K][inputs] and B [M][inputs], their rows `pitch` apart. */
void fal_order_measure(fal_order *order, const float *weights, const float *teacher,
                       size_t pitch, size_t inputs);

/* d covariance/dt and d outputs/dt, [fields·fields + fields]. */
void fal_order_rates(const fal_order *order, double *rates);

/* Solves the equations up to `time`. Errors: ARGUMENT (relu, which has none). */
fal_status fal_order_advance(fal_order *order, double time);

/* ε_g = ⟨(y − ŷ)²⟩, the noise left out. */
double fal_order_error(const fal_order *order);

#endif
