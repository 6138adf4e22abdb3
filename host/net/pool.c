/* pool: the largest or the mean value of each window, channel by channel. */
#include "net/layer.h"
#include "net/window.h"
#include "ops/pool.h"

#include <stdio.h>
#include <string.h>

static fal_status parse(fal_layer *layer, char *const *words, size_t count)
{
    size_t at = 2;
    int all = count == 1 && strcmp(words[0], "global") == 0;
    layer->averages = all || (count > 0 && strcmp(words[0], "average") == 0);
    if (all)
        return FAL_OK;
    if (count < 2 || (!layer->averages && strcmp(words[0], "max") != 0))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "it must be 'pool max K', 'pool average K', each with "
                        "'stride S' if that is not K, or 'pool global'");
    fal_status status = fal_parse_size(words[1], "window", 1, &layer->kernel);
    layer->stride = layer->kernel;
    if (!status)
        status = fal_window_option(words, count, &at, "stride", 1, &layer->stride);
    if (status || at == count)
        return status;
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "'%.40s' is not known here; behind 'pool max K' only 'stride S' "
        "may stand",
        words[at]);
}

/* The mean of a map is a window of any shape. */
static fal_status shape(fal_layer *layer)
{
    fal_layer one = *layer;
    if (layer->kernel)
        return fal_window_shape(layer, layer->in.channels);
    one.kernel = one.stride = 1;
    layer->out = (fal_shape){1, 1, layer->in.channels};
    return fal_window_shape(&one, layer->in.channels);
}

static void print(const fal_layer *layer, char *text, size_t size)
{
    char stride[32] = "";
    if (layer->stride != layer->kernel)
        snprintf(stride, sizeof stride, " stride %zu", layer->stride);
    if (layer->kernel)
        snprintf(text, size, " %s %zu%s", layer->averages ? "average" : "max",
                 layer->kernel, stride);
    else
        snprintf(text, size, " global");
}

static fal_pool describe(const fal_plan_build *build, size_t index)
{
    const fal_layer *layer = &build->network->layers[index];
    int all = layer->kernel == 0;
    return (fal_pool){.images = build->rows,
                      .height = layer->in.height,
                      .width = layer->in.width,
                      .channels = layer->in.channels,
                      .high = all ? layer->in.height : layer->kernel,
                      .wide = all ? layer->in.width : layer->kernel,
                      .stride = all ? 1 : layer->stride,
                      .out_height = layer->out.height,
                      .out_width = layer->out.width,
                      .average = layer->averages,
                      .input = fal_plan_input(build, index),
                      .output = fal_plan_output(build, index)};
}

static fal_status forward(fal_plan_build *build, size_t index)
{
    const fal_pool pool = describe(build, index);
    return fal_pool_add(build->list, &pool);
}

static fal_status backward(fal_plan_build *build, size_t index, fal_view signal,
                           const fal_handed *to)
{
    fal_pool pool = describe(build, index);
    pool.signal = signal;
    pool.into = to->into;
    pool.accumulate = to->accumulate;
    pool.derivative = to->derivative; /* of the activation whose output it reads */
    return fal_pool_backward_add(build->list, &pool);
}

const fal_layer_kind fal_pool_kind = {
    .name = "pool",
    .arguments = "max K [stride S] | average K [stride S] | global",
    .meaning =
        "the largest or the mean value of each window of KxK, a window every S "
        "(K) pixels, those that do not fit left out; global: the mean of each "
        "channel",
    .parse = parse,
    .shape = shape,
    .print = print,
    .forward = forward,
    .backward = backward,
    .reads_input = 1,
    .adds = 1};
