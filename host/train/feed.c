#include "train/feed.h"
#include "data/dataset.h"
#include "device/memory.h"
#include "ops/optimize.h"

#include <string.h>

static size_t value_size(const fal_arrays *data)
{
    return data->type == FAL_BYTES ? 1 : sizeof(float);
}

/* Bytes of `rows` samples' inputs, labels and targets. */
static size_t input_bytes(const fal_feed *feed, size_t rows)
{
    return rows * fal_shape_size(feed->model->network.input) *
           value_size(&feed->data);
}

static size_t label_bytes(const fal_feed *feed, size_t rows)
{
    return feed->data.labels ? rows * sizeof(int32_t) : 0;
}

static size_t target_bytes(const fal_feed *feed, size_t rows)
{
    return feed->data.targets ? rows * feed->data.outputs * sizeof(float) : 0;
}

static int fits_device(const fal_feed *feed)
{
    const fal_device *device = feed->device;
    size_t n = feed->data.count, inputs = input_bytes(feed, n);
    uint64_t all = inputs + label_bytes(feed, n) + target_bytes(feed, n) + 4 * n;
    uint64_t left = device->facts.memory - device->allocated;
    return inputs + 128 <= device->facts.allocation && all <= left / 2 &&
           all <= device->resident_limit;
}

static fal_status make_buffers(fal_feed *feed, size_t rows)
{
    fal_device *device = feed->device;
    fal_status status = fal_buffer_create(device, input_bytes(feed, rows),
                                          "data set", &feed->stored);
    if (!status && feed->data.labels)
        status = fal_buffer_create(device, label_bytes(feed, rows), "labels",
                                   &feed->labels);
    if (!status && feed->data.targets)
        status = fal_buffer_create(device, target_bytes(feed, rows), "targets",
                                   &feed->targets);
    if (!status)
        status = fal_buffer_create(device, rows * 4, "order of samples",
                                   &feed->order);
    return status;
}

/* 0 … rows − 1 into the order on the device. */
static fal_status write_identity(fal_feed *feed, size_t rows)
{
    uint32_t *order = fal_allocate(rows, sizeof *order);
    if (!order)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < rows; i++)
        order[i] = (uint32_t)i;
    fal_status status = fal_write(feed->device, feed->order, 0,
                                  rows * sizeof *order, order);
    fal_release(order);
    return status;
}

static fal_status send_all(fal_feed *feed)
{
    size_t n = feed->data.count;
    fal_status status = fal_write(feed->device, feed->stored, 0,
                                  input_bytes(feed, n), feed->data.inputs);
    if (!status)
        status = fal_write(feed->device, feed->labels, 0, label_bytes(feed, n),
                           feed->data.labels);
    if (!status)
        status = fal_write(feed->device, feed->targets, 0, target_bytes(feed, n),
                           feed->data.targets);
    return status;
}

static fal_status make_staging(fal_feed *feed, size_t rows)
{
    size_t bytes = input_bytes(feed, rows) + label_bytes(feed, rows) +
                   target_bytes(feed, rows);
    for (size_t i = 0; i < 2; i++) {
        feed->staging[i] = fal_allocate(bytes, 1);
        if (!feed->staging[i])
            return FAL_ERROR_MEMORY;
    }
    return FAL_OK;
}

fal_status fal_feed_change(fal_feed *feed, const fal_arrays *data)
{
    fal_arrays arrays = *data;
    void *own;
    fal_status status = fal_model_resize(feed->model, &arrays, &own);
    if (status)
        return status;
    fal_release(feed->resized);
    feed->resized = own;
    feed->data = arrays;
    return FAL_OK;
}

fal_status fal_feed_open(fal_feed *feed, const fal_model *model,
                         const fal_workspace *workspace, const fal_arrays *data,
                         int resident)
{
    *feed = (fal_feed){
        .device = model->device, .model = model, .workspace = workspace};
    fal_status status = fal_feed_change(feed, data);
    feed->resident = resident && fits_device(feed);
    size_t rows = feed->resident ? data->count : workspace->rows;
    if (!status)
        status = make_buffers(feed, rows);
    if (!status)
        status = write_identity(feed, rows);
    if (!status)
        status = feed->resident ? send_all(feed) : make_staging(feed, rows);
    if (status)
        fal_feed_close(feed);
    return status;
}

void fal_feed_close(fal_feed *feed)
{
    /* Rows on their way, also those of a batch that failed half-way, still read
     * from the staging memory. */
    if (feed->staging[0])
        clFinish(feed->device->queue);
    for (size_t i = 0; i < 2; i++) {
        if (feed->travelling[i])
            clReleaseEvent(feed->travelling[i]);
        fal_release(feed->staging[i]);
    }
    for (size_t i = 0; i < FAL_FEED_SIZES; i++)
        fal_launches_release(&feed->sizes[i].launches);
    if (feed->device) {
        fal_buffer_destroy(feed->device, feed->stored);
        fal_buffer_destroy(feed->device, feed->labels);
        fal_buffer_destroy(feed->device, feed->targets);
        fal_buffer_destroy(feed->device, feed->order);
    }
    fal_release(feed->permutation);
    fal_release(feed->resized);
    *feed = (fal_feed){0};
}

fal_status fal_feed_order(fal_feed *feed, const uint32_t *order)
{
    size_t n = feed->data.count;
    if (feed->resident)
        return order ? fal_write(feed->device, feed->order, 0, n * sizeof *order,
                                 order)
                     : write_identity(feed, n);
    if (order && !feed->permutation) {
        feed->permutation = fal_allocate(n, sizeof *order);
        if (!feed->permutation)
            return FAL_ERROR_MEMORY;
    }
    if (order)
        memcpy(feed->permutation, order, n * sizeof *order);
    else
        for (size_t i = 0; feed->permutation && i < n; i++)
            feed->permutation[i] = (uint32_t)i;
    return FAL_OK;
}

