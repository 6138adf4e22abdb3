/* Which work-group makes what part of a product, and through blocks of what size.
 * Only the depth of the blocks decides the order of a sum, and it follows from k
 * alone. */
#include "ops/gemm.h"
#include "device/memory.h"
#include "ops/gemm_clblast.h"
#include "ops/gemm_job.h"
#include "ops/grid.h"
#include "ops/sizes.h"

#include <math.h>

/* cl/gemm.cl: MR and NV for each VW */
typedef struct tile {
    size_t vector, vectors, rows;
} tile;

static const tile TILES[] = {{16, 2, 12}, {8, 2, 6}, {4, 3, 8}};

/* cl/gemm.cl: KC, PITCH - KC and the rows kept free below a block of A; the others
 * are sizes measured best. A fill of B stays in the L2 cache; a block of A streams
 * from there or, where rows are many, from the next, so that B is filled less often.
 */
enum {
    DEPTH = FAL_GEMM_DEPTH,
    BESIDE = 16,
    BELOW = 32,
    A_ROWS = 1056,
    B_COLUMNS = 128,
    SPLIT_ROWS = 300 /* fewer rows of A: groups share them and split the columns */
};

/* Buffers of a launch; no product alone has more */
enum { BUFFERS = 8 };

/* `size` in equal pieces of at most `limit`, each a multiple of `unit` */
static size_t evenly(size_t size, size_t limit, size_t unit)
{
    return fal_rounded(fal_divided(size, fal_divided(size, limit)), unit);
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
                  kernel_job *job)
{
    size_t width = t->vectors * t->vector;
    size_t down = fal_divided(p->m, t->rows), across = fal_divided(p->n, width);
    size_t groups_down, groups_across;
    if (p->m < SPLIT_ROWS && across >= units / 2) {
        groups_across = fal_smaller(across, units);
        groups_down = fal_smaller(down, units / groups_across);
    } else {
        groups_down = fal_smaller(down, units);
        groups_across = fal_smaller(across, units / groups_down);
    }
    job->rows = (cl_uint)(fal_divided(down, groups_down) * t->rows);
    job->columns = (cl_uint)(fal_divided(across, groups_across) * width);
    job->groups = (cl_uint)(fal_divided(p->m, job->rows) *
                            fal_divided(p->n, job->columns));
}

/* Strips that a product's C is cut into: a symmetric one's, for each compute unit */
static size_t strips(const fal_product *p, const fal_device *device)
{
    int is_cut = p->symmetric && device->facts.family == FAL_FAMILY_CPU;
    size_t tiles = fal_divided(p->m, tile_of(device)->rows);
    return is_cut ? fal_smaller(device->facts.units, tiles) : 1;
}

/* Row at which strip number `strip` of a symmetric C begins. A strip ends at the
 * diagonal, which its tiles overhang; all strips have the same number of tiles. */
static size_t strip_begin(size_t rows, const tile *t, size_t strip, size_t strips)
{
    double over = (double)(t->rows + t->vectors * t->vector) / 2;
    double area = (double)rows * ((double)rows + 2 * over);
    double above = sqrt(over * over + area * (double)strip / (double)strips) - over;
    size_t tiles = (size_t)(above / (double)t->rows + .5);
    return strip == strips ? rows : fal_smaller(tiles * t->rows, rows);
}

/* Of a block of k: of k in equal blocks or, where taps may be left out, of channels. */
static size_t depth(const kernel_job *job)
{
    size_t whole = job->patches.images ? job->patches.channels : job->k;
    return whole ? evenly(whole, DEPTH, 16) : 16;
}

/* What a compute unit makes of a job from row job->top to job->m: a rectangle of
 * job->rows x job->columns through blocks of these sizes. */
static void share_cpu(const fal_device *device, cl_uint *taken, kernel_job *job)
{
    const tile *t = tile_of(device);
    size_t width = t->vectors * t->vector;
    job->kc = (cl_uint)depth(job);
    job->mc = (cl_uint)evenly(job->rows, A_ROWS / t->rows * t->rows, t->rows);
    job->nb = (cl_uint)fal_smaller(fal_rounded(B_COLUMNS, width), job->columns);
    job->first = *taken % device->facts.units;
    *taken += job->groups;
}

