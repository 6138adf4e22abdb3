#include "ops/dropout.h"
#include "ops/grid.h"
#include "ops/optimize.h"

/* A multiple of what an item draws at a time; words of a counter, and the most groups
 * of GPU-like devices, below 65,536 */
enum { UNIT = 64, WORDS = 4, MOST_GROUPS = 32768 };

static fal_status check(double rate, size_t positions, size_t channels)
{
    if (!(rate >= 0 && rate < 1))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "dropout of %g: the rate must be at least 0 and below 1",
                        rate);
    if (positions == 0 || channels == 0 ||
        (double)positions * (double)channels > INT32_MAX)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "dropout of %zu positions of %zu channels: their product "
                        "must be at least 1 and below 2^31",
                        positions, channels);
    return FAL_OK;
}

static fal_status end(fal_launches *list, size_t n)
{
    size_t span = fal_span(list->device, n, WORDS, UNIT);
    fal_launch_ulong(list, n);
    fal_launch_ulong(list, span);
    if (fal_is_cpu_like(list))
        return fal_end_spans(list, n, span);
    size_t groups = n / (FAL_GROUP * WORDS) + 1;
    groups = groups > MOST_GROUPS ? MOST_GROUPS : groups;
    return fal_launch_end(list, (const size_t[3]){groups * FAL_GROUP, 1, 1},
                          (const size_t[3]){FAL_GROUP, 1, 1});
}

fal_status fal_dropout_add(fal_launches *list, const fal_random *numbers,
                           double rate, fal_view x, fal_view y, size_t rows,
                           size_t positions, size_t channels)
{
    const fal_kernel_numbers described = fal_random_describe(numbers);
    fal_status status = check(rate, positions, channels);
    if (status)
        return status;
    size_t n = rows * positions * channels;
    fal_launch_begin(list, "dropout");
    fal_launch_work(list, "", 0, 8. * (double)n);
    fal_launch_bytes(list, sizeof described, &described);
    fal_launch_step(list, sizeof(fal_update_step));
    fal_launch_uint(list, (uint32_t)(rate * 0x1p32));
    fal_launch_float(list, (float)(1 / (1 - rate)));
    fal_launch_uint(list, (uint32_t)positions);
    fal_launch_uint(list, (uint32_t)channels);
    fal_launch_view(list, x);
    fal_launch_view(list, y);
    return end(list, n);
}
