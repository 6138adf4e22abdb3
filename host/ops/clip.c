#include "ops/clip.h"
#include "ops/grid.h"

/* cl/clip.cl's, and the most groups of a launch on GPU-like devices. */
enum { BLOCK = FAL_SQUARES_BLOCK, MOST_GROUPS = 32768 };

size_t fal_square_sums_count(size_t n)
{
    return n / BLOCK + (n % BLOCK != 0);
}

fal_status fal_square_sums_add(fal_launches *list, fal_view x, size_t n,
                               fal_view partials)
{
    fal_launch_begin(list, "square_sums");
    fal_launch_work(list, "", 0, 4. * (double)n);
    fal_launch_view(list, x);
    fal_launch_view(list, partials);
    return fal_end_square_sums(list, n);
}

fal_status fal_end_square_sums(fal_launches *list, size_t n)
{
    size_t blocks = fal_square_sums_count(n);
    size_t span = fal_span(list->device, blocks, BLOCK, 1);
    fal_launch_ulong(list, n);
    fal_launch_ulong(list, span);
    if (fal_is_cpu_like(list))
        return fal_end_spans(list, blocks, span);
    blocks = blocks < MOST_GROUPS ? blocks : MOST_GROUPS;
    return fal_launch_end(list, (const size_t[3]){blocks * FAL_GROUP, 1, 1},
                          (const size_t[3]){FAL_GROUP, 1, 1});
}

fal_status fal_clip_scale_add(fal_launches *list, float limit, fal_view partials,
                              size_t count, fal_view scale)
{
    fal_launch_begin(list, "clip_scale");
    fal_launch_float(list, limit);
    fal_launch_view(list, partials);
    fal_launch_uint(list, (uint32_t)count);
    fal_launch_view(list, scale);
    return fal_end_group(list);
}
