/* norm: h = gain (a - mean)/√(variance + 1e-5) + bias, over the batch for each
 * channel, or over each sample; the activation behind it is its epilogue. Gain and
 * bias are stored as a weight [1][channels] with its bias. */
#include "net/epilogue.h"
#include "net/layer.h"
#include "ops/normalize.h"

#include <stdio.h>
#include <string.h>

static fal_status parse(fal_layer *layer, char *const *words, size_t count)
{
    size_t used = 0;
    int plain = 0;
    if (used < count && strcmp(words[used], "layer") == 0)
        layer->by_sample = 1, used++;
    if (used < count && strcmp(words[used], "plain") == 0)
        plain = 1, used++;
    if (used < count)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "'%.40s' is not known here; it must be 'norm', 'norm "
                        "layer', 'norm plain' or 'norm layer plain'",
                        words[used]);
    layer->has_weight = layer->has_bias = !plain;
    layer->has_state = !layer->by_sample;
    return FAL_OK;
}

static size_t positions(const fal_layer *layer)
{
    return layer->in.height * layer->in.width;
}

static fal_status shape(fal_layer *layer)
{
    layer->out = layer->in;
    layer->inputs = 1;
    layer->outputs = layer->in.channels;
    if (layer->is_row && positions(layer) > 1)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "it normalizes the channels of maps, and behind 'flatten' "
                        "there are none; put it before 'flatten'");
    return FAL_OK;
}

static void print(const fal_layer *layer, char *text, size_t size)
{
    snprintf(text, size, "%s%s", layer->by_sample ? " layer" : "",
             layer->has_weight ? "" : " plain");
}

static uint64_t kept(const fal_layer *layer, size_t rows)
{
    return layer->by_sample ? fal_layer_norm_kept(rows, layer->outputs) : 0;
}

static size_t least_rows(const fal_layer *layer)
{
    return layer->by_sample || positions(layer) > 1 ? 1 : 2;
}

/* What both passes need. */
static fal_norm describe(const fal_plan_build *build, size_t index)
{
    const fal_layer *layer = &build->network->layers[index];
    int trains = build->workspace->mode != FAL_MODE_EVALUATE;
    fal_norm norm = {.rows = build->rows,
                     .positions = positions(layer),
                     .channels = layer->outputs,
                     .input = fal_plan_input(build, index),
                     .fixed = !trains};
    if (layer->has_weight)
        norm.weights = fal_arena_view(build->parameters, layer->weight);
    if (layer->has_state) {
        const fal_arena *arena = trains ? build->statistics : build->state;
        norm.mean = fal_arena_view(arena, layer->running_mean);
        norm.variance = fal_arena_view(arena, layer->running_var);
    }
    if (layer->by_sample && trains)
        norm.kept = fal_arena_view(&build->workspace->arena,
                                   build->workspace->kept[index]);
    return norm;
}

static fal_status forward(fal_plan_build *build, size_t index)
{
    const fal_layer *layer = &build->network->layers[index];
    fal_norm norm = describe(build, index);
    norm.output = fal_plan_output(build, index);
    fal_epilogue epilogue = fal_plan_epilogue(build, index);
    norm.beside = epilogue.beside;
    norm.activation = epilogue.activation;
    norm.room = &build->rooms[index];
    return layer->by_sample ? fal_layer_norm_add(build->list, &norm)
                            : fal_batch_norm_add(build->list, &norm);
}

static fal_status backward(fal_plan_build *build, size_t index, fal_view signal,
                           const fal_handed *to)
{
    const fal_layer *layer = &build->network->layers[index];
    fal_norm norm = describe(build, index);
    fal_update update;
    norm.signal = signal;
    norm.into = to->into;
    if (layer->has_weight)
        norm.gradient = fal_plan_gradient(build, layer, &update, &norm.update);
    return layer->by_sample ? fal_layer_norm_backward_add(build->list, &norm)
                            : fal_batch_norm_backward_add(build->list, &norm);
}

const fal_layer_kind fal_norm_kind = {
    .name = "norm",
    .arguments = "[layer] [plain]",
    .meaning =
        "normalization of each channel over the batch, or of each sample over "
        "its values; plain: without gain and bias",
    .parse = parse,
    .shape = shape,
    .print = print,
    .forward = forward,
    .takes_activation = 1,
    .takes_join = 1,
    .backward = backward,
    .reads_input = 1,
    .kept = kept,
    .least_rows = least_rows};
