/* What kernels take of an epilogue: cl/common_products.cl, `epilogue`. */
#ifndef FAL_EPILOGUE_H
#define FAL_EPILOGUE_H

#include "ops/optimize.h"

typedef struct fal_kernel_epilogue {
    cl_int parts, activation;
    cl_float slope;
    cl_int derivative;
    cl_float derivative_slope;
    cl_float alpha, beta, identity;
    fal_kernel_optimizer update;
    cl_uint pitch;
} fal_kernel_epilogue;

/* Bits of `parts` */
enum {
    FAL_PART_ACCUMULATE = 1,
    FAL_PART_BIAS = 2,
    FAL_PART_OUTPUT = 4,
    FAL_PART_UPDATE = 8,
    FAL_PART_SYMMETRIC = 16,
    FAL_PART_MIX = 32,
    FAL_PART_SCALE = 64
};

#endif
