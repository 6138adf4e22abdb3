/* The end of a block: h = a + what comes beside. */
#include "net/layer.h"

/* What comes beside fits: host/net/shapes.c. */
static fal_status shape(fal_layer *layer)
{
    layer->out = layer->in;
    return FAL_OK;
}

const fal_layer_kind fal_join_kind = {
    .name = "join", .shape = shape, .takes_activation = 1};