/* A part for each compute unit; where there are fewer, others take the next job's.
 * A symmetric C makes a job of each part. Returns the number of jobs. */
static size_t cut_cpu(const fal_product *p, const fal_device *device,
                      cl_uint *taken, kernel_job *job)
{
    const tile *t = tile_of(device);
    const kernel_job whole = *job;
    size_t count = strips(p, device), jobs = 0;
    if (!p->symmetric) {
        split(p, t, device->facts.units, job);
        share_cpu(device, taken, job);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        size_t top = strip_begin(p->m, t, i, count);
        size_t end = strip_begin(p->m, t, i + 1, count);
        if (top == end)
            continue;
        job[jobs] = whole;
        job[jobs].top = (cl_uint)top;
        job[jobs].m = job[jobs].n = job[jobs].columns = (cl_uint)end;
        job[jobs].rows = (cl_uint)fal_rounded(end - top, t->rows);
        job[jobs].groups = 1;
        share_cpu(device, taken, &job[jobs++]);
    }
    return jobs;
}

/* Floats of scratch for a group of any product: the largest blocks */
enum { SCRATCH = (A_ROWS + BELOW) * (DEPTH + BESIDE) + (B_COLUMNS + 32) * DEPTH };

/* Signs are read transposed, and where nothing is stored there is nothing to turn. */
static int suits_source(const fal_product *p)
{
    return p->values.kind == FAL_VALUES_STORED ||
           (p->b.source == FAL_SOURCE_ROWS) ==
               (p->values.kind == FAL_VALUES_RANDOM);
}

static int has_patches(const fal_product *p)
{
    return p->a.source >= FAL_SOURCE_PATCHES;
}

static fal_status check(const fal_product *p)
{
    if (p->m == 0 || p->n == 0 || (p->k == 0 && !has_patches(p)))
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
    if (p->update && p->k > FAL_GEMM_DEPTH)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "product %zu x %zu x %zu (m x n x k): an update needs k of "
                        "at most %d",
                        p->m, p->n, p->k, FAL_GEMM_DEPTH);
    if (!suits_source(p))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "product %zu x %zu x %zu (m x n x k): signs are read from "
                        "a matrix stored transposed, random numbers from none",
                        p->m, p->n, p->k);
    if (p->symmetric && p->m != p->n)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "product %zu x %zu x %zu (m x n x k): a symmetric one has "
                        "as many rows as columns",
                        p->m, p->n, p->k);
    return FAL_OK;
}

/* ---- jobs ---------------------------------------------------------------- */

/* Products that go into one launch */
struct jobs {
    const fal_device *device;
    kernel_job *items;
    size_t count, products;
    cl_uint taken; /* groups so far */
    cl_mem buffers[BUFFERS];
    size_t buffer_count;
};

/* Its number among the launch's buffers, or BUFFERS if there is no room; a product
 * does not touch a place without a buffer. */
static cl_uint number_of(struct jobs *jobs, cl_mem buffer)
{
    size_t i = 0;
    if (!buffer)
        return 0;
    while (i < jobs->buffer_count && jobs->buffers[i] != buffer)
        i++;
    if (i == BUFFERS)
        return BUFFERS;
    if (i == jobs->buffer_count)
        jobs->buffers[jobs->buffer_count++] = buffer;
    return (cl_uint)i;
}

static kernel_place place(struct jobs *jobs, fal_view view, size_t pitch)
{
    return (kernel_place){view.offset, number_of(jobs, view.buffer),
                          (cl_uint)pitch};
}

static kernel_operand operand(struct jobs *jobs, const fal_operand *of,
                              cl_uint ones)
{
    static const cl_int stored[] = {[FAL_SOURCE_ROWS] = FROM_ROWS,
                                    [FAL_SOURCE_COLUMNS] = FROM_COLUMNS,
                                    [FAL_SOURCE_COLUMNS_ONES] = FROM_COLUMNS,
                                    [FAL_SOURCE_PATCHES] = FROM_PATCHES,
                                    [FAL_SOURCE_PATCHES_TURNED] = FROM_TURNED,
                                    [FAL_SOURCE_PATCHES_TURNED_ONES] = FROM_TURNED};
    int has_ones = of->source == FAL_SOURCE_COLUMNS_ONES ||
                   of->source == FAL_SOURCE_PATCHES_TURNED_ONES;
    return (kernel_operand){place(jobs, of->data, of->pitch), stored[of->source],
                            has_ones ? ones : UINT32_MAX};
}

