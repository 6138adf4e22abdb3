#include "cli/bench.h"
#include "device/memory.h"
#include "ops/gemm.h"

#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 25 };
static const double ROUND_MS = 20, WARM_MS = 200;

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
static fal_status round_ms(const fal_launches *list, long repetitions, double *ms)
{
    double start = now_ms();
    fal_status status = FAL_OK;
    for (long i = 0; i < repetitions && !status; i++)
        status = fal_launches_run(list);
    if (!status)
        status = fal_finish(list->device);
    *ms = (now_ms() - start) / (double)repetitions;
    return status;
}

/* Runs until warm; what a run takes then, waiting included, tells the repetitions.
 */
static fal_status warm(const fal_launches *list, long *repetitions)
{
    double start = now_ms(), ms = 0;
    do {
        fal_status status = round_ms(list, 1, &ms);
        if (status)
            return status;
    } while (now_ms() - start < WARM_MS);
    long batch = 1;
    for (; ms * (double)batch < ROUND_MS; batch *= 2) {
        fal_status status = round_ms(list, batch, &ms);
        if (status)
            return status;
    }
    *repetitions = batch;
    return FAL_OK;
}

fal_status fal_bench_launches(const fal_launches *list, fal_timing *timing)
{
    double rounds[ROUNDS];
    long repetitions;
    fal_status status = warm(list, &repetitions);
    for (int i = 0; i < ROUNDS && !status; i++)
        status = round_ms(list, repetitions, &rounds[i]);
    if (status)
        return status;
    qsort(rounds, ROUNDS, sizeof *rounds, by_size);
    timing->ms = rounds[ROUNDS / 2];
    timing->ms_p10 = rounds[ROUNDS / 10];
    return FAL_OK;
}

static fal_status random_buffer(fal_device *device, size_t count, cl_mem *buffer)
{
    float *values = fal_allocate(count, sizeof *values);
    if (!values)
        return FAL_ERROR_MEMORY;
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(int32_t)state * 0x1p-31f;
    }
    fal_status status = fal_buffer_create(device, count * sizeof *values, "bench",
                                          buffer);
    if (!status)
        status = fal_write(device, *buffer, 0, count * sizeof *values, values);
    fal_release(values);
    return status;
}

static fal_status time_product(fal_device *device, const fal_product *product,
                               fal_timing *timing)
{
    fal_launches list = {.device = device};
    fal_status status = fal_gemm_add(&list, product, 1);
    if (!status)
        status = fal_bench_launches(&list, timing);
    fal_launches_release(&list);
    return status;
}

fal_status fal_bench_gemm(fal_device *device, size_t m, size_t n, size_t k, int ta,
                          int tb, double *ms, double *ms_p10, double *gflops)
{
    fal_product p = {.m = m, .n = n, .k = k, .pitch = n};
    p.a.source = ta ? FAL_SOURCE_COLUMNS : FAL_SOURCE_ROWS;
    p.b.source = tb ? FAL_SOURCE_COLUMNS : FAL_SOURCE_ROWS;
    p.a.pitch = ta ? m : k;
    p.b.pitch = tb ? k : n;
    fal_timing timing = {0, 0};
    fal_status status = random_buffer(device, m * k, &p.a.data.buffer);
    if (!status)
        status = random_buffer(device, k * n, &p.b.data.buffer);
    if (!status)
        status = fal_buffer_create(device, m * n * sizeof(float), "bench",
                                   &p.c.buffer);
    if (!status)
        status = time_product(device, &p, &timing);
    fal_buffer_destroy(device, p.a.data.buffer);
    fal_buffer_destroy(device, p.b.data.buffer);
    fal_buffer_destroy(device, p.c.buffer);
    if (status)
        return status;
    *ms = timing.ms;
    *ms_p10 = timing.ms_p10;
    *gflops = 2e-6 * (double)m * (double)n * (double)k / timing.ms;
    return FAL_OK;
}
