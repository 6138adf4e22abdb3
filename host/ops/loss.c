#include "ops/loss.h"
#include "ops/grid.h"

/* cl/loss.cl: bits of `parts` */
enum {
    PART_LABELS = 1,
    PART_TARGETS = 2,
    PART_DELTA = 4,
    PART_HALTED = 8,
    PART_SUMMED = 16,
    PART_SIGNAL = 32
};

enum { LARGEST_GROUP = 256 };

/* How many items of a group share a row: by the outputs alone, so that sums keep
 * their order, and such that no item's loops make 32,768 turns in all. */
typedef struct sharing {
    size_t outputs, team, group;
} sharing;

static const sharing SHARINGS[] = {
    {64, 4, FAL_GROUP},
    {1024, 16, FAL_GROUP},
    {8192, FAL_GROUP, FAL_GROUP},
    {SIZE_MAX, LARGEST_GROUP, LARGEST_GROUP},
};

static fal_status check(const fal_loss_work *w)
{
    if (w->rows == 0 || w->rows > INT32_MAX || w->outputs == 0 ||
        w->outputs > INT32_MAX)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "loss of %zu rows of %zu outputs: both must be at least 1 "
                        "and below 2^31",
                        w->rows, w->outputs);
    if (!w->labels.buffer && (w->loss == FAL_CROSS_ENTROPY || !w->targets.buffer))
        return fal_fail(FAL_ERROR_ARGUMENT, "loss: %s; give the data set labels",
                        w->loss == FAL_CROSS_ENTROPY
                            ? "cross-entropy needs labels"
                            : "mse needs labels or targets");
    return FAL_OK;
}

static fal_status end(fal_launches *list, const fal_loss_work *w)
{
    size_t blocks = (w->rows + FAL_LOSS_ROWS - 1) / FAL_LOSS_ROWS;
    if (fal_is_cpu_like(list)) {
        size_t span = fal_span(list->device, blocks, w->outputs * FAL_LOSS_ROWS, 1);
        fal_launch_uint(list, (uint32_t)span);
        return fal_end_spans(list, blocks, span);
    }
    const sharing *by = SHARINGS;
    while (w->outputs > by->outputs)
        by++;
    fal_launch_uint(list, (uint32_t)by->team);
    return fal_launch_end(list, (const size_t[3]){blocks * by->group, 1, 1},
                          (const size_t[3]){by->group, 1, 1});
}

fal_status fal_loss_add(fal_launches *list, const fal_loss_work *work,
                        unsigned *slot)
{
    fal_status status = check(work);
    if (status)
        return status;
    fal_launch_begin(list, "loss");
    fal_launch_work(list, "", 0, 8. * (double)work->rows * (double)work->outputs);
    fal_launch_int(list, (int32_t)work->loss);
    fal_launch_uint(list, (work->labels.buffer ? PART_LABELS : 0) |
                              (work->targets.buffer ? PART_TARGETS : 0) |
                              (work->delta.buffer ? PART_DELTA : 0) |
                              (work->halted.buffer ? PART_HALTED : 0) |
                              (work->summed ? PART_SUMMED : 0) |
                              (work->signal.buffer ? PART_SIGNAL : 0));
    fal_launch_uint(list, (uint32_t)work->rows);
    fal_launch_uint(list, (uint32_t)work->outputs);
    fal_launch_view(list, work->a);
    fal_launch_view(list, work->labels);
    fal_launch_view(list, work->targets);
    fal_launch_view(list, work->delta);
    fal_launch_view(list, work->signal);
    fal_launch_view(list, work->partials);
    fal_launch_view(list, work->halted);
    fal_launch_ulong(list, work->stride);
    *slot = list->argument;
    fal_launch_uint(list, 0);
    return end(list, work);
}
