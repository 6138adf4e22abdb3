/* What both halves of minimal filtering need, convolutions and their weight gradients:
 * the kernels' picture of maps and tiles. */
#ifndef FAL_WINOGRAD_MAPS_H
#define FAL_WINOGRAD_MAPS_H

#include "ops/conv.h"
#include "ops/sizes.h"

/* Whole register tiles: twice MR of cl/winograd.cl */
enum { ROWS = 12 };

/* `winograd_size` and `winograd_maps` of cl/winograd.cl */
typedef struct kernel_size {
    cl_uint height, width, channels;
} kernel_size;

typedef struct kernel_maps {
    kernel_size in, out;
    cl_uint points, pad, padded;
    cl_uint down, across, tiles;
    cl_uint run, rows, columns;
    cl_uint block, wide;
    cl_uint depth;
} kernel_maps;

/* Columns of a panel: NR of cl/winograd.cl */
static inline size_t panel(const fal_device *device)
{
    size_t vector = (size_t)device->facts.vector;
    return vector == 8 ? 2 * vector : 4 * vector;
}

/* Tiles of side x side outputs of a convolution */
kernel_maps fal_winograd_describe(const fal_device *device, const fal_conv *c,
                                  size_t side);

/* Notes the work of a launch: the arithmetic is the convolution's, however it is made. */
void fal_winograd_note(fal_launches *list, const fal_conv *c, const char *work,
                       const kernel_maps *maps);

/* Floats that the weight gradient takes of the pass's room */
uint64_t fal_winograd_gradient_room(const fal_device *device, const fal_conv *conv);

#endif
