/* What convolutions do in a plan. */
#include "net/epilogue.h"
#include "net/layer.h"

fal_conv fal_layer_conv(const fal_layer *layer, size_t rows)
{
    return (fal_conv){.images = rows,
                      .height = layer->in.height,
                      .width = layer->in.width,
                      .channels = layer->in.channels,
                      .kernel = layer->kernel,
                      .stride = layer->stride,
                      .pad = layer->pad,
                      .out_height = layer->out.height,
                      .out_width = layer->out.width,
                      .out_channels = layer->out.channels};
}

static fal_view room_of(const fal_plan_build *build)
{
    return fal_arena_view(&build->workspace->arena, build->workspace->room);
}

fal_status fal_conv_layer_forward(fal_plan_build *build, size_t index)
{
    const fal_layer *layer = &build->network->layers[index];
    const fal_conv conv = fal_layer_conv(layer, build->rows);
    fal_conv_forward pass = {
        .input = fal_plan_input(build, index),
        .weight = fal_arena_view(build->parameters, layer->weight),
        .output = fal_plan_output(build, index),
        .room = room_of(build),
        .work = "forward"};
    const fal_epilogue epilogue = fal_plan_epilogue(build, index);
    pass.beside = epilogue.beside;
    pass.activation = epilogue.activation;
    if (layer->has_bias)
        pass.bias = fal_arena_view(build->parameters, layer->bias);
    return fal_conv_forward_add(build->list, &conv, &pass);
}

fal_status fal_conv_layer_carry(fal_plan_build *build, size_t index,
                                const fal_carrying *carrier, const fal_handed *to)
{
    const fal_conv conv = fal_layer_conv(&build->network->layers[index],
                                         build->rows);
    const fal_conv_data pass = {.delta = fal_plan_delta(build, index),
                                .carrier = carrier->matrix,
                                .values = carrier->values,
                                .signal = to->into,
                                .accumulate = to->accumulate,
                                .output = to->output,
                                .derivative = to->derivative,
                                .room = room_of(build),
                                .work = "delta"};
    return fal_conv_data_add(build->list, &conv, &pass);
}

fal_status fal_conv_layer_gradient(fal_plan_build *build, size_t index)
{
    const fal_layer *layer = &build->network->layers[index];
    const fal_conv conv = fal_layer_conv(layer, build->rows);
    fal_update update;
    fal_conv_weight pass = {.input = fal_plan_input(build, index),
                            .delta = fal_plan_delta(build, index),
                            .has_bias = layer->has_bias,
                            .room = room_of(build),
                            .work = "gradient"};
    pass.gradient = fal_plan_gradient(build, layer, &update, &pass.update);
    return fal_conv_weight_add(build->list, &conv, &pass);
}
