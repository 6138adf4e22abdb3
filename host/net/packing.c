/* The largest first, each at the lowest offset where nothing lies at its time: simple, and
 * for networks seldom far from the best. */
#include "net/packing.h"
#include "device/memory.h"

#include <stdlib.h>

enum { ALIGNMENT = 16 };

static int by_size(const void *a, const void *b)
{
    const fal_packed *x = *(fal_packed *const *)a, *y = *(fal_packed *const *)b;
    if (x->floats != y->floats)
        return x->floats > y->floats ? -1 : 1;
    return x < y ? -1 : x > y;
}

static uint64_t end_of(const fal_packed *item)
{
    uint64_t floats = (item->floats + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return item->offset + floats;
}

static int share_time(const fal_packed *a, const fal_packed *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Behind each that is in the way, in the order of their offsets, in which the item then
 * takes its place among them. */
static void settle(fal_packed *item, fal_packed **placed, size_t count)
{
    size_t at = count;
    item->offset = 0;
    for (size_t i = 0; i < count && placed[i]->offset < end_of(item); i++)
        if (share_time(item, placed[i]) && end_of(placed[i]) > item->offset)
            item->offset = end_of(placed[i]);
    for (; at > 0 && placed[at - 1]->offset > item->offset; at--)
        placed[at] = placed[at - 1];
    placed[at] = item;
}

fal_status fal_pack(fal_packed *items, size_t count, uint64_t *floats)
{
    fal_packed **order = fal_allocate(count, sizeof *order);
    *floats = 0;
    if (!order)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++)
        order[i] = &items[i];
    qsort(order, count, sizeof *order, by_size);
    for (size_t i = 0; i < count; i++) {
        settle(order[i], order, i);
        if (end_of(order[i]) > *floats)
            *floats = end_of(order[i]);
    }
    fal_release(order);
    return FAL_OK;
}
