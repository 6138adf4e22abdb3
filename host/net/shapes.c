/* From a list of layers to shapes: what each makes, whether it can, which are computed
 * together, and where what a matrix makes ends. */
#include "net/shapes.h"
#include "device/memory.h"
#include "net/layer.h"
#include "net/text.h"

#include <stdio.h>

/* ---- tensors ------------------------------------------------------------- */

static fal_shape shape_of(const fal_network *network, size_t tensor)
{
    return tensor ? network->layers[tensor - 1].out : network->input;
}

static int is_point(fal_shape shape)
{
    return shape.height == 1 && shape.width == 1;
}

static int is_row(const fal_network *network, size_t tensor)
{
    return tensor ? network->layers[tensor - 1].is_row : is_point(network->input);
}

static int same(fal_shape a, fal_shape b)
{
    return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

/* ---- blocks -------------------------------------------------------------- */

/* At smaller strides more than `to` of a line's pixels are left. */
static size_t least_stride(size_t from, size_t to)
{
    return (from - 1) / to + 1;
}

/* The least stride that leaves of one shape the pixels of another; 0: none does. */
static size_t find_stride(fal_shape from, fal_shape to)
{
    size_t stride = least_stride(from.height, to.height);
    if (stride < least_stride(from.width, to.width))
        stride = least_stride(from.width, to.width);
    int meets = (from.height - 1) / stride + 1 == to.height &&
                (from.width - 1) / stride + 1 == to.width;
    return meets ? stride : 0;
}

/* `advice` is what to do about it. */
static fal_status ways_differ(fal_shape in, fal_shape out, const char *advice)
{
    char body[FAL_SHAPE_TEXT], input[FAL_SHAPE_TEXT];
    fal_shape_print(body, out);
    fal_shape_print(input, in);
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "the ways of this block do not meet: its body makes %s of its "
                    "input %s; %s",
                    body, input, advice);
}

/* The layer that a projection begins with, from the shapes of its block's two ways: of
 * rows it is dense. */
static fal_status fit_projection(const fal_network *network, size_t index)
{
    fal_layer *layer = &network->layers[index];
    fal_shape in = shape_of(network, layer->from), out = shape_of(network, index);
    layer->outputs = out.channels;
    layer->stride = find_stride(in, out);
    if (is_row(network, index) && (is_row(network, layer->from) || is_point(in))) {
        layer->kind = &fal_dense_kind;
        layer->kernel = layer->stride = 0;
        return FAL_OK;
    }
    if (is_row(network, index))
        return ways_differ(in, out,
                           "no convolution makes a row of a map; put 'flatten' "
                           "before the block");
    return layer->stride
               ? FAL_OK
               : ways_differ(in, out,
                             "no stride leads from one to the other; give "
                             "the body another stride or padding");
}

static fal_status fit_join(const fal_network *network, size_t index)
{
    fal_layer *layer = &network->layers[index];
    fal_shape out = layer->in;
    layer->aside = shape_of(network, layer->beside);
    layer->stride = find_stride(layer->aside, out);
    if (same(layer->aside, out))
        return FAL_OK;
    if (!layer->pads)
        return ways_differ(layer->aside, out,
                           "write shortcut=projection or shortcut=zeropad, or make "
                           "both alike");
    if (out.channels < layer->aside.channels)
        return ways_differ(layer->aside, out,
                           "zeropad cannot take channels away; write "
                           "shortcut=projection");
    return layer->stride
               ? FAL_OK
               : ways_differ(layer->aside, out,
                             "no stride leads from one to the other; give "
                             "the body another stride or padding");
}

/* ---- layers in their order ----------------------------------------------- */

static fal_status shape_layer(fal_network *network, size_t index)
{
    fal_layer *layer = &network->layers[index];
    fal_status status = FAL_OK;
    layer->in = shape_of(network, layer->from);
    layer->is_row = is_row(network, layer->from);
    if (layer->from != index)
        status = fit_projection(network, index);
    else if (layer->is_join)
        status = fit_join(network, index);
    if (!status)
        status = layer->kind->shape(layer);
    return status ? fal_fail_within(status, "network, layer %s", layer->name)
                  : FAL_OK;
}

