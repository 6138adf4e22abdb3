#include "device/launch.h"
#include "device/memory.h"
#include "device/profile.h"

#include <stdio.h>
#include <string.h>

/* An empty launch, or a failure in list->status. */
static fal_launch *start(fal_launches *list, const char *name)
{
    list->argument = 0;
    list->status = FAL_OK;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        fal_launch *grown = fal_resize(list->items, capacity, sizeof *grown);
        if (!grown) {
            list->status = FAL_ERROR_MEMORY;
            return NULL;
        }
        list->items = grown;
        list->capacity = capacity;
    }
    fal_launch *launch = &list->items[list->count];
    memset(launch, 0, sizeof *launch);
    snprintf(launch->name, sizeof launch->name, "%s", name);
    return launch;
}

void fal_launch_begin(fal_launches *list, const char *kernel)
{
    fal_launch *launch = start(list, kernel);
    if (launch)
        list->status = fal_kernel_create(list->device, kernel, &launch->kernel);
}

void fal_launch_begin_call(fal_launches *list, const char *name, fal_call call,
                           size_t bytes, const void *data)
{
    fal_launch *launch = start(list, name);
    void *copy = launch ? fal_allocate(bytes, 1) : NULL;
    if (!copy) {
        list->status = FAL_ERROR_MEMORY;
        return;
    }
    memcpy(copy, data, bytes);
    launch->call = call;
    launch->data = copy;
}

static void set(fal_launches *list, size_t bytes, const void *value)
{
    if (list->status)
        return;
    const fal_launch *launch = &list->items[list->count];
    list->status = fal_cl(
        list->device,
        clSetKernelArg(launch->kernel, list->argument++, bytes, value),
        "clSetKernelArg", launch->name);
}

void fal_launch_int(fal_launches *list, int32_t value)
{
    set(list, sizeof value, &value);
}

void fal_launch_uint(fal_launches *list, uint32_t value)
{
    set(list, sizeof value, &value);
}

void fal_launch_ulong(fal_launches *list, uint64_t value)
{
    set(list, sizeof value, &value);
}

void fal_launch_float(fal_launches *list, float value)
{
    set(list, sizeof value, &value);
}

void fal_launch_bytes(fal_launches *list, size_t bytes, const void *value)
{
    set(list, bytes, value);
}

void fal_launch_buffer(fal_launches *list, cl_mem buffer)
{
    set(list, sizeof buffer, &buffer);
}

void fal_launch_view(fal_launches *list, fal_view view)
{
    fal_launch_buffer(list, view.buffer);
    fal_launch_ulong(list, view.offset);
}

void fal_launch_local(fal_launches *list, size_t bytes)
{
    set(list, bytes, NULL);
}

void fal_launch_work(fal_launches *list, const char *work, double flops,
                     double bytes)
{
    if (list->status)
        return;
    fal_launch *launch = &list->items[list->count];
    fal_share *grown = fal_resize(launch->shares, launch->share_count + 1,
                                  sizeof *grown);
    if (!grown) {
        list->status = FAL_ERROR_MEMORY;
        return;
    }
    launch->shares = grown;
    fal_share *share = &grown[launch->share_count++];
    *share = (fal_share){.flops = flops, .bytes = bytes};
    snprintf(share->layer, sizeof share->layer, "%s",
             list->layer ? list->layer : "");
    snprintf(share->work, sizeof share->work, "%s", work);
}

cl_mem fal_launch_room(fal_launches *list, size_t bytes)
{
    cl_mem room = NULL;
    if (!list->status)
        list->status = fal_buffer_create(list->device, bytes, "tables of launches",
                                         &room);
    if (list->status)
        return NULL;
    list->items[list->count].table = room;
    fal_launch_buffer(list, room);
    return room;
}

void fal_launch_table(fal_launches *list, size_t bytes, const void *values)
{
    cl_mem table = fal_launch_room(list, bytes);
    if (table && !list->status)
        list->status = fal_write(list->device, table, 0, bytes, values);
}

void fal_launch_step(fal_launches *list, size_t bytes)
{
    const char zeros[64] = {0};
    if (!list->status)
        list->items[list->count].step = list->argument;
    set(list, bytes, zeros);
}

static void release(fal_launches *list, fal_launch *launch)
{
    if (launch->kernel)
        clReleaseKernel(launch->kernel);
    fal_buffer_destroy(list->device, launch->table);
    fal_release(launch->shares);
    fal_release(launch->data);
    *launch = (fal_launch){0};
}

fal_status fal_launch_end(fal_launches *list, const size_t global[3],
                          const size_t local[3])
{
    if (list->count == list->capacity)
        return list->status;
    fal_launch *launch = &list->items[list->count];
    if (launch->share_count == 0)
        fal_launch_work(list, "", 0, 0);
    if (list->status) {
        release(list, launch);
        return list->status;
    }
    memcpy(launch->global, global, sizeof launch->global);
    memcpy(launch->local, local, sizeof launch->local);
    list->count++;
    return FAL_OK;
}

fal_status fal_launch_end_call(fal_launches *list)
{
    static const size_t none[3];
    return fal_launch_end(list, none, none);
}

static fal_status enqueue(fal_device *device, const fal_launch *launch,
                          cl_event *event)
{
    if (launch->call)
        return launch->call(device, launch->data, event);
    return fal_cl(device,
                  clEnqueueNDRangeKernel(device->queue, launch->kernel, 3, NULL,
                                         launch->global, launch->local, 0, NULL,
                                         event),
                  "clEnqueueNDRangeKernel", launch->name);
}

static fal_status run(const fal_launches *list, fal_launch *launch)
{
    fal_profile *profile = list->device->profile;
    cl_event event = NULL;
    fal_status status = enqueue(list->device, launch, profile ? &event : NULL);
    if (event && status)
        clReleaseEvent(event);
    return status || !profile ? status
                              : fal_profile_note(profile, list, launch, event);
}

fal_status fal_launches_run(const fal_launches *list)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < list->count && !status; i++)
        status = run(list, &list->items[i]);
    return status;
}

fal_status fal_launches_step(const fal_launches *list, size_t bytes,
                             const void *value)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < list->count && !status; i++)
        if (list->items[i].step)
            status = fal_launch_set(list, i, list->items[i].step, bytes, value);
    return status;
}

fal_status fal_launch_set(const fal_launches *list, size_t launch,
                          unsigned argument, size_t bytes, const void *value)
{
    const fal_launch *item = &list->items[launch];
    return fal_cl(list->device,
                  clSetKernelArg(item->kernel, argument, bytes, value),
                  "clSetKernelArg", item->name);
}

void fal_launches_release(fal_launches *list)
{
    if (list->count > 0 && list->device->profile)
        fal_profile_collect(list->device->profile, list->device);
    for (size_t i = 0; i < list->count; i++)
        release(list, &list->items[i]);
    fal_release(list->items);
    list->items = NULL;
    list->count = list->capacity = 0;
}
