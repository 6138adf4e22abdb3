/* Convolutions of few channels on CPU-like devices: the passes of ops/conv.h by way of
 * strips of a map, where copying patches would take as long as multiplying them.
 * Kernels: cl/strips.cl. The arguments are checked. */
#ifndef FAL_STRIPS_H
#define FAL_STRIPS_H

#include "ops/conv.h"

/* Whether a pass can be made so. */
int fal_strips_suit(const fal_device *device, const fal_conv *conv);

uint64_t fal_strips_room(const fal_device *device, const fal_conv *conv,
                         fal_conv_pass pass);
fal_status fal_strips_forward_add(fal_launches *list, const fal_conv *conv,
                                  const fal_conv_forward *pass);
fal_status fal_strips_data_add(fal_launches *list, const fal_conv *conv,
                               const fal_conv_data *pass);
fal_status fal_strips_weight_add(fal_launches *list, const fal_conv *conv,
                                 const fal_conv_weight *pass);

#endif
