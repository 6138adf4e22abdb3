/* Sums by CLBlast, a library of tuned kernels: C <- A B, or C + A B. What may follow
 * a sum is ours (host/ops/gemm.c). Both fail in a build without CLBlast, in which no
 * device is opened for it. */
#ifndef FAL_GEMM_CLBLAST_H
#define FAL_GEMM_CLBLAST_H

#include "ops/gemm.h"

/* The memory CLBlast needs for a product like this; before the first such call. */
fal_status fal_clblast_reserve(fal_device *device, const fal_product *product);

/* A fal_call: enqueues the sum of the fal_product. */
fal_status fal_clblast_multiply(fal_device *device, const void *product,
                                cl_event *event);

#endif
