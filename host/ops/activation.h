/* Activations phi and their derivatives as functions of the stored output h =
 * phi(a). Kernels: cl/activation.cl; fused into products by cl/common.cl's
 * functions. */
#ifndef FAL_ACTIVATION_H
#define FAL_ACTIVATION_H

#include "device/launch.h"

/* The numbers of cl/common.cl. */
typedef enum fal_phi {
    FAL_LINEAR = 0,
    FAL_RELU = 1,
    FAL_LEAKY = 2,
    FAL_TANH = 3,
    FAL_SIGMOID = 4,
    FAL_SCALE = 5 /* a times `slope` */
} fal_phi;

enum { FAL_PHIS = FAL_SCALE + 1 };

typedef struct fal_activation {
    fal_phi phi;
    float slope; /* of leaky below 0; of scale everywhere */
} fal_activation;

/* h <- phi(a), `count` floats; in place is fine. */
fal_status fal_activate_add(fal_launches *list, fal_activation activation,
                            fal_view a, fal_view h, size_t count);

/* delta <- delta · phi'(a) from the stored output h. */
fal_status fal_derive_add(fal_launches *list, fal_activation activation,
                          fal_view delta, fal_view h, size_t count);

#endif
