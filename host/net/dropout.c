/* dropout P: while training, each value is 0 with probability P and else 1/(1 − P)
 * times as large. */
#include "data/random.h"
#include "device/number.h"
#include "net/layer.h"
#include "ops/dropout.h"

static fal_status parse(fal_layer *layer, char *const *words, size_t count)
{
    char *end = NULL;
    layer->rate = count == 1 ? fal_number_parse(words[0], &end) : -1;
    if (end && !*end && end != words[0] && layer->rate >= 0 && layer->rate < 1)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "it must be 'dropout P', P from 0 to below 1: the share of "
                    "values that are dropped");
}

static fal_status shape(fal_layer *layer)
{
    layer->out = layer->in;
    return FAL_OK;
}

static void print(const fal_layer *layer, char *text, size_t size)
{
    text[0] = ' ';
    fal_number_print_exact(text + 1, size - 1, layer->rate);
}

/* Twice, forward and backward, with the same mask. */
static fal_status drop(fal_plan_build *build, size_t index, fal_view from,
                       fal_view into)
{
    const fal_layer *layer = &build->network->layers[index];
    const fal_random numbers = {.distribution = FAL_UNIFORM,
                                .seed = build->noise_seed,
                                .purpose = FAL_PURPOSE_DROPOUT,
                                .layer = layer->dropout};
    return fal_dropout_add(build->list, &numbers, layer->rate, from, into,
                           build->rows, layer->in.height * layer->in.width,
                           layer->in.channels);
}

static fal_status forward(fal_plan_build *build, size_t index)
{
    if (build->workspace->mode == FAL_MODE_EVALUATE)
        return fal_activate_add(
            build->list, (fal_activation){FAL_LINEAR, 0},
            fal_plan_input(build, index), fal_plan_output(build, index),
            build->rows * fal_layer_units(&build->network->layers[index]));
    return drop(build, index, fal_plan_input(build, index),
                fal_plan_output(build, index));
}

static fal_status backward(fal_plan_build *build, size_t index, fal_view signal,
                           const fal_handed *to)
{
    return drop(build, index, signal, to->into);
}

const fal_layer_kind fal_dropout_kind = {
    .name = "dropout",
    .arguments = "P",
    .meaning =
        "while training, each value is dropped with probability P, 0 <= P < 1, "
        "and the others are 1/(1 - P) times as large",
    .parse = parse,
    .shape = shape,
    .print = print,
    .forward = forward,
    .backward = backward};
