/* dense N: out [rows][N] = in [rows][inputs] W [inputs][N] + b. */
#include "net/epilogue.h"
#include "net/layer.h"

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
    return fal_parse_size(words[0], "number of units", 1, &layer->outputs);
}

static fal_status shape(fal_layer *layer)
{
    layer->inputs = fal_shape_size(layer->in);
    layer->out = (fal_shape){1, 1, layer->outputs};
    layer->is_row = 1;
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
        .work = "forward",
        .pitch = layer->outputs,
    };
    if (layer->has_bias)
        product.bias = fal_arena_view(build->parameters, layer->bias);
    fal_epilogue epilogue = fal_plan_epilogue(build, index);
    product.other = epilogue.beside;
    product.beta = epilogue.beside.buffer ? 1 : 0;
    product.activation = epilogue.activation;
    return fal_gemm_add(build->list, &product, 1);
}

/* dW = in^T delta and below it, as a last row, db = Σ over rows of delta. */
static void gradient(const fal_plan_build *build, size_t index,
                     fal_product *product)
{
    const fal_layer *layer = &build->network->layers[index];
    *product = (fal_product){
        .m = layer->inputs + (layer->has_bias ? 1 : 0),
        .n = layer->outputs,
        .k = build->rows,
        .a = {layer->has_bias ? FAL_SOURCE_COLUMNS_ONES : FAL_SOURCE_COLUMNS,
              fal_plan_input(build, index), layer->inputs},
        .b = {FAL_SOURCE_ROWS, fal_plan_delta(build, index), layer->outputs},
        .pitch = layer->outputs,
        .layer = layer->name,
        .work = "gradient",
    };
}

const fal_layer_kind fal_dense_kind = {
    .name = "dense",
    .arguments = "N [nobias] [rule=NAME]",
    .meaning =
        "N units, each connected to every input; images are flattened; a rule "
        "of its own in place of the run's",
    .parse = parse,
    .shape = shape,
    .print = print,
    .forward = forward,
    .takes_activation = 1,
    .takes_join = 1,
    .gradient = gradient};
