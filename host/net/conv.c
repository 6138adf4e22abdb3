/* conv N K: out [rows][h'][w'][N] from in [rows][h][w][C] and W [K][K][C][N], the
 * kernels at every position, + b. */
#include "net/layer.h"
#include "net/window.h"

#include <stdio.h>
#include <string.h>

static fal_status read_options(fal_layer *layer, char *const *words, size_t count)
{
    size_t at = 2;
    layer->stride = 1;
    layer->pad = (layer->kernel - 1) / 2;
    fal_status status = fal_window_option(words, count, &at, "stride", 1,
                                          &layer->stride);
    if (!status)
        status = fal_window_option(words, count, &at, "pad", 0, &layer->pad);
    layer->has_bias = at == count || strcmp(words[at], "nobias") != 0;
    at += layer->has_bias ? 0 : 1;
    if (status || at == count)
        return status;
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "'%.40s' cannot stand here; behind 'conv N K' may stand 'stride "
        "S', 'pad P' and 'nobias', in this order",
        words[at]);
}

static fal_status parse(fal_layer *layer, char *const *words, size_t count)
{
    layer->has_weight = 1;
    if (count < 2)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "it must be 'conv N K': so many channels from kernels of "
                        "KxK");
    fal_status status = fal_parse_size(words[0], "number of channels", 1,
                                       &layer->outputs);
    if (!status)
        status = fal_parse_size(words[1], "kernel", 1, &layer->kernel);
    if (!status)
        status = read_options(layer, words, count);
    if (!status && layer->pad >= layer->kernel)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "pad %zu reaches beyond the kernel %zux%zu, which would see "
            "nothing but padding; take at most %zu",
            layer->pad, layer->kernel, layer->kernel, layer->kernel - 1);
    return status;
}

static fal_status shape(fal_layer *layer)
{
    double inputs = (double)layer->kernel * (double)layer->kernel *
                    (double)layer->in.channels;
    fal_status status = fal_window_shape(layer, layer->outputs);
    if (!status && inputs > INT32_MAX)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "its kernel %zux%zux%zu has more than 2147483647 values",
                        layer->kernel, layer->kernel, layer->in.channels);
    layer->inputs = layer->kernel * layer->kernel * layer->in.channels;
    return status;
}

static void print(const fal_layer *layer, char *text, size_t size)
{
    char stride[32] = "", pad[32] = "";
    if (layer->stride != 1)
        snprintf(stride, sizeof stride, " stride %zu", layer->stride);
    if (layer->pad != (layer->kernel - 1) / 2)
        snprintf(pad, sizeof pad, " pad %zu", layer->pad);
    snprintf(text, size, " %zu %zu%s%s%s", layer->outputs, layer->kernel, stride,
             pad, layer->has_bias ? "" : " nobias");
}

const fal_layer_kind fal_conv_kind = {
    .name = "conv",
    .arguments = "N K [stride S] [pad P] [nobias] [rule=NAME]",
    .meaning =
        "convolution: N channels, each from a kernel of KxK over all channels "
        "of a map; stride 1, pad (K-1)/2 zeros at each edge",
    .parse = parse,
    .shape = shape,
    .print = print,
    .forward = fal_conv_layer_forward,
    .takes_activation = 1,
    .takes_join = 1,
    .add_gradient = fal_conv_layer_gradient,
    .carry = fal_conv_layer_carry};
