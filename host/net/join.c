/* The end of a block: h = a + what comes beside. */
#include "net/epilogue.h"
#include "net/layer.h"
#include "ops/join.h"

/* What comes beside fits: host/net/shapes.c. */
static fal_status shape(fal_layer *layer)
{
    layer->out = layer->in;
    return FAL_OK;
}

static fal_status forward(fal_plan_build *build, size_t index)
{
    const fal_layer *layer = &build->network->layers[index];
    if (layer->fused)
        return FAL_OK;
    const fal_shortcut shortcut = {.images = build->rows,
                                   .height = layer->aside.height,
                                   .width = layer->aside.width,
                                   .channels = layer->aside.channels,
                                   .stride = layer->stride,
                                   .out_channels = layer->out.channels};
    const fal_epilogue epilogue = fal_plan_epilogue(build, index);
    return fal_join_add(build->list, &shortcut, fal_plan_input(build, index),
                        fal_plan_tensor(build, layer->beside), epilogue.activation,
                        fal_plan_output(build, index));
}

/* What it hands back stands in host/net/backward.c: it has two to hand it to. */
const fal_layer_kind fal_join_kind = {
    .name = "join", .shape = shape, .forward = forward, .takes_activation = 1};
