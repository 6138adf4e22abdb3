#include "ops/random.h"
#include "ops/grid.h"
#include "ops/optimize.h"

/* Numbers of one counter, and the most groups of a fill, below 65,536 */
enum { WORDS = 4, MOST_GROUPS = 32768 };

fal_kernel_numbers fal_random_describe(const fal_random *random)
{
    float unit = random->distribution == FAL_UNIFORM ? 8388608.0f : 1.0f;
    return (fal_kernel_numbers){(cl_int)random->distribution,
                                random->scale / unit,
                                (cl_uint)random->seed,
                                (cl_uint)(random->seed >> 32),
                                random->draw,
                                256 * random->layer + random->purpose};
}

static fal_status zero(fal_device *device, fal_view values, size_t count)
{
    const float nothing = 0;
    if (count == 0)
        return FAL_OK;
    return fal_cl(device,
                  clEnqueueFillBuffer(device->queue, values.buffer, &nothing,
                                      sizeof nothing,
                                      values.offset * sizeof nothing,
                                      count * sizeof nothing, 0, NULL, NULL),
                  "clEnqueueFillBuffer", "random_fill");
}

static fal_status end(fal_launches *list, size_t count)
{
    size_t counters = count / WORDS + 1;
    if (fal_is_cpu_like(list))
        return fal_end_spans(list, counters,
                             fal_span(list->device, counters, WORDS, 16));
    size_t groups = counters / FAL_GROUP + 1;
    groups = groups > MOST_GROUPS ? MOST_GROUPS : groups;
    return fal_launch_end(list, (const size_t[3]){groups * FAL_GROUP, 1, 1},
                          (const size_t[3]){FAL_GROUP, 1, 1});
}

static fal_status add(fal_launches *list, const fal_random *random, fal_view values,
                      size_t rows, size_t columns, int turned, int redrawn)
{
    const fal_kernel_numbers numbers = fal_random_describe(random);
    fal_launch_begin(list, "random_fill");
    fal_launch_bytes(list, sizeof numbers, &numbers);
    fal_launch_ulong(list, rows);
    fal_launch_ulong(list, columns);
    fal_launch_int(list, turned != 0);
    fal_launch_uint(list, random->channels ? random->channels : 1);
    fal_launch_view(list, values);
    fal_launch_int(list, redrawn);
    fal_launch_step(list, sizeof(fal_update_step));
    return end(list, rows * columns);
}

fal_status fal_random_add(fal_launches *list, const fal_random *random,
                          fal_view values, size_t rows, size_t columns, int turned)
{
    return add(list, random, values, rows, columns, turned, 0);
}

fal_status fal_random_redraw_add(fal_launches *list, const fal_random *random,
                                 fal_view values, size_t rows, size_t columns,
                                 int turned)
{
    return add(list, random, values, rows, columns, turned, 1);
}

fal_status fal_random_set(const fal_launches *list, size_t launch,
                          const fal_random *random)
{
    const fal_kernel_numbers numbers = fal_random_describe(random);
    return fal_launch_set(list, launch, 0, sizeof numbers, &numbers);
}

fal_status fal_random_fill(fal_device *device, const fal_random *random,
                           fal_view values, size_t rows, size_t columns, int turned)
{
    if (random->distribution == FAL_ZERO || rows == 0 || columns == 0)
        return zero(device, values, rows * columns);
    fal_launches list = {.device = device, .evaluation = 1};
    fal_status status = fal_random_add(&list, random, values, rows, columns,
                                       turned);
    if (!status)
        status = fal_launches_run(&list);
    fal_launches_release(&list);
    return status;
}
