#include "ops/grid.h"
#include "ops/sizes.h"

/* A group of fewer floats costs more in its start than it saves; groups a compute
 * unit so that a unit that was held up does not hold up all; and the most groups of
 * an elementwise kernel on GPU-like devices, below 65,536. */
enum { FLOATS_A_GROUP = 16384, GROUPS_A_UNIT = 4, MOST_GROUPS = 32768 };

int fal_is_cpu_like(const fal_launches *list)
{
    return list->device->facts.family == FAL_FAMILY_CPU;
}

size_t fal_span(const fal_device *device, size_t items, size_t floats, size_t unit)
{
    size_t most = (size_t)device->facts.units * GROUPS_A_UNIT;
    size_t groups = fal_divided(items, fal_divided(FLOATS_A_GROUP, floats));
    groups = groups > most ? most : groups;
    size_t span = groups > 1 ? fal_divided(items, groups) : items;
    return span ? fal_rounded(span, unit) : unit;
}

fal_status fal_end_spans(fal_launches *list, size_t items, size_t span)
{
    size_t groups = items ? fal_divided(items, span) : 1;
    return fal_launch_end(list, (const size_t[3]){groups, 1, 1},
                          (const size_t[3]){1, 1, 1});
}

fal_status fal_end_group(fal_launches *list)
{
    size_t items = fal_is_cpu_like(list) ? 1 : FAL_GROUP;
    return fal_launch_end(list, (const size_t[3]){items, 1, 1},
                          (const size_t[3]){items, 1, 1});
}

fal_status fal_end_elements(fal_launches *list, size_t n)
{
    size_t span = fal_span(list->device, n, 1, 16);
    fal_launch_ulong(list, n);
    fal_launch_ulong(list, span);
    if (fal_is_cpu_like(list))
        return fal_end_spans(list, n, span);
    size_t groups = n ? fal_divided(n, FAL_GROUP) : 1;
    groups = groups > MOST_GROUPS ? MOST_GROUPS : groups;
    return fal_launch_end(list, (const size_t[3]){groups * FAL_GROUP, 1, 1},
                          (const size_t[3]){FAL_GROUP, 1, 1});
}

fal_status fal_end_lines(fal_launches *list, size_t lines, size_t floats,
                         size_t elements)
{
    if (!fal_is_cpu_like(list))
        return fal_end_elements(list, elements);
    size_t span = fal_span(list->device, lines, floats, 1);
    fal_launch_ulong(list, lines);
    fal_launch_ulong(list, span);
    return fal_end_spans(list, lines, span);
}