static kernel_patches patches(const fal_patches *of)
{
    return (kernel_patches){(cl_uint)of->height,   (cl_uint)of->width,
                            (cl_uint)of->channels, (cl_uint)of->tall,
                            (cl_uint)of->wide,     (cl_uint)of->across,
                            (cl_uint)of->stride,   (cl_int)of->top,
                            (cl_int)of->left,      (cl_uint)of->images};
}

static kernel_lattice lattice(const fal_lattice *of)
{
    return (kernel_lattice){(cl_uint)of->by_image, (cl_uint)of->by_line,
                            (cl_uint)of->step};
}

static kernel_values values(struct jobs *jobs, const fal_product *p)
{
    static const cl_int kinds[] = {
        [FAL_VALUES_SIGN] = VALUES_SIGNED,
        [FAL_VALUES_MAGNITUDE_SIGN] = VALUES_SIGNED | VALUES_MAGNITUDES,
        [FAL_VALUES_RANDOM] = VALUES_RANDOM,
        [FAL_VALUES_RANDOM_SIGN] = VALUES_SIGNED | VALUES_RANDOM,
    };
    const fal_values *of = &p->values;
    return (kernel_values){kinds[of->kind] | (of->redrawn ? VALUES_REDRAWN : 0),
                           of->scale, fal_random_describe(&of->random),
                           place(jobs, of->magnitude, p->b.pitch)};
}

static int mixes(const fal_product *p)
{
    return p->alpha != 0 || p->scale.buffer || p->other.buffer || p->identity != 0;
}

static fal_kernel_epilogue epilogue(const fal_product *p,
                                    fal_kernel_optimizer optimizer)
{
    return (fal_kernel_epilogue){(p->accumulate ? FAL_PART_ACCUMULATE : 0) |
                                     (p->bias.buffer ? FAL_PART_BIAS : 0) |
                                     (p->output.buffer ? FAL_PART_OUTPUT : 0) |
                                     (p->update ? FAL_PART_UPDATE : 0) |
                                     (p->symmetric ? FAL_PART_SYMMETRIC : 0) |
                                     (mixes(p) ? FAL_PART_MIX : 0) |
                                     (p->scale.buffer ? FAL_PART_SCALE : 0),
                                 (cl_int)p->activation.phi,
                                 p->activation.slope,
                                 (cl_int)p->derivative.phi,
                                 p->derivative.slope,
                                 p->alpha == 0 ? 1 : p->alpha,
                                 p->beta,
                                 p->identity,
                                 optimizer,
                                 (cl_uint)p->pitch};
}

/* Describes a product by one job or more. */
static fal_status describe(struct jobs *jobs, const fal_product *p, kernel_job *job,
                           size_t *count)
{
    const fal_update none = {.rule = FAL_SGD, .halted = p->halted};
    const fal_update *u = p->update ? p->update : &none;
    fal_kernel_optimizer optimizer;
    fal_status status = check(p);
    if (!status)
        status = fal_update_describe(u, &optimizer);
    if (status)
        return status;
    *job = (kernel_job){.m = (cl_uint)p->m, .n = (cl_uint)p->n, .k = (cl_uint)p->k};
    job->a = operand(jobs, &p->a, job->m - 1);
    job->b = operand(jobs, &p->b, UINT32_MAX);
    job->patches = patches(&p->patches);
    job->lattice = lattice(&p->lattice);
    job->values = values(jobs, p);
    job->c = place(jobs, p->c, p->pitch);
    job->bias = place(jobs, p->bias, 0);
    job->other = place(jobs, p->other.buffer ? p->other : p->output, p->pitch);
    job->scale = place(jobs, p->scale, 0);
    job->moment = place(jobs, u->moment, p->pitch);
    job->squares = place(jobs, u->squares, p->pitch);
    job->feedback = place(jobs, u->feedback, p->pitch);
    job->halted = place(jobs, u->halted, 0);
    job->epilogue = epilogue(p, optimizer);
    *count = 1;
    if (jobs->device->facts.family == FAL_FAMILY_CPU)
        *count = cut_cpu(p, jobs->device, &jobs->taken, job);
    return FAL_OK;
}

