/* relu, leaky, tanh, sigmoid, linear, scale: h = phi(a). Right behind a layer with weights
 * they are that layer's epilogue and cost no launch. flatten: h = a, for its values
 * stay where they are. */
#include "device/number.h"
#include "net/layer.h"

#include <math.h>

static fal_status refuse_arguments(size_t count)
{
    if (count == 0)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT, "this layer takes no arguments");
}

#define PARSE(phi_name, number)                                                    \
    static fal_status parse_##phi_name(fal_layer *layer, char *const *words,       \
                                       size_t count)                               \
    {                                                                              \
        (void)words;                                                               \
        layer->is_activation = 1;                                                  \
        layer->activation.phi = number;                                            \
        return refuse_arguments(count);                                            \
    }
PARSE(relu, FAL_RELU)
PARSE(tanh, FAL_TANH)
PARSE(sigmoid, FAL_SIGMOID)
PARSE(linear, FAL_LINEAR)
PARSE(flatten, FAL_LINEAR)
#undef PARSE

static fal_status parse_leaky(fal_layer *layer, char *const *words, size_t count)
{
    double slope = .01;
    char *end = NULL;
    layer->is_activation = 1;
    if (count > 0)
        slope = fal_number_parse(words[0], &end);
    /* The derivative is read off the output's sign, so the slope must keep it. */
    if (count > 1 || (end && (*end || end == words[0])) ||
        !(slope > 0 && slope < 1))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "it must be 'leaky' or 'leaky S', S between 0 and 1");
    layer->activation = (fal_activation){FAL_LEAKY, (float)slope};
    return FAL_OK;
}

/* Kernels multiply by a float. */
static fal_status parse_scale(fal_layer *layer, char *const *words, size_t count)
{
    char *end = NULL;
    double factor = count == 1 ? fal_number_parse(words[0], &end) : 0;
    layer->is_activation = 1;
    if (count != 1 || *end || end == words[0] || !isnormal((float)factor))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "it must be 'scale S', S a float32 number other than 0");
    layer->activation = (fal_activation){FAL_SCALE, (float)factor};
    return FAL_OK;
}

static fal_status shape(fal_layer *layer)
{
    layer->out = layer->in;
    return FAL_OK;
}

/* Layers that read it know the map, and what of it PyTorch's order is. */
static fal_status shape_flatten(fal_layer *layer)
{
    layer->is_row = 1;
    return shape(layer);
}

static void print(const fal_layer *layer, char *text, size_t size)
{
    text[0] = 0;
    if (layer->activation.phi != FAL_LEAKY && layer->activation.phi != FAL_SCALE)
        return;
    text[0] = ' ';
    fal_number_print(text + 1, size - 1, 9, (double)layer->activation.slope);
}

static size_t floats(const fal_plan_build *build, size_t index)
{
    return build->rows * fal_shape_size(build->network->layers[index].out);
}

static fal_status forward(fal_plan_build *build, size_t index)
{
    const fal_layer *layer = &build->network->layers[index];
    int identity = layer->activation.phi == FAL_LINEAR && index > 0;
    if (layer->fused || identity)
        return FAL_OK;
    return fal_activate_add(build->list, layer->activation,
                            fal_plan_input(build, index),
                            fal_plan_output(build, index), floats(build, index));
}

static fal_status backward(fal_plan_build *build, size_t index, fal_view signal,
                           const fal_handed *to)
{
    const fal_layer *layer = &build->network->layers[index];
    const fal_activation identity = {FAL_LINEAR, 0};
    int same = signal.buffer == to->into.buffer && signal.offset == to->into.offset;
    fal_status status = FAL_OK;
    if (!same)
        status = fal_activate_add(build->list, identity, signal, to->into,
                                  floats(build, index));
    if (status || layer->activation.phi == FAL_LINEAR)
        return status;
    return fal_derive_add(build->list, layer->activation, to->into,
                          fal_plan_output(build, index), floats(build, index));
}

#define KIND(phi_name, takes, shapes, formula)                                     \
    const fal_layer_kind fal_##phi_name##_kind = {.name = #phi_name,               \
                                                  .arguments = takes,              \
                                                  .meaning = formula,              \
                                                  .parse = parse_##phi_name,       \
                                                  .shape = shapes,                 \
                                                  .print = print,                  \
                                                  .forward = forward,              \
                                                  .backward = backward}
KIND(relu, "", shape, "max(0, a)");
KIND(leaky, "[S]", shape, "a where a > 0, else S a; 0 < S < 1 (.01)");
KIND(tanh, "", shape, "the hyperbolic tangent of a");
KIND(sigmoid, "", shape, "1/(1 + exp(-a))");
KIND(linear, "", shape, "a itself");
KIND(scale, "S", shape,
     "S a, S any number but 0; behind the output layer too, whose delta is then S "
     "times the loss's");
KIND(flatten, "", shape_flatten,
     "a map as a row of numbers; dense layers flatten what they read anyway");
