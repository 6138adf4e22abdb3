/* Random tensors from counters, the same on every device (Gaussians to rounding).
 * Kernel: cl/random.cl; numbers as the contract and data/random.h define them. */
#ifndef FAL_OPS_RANDOM_H
#define FAL_OPS_RANDOM_H

#include "device/launch.h"

typedef enum fal_distribution {
    FAL_ZERO = 0,
    FAL_UNIFORM = 1, /* in [−scale, scale) */
    FAL_NORMAL = 2   /* standard deviation scale */
} fal_distribution;

typedef struct fal_random {
    fal_distribution distribution;
    float scale;
    uint64_t seed;
    uint32_t purpose, layer, draw;
    uint32_t channels; /* of a line, [position][channel]; 0: 1 */
} fal_random;

/* What kernels take of it: cl/common_random.cl, `numbers`. */
typedef struct fal_kernel_numbers {
    cl_int distribution;
    cl_float scale;
    cl_uint key_low, key_high, draw, stream;
} fal_kernel_numbers;

fal_kernel_numbers fal_random_describe(const fal_random *random);

/* Adds a launch that fills values [rows][columns]; not of FAL_ZERO. The element number
 * of (r, c) is c·rows + r if `turned` (our [in][out] numbered in PyTorch's order
 * [out][in]), else r·columns + c; lines, the columns if turned, else the rows, that are
 * maps are numbered [channel][height][width]. */
fal_status fal_random_add(fal_launches *list, const fal_random *random,
                          fal_view values, size_t rows, size_t columns, int turned);

/* The same with the step's draw (fal_update_step) in place of random->draw. */
fal_status fal_random_redraw_add(fal_launches *list, const fal_random *random,
                                 fal_view values, size_t rows, size_t columns,
                                 int turned);

/* Number `launch` of a list, which such a fill is, draws by these numbers from now on.
 */
fal_status fal_random_set(const fal_launches *list, size_t launch,
                          const fal_random *random);

/* The same at once, of any distribution. Enqueues, does not wait. */
fal_status fal_random_fill(fal_device *device, const fal_random *random,
                           fal_view values, size_t rows, size_t columns,
                           int turned);

#endif
