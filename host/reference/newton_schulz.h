/* Muon's orthogonalization in double, always in the plain form. */
#ifndef FAL_REFERENCE_NEWTON_SCHULZ_H
#define FAL_REFERENCE_NEWTON_SCHULZ_H

#include "falign.h"

/* x <- U/(‖U‖ + 1e-7), five times x <- ax + (bA + cA²)x, A = xxᵀ on the smaller
 * side; x is U [rows][columns] at first. */
fal_status fal_reference_newton_schulz(double *x, size_t rows, size_t columns);

/* Where a singular value s goes. */
double fal_reference_newton_schulz_map(double s);

#endif
