/* The product of host/ops/gemm.h in double, and how far float32 may be from it. */
#ifndef FAL_REFERENCE_GEMM_H
#define FAL_REFERENCE_GEMM_H

#include "ops/gemm.h"

/* A value and how far float32 may be from it. */
typedef struct fal_estimate {
    double value, error;
} fal_estimate;

/* A sum of `terms` products and what is added to them, whose magnitudes have the sum
 * `magnitude`; phi of a value; a value times phi'(h). */
fal_estimate fal_reference_sum(double value, double magnitude, size_t terms);
fal_estimate fal_reference_activated(fal_activation activation, fal_estimate v);
fal_estimate fal_reference_derived(fal_activation derivative, fal_estimate v,
                                   double h);

typedef struct fal_reference_operand {
    const float *data;
    size_t pitch;
    fal_source source;
} fal_reference_operand;

/* As fal_product; a pointer that is NULL: not there. `old` (the C to add to),
 * `other` and `output` are laid out by `pitch`. */
typedef struct fal_reference_product {
    size_t m, n, k;
    fal_reference_operand a, b;
    size_t pitch;
    const float *old, *other, *bias, *output;
    double alpha, beta, identity; /* alpha with what `scale` says; 0: 1 */
    double b_units; /* units of 2^-24 that elements of B may be off by */
    fal_activation activation, derivative;
} fal_reference_product;

/* The elements [k][n] of a B that is made of what is stored and of `magnitude`, laid out
 * so; either may be missing where `values` reads none. */
void fal_reference_values(const fal_values *values, fal_reference_operand stored,
                          const float *magnitude, size_t k, size_t n,
                          float *elements);

/* Units that they may be off by: of normal numbers only. */
double fal_reference_values_units(const fal_values *values);

/* c [m][n] is the exact result, bound [m][n] (may be NULL) the largest difference
 * that float32 arithmetic in any order explains: (k + 8) units of 2^-24 of the sum
 * of magnitudes, handed through the epilogue, and a few units for the epilogue
 * itself. Both are meant for finite results. */
void fal_reference_gemm(const fal_reference_product *product, double *c,
                        double *bound);

#endif
