#include "train/tensor.h"
#include "device/memory.h"

#include <stdio.h>
#include <string.h>

size_t fal_tensor_floats(const fal_tensor *tensor)
{
    size_t floats = 1;
    for (size_t i = 0; i < tensor->dimensions; i++)
        floats *= tensor->shape[i];
    return floats;
}

/* to[c][r] <- from[r][c], in blocks that stay in the cache. */
static void turn(const float *from, size_t rows, size_t columns, float *to)
{
    enum { BLOCK = 32 };
    for (size_t r0 = 0; r0 < rows; r0 += BLOCK)
        for (size_t c0 = 0; c0 < columns; c0 += BLOCK)
            for (size_t r = r0; r < rows && r < r0 + BLOCK; r++)
                for (size_t c = c0; c < columns && c < c0 + BLOCK; c++)
                    to[c * rows + r] = from[r * columns + c];
}

static fal_status check_count(const fal_tensor *tensor, size_t count)
{
    if (count == fal_tensor_floats(tensor))
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT, "tensor %s has %zu numbers, not %zu",
                    tensor->name, fal_tensor_floats(tensor), count);
}

fal_status fal_tensor_read(const fal_tensor *tensor, float *values, size_t count)
{
    fal_status status = check_count(tensor, count);
    if (status)
        return status;
    fal_slot slot = tensor->slot;
    slot.count = count;
    if (!tensor->turned)
        return fal_arena_read(tensor->arena, slot, values);
    float *stored = fal_allocate(count, sizeof *stored);
    if (!stored)
        return FAL_ERROR_MEMORY;
    status = fal_arena_read(tensor->arena, slot, stored);
    if (!status)
        turn(stored, tensor->shape[1], tensor->shape[0], values);
    fal_release(stored);
    return status;
}

fal_status fal_tensor_write(const fal_tensor *tensor, const float *values,
                            size_t count)
{
    fal_status status = check_count(tensor, count);
    if (status)
        return status;
    if (!tensor->turned)
        return fal_arena_write(tensor->arena, tensor->slot, values);
    float *stored = fal_allocate(count, sizeof *stored);
    if (!stored)
        return FAL_ERROR_MEMORY;
    turn(values, tensor->shape[0], tensor->shape[1], stored);
    status = fal_arena_write(tensor->arena, tensor->slot, stored);
    fal_release(stored);
    return status;
}

fal_status fal_tensor_add(fal_tensor_list *list, fal_tensor tensor,
                          const char *layer, const char *what)
{
    fal_tensor *grown = fal_resize(list->items, list->count + 1, sizeof *grown);
    if (!grown)
        return FAL_ERROR_MEMORY;
    list->items = grown;
    snprintf(tensor.name, sizeof tensor.name, "%s.%s", layer, what);
    list->items[list->count++] = tensor;
    return FAL_OK;
}

fal_status fal_tensor_find(const fal_tensor_list *list, const char *name,
                           const fal_tensor **tensor)
{
    for (size_t i = 0; name && i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0) {
            *tensor = &list->items[i];
            return FAL_OK;
        }
    const char **known = fal_allocate(list->count, sizeof *known);
    if (!known)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < list->count; i++)
        known[i] = list->items[i].name;
    fal_status status = fal_fail_unknown("tensor", name ? name : "", known,
                                         list->count);
    fal_release(known);
    return status;
}

void fal_tensor_shape(const fal_tensor *tensor, size_t shape[4], size_t *dimensions)
{
    *dimensions = tensor->dimensions;
    for (size_t i = 0; i < 4; i++)
        shape[i] = i < tensor->dimensions ? tensor->shape[i] : 1;
}

void fal_tensor_list_release(fal_tensor_list *list)
{
    fal_release(list->items);
    *list = (fal_tensor_list){0};
}