static fal_status make_size(fal_feed *feed, fal_feed_size *size,
                            const fal_workspace *w, size_t rows)
{
    const fal_model *model = feed->model;
    fal_gather gather = {
        .type = feed->data.type,
        .stored = feed->stored,
        .labels = feed->labels,
        .targets = feed->targets,
        .order = feed->order,
        .rows = rows,
        .width = fal_shape_size(model->network.input),
        .channels = model->network.input.channels,
        .outputs = feed->data.outputs,
        .lines = model->network.input.height,
        .scale = fal_arena_view(&model->scales, feed->data.type == FAL_BYTES
                                                    ? model->byte_scale
                                                    : model->float_scale),
        .shift = fal_arena_view(&model->scales, model->shift),
        .inputs = fal_arena_view(&w->arena, w->inputs),
    };
    if (feed->augmentation)
        gather.augmentation = *feed->augmentation;
    if (feed->labels)
        gather.batch_labels = fal_arena_view(&w->arena, w->labels);
    if (feed->targets)
        gather.batch_targets = fal_arena_view(&w->arena, w->targets);
    fal_launches_release(&size->launches);
    *size = (fal_feed_size){.launches = {.device = feed->device,
                                         .layer = "input",
                                         .evaluation = w->mode != FAL_MODE_TRAIN},
                            .workspace = w};
    fal_status status = fal_gather_add(&size->launches, &gather, &size->start);
    if (!status)
        size->rows = rows;
    return status;
}

static fal_status find_size(fal_feed *feed, const fal_workspace *w, size_t rows,
                            fal_feed_size **size)
{
    for (size_t i = 0; i < FAL_FEED_SIZES; i++)
        if (feed->sizes[i].rows == rows && feed->sizes[i].workspace == w) {
            *size = &feed->sizes[i];
            return FAL_OK;
        }
    *size = &feed->sizes[feed->next_size++ % FAL_FEED_SIZES];
    return make_size(feed, *size, w, rows);
}

/* Copies the rows of a batch side by side: inputs, then labels, then targets. */
static void stage(const fal_feed *feed, size_t start, size_t rows,
                  unsigned char *to)
{
    const fal_arrays *data = &feed->data;
    size_t width = input_bytes(feed, 1);
    unsigned char *labels = to + input_bytes(feed, rows);
    unsigned char *targets = labels + label_bytes(feed, rows);
    for (size_t r = 0; r < rows; r++) {
        size_t sample = feed->permutation ? feed->permutation[start + r]
                                          : start + r;
        memcpy(to + r * width, (const unsigned char *)data->inputs + sample * width,
               width);
        if (data->labels)
            memcpy(labels + r * sizeof(int32_t), data->labels + sample,
                   sizeof(int32_t));
        if (data->targets)
            memcpy(targets + target_bytes(feed, r),
                   data->targets + sample * data->outputs, target_bytes(feed, 1));
    }
}

static fal_status write_later(fal_feed *feed, cl_mem buffer, size_t bytes,
                              const void *from, cl_event *event)
{
    return fal_cl(feed->device,
                  clEnqueueWriteBuffer(feed->device->queue, buffer, CL_FALSE, 0,
                                       bytes, from, 0, NULL, event),
                  "clEnqueueWriteBuffer", "batch");
}

static fal_status send_rows(fal_feed *feed, size_t start, size_t rows)
{
    unsigned turn = feed->turn++ % 2;
    unsigned char *from = feed->staging[turn];
    cl_event *event = &feed->travelling[turn];
    fal_status status = FAL_OK;
    if (*event) {
        status = fal_cl(feed->device, clWaitForEvents(1, event), "clWaitForEvents",
                        "batch");
        clReleaseEvent(*event);
        *event = NULL;
    }
    if (status)
        return status;
    stage(feed, start, rows, from);
    size_t inputs = input_bytes(feed, rows), labels = label_bytes(feed, rows);
    if (labels)
        status = write_later(feed, feed->labels, labels, from + inputs, NULL);
    if (!status && feed->data.targets)
        status = write_later(feed, feed->targets, target_bytes(feed, rows),
                             from + inputs + labels, NULL);
    /* The queue is in order: when the last has arrived, all have. */
    if (!status)
        status = write_later(feed, feed->stored, inputs, from, event);
    if (status) /* what was sent may still be on its way */
        clFinish(feed->device->queue);
    return status;
}

fal_status fal_feed_batch(fal_feed *feed, size_t start, size_t rows)
{
    return fal_feed_batch_to(feed, feed->workspace, start, rows);
}

fal_status fal_feed_batch_to(fal_feed *feed, const fal_workspace *workspace,
                             size_t start, size_t rows)
{
    fal_feed_size *size = NULL;
    fal_status status = find_size(feed, workspace, rows, &size);
    if (!status && !feed->resident)
        status = send_rows(feed, start, rows);
    uint32_t first = feed->resident ? (uint32_t)start : 0;
    if (!status)
        status = fal_launch_set(&size->launches, 0, size->start, sizeof first,
                                &first);
    const fal_update_step now = {.draw = (uint32_t)feed->step};
    if (!status && feed->augmentation)
        status = fal_launches_step(&size->launches, sizeof now, &now);
    return status ? status : fal_launches_run(&size->launches);
}
