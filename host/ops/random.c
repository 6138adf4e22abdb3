#include "ops/random.h"
#include "ops/grid.h"

/* Numbers of one counter, and the most groups of a fill, below 65,536 */
enum { WORDS = 4, MOST_GROUPS = 32768 };

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

fal_status fal_random_fill(fal_device *device, const fal_random *random,
                           fal_view values, size_t rows, size_t columns, int turned)
{
    if (random->distribution == FAL_ZERO || rows == 0 || columns == 0)
        return zero(device, values, rows * columns);
    float unit = random->distribution == FAL_UNIFORM ? 8388608.0f : 1.0f;
    fal_launches list = {.device = device, .evaluation = 1};
    fal_launch_begin(&list, "random_fill");
    fal_launch_int(&list, (int32_t)random->distribution);
    fal_launch_float(&list, random->scale / unit);
    fal_launch_uint(&list, (uint32_t)random->seed);
    fal_launch_uint(&list, (uint32_t)(random->seed >> 32));
    fal_launch_uint(&list, random->draw);
    fal_launch_uint(&list, 256 * random->layer + random->purpose);
    fal_launch_ulong(&list, rows);
    fal_launch_ulong(&list, columns);
    fal_launch_int(&list, turned != 0);
    fal_launch_uint(&list, random->channels ? random->channels : 1);
    fal_launch_view(&list, values);
    fal_status status = end(&list, rows * columns);
    if (!status)
        status = fal_launches_run(&list);
    fal_launches_release(&list);
    return status;
}
