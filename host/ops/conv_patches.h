/* Convolutions as products over patches of maps (ops/gemm.h), in every shape. With
 * pixels p and taps t:
 *
 *   forward  output [p][out]    <- patches [p][t, in] · weight [t, in][out]
 *   data     signal [p][in]     <- patches of delta [p][t, out] · turned [t, out][in]
 *   weight   gradient [t, in]   <- patches transposed [t, in][p] · delta [p][out]
 *
 * `turned` is the carrier with its taps in reverse order, written before the product.
 * With a stride s, input pixels whose lines and columns leave the same remainders by s
 * meet the same taps: they are one of s·s classes, each a product of its own.
 * The arguments are checked. */
#ifndef FAL_CONV_PATCHES_H
#define FAL_CONV_PATCHES_H

#include "ops/conv.h"

uint64_t fal_patches_room(const fal_device *device, const fal_conv *conv,
                          fal_conv_pass pass);
fal_status fal_patches_forward_add(fal_launches *list, const fal_conv *conv,
                                   const fal_conv_forward *pass);
fal_status fal_patches_data_add(fal_launches *list, const fal_conv *conv,
                                const fal_conv_data *pass);
fal_status fal_patches_weight_add(fal_launches *list, const fal_conv *conv,
                                  const fal_conv_weight *pass);

#endif
