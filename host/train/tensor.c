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

/* Behind the first dimension */
static size_t line_of(const fal_tensor *tensor)
{
    return fal_tensor_floats(tensor) / tensor->shape[0];
}

static size_t positions_of(const fal_tensor *tensor)
{
    return tensor->channels ? line_of(tensor) / tensor->channels : line_of(tensor);
}

/* Place of number i = position·channels + channel of a line outside. */
static size_t outside(const fal_tensor *tensor, size_t i)
{
    size_t positions = positions_of(tensor), channels = line_of(tensor) / positions;
    return i % channels * positions + i / channels;
}

/* Lines that are no maps lie as they are outside. */
static int is_plain(const fal_tensor *tensor)
{
    return !tensor->turned && (tensor->channels <= 1 || positions_of(tensor) == 1);
}

static void move(float *stored, float *value, int to_values)
{
    if (to_values)
        *value = *stored;
    else
        *stored = *value;
}

/* Between stored [in][out] and values [out][in], in blocks that stay in the cache. */
static void turn(const fal_tensor *tensor, float *stored, float *values,
                 int to_values)
{
    enum { BLOCK = 32 };
    size_t out = tensor->shape[0], in = line_of(tensor);
    for (size_t i0 = 0; i0 < in; i0 += BLOCK)
        for (size_t o0 = 0; o0 < out; o0 += BLOCK)
            for (size_t i = i0; i < in && i < i0 + BLOCK; i++) {
                size_t place = outside(tensor, i);
                for (size_t o = o0; o < out && o < o0 + BLOCK; o++)
                    move(&stored[i * out + o], &values[o * in + place], to_values);
            }
}

/* Between stored [lines][positions][channels] and values [lines][channels][positions].
 */
static void permute(const fal_tensor *tensor, float *stored, float *values,
                    int to_values)
{
    size_t lines = tensor->shape[0], length = line_of(tensor);
    for (size_t i = 0; i < length; i++) {
        size_t place = outside(tensor, i);
        for (size_t l = 0; l < lines; l++)
            move(&stored[l * length + i], &values[l * length + place], to_values);
    }
}

static void convert(const fal_tensor *tensor, float *stored, float *values,
                    int to_values)
{
    if (tensor->turned)
        turn(tensor, stored, values, to_values);
    else
        permute(tensor, stored, values, to_values);
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
    size_t columns = tensor->turned ? tensor->shape[0] : line_of(tensor);
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
    if (is_plain(tensor))
        return read_stored(tensor, values, count);
    float *stored = fal_allocate(count, sizeof *stored);
    if (!stored)
        return FAL_ERROR_MEMORY;
    status = read_stored(tensor, stored, count);
    if (!status)
        convert(tensor, stored, values, 1);
    fal_release(stored);
    return status;
}

fal_status fal_tensor_write(const fal_tensor *tensor, const float *values,
                            size_t count)
{
    fal_status status = check_values(tensor, values, count);
    if (status)
        return status;
    if (is_plain(tensor))
        return fal_arena_write(tensor->arena, tensor->slot, values);
    float *stored = fal_allocate(count, sizeof *stored);
    if (!stored)
        return FAL_ERROR_MEMORY;
    convert(tensor, stored, (float *)values, 0);
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

static void shape_as_map(fal_tensor *tensor, size_t lines, size_t channels,
                         size_t height, size_t width)
{
    const size_t shape[4] = {lines, channels, height, width};
    memcpy(tensor->shape, shape, sizeof shape);
    tensor->dimensions = 4;
    tensor->channels = channels;
}

void fal_tensor_like_weight(fal_tensor *tensor, const fal_layer *layer)
{
    tensor->turned = 1;
    if (layer->kernel) {
        shape_as_map(tensor, layer->outputs, layer->in.channels, layer->kernel,
                     layer->kernel);
        return;
    }
    tensor->shape[0] = layer->outputs;
    tensor->shape[1] = layer->inputs;
    tensor->dimensions = 2;
    tensor->channels = layer->in.channels;
}

void fal_tensor_like_output(fal_tensor *tensor, const fal_layer *layer,
                            size_t lines)
{
    tensor->turned = 0;
    if (layer->kernel) {
        shape_as_map(tensor, lines, layer->out.channels, layer->out.height,
                     layer->out.width);
        return;
    }
    tensor->shape[0] = lines;
    tensor->shape[1] = fal_layer_units(layer);
    tensor->dimensions = 2;
    tensor->channels = 0;
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
    if (layer->number)
        fal_tensor_like_weight(&weight, layer);
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
