/* What kernels take of a product: `place`, `operand`, `patches`, `lattice`, `values` and
 * `job` of cl/common_products.cl. */
#ifndef FAL_GEMM_JOB_H
#define FAL_GEMM_JOB_H

#include "ops/epilogue.h"
#include "ops/random.h"

typedef struct kernel_place {
    cl_ulong at;
    cl_uint buffer, pitch;
} kernel_place;

typedef struct kernel_operand {
    kernel_place in;
    cl_int source;
    cl_uint ones;
} kernel_operand;

typedef struct kernel_patches {
    cl_uint height, width, channels, tall, wide, across, stride;
    cl_int top, left;
    cl_uint images;
} kernel_patches;

typedef struct kernel_lattice {
    cl_uint by_image, by_line, step;
} kernel_lattice;

typedef struct kernel_values {
    cl_int kind;
    cl_float scale;
    fal_kernel_numbers random;
    kernel_place magnitude;
} kernel_values;

typedef struct kernel_job {
    cl_uint m, n, k, first, groups;
    cl_uint top, rows, columns, kc, mc, nb;
    kernel_operand a, b;
    kernel_patches patches;
    kernel_lattice lattice;
    kernel_values values;
    kernel_place c, bias, other, scale, moment, squares, feedback, halted;
    fal_kernel_epilogue epilogue;
} kernel_job;

/* An operand's `source` */
enum { FROM_ROWS = 0, FROM_COLUMNS = 1, FROM_PATCHES = 2, FROM_TURNED = 3 };

/* Bits of `kind` */
enum {
    VALUES_SIGNED = 1,
    VALUES_MAGNITUDES = 2,
    VALUES_RANDOM = 4,
    VALUES_REDRAWN = 8
};

#endif
