/* Convolutions 3 x 3 of stride 1 by minimal filtering on CPU-like devices: the passes
 * of ops/conv.h with 4/9 of the multiplications by F(2x2, 3x3), or 1/4 by F(4x4, 3x3),
 * which is 30 times less exact. `side` says which: 2 or 4; the weight pass is F(2x2, 3x3).
 * Kernels: cl/winograd.cl, cl/winograd_gradient.cl. */
#ifndef FAL_WINOGRAD_H
#define FAL_WINOGRAD_H

#include "ops/conv.h"

/* Whether a pass can be made so: on that device, of that shape. */
int fal_winograd_suits(const fal_device *device, const fal_conv *conv);

uint64_t fal_winograd_room(const fal_device *device, const fal_conv *conv,
                           fal_conv_pass pass, size_t side);

fal_status fal_winograd_forward_add(fal_launches *list, const fal_conv *conv,
                                    const fal_conv_forward *pass, size_t side);
fal_status fal_winograd_data_add(fal_launches *list, const fal_conv *conv,
                                 const fal_conv_data *pass, size_t side);
fal_status fal_winograd_weight_add(fal_launches *list, const fal_conv *conv,
                                   const fal_conv_weight *pass);

#endif
