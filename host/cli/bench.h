/* Timing of device work. A figure is (r repetitions enqueued, one finish) / r with
 * r · t >= 20 ms, the median over rounds; everything a product packs is inside. */
#ifndef FAL_BENCH_H
#define FAL_BENCH_H

#include "device/launch.h"

typedef struct fal_timing {
    double ms;     /* median */
    double ms_p10; /* a tenth of the rounds were faster */
} fal_timing;

/* Times the list as it stands, after a warm-up of 0.2 s. */
fal_status fal_bench_launches(const fal_launches *list, fal_timing *timing);

/* Times C [m][n] <- A B with random operands; ta, tb: stored transposed. */
fal_status fal_bench_gemm(fal_device *device, size_t m, size_t n, size_t k, int ta,
                          int tb, double *ms, double *ms_p10, double *gflops);

#endif
