/* Signs of a matrix with magnitudes, as a matrix: what products read as
 * FAL_VALUES_SIGN and its like. Kernel: cl/signs.cl. */
#ifndef FAL_SIGNS_H
#define FAL_SIGNS_H

#include "device/launch.h"

/* c <- |magnitude| · sign w, or, without a magnitude's buffer, scale · sign w; `count`
 * floats each. c may be the magnitude. */
fal_status fal_signs_add(fal_launches *list, fal_view w, fal_view magnitude,
                         float scale, fal_view c, size_t count);

#endif
