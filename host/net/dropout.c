/* dropout P: while training, each value is 0 with probability P and else 1/(1 − P)
 * times as large. */
#include "device/number.h"
#include "net/layer.h"

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

const fal_layer_kind fal_dropout_kind = {
    .name = "dropout",
    .arguments = "P",
    .meaning =
        "while training, each value is dropped with probability P, 0 <= P < 1, "
        "and the others are 1/(1 - P) times as large",
    .parse = parse,
    .shape = shape,
    .print = print};
