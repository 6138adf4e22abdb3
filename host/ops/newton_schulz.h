/* Muon's orthogonalization: X = U/(‖U‖ + 1e-7), five times X <- aX + (bA + cA²)X with
 * A = XXᵀ on the smaller side; and the momentum before it. Kernels: the product
 * (cl/gemm.cl, cl/gemm_tile.cl), half of it wherever A is symmetric, and
 * cl/newton_schulz.cl. */
#ifndef FAL_NEWTON_SCHULZ_H
#define FAL_NEWTON_SCHULZ_H

#include "device/launch.h"

typedef struct fal_newton_schulz {
    size_t rows, columns; /* stored [rows][columns] */
    fal_view x;           /* U at first */
    fal_view spare;       /* as large */
    float factor;         /* of the result */
    fal_view sums;        /* of U's squares, by blocks: host/ops/clip.h */
    fal_view room;        /* fal_newton_schulz_room floats */
    const char *layer;    /* for profiles; NULL: the list's */
} fal_newton_schulz;

/* Floats of room for a matrix of that shape. */
size_t fal_newton_schulz_room(size_t rows, size_t columns);

/* Adds the launches for matrices of any shapes, which share those of products. A zero
 * matrix gives zero; U's squares must not overflow. */
fal_status fal_newton_schulz_add(fal_launches *list,
                                 const fal_newton_schulz *matrices, size_t count);

/* Where the result is: x or spare; the other's numbers are lost. */
fal_view fal_newton_schulz_result(const fal_newton_schulz *matrix);

/* m <- β·m + (1−β)·g; u <- (1−β)·g + β·m; sums of squares of u as in ops/clip.h. */
typedef struct fal_momentum {
    size_t count;
    float beta;
    fal_view gradient, moment, mixed, sums;
    fal_view halted; /* one int: nothing changes where it is not 0; or no buffer */
    fal_view scale;  /* one float: the gradient's factor; or no buffer: 1 */
} fal_momentum;

fal_status fal_momentum_add(fal_launches *list, const fal_momentum *momentum);

#endif
