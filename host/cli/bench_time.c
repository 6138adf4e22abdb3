/* How long a repetition of enqueued work takes. */
#include "cli/bench.h"

#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 25 };
static const double ROUND_MS = 20, WARM_MS = 200;

struct work {
    fal_device *device;
    fal_bench_work run;
    void *user;
};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Milliseconds of one of `repetitions` */
static fal_status round_ms(const struct work *work, long repetitions, double *ms)
{
    double start = now_ms();
    fal_status status = FAL_OK;
    for (long i = 0; i < repetitions && !status; i++)
        status = work->run(work->user);
    if (!status)
        status = fal_finish(work->device);
    *ms = (now_ms() - start) / (double)repetitions;
    return status;
}

/* Runs until warm; what a run takes then, waiting included, tells the repetitions.
 */
static fal_status warm(const struct work *work, long *repetitions)
{
    double start = now_ms(), ms = 0;
    do {
        fal_status status = round_ms(work, 1, &ms);
        if (status)
            return status;
    } while (now_ms() - start < WARM_MS);
    long batch = 1;
    for (; ms * (double)batch < ROUND_MS; batch *= 2) {
        fal_status status = round_ms(work, batch, &ms);
        if (status)
            return status;
    }
    *repetitions = batch;
    return FAL_OK;
}

fal_status fal_bench_time(fal_device *device, fal_bench_work run, void *user,
                          fal_timing *timing)
{
    const struct work work = {device, run, user};
    double rounds[ROUNDS];
    long repetitions;
    fal_status status = warm(&work, &repetitions);
    for (int i = 0; i < ROUNDS && !status; i++)
        status = round_ms(&work, repetitions, &rounds[i]);
    if (status)
        return status;
    qsort(rounds, ROUNDS, sizeof *rounds, by_size);
    timing->ms = rounds[ROUNDS / 2];
    timing->ms_p10 = rounds[ROUNDS / 10];
    return FAL_OK;
}

static fal_status run_list(void *user)
{
    return fal_launches_run(user);
}

fal_status fal_bench_launches(const fal_launches *list, fal_timing *timing)
{
    return fal_bench_time(list->device, run_list, (void *)list, timing);
}
