/* Timing of device work. A figure is (r repetitions enqueued, one finish) / r with
 * r · t >= 20 ms, the median over rounds; everything a product packs is inside. */
#ifndef FAL_BENCH_H
#define FAL_BENCH_H

#include "cli/options.h"
#include "device/launch.h"

typedef struct fal_timing {
    double ms;     /* median */
    double ms_p10; /* a tenth of the rounds were faster */
} fal_timing;

/* Enqueues one repetition; does not wait. */
typedef fal_status (*fal_bench_work)(void *user);

/* Times the work after a warm-up of 0.2 s. */
fal_status fal_bench_time(fal_device *device, fal_bench_work work, void *user,
                          fal_timing *timing);

/* The same for a list of launches. */
fal_status fal_bench_launches(const fal_launches *list, fal_timing *timing);

/* A buffer of numbers in [-1, 1), the same every time. */
fal_status fal_bench_random(fal_device *device, size_t count, cl_mem *buffer);

/* Times a product of random matrices as the options of `bench gemm` say. */
typedef struct cli_gemm_figures {
    fal_timing timing;
    double gflops;
} cli_gemm_figures;
fal_status cli_bench_gemm(fal_device *device, const cli_options *options,
                          cli_gemm_figures *figures);

/* The same of a pass of a convolution, as the options of `bench conv` say. */
fal_status cli_bench_conv(fal_device *device, const cli_options *options,
                          cli_gemm_figures *figures);

/* The same of Newton-Schulz, as the options of `bench muon` say. */
fal_status cli_bench_muon(fal_device *device, const cli_options *options,
                          cli_gemm_figures *figures);

/* Times training steps on random data as the options of `bench step` say. */
typedef struct cli_step_figures {
    fal_timing timing;
    double samples_per_second;
    double start_ms; /* process start to the end of the first step, its loss read */
} cli_step_figures;
fal_status cli_bench_step(fal_device *device, const cli_options *options,
                          cli_step_figures *figures);

/* Times the steps of students that learn online; times are those of one step of one
 * run, though many runs share a launch. */
typedef struct cli_teacher_figures {
    fal_timing timing;
    double steps_per_second; /* of all runs together */
} cli_teacher_figures;
fal_status cli_bench_teacher(fal_device *device, const cli_options *options,
                             cli_teacher_figures *figures);

#endif
