/* dense N: out [rows][N] = in [rows][inputs] W [inputs][N] + b. */
#include "net/layer.h"
#include "ops/gemm.h"
#include "ops/reduce.h"

#include <stdio.h>
#include <string.h>

static fal_status parse(fal_layer *layer, char *const *words, size_t count)
{
    layer->has_weight = layer->has_bias = 1;
    if (count == 0 || count > 2)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "it must be 'dense N' or 'dense N nobias'");
    if (count == 2 && strcmp(words[1], "nobias") != 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "'%.40s' is not known here; after 'dense N' only 'nobias' "
                        "may stand",
                        words[1]);
    layer->has_bias = count == 1;
    return fal_parse_size(words[0], "number of units", &layer->outputs);
}

static fal_status shape(fal_layer *layer)
{
    layer->inputs = fal_shape_size(layer->in);
    layer->out = (fal_shape){1, 1, layer->outputs};
    return FAL_OK;
}

static void print(const fal_layer *layer, char *text, size_t size)
{
    snprintf(text, size, " %zu%s", layer->outputs,
             layer->has_bias ? "" : " nobias");
}

static fal_status forward(fal_plan_build *build, size_t index)
{
    const fal_layer *layer = &build->network->layers[index];
    fal_product product = {
        .m = build->rows,
        .n = layer->outputs,
        .k = layer->inputs,
        .a = {FAL_SOURCE_ROWS, fal_plan_input(build, index), layer->inputs},
        .b = {FAL_SOURCE_ROWS, fal_arena_view(build->parameters, layer->weight),
              layer->outputs},
        .c = fal_plan_output(build, index),
        .pitch = layer->outputs,
    };
    if (layer->has_bias)
        product.bias = fal_arena_view(build->parameters, layer->bias);
    if (index + 1 < build->network->count && layer[1].fused)
        product.activation = layer[1].activation;
    return fal_gemm_add(build->list, &product);
}

/* dW = in^T delta, db = Σ over rows of delta. */
static fal_status backward(fal_plan_build *build, size_t index, fal_view signal)
{
    (void)signal; /* delta is complete: nothing to turn */
    const fal_layer *layer = &build->network->layers[index];
    fal_view delta = fal_plan_delta(build, index);
    fal_product product = {
        .m = layer->inputs,
        .n = layer->outputs,
        .k = build->rows,
        .a = {FAL_SOURCE_COLUMNS, fal_plan_input(build, index), layer->inputs},
        .b = {FAL_SOURCE_ROWS, delta, layer->outputs},
        .c = fal_arena_view(build->gradients, layer->weight),
        .pitch = layer->outputs,
    };
    fal_status status = fal_gemm_add(build->list, &product);
    if (layer->has_bias && !status)
        status = fal_column_sums_add(build->list, delta, build->rows,
                                     layer->outputs,
                                     fal_arena_view(build->gradients, layer->bias));
    return status;
}

const fal_layer_kind fal_dense_kind = {
    .name = "dense",
    .arguments = "N [nobias]",
    .meaning = "N units, each connected to every input; images are flattened",
    .parse = parse,
    .shape = shape,
    .print = print,
    .forward = forward,
    .backward = backward};
