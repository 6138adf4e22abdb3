#include "ops/gather.h"
#include "data/random.h"
#include "ops/grid.h"
#include "ops/optimize.h"
#include "ops/random.h"
#include "ops/sizes.h"

/* cl/gather.cl: bits of `parts` */
enum {
    PART_BYTES = 1,
    PART_LABELS = 2,
    PART_TARGETS = 4,
    PART_MOVES = 8,
    PART_TURNS = 16
};

/* GPU-like: elements an item does of a row, and the most groups, below 65,536 */
enum { ELEMENTS = 16, MOST_GROUPS = 32768 };

static int augments(const fal_gather *g)
{
    return g->augmentation.crop > 0 || g->augmentation.turns;
}

static fal_status check(const fal_gather *g)
{
    if (g->rows > INT32_MAX || g->width > INT32_MAX || g->outputs > INT32_MAX)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "batch of %zu samples of %zu values and %zu targets: each "
                        "must stay below 2^31",
                        g->rows, g->width, g->outputs);
    if (g->channels == 0 || g->width % g->channels)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "batch: %zu channels do not divide samples of %zu values",
                        g->channels, g->width);
    size_t across = g->width / g->channels, crop = g->augmentation.crop;
    if (augments(g) && (g->lines == 0 || across % g->lines || crop >= g->lines ||
                        crop >= across / g->lines))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "batch: samples of %zu pixels in %zu lines cannot be moved "
                        "by %zu",
                        across, g->lines, crop);
    return FAL_OK;
}

/* By the step's draw */
static fal_kernel_numbers numbers(const fal_gather *g)
{
    return fal_random_describe(&(fal_random){.distribution = FAL_UNIFORM,
                                             .seed = g->augmentation.seed,
                                             .purpose = FAL_PURPOSE_AUGMENTATION});
}

static unsigned parts(const fal_gather *g)
{
    return (g->type == FAL_BYTES ? PART_BYTES : 0) |
           (g->labels && g->batch_labels.buffer ? PART_LABELS : 0) |
           (g->targets && g->batch_targets.buffer ? PART_TARGETS : 0) |
           (g->augmentation.crop ? PART_MOVES : 0) |
           (g->augmentation.turns ? PART_TURNS : 0);
}

static fal_status end(fal_launches *list, const fal_gather *g)
{
    size_t span = fal_span(list->device, g->rows, g->width + 1, 1);
    fal_launch_uint(list, (uint32_t)span);
    if (fal_is_cpu_like(list))
        return fal_end_spans(list, g->rows, span);
    size_t across = fal_smaller(g->width / (FAL_GROUP * ELEMENTS) + 1, MOST_GROUPS);
    size_t rows = fal_smaller(g->rows ? g->rows : 1, MOST_GROUPS);
    return fal_launch_end(list, (const size_t[3]){across * FAL_GROUP, rows, 1},
                          (const size_t[3]){FAL_GROUP, 1, 1});
}

fal_status fal_gather_add(fal_launches *list, const fal_gather *g, unsigned *start)
{
    fal_status status = check(g);
    if (status)
        return status;
    const fal_kernel_numbers of = numbers(g);
    fal_launch_begin(list, "gather");
    fal_launch_work(list, "", 0,
                    (double)g->rows * (double)g->width *
                        (g->type == FAL_BYTES ? 5 : 8));
    fal_launch_uint(list, parts(g));
    fal_launch_buffer(list, g->stored);
    fal_launch_buffer(list, g->labels);
    fal_launch_buffer(list, g->targets);
    fal_launch_buffer(list, g->order);
    *start = list->argument;
    fal_launch_uint(list, 0);
    fal_launch_uint(list, (uint32_t)g->rows);
    fal_launch_uint(list, (uint32_t)g->width);
    fal_launch_uint(list, augments(g) ? (uint32_t)g->lines : 1);
    fal_launch_uint(list, (uint32_t)g->channels);
    fal_launch_uint(list, (uint32_t)g->outputs);
    fal_launch_uint(list, (uint32_t)g->augmentation.crop);
    fal_launch_bytes(list, sizeof of, &of);
    fal_launch_step(list, sizeof(fal_update_step));
    fal_launch_view(list, g->scale);
    fal_launch_view(list, g->shift);
    fal_launch_view(list, g->inputs);
    fal_launch_view(list, g->batch_labels);
    fal_launch_view(list, g->batch_targets);
    return end(list, g);
}
