#include "net/window.h"
#include "net/layer.h"

#include <stdio.h>
#include <string.h>

fal_status fal_window_option(char *const *words, size_t count, size_t *at,
                             const char *name, size_t least, size_t *value)
{
    if (*at == count || strcmp(words[*at], name) != 0)
        return FAL_OK;
    if (++*at == count)
        return fal_fail(FAL_ERROR_ARGUMENT, "behind '%s' a number is missing",
                        name);
    return fal_parse_size(words[(*at)++], name, least, value);
}

/* A map that is smaller than the window. */
static fal_status no_room(const fal_layer *layer)
{
    char padded[64] = "";
    size_t height = layer->in.height, width = layer->in.width, k = layer->kernel;
    if (layer->pad)
        snprintf(padded, sizeof padded, " (%zux%zu with padding)",
                 height + 2 * layer->pad, width + 2 * layer->pad);
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "nothing is left of its map: that is %zux%zu%s, smaller than "
                    "the window %zux%zu; take a smaller one, or fewer strides and "
                    "pools before it",
                    height, width, padded, k, k);
}

fal_status fal_window_shape(fal_layer *layer, size_t channels)
{
    char values[FAL_SHAPE_TEXT];
    size_t height = layer->in.height + 2 * layer->pad;
    size_t width = layer->in.width + 2 * layer->pad;
    if (layer->is_row)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "%s takes maps, and a row of %zu numbers comes in; put it "
                        "before 'flatten' and 'dense', and give an image, of more "
                        "than one pixel, as 'input HxWxC'",
                        layer->kind->name, fal_shape_size(layer->in));
    if (height < layer->kernel || width < layer->kernel)
        return no_room(layer);
    layer->out = (fal_shape){(height - layer->kernel) / layer->stride + 1,
                             (width - layer->kernel) / layer->stride + 1, channels};
    fal_shape_print(values, layer->out);
    if ((double)layer->out.height * (double)layer->out.width * (double)channels <=
        INT32_MAX)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "its output %s has more than 2147483647 values", values);
}
