/* Networks: from a preset or layers to a list with shapes and a complete text, and the
 * places of what its layers learn. */
#include "net/network.h"
#include "device/memory.h"
#include "net/layer.h"
#include "net/presets.h"
#include "net/shapes.h"
#include "net/text.h"

#include <stdio.h>

const fal_layer_kind *const fal_layer_kinds[] = {
    &fal_dense_kind, &fal_conv_kind, &fal_norm_kind,    &fal_relu_kind,
    &fal_leaky_kind, &fal_tanh_kind, &fal_sigmoid_kind, &fal_linear_kind,
    &fal_scale_kind, &fal_pool_kind, &fal_flatten_kind, &fal_dropout_kind};
const size_t fal_layer_kind_count = sizeof fal_layer_kinds /
                                    sizeof *fal_layer_kinds;

size_t fal_shape_size(fal_shape shape)
{
    return shape.height * shape.width * shape.channels;
}

static int is_row(fal_shape shape)
{
    return shape.height == 1 && shape.width == 1;
}

void fal_shape_print(char text[FAL_SHAPE_TEXT], fal_shape shape)
{
    if (is_row(shape))
        snprintf(text, FAL_SHAPE_TEXT, "%zu", shape.channels);
    else
        snprintf(text, FAL_SHAPE_TEXT, "%zux%zux%zu", shape.height, shape.width,
                 shape.channels);
}

int fal_shape_takes(fal_shape input, fal_shape data)
{
    int same = input.height == data.height && input.width == data.width &&
               input.channels == data.channels;
    return same || ((is_row(input) || is_row(data)) &&
                    fal_shape_size(input) == fal_shape_size(data));
}

static fal_status resolve_input(fal_network *network, fal_shape data)
{
    size_t given = fal_shape_size(network->input), has = fal_shape_size(data);
    if (!given)
        network->input = data;
    if (!given && !has)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "network: no 'input' item and no data set to take it from");
    if (!given || !has || fal_shape_takes(network->input, data))
        return FAL_OK;
    char input[FAL_SHAPE_TEXT], samples[FAL_SHAPE_TEXT];
    fal_shape_print(input, network->input);
    fal_shape_print(samples, data);
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "network: its input has the size %s, the data set's samples "
                    "have %s; leave 'input' out, or give other data",
                    input, samples);
}

fal_status fal_network_parse(fal_network *network, const char *text,
                             const fal_network_defaults *defaults)
{
    char *expanded = NULL;
    *network = (fal_network){0};
    fal_status status = fal_preset_expand(text, defaults, &expanded);
    if (!status)
        status = fal_network_read(network, expanded);
    fal_release(expanded);
    if (!status)
        status = resolve_input(network, defaults->input);
    if (!status)
        status = fal_network_shape(network);
    if (!status)
        status = fal_network_write(network, &network->text);
    if (status)
        fal_network_release(network);
    return status;
}

fal_status fal_network_take_rules(fal_network *network, const fal_network *other)
{
    char *text = network->text;
    for (size_t i = 0; i < network->count && i < other->count; i++)
        if (network->layers[i].number)
            network->layers[i].rule = other->layers[i].rule;
    fal_status status = fal_network_write(network, &network->text);
    if (!status)
        fal_release(text);
    return status;
}

void fal_network_release(fal_network *network)
{
    fal_release(network->layers);
    fal_release(network->text);
    *network = (fal_network){0};
}

fal_layer *fal_network_weight_layer(const fal_network *network, unsigned number)
{
    for (size_t i = 0; i < network->count; i++)
        if (network->layers[i].number == number && number > 0)
            return &network->layers[i];
    return NULL;
}

size_t fal_layer_units(const fal_layer *layer)
{
    return fal_shape_size(layer->out);
}

int fal_layer_has_matrix(const fal_layer *layer)
{
    return layer->kind == &fal_dense_kind || layer->kind == &fal_conv_kind;
}

size_t fal_network_index(const fal_network *network, const fal_layer *layer)
{
    return (size_t)(layer - network->layers);
}

uint64_t fal_network_parameters(const fal_network *network)
{
    uint64_t floats = 0;
    for (size_t i = 0; i < network->count; i++) {
        const fal_layer *layer = &network->layers[i];
        if (layer->has_weight)
            floats += (uint64_t)layer->inputs * layer->outputs;
        if (layer->has_bias)
            floats += layer->outputs;
    }
    return floats;
}

fal_status fal_network_check_rows(const fal_network *network, size_t rows)
{
    for (size_t i = 0; i < network->count; i++) {
        const fal_layer *layer = &network->layers[i];
        if (layer->kind->least_rows && rows < layer->kind->least_rows(layer))
            return fal_fail(
                FAL_ERROR_ARGUMENT,
                "layer %s normalizes over the batch, and a batch of %zu "
                "has a single value a channel",
                layer->name, rows);
    }
    return FAL_OK;
}

/* A bias follows its weight as one more row, so that one product makes the
 * gradients of both. */
static fal_status place_layer(fal_layer *layer, fal_arena *arena)
{
    uint64_t size = (uint64_t)layer->inputs * layer->outputs;
    fal_status status = fal_arena_place(
        arena, size + (layer->has_bias ? layer->outputs : 0), &layer->weight);
    if (status)
        return status;
    layer->weight.count = size;
    layer->bias = layer->weight;
    layer->bias.offset += size;
    layer->bias.count = layer->has_bias ? layer->outputs : 0;
    return FAL_OK;
}

fal_status fal_network_place_state(fal_network *network, fal_arena *arena)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < network->count && !status; i++) {
        fal_layer *layer = &network->layers[i];
        if (!layer->has_state)
            continue;
        status = fal_arena_place(arena, layer->outputs, &layer->running_mean);
        if (!status)
            status = fal_arena_place(arena, layer->outputs, &layer->running_var);
    }
    return status;
}

fal_status fal_network_place(fal_network *network, fal_arena *arena)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < network->count && !status; i++)
        if (network->layers[i].has_weight)
            status = place_layer(&network->layers[i], arena);
    return status;
}
