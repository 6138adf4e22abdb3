/* bench gemm: one product of random matrices. */
#include "cli/bench.h"
#include "device/memory.h"
#include "ops/gemm.h"

#include <string.h>

fal_status fal_bench_random(fal_device *device, size_t count, cl_mem *buffer)
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

enum { BUFFERS = 7 };

/* A product and all its memory; `status` is the first failure. */
struct bench_product {
    fal_device *device;
    fal_product product;
    fal_update update;
    cl_mem buffers[BUFFERS];
    size_t count;
    fal_status status;
};

static fal_view matrix(struct bench_product *b, size_t count)
{
    fal_view view = {NULL, 0};
    if (!b->status)
        b->status = fal_bench_random(b->device, count, &view.buffer);
    if (!b->status)
        b->buffers[b->count++] = view.buffer;
    return view;
}

static void make_sizes(struct bench_product *b, const cli_options *options)
{
    fal_product *p = &b->product;
    size_t m = (size_t)cli_whole(options, CLI_M);
    size_t n = (size_t)cli_whole(options, CLI_N);
    size_t k = (size_t)cli_whole(options, CLI_K);
    int ta = cli_flag(options, CLI_TA), tb = cli_flag(options, CLI_TB);
    *p = (fal_product){.m = m, .n = n, .k = k, .pitch = n};
    p->a = (fal_operand){ta ? FAL_SOURCE_COLUMNS : FAL_SOURCE_ROWS,
                         matrix(b, m * k), ta ? m : k};
    p->b = (fal_operand){tb ? FAL_SOURCE_COLUMNS : FAL_SOURCE_ROWS,
                         matrix(b, k * n), tb ? k : n};
}

/* What carries errors down: "redrawn" has the signs of the stored matrix, as brsf. */
static void make_source(struct bench_product *b, const char *name)
{
    static const struct {
        const char *name;
        fal_values_kind kind;
    } kinds[] = {{"stored", FAL_VALUES_STORED},
                 {"sign", FAL_VALUES_SIGN},
                 {"magnitude", FAL_VALUES_MAGNITUDE_SIGN},
                 {"regenerated", FAL_VALUES_RANDOM},
                 {"redrawn", FAL_VALUES_RANDOM_SIGN}};
    fal_product *p = &b->product;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, kinds[i].name) == 0)
            p->values.kind = kinds[i].kind;
    p->values.scale = .5f;
    p->values.random = (fal_random){.distribution = FAL_UNIFORM, .scale = .5f};
    if (p->values.kind == FAL_VALUES_MAGNITUDE_SIGN)
        p->values.magnitude = matrix(b, p->k * p->n);
}

/* What a training step does with a product's sums. */
static void make_epilogue(struct bench_product *b, const char *name)
{
    const fal_activation relu = {FAL_RELU, 0};
    fal_product *p = &b->product;
    if (strcmp(name, "forward") == 0) {
        p->bias = matrix(b, p->n);
        p->activation = relu;
    } else if (strcmp(name, "delta") == 0) {
        p->output = matrix(b, p->m * p->n);
        p->derivative = relu;
    } else if (strcmp(name, "update") == 0) {
        b->update = (fal_update){.rule = FAL_SGD, .momentum = .9f};
        b->update.moment = matrix(b, (p->m + 1) * p->n);
        p->update = &b->update;
        if (p->a.source == FAL_SOURCE_COLUMNS) {
            p->a.source = FAL_SOURCE_COLUMNS_ONES;
            p->m++; /* the bias */
        }
    }
}

static fal_status time_product(struct bench_product *b, fal_timing *timing)
{
    fal_launches list = {.device = b->device};
    b->product.c = matrix(b, b->product.m * b->product.n);
    if (!b->status)
        b->status = fal_gemm_add(&list, &b->product, 1);
    if (!b->status)
        b->status = fal_bench_launches(&list, timing);
    fal_launches_release(&list);
    return b->status;
}

fal_status cli_bench_gemm(fal_device *device, const cli_options *options,
                          cli_gemm_figures *figures)
{
    struct bench_product b = {.device = device};
    make_sizes(&b, options);
    double flops = 2. * (double)b.product.m * (double)b.product.n *
                   (double)b.product.k;
    make_source(&b, cli_text(options, CLI_SOURCE));
    make_epilogue(&b, cli_text(options, CLI_EPILOGUE));
    fal_status status = time_product(&b, &figures->timing);
    while (b.count > 0)
        fal_buffer_destroy(device, b.buffers[--b.count]);
    if (!status)
        figures->gflops = 1e-6 * flops / figures->timing.ms;
    return status;
}
