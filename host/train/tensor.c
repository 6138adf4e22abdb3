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

/* Place of stored input i = position·channels + channel outside. */
static size_t outside(const fal_tensor *tensor, size_t i)
{
    size_t positions = tensor->shape[1] / tensor->channels;
    return i % tensor->channels * positions + i / tensor->channels;
}

/* Between stored [in][out] and values [out][in], in blocks that stay in the cache. */
static void turn(const fal_tensor *tensor, float *stored, float *values,
                 int to_values)
{
    enum { BLOCK = 32 };
    size_t out = tensor->shape[0], in = tensor->shape[1];
    for (size_t i0 = 0; i0 < in; i0 += BLOCK)
        for (size_t o0 = 0; o0 < out; o0 += BLOCK)
            for (size_t i = i0; i < in && i < i0 + BLOCK; i++) {
                size_t place = outside(tensor, i);
                for (size_t o = o0; o < out && o < o0 + BLOCK; o++)
                    if (to_values)
                        values[o * in + place] = stored[i * out + o];
                    else
                        stored[i * out + o] = values[o * in + place];
            }
}

static fal_status check_values(const fal_tensor *tensor, const float *values,
                               size_t count)
{
    if (!values)
        return fal_fail(FAL_ERROR_ARGUMENT, "tensor %s: no array of numbers",
                        tensor->name);
    if (count == fal_tensor_floats(tensor))
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT, "tensor %s has %zu numbers, not %zu",
                    tensor->name, fal_tensor_floats(tensor), count);
}

/* As it is stored, or would be */
static fal_status read_stored(const fal_tensor *tensor, float *values, size_t count)
{
    fal_slot slot = tensor->slot;
    slot.count = count;
    if (!tensor->random)
        return fal_arena_read(tensor->arena, slot, values);
    fal_device *device = tensor->arena->device;
    size_t columns = tensor->shape[tensor->turned ? 0 : 1];
    fal_view view = {NULL, 0};
    fal_status status = fal_buffer_create(device, count * sizeof *values,
                                          tensor->arena->what, &view.buffer);
    if (!status)
        status = fal_random_fill(device, tensor->random, view, count / columns,
                                 columns, tensor->turned);
    if (!status)
        status = fal_read(device, view.buffer, 0, count * sizeof *values, values);
    fal_buffer_destroy(device, view.buffer);
    return status;
}

fal_status fal_tensor_read(const fal_tensor *tensor, float *values, size_t count)
{
    fal_status status = check_values(tensor, values, count);
    if (status)
        return status;
    if (!tensor->turned)
        return read_stored(tensor, values, count);
    float *stored = fal_allocate(count, sizeof *stored);
    if (!stored)
        return FAL_ERROR_MEMORY;
    status = read_stored(tensor, stored, count);
    if (!status)
        turn(tensor, stored, values, 1);
    fal_release(stored);
    return status;
}

fal_status fal_tensor_write(const fal_tensor *tensor, const float *values,
                            size_t count)
{
    fal_status status = check_values(tensor, values, count);
    if (status)
        return status;
    if (!tensor->turned)
        return fal_arena_write(tensor->arena, tensor->slot, values);
    float *stored = fal_allocate(count, sizeof *stored);
    if (!stored)
        return FAL_ERROR_MEMORY;
    turn(tensor, stored, (float *)values, 0);
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

fal_status fal_tensor_add_layer(fal_tensor_list *list, const fal_arena *arena,
                                const fal_layer *layer, const char *ending)
{
    char what[32];
    fal_tensor vector = {.arena = arena,
                         .slot = layer->weight,
                         .shape = {layer->outputs},
                         .dimensions = 1};
    fal_tensor weight = vector;
    fal_status status = FAL_OK;
    if (layer->number) {
        weight.shape[1] = layer->inputs;
        weight.dimensions = 2;
        weight.turned = 1;
        weight.channels = layer->in.channels;
    }
    snprintf(what, sizeof what, "weight%s", ending);
    if (layer->has_weight)
        status = fal_tensor_add(list, weight, layer->name, what);
    vector.slot = layer->bias;
    snprintf(what, sizeof what, "bias%s", ending);
    if (layer->has_bias && !status)
        status = fal_tensor_add(list, vector, layer->name, what);
    return status;
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
