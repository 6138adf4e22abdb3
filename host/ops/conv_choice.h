/* Which form a convolution's pass takes. */
#ifndef FAL_CONV_CHOICE_H
#define FAL_CONV_CHOICE_H

#include "ops/conv.h"

typedef enum fal_conv_method {
    FAL_CONV_PATCHES = 0,   /* host/ops/conv_patches.h */
    FAL_CONV_WINOGRAD = 1,  /* host/ops/winograd.h: F(2x2, 3x3) … */
    FAL_CONV_WINOGRAD4 = 2, /* … and F(4x4, 3x3) */
    FAL_CONV_STRIPS = 3     /* host/ops/strips.h */
} fal_conv_method;

fal_conv_method fal_conv_choose(const fal_device *device, const fal_conv *conv,
                                fal_conv_pass pass);

/* Its name, for people */
const char *fal_conv_method_name(fal_conv_method kind);

#endif