static fal_status shape_layers(fal_network *network)
{
    unsigned dropouts = 0;
    for (size_t i = 0; i < network->count; i++) {
        fal_layer *layer = &network->layers[i];
        fal_status status = shape_layer(network, i);
        if (status)
            return status;
        if (fal_layer_has_matrix(layer))
            layer->number = (unsigned)++network->weights;
        if (layer->kind == &fal_dropout_kind)
            layer->dropout = ++dropouts;
        layer->block = (unsigned)network->weights;
        if (layer->has_weight && layer->block == 0)
            return fal_fail(FAL_ERROR_ARGUMENT,
                            "network, layer %s: no error reaches it, for it stands "
                            "before the first layer with weights; make it plain",
                            layer->name);
    }
    return FAL_OK;
}

static fal_status check_output(fal_network *network)
{
    const fal_layer *last = fal_network_weight_layer(network,
                                                     (unsigned)network->weights);
    if (!last)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "network: it has no layer with weights; end it with "
                        "'dense N'");
    if (last->kind != &fal_dense_kind)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "network, layer %s: no convolution can be the output layer; "
            "end the network with 'dense N'",
            last->name);
    for (const fal_layer *l = last + 1; l < network->layers + network->count; l++)
        if (l->kind != &fal_linear_kind && l->kind != &fal_scale_kind)
            return fal_fail(
                FAL_ERROR_ARGUMENT,
                "network, layer %s: the loss follows the output layer "
                "%s directly; nothing but 'linear' and 'scale' may stand "
                "behind it",
                l->name, last->name);
    network->outputs = last->outputs;
    return FAL_OK;
}

/* ---- readers ------------------------------------------------------------- */

/* How many layers read each tensor. */
static unsigned *count_readers(const fal_network *network)
{
    unsigned *readers = fal_allocate(network->count + 1, sizeof *readers);
    for (size_t i = 0; i < network->count && readers; i++) {
        readers[network->layers[i].from]++;
        if (network->layers[i].is_join)
            readers[network->layers[i].beside]++;
    }
    return readers;
}

/* What another layer reads too must stay as it is. */
static void find_fused(fal_network *network, const unsigned *readers)
{
    for (size_t i = 1; i < network->count; i++) {
        fal_layer *layer = &network->layers[i];
        const fal_layer_kind *before = layer[-1].kind;
        int only = layer->from == i && readers[i] == 1;
        int adds = layer->is_join && same(layer->aside, layer->out);
        layer->fused = only &&
                       ((layer->is_activation && before->takes_activation) ||
                        (adds && before->takes_join));
    }
}

/* The one layer that reads a tensor. */
static size_t find_reader(const fal_network *network, size_t tensor)
{
    size_t reader = tensor;
    if (tensor < network->count && network->layers[tensor].from == tensor)
        return reader;
    while (reader < network->count && !(network->layers[reader].is_join &&
                                        network->layers[reader].beside == tensor))
        reader++;
    return reader;
}

static int belongs_to_below(const fal_layer *layer)
{
    return layer->kind == &fal_norm_kind || layer->is_activation ||
           layer->kind == &fal_dropout_kind || layer->is_join;
}

/* Up to where the way forks, or something else comes. */
static void find_ends(fal_network *network, const unsigned *readers)
{
    for (size_t i = 0; i < network->count; i++) {
        size_t end = i + 1, reader = 0;
        while (readers[end] == 1 &&
               (reader = find_reader(network, end)) < network->count &&
               belongs_to_below(&network->layers[reader]))
            end = reader + 1;
        network->layers[i].end = end;
    }
}

fal_status fal_network_shape(fal_network *network)
{
    fal_status status = shape_layers(network);
    if (!status)
        status = check_output(network);
    unsigned *readers = status ? NULL : count_readers(network);
    if (status || !readers)
        return status ? status : FAL_ERROR_MEMORY;
    find_fused(network, readers);
    find_ends(network, readers);
    fal_release(readers);
    return FAL_OK;
}
