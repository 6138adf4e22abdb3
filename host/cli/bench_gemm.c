/* bench gemm: one product of random matrices. */
#include "cli/bench.h"
#include "device/memory.h"
#include "ops/gemm.h"

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
