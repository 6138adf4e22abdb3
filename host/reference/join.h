/* Shortcuts in double, forward and backward. */
#ifndef FAL_REFERENCE_JOIN_H
#define FAL_REFERENCE_JOIN_H

#include "ops/join.h"

/* Floats of the maps that a shortcut ends in. */
size_t fal_reference_shortcut_size(const fal_shortcut *shortcut);

/* y += shortcut(x) */
void fal_reference_shortcut(const fal_shortcut *shortcut, const double *x,
                            double *y);

/* into += the signal at y carried back to x */
void fal_reference_shortcut_back(const fal_shortcut *shortcut, const double *signal,
                                 double *into);

#endif
