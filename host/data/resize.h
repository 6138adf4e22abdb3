/* Images in another size. */
#ifndef FAL_RESIZE_H
#define FAL_RESIZE_H

#include "data/dataset.h"

/* *resized is `arrays` but for its size and its inputs, which are for fal_release.
 * Errors: ARGUMENT (no images; a size that is none), MEMORY. */
fal_status fal_arrays_resize(fal_arrays *resized, const fal_arrays *arrays,
                             size_t height, size_t width);

#endif
