/* Which work-group makes what part of a product, and through blocks of what size.
 * Only the depth of the blocks decides the order of a sum, and it follows from k
 * alone. */
#include "ops/gemm.h"

/* cl/gemm.cl: MR and NV for each VW */
typedef struct tile {
    size_t vector, vectors, rows;
} tile;

static const tile TILES[] = {{16, 2, 12}, {8, 2, 6}, {4, 3, 8}};

/* cl/gemm.cl: KC, PITCH - KC and the rows kept free below a block of A; the others
 * are sizes measured best. A block of A and a fill of B together stay in the L2
 * cache. */
enum {
    DEPTH = 256,
    BESIDE = 16,
    A_ROWS = 384,
    B_COLUMNS = 128,
    SPLIT_ROWS = 300 /* fewer rows of A: groups share them and split the columns */
};

/* cl/gemm_tile.cl: BLOCK and ITEMS */
enum { TILE_BLOCK = 32, TILE_ITEMS = 64 };

/* `operand` and `epilogue` of cl/common.cl, `blocking` of cl/gemm.cl */
typedef struct kernel_operand {
    cl_int source;
    cl_uint pitch;
} kernel_operand;

typedef struct kernel_epilogue {
    cl_int parts, activation;
    cl_float slope;
    cl_int derivative;
    cl_float derivative_slope;
    cl_uint pitch;
} kernel_epilogue;

typedef struct kernel_blocking {
    cl_uint rows, columns, kc, mc, nb;
} kernel_blocking;

enum { PART_ACCUMULATE = 1, PART_BIAS = 2, PART_OUTPUT = 4 };

static size_t divided(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static size_t rounded(size_t a, size_t b)
{
    return divided(a, b) * b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* `size` in equal pieces of at most `limit`, each a multiple of `unit` */
static size_t evenly(size_t size, size_t limit, size_t unit)
{
    return rounded(divided(size, divided(size, limit)), unit);
}

static const tile *tile_of(const fal_device *device)
{
    size_t i = 0;
    while (i + 1 < sizeof TILES / sizeof TILES[0] &&
           TILES[i].vector != (size_t)device->facts.vector)
        i++;
    return &TILES[i];
}

/* One group a compute unit: along n where A is small (each group fills all of it),
 * else along m; along the other too where tiles run out. */
static void split(const fal_product *p, const tile *t, size_t units,
                  kernel_blocking *by)
{
    size_t width = t->vectors * t->vector;
    size_t down = divided(p->m, t->rows), across = divided(p->n, width);
    size_t groups_down, groups_across;
    if (p->m < SPLIT_ROWS && across >= units / 2) {
        groups_across = smaller(across, units);
        groups_down = smaller(down, units / groups_across);
    } else {
        groups_down = smaller(down, units);
        groups_across = smaller(across, units / groups_down);
    }
    by->rows = (cl_uint)(divided(down, groups_down) * t->rows);
    by->columns = (cl_uint)(divided(across, groups_across) * width);
}

static kernel_blocking blocking_of(const fal_product *p, const fal_device *device)
{
    const tile *t = tile_of(device);
    kernel_blocking by;
    split(p, t, device->facts.units, &by);
    size_t width = t->vectors * t->vector;
    by.kc = (cl_uint)evenly(p->k, DEPTH, 16);
    by.mc = (cl_uint)evenly(by.rows, A_ROWS / t->rows * t->rows, t->rows);
    by.nb = (cl_uint)smaller(rounded(B_COLUMNS, width), by.columns);
    return by;
}

/* Floats of scratch for all groups of any product: one a unit, each with the
 * largest blocks */
static size_t scratch_floats(const fal_device *device)
{
    size_t a = (A_ROWS + BESIDE) * (DEPTH + BESIDE);
    size_t b = (B_COLUMNS + 32) * DEPTH;
    return device->facts.units * (a + b);
}

static fal_status check(const fal_product *p)
{
    if (p->m == 0 || p->n == 0 || p->k == 0)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "product %zu x %zu x %zu (m x n x k): every size must be at "
            "least 1",
            p->m, p->n, p->k);
    size_t sizes[] = {p->m, p->n, p->k, p->a.pitch, p->b.pitch, p->pitch};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (sizes[i] > INT32_MAX)
            return fal_fail(
                FAL_ERROR_ARGUMENT,
                "product %zu x %zu x %zu (m x n x k): sizes and pitches "
                "must stay below 2^31, one is %zu",
                p->m, p->n, p->k, sizes[i]);
    return FAL_OK;
}

static void add_operand(fal_launches *list, const fal_operand *operand)
{
    kernel_operand of = {(cl_int)operand->source, (cl_uint)operand->pitch};
    fal_launch_bytes(list, sizeof of, &of);
    fal_launch_view(list, operand->data);
}

static void add_epilogue(fal_launches *list, const fal_product *p)
{
    kernel_epilogue e = {
        (p->accumulate ? PART_ACCUMULATE : 0) | (p->bias.buffer ? PART_BIAS : 0) |
            (p->output.buffer ? PART_OUTPUT : 0),
        (cl_int)p->activation.phi,
        p->activation.slope,
        (cl_int)p->derivative.phi,
        p->derivative.slope,
        (cl_uint)p->pitch,
    };
    fal_launch_view(list, p->c);
    fal_launch_bytes(list, sizeof e, &e);
    fal_launch_view(list, p->bias);
    fal_launch_view(list, p->output);
}

static fal_status end_cpu(fal_launches *list, const fal_product *p)
{
    cl_mem scratch = NULL;
    size_t bytes = scratch_floats(list->device) * sizeof(float);
    fal_status status = fal_device_scratch(list->device, bytes, &scratch);
    if (status && !list->status)
        list->status = status;
    kernel_blocking by = blocking_of(p, list->device);
    fal_launch_bytes(list, sizeof by, &by);
    fal_launch_buffer(list, scratch);
    size_t global[3] = {divided(p->n, by.columns), divided(p->m, by.rows), 1};
    return fal_launch_end(list, global, (const size_t[3]){1, 1, 1});
}

static fal_status end_gpu(fal_launches *list, const fal_product *p)
{
    size_t global[3] = {divided(p->n, TILE_BLOCK) * TILE_ITEMS,
                        divided(p->m, TILE_BLOCK), 1};
    return fal_launch_end(list, global, (const size_t[3]){TILE_ITEMS, 1, 1});
}

fal_status fal_gemm_add(fal_launches *list, const fal_product *product)
{
    fal_status status = check(product);
    if (status)
        return status;
    fal_launch_begin(list, "gemm");
    fal_launch_uint(list, (uint32_t)product->m);
    fal_launch_uint(list, (uint32_t)product->n);
    fal_launch_uint(list, (uint32_t)product->k);
    add_operand(list, &product->a);
    add_operand(list, &product->b);
    add_epilogue(list, product);
    return list->device->facts.family == FAL_FAMILY_CPU ? end_cpu(list, product)
                                                        : end_gpu(list, product);
}