static int has_room(const kernel_job *job)
{
    const kernel_place *places[] = {
        &job->a.in,     &job->b.in,   &job->values.magnitude,
        &job->c,        &job->bias,   &job->other,
        &job->scale,    &job->moment, &job->squares,
        &job->feedback, &job->halted};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (places[i]->buffer == BUFFERS)
            return 0;
    return 1;
}

/* Describes as many of the products as there is room for. */
static fal_status take(struct jobs *jobs, const fal_product *products, size_t count)
{
    fal_status status = FAL_OK;
    while (jobs->products < count) {
        cl_uint taken = jobs->taken;
        kernel_job *job = &jobs->items[jobs->count];
        size_t made = 0;
        status = describe(jobs, &products[jobs->products], job, &made);
        if (status)
            return status;
        if (!has_room(job)) {
            jobs->taken = taken;
            break;
        }
        jobs->count += made;
        jobs->products++;
    }
    return FAL_OK;
}

/* ---- launches ------------------------------------------------------------ */

static fal_status end_cpu(fal_launches *list, const struct jobs *jobs)
{
    cl_mem scratch = NULL;
    size_t units = list->device->facts.units;
    fal_status status = fal_device_scratch(
        list->device, units * SCRATCH * sizeof(float), &scratch);
    if (status && !list->status)
        list->status = status;
    fal_launch_ulong(list, SCRATCH);
    fal_launch_buffer(list, scratch);
    size_t groups = fal_smaller(jobs->taken, units);
    return fal_launch_end(list, (const size_t[3]){groups, 1, 1},
                          (const size_t[3]){1, 1, 1});
}

/* Groups for all jobs where each makes block x block */
static size_t blocks(const struct jobs *jobs, size_t block)
{
    size_t count = 0;
    for (size_t i = 0; i < jobs->count; i++)
        count += fal_divided(jobs->items[i].m, block) *
                 fal_divided(jobs->items[i].n, block);
    return count;
}

/* The side of a group's block: the whole one where that leaves every compute unit
 * one and little of them lies past the edges, else half of it. */
static size_t share_gpu(struct jobs *jobs)
{
    size_t block = jobs->device->facts.block, whole = blocks(jobs, block);
    if (whole < jobs->device->facts.units || blocks(jobs, block / 2) < 3 * whole)
        block /= 2;
    for (size_t i = 0; i < jobs->count; i++) {
        kernel_job *job = &jobs->items[i];
        job->first = jobs->taken;
        job->groups = (cl_uint)(fal_divided(job->m, block) *
                                fal_divided(job->n, block));
        jobs->taken += job->groups;
    }
    return block;
}

static fal_status end_gpu(fal_launches *list, const struct jobs *jobs, size_t block)
{
    size_t items = block / 4 * (block / 4);
    return fal_launch_end(list, (const size_t[3]){jobs->taken * items, 1, 1},
                          (const size_t[3]){items, 1, 1});
}

/* Numbers that A is made of */
static double left_size(const fal_product *p)
{
    const fal_patches *of = &p->patches;
    if (!has_patches(p))
        return (double)p->m * (double)p->k;
    double pixels = (double)(p->a.source == FAL_SOURCE_PATCHES ? p->m : p->k);
    return pixels / ((double)of->tall * (double)of->wide) * (double)of->height *
           (double)of->width * (double)of->channels;
}

/* What a product reads and writes once, and its arithmetic. */
static void note_work(fal_launches *list, const fal_product *p)
{
    static const double matrices[] = {[FAL_VALUES_STORED] = 1,
                                      [FAL_VALUES_SIGN] = 1,
                                      [FAL_VALUES_MAGNITUDE_SIGN] = 2,
                                      [FAL_VALUES_RANDOM] = 0,
                                      [FAL_VALUES_RANDOM_SIGN] = 1};
    double m = (double)p->m, n = (double)p->n, k = (double)p->k;
    const char *layer = list->layer;
    if (p->layer)
        list->layer = p->layer;
    fal_launch_work(list, p->work ? p->work : "",
                    p->flops != 0 ? p->flops : (p->symmetric ? 1 : 2) * m * n * k,
                    4 * (left_size(p) + matrices[p->values.kind] * k * n + m * n));
    list->layer = layer;
}

