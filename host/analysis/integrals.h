/* Means over jointly Gaussian fields of what the units of science §5B make of them,
 * in closed form. With C the fields' covariance and g the response, erf(x/√2) or x:
 *
 *   I2(a, b)       = ⟨g(a) g(b)⟩
 *   I3(a, b, c)    = ⟨g'(a) b g(c)⟩
 *   I4(a, b, c, d) = ⟨g'(a) g'(b) g(c) g(d)⟩
 *   J2(a, b)       = ⟨g'(a) g'(b)⟩
 *
 * Of max(x, 0) only I2 and J2 are known; the others are NAN. */
#ifndef FAL_INTEGRALS_H
#define FAL_INTEGRALS_H

#include "ops/teacher_student.h"

typedef struct fal_fields {
    fal_response response;
    size_t count;
    const double *covariance; /* [count][count] */
} fal_fields;

/* Fields by number; two may be the same. */
double fal_i2(const fal_fields *fields, size_t a, size_t b);
double fal_i3(const fal_fields *fields, size_t a, size_t b, size_t c);
double fal_i4(const fal_fields *fields, size_t a, size_t b, size_t c, size_t d);
double fal_j2(const fal_fields *fields, size_t a, size_t b);

#endif
