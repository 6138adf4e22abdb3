#include "ops/gather.h"
#include "ops/grid.h"

/* cl/gather.cl: bits of `parts` */
enum { PART_BYTES = 1, PART_LABELS = 2, PART_TARGETS = 4 };

/* GPU-like: elements an item does of a row, and the most groups, below 65,536 */
enum { ELEMENTS = 16, MOST_GROUPS = 32768 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
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
    return FAL_OK;
}

static fal_status end(fal_launches *list, const fal_gather *g)
{
    size_t span = fal_span(list->device, g->rows, g->width + 1, 1);
    fal_launch_uint(list, (uint32_t)span);
    if (fal_is_cpu_like(list))
        return fal_end_spans(list, g->rows, span);
    size_t across = smaller(g->width / (FAL_GROUP * ELEMENTS) + 1, MOST_GROUPS);
    size_t rows = smaller(g->rows ? g->rows : 1, MOST_GROUPS);
    return fal_launch_end(list, (const size_t[3]){across * FAL_GROUP, rows, 1},
                          (const size_t[3]){FAL_GROUP, 1, 1});
}

fal_status fal_gather_add(fal_launches *list, const fal_gather *g, unsigned *start)
{
    fal_status status = check(g);
    if (status)
        return status;
    int labels = g->labels && g->batch_labels.buffer;
    int targets = g->targets && g->batch_targets.buffer;
    fal_launch_begin(list, "gather");
    fal_launch_work(list, "", 0,
                    (double)g->rows * (double)g->width *
                        (g->type == FAL_BYTES ? 5 : 8));
    fal_launch_uint(list, (g->type == FAL_BYTES ? PART_BYTES : 0) |
                              (labels ? PART_LABELS : 0) |
                              (targets ? PART_TARGETS : 0));
    fal_launch_buffer(list, g->stored);
    fal_launch_buffer(list, g->labels);
    fal_launch_buffer(list, g->targets);
    fal_launch_buffer(list, g->order);
    *start = list->argument;
    fal_launch_uint(list, 0);
    fal_launch_uint(list, (uint32_t)g->rows);
    fal_launch_uint(list, (uint32_t)g->width);
    fal_launch_uint(list, (uint32_t)g->channels);
    fal_launch_uint(list, (uint32_t)g->outputs);
    fal_launch_view(list, g->scale);
    fal_launch_view(list, g->shift);
    fal_launch_view(list, g->inputs);
    fal_launch_view(list, g->batch_labels);
    fal_launch_view(list, g->batch_targets);
    return end(list, g);
}