static fal_status launch(fal_launches *list, struct jobs *jobs,
                         const fal_product *products)
{
    int is_cpu = list->device->facts.family == FAL_FAMILY_CPU;
    size_t block = is_cpu ? 0 : share_gpu(jobs);
    fal_launch_begin(
        list, block < list->device->facts.block && !is_cpu ? "gemm_small" : "gemm");
    for (size_t i = 0; i < jobs->products; i++)
        note_work(list, &products[i]);
    fal_launch_table(list, jobs->count * sizeof *jobs->items, jobs->items);
    fal_launch_uint(list, (uint32_t)jobs->count);
    fal_launch_step(list, sizeof(fal_update_step));
    for (size_t i = 0; i < BUFFERS; i++)
        fal_launch_buffer(list, jobs->buffers[i]);
    return is_cpu ? end_cpu(list, jobs) : end_gpu(list, jobs, block);
}

static fal_status add_own(fal_launches *list, const fal_product *products,
                          size_t count)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++)
        most += strips(&products[i], list->device);
    kernel_job *items = fal_allocate(most ? most : 1, sizeof *items);
    fal_status status = items ? FAL_OK : FAL_ERROR_MEMORY;
    for (size_t done = 0; done < count && !status;) {
        struct jobs jobs = {.device = list->device, .items = items};
        status = take(&jobs, products + done, count - done);
        if (!status)
            status = launch(list, &jobs, products + done);
        done += jobs.products;
    }
    fal_release(items);
    return status;
}

/* ---- CLBlast ------------------------------------------------------------- */

/* It reads no row of ones, no patches and no B but a stored one, and knows only
 * C <- A B and C <- C + A B; one kernel of ours may follow. */
static int suits_clblast(const fal_product *p)
{
    return p->a.source < FAL_SOURCE_COLUMNS_ONES &&
           p->values.kind == FAL_VALUES_STORED && !p->update && !p->symmetric &&
           !p->halted.buffer && !mixes(p);
}

static fal_status add_end(fal_launches *list, const fal_product *p)
{
    const fal_kernel_epilogue e = epilogue(p, (fal_kernel_optimizer){0});
    if (!p->bias.buffer && !p->output.buffer && p->activation.phi == FAL_LINEAR)
        return FAL_OK;
    fal_launch_begin(list, "gemm_end");
    fal_launch_bytes(list, sizeof e, &e);
    fal_launch_view(list, p->c);
    fal_launch_view(list, p->bias);
    fal_launch_view(list, p->output);
    fal_launch_ulong(list, p->n);
    return fal_end_elements(
        list, p->m * fal_divided(p->n, (size_t)list->device->facts.vector));
}

static fal_status add_clblast(fal_launches *list, const fal_product *p)
{
    fal_status status = check(p);
    if (!status)
        status = fal_clblast_reserve(list->device, p);
    if (status)
        return status;
    fal_launch_begin_call(list, "clblast", fal_clblast_multiply, sizeof *p, p);
    note_work(list, p);
    status = fal_launch_end_call(list);
    return status ? status : add_end(list, p);
}

fal_status fal_gemm_add(fal_launches *list, const fal_product *products,
                        size_t count)
{
    if (list->device->facts.gemm == FAL_GEMM_OWN)
        return add_own(list, products, count);
    fal_product *own = fal_allocate(count ? count : 1, sizeof *own);
    fal_status status = own ? FAL_OK : FAL_ERROR_MEMORY;
    size_t kept = 0;
    for (size_t i = 0; i < count && !status; i++)
        if (suits_clblast(&products[i]))
            status = add_clblast(list, &products[i]);
        else
            own[kept++] = products[i];
    if (!status)
        status = add_own(list, own, kept);
    fal_release(own);
    return status;
}
