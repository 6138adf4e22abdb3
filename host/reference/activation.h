/* Activations and their derivatives in double: what cl/common.cl's `activate` and
 * `derive` approximate. */
#ifndef FAL_REFERENCE_ACTIVATION_H
#define FAL_REFERENCE_ACTIVATION_H

#include "ops/activation.h"

/* phi(a) */
double fal_reference_activate(fal_activation activation, double a);

/* phi'(a) from the output h = phi(a). */
double fal_reference_derivative(fal_activation activation, double h);

/* delta · phi'(a). A unit that is off stops every delta, NaN too; a NaN in h
 * passes. */
double fal_reference_derive(fal_activation activation, double delta, double h);

#endif
