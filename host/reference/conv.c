#include "reference/conv.h"

#include <math.h>

static void add(fal_reference_total *to, float a, float b)
{
    double term = (double)a * (double)b;
    to->value += term;
    to->magnitude += fabs(term);
    to->terms++;
}

/* The indices of an input element, a weight and an output element that are joined */
typedef void joined(void *user, size_t input, size_t weight, size_t output);

/* The pixel of the input that a tap of an output pixel lies on; 0: outside */
static int find(const fal_conv *c, size_t line, size_t column, size_t y, size_t x,
                size_t *pixel)
{
    size_t at_y = line * c->stride + y, at_x = column * c->stride + x;
    if (at_y < c->pad || at_y - c->pad >= c->height || at_x < c->pad ||
        at_x - c->pad >= c->width)
        return 0;
    *pixel = (at_y - c->pad) * c->width + at_x - c->pad;
    return 1;
}

static void join_channels(const fal_conv *c, size_t in, size_t tap, size_t out,
                          joined *join, void *user)
{
    for (size_t i = 0; i < c->channels; i++)
        for (size_t o = 0; o < c->out_channels; o++)
            join(user, in * c->channels + i,
                 (tap * c->channels + i) * c->out_channels + o,
                 out * c->out_channels + o);
}

static void join_taps(const fal_conv *c, size_t image, size_t line, size_t column,
                      joined *join, void *user)
{
    size_t out = (image * c->out_height + line) * c->out_width + column, pixel = 0;
    for (size_t y = 0; y < c->kernel; y++)
        for (size_t x = 0; x < c->kernel; x++)
            if (find(c, line, column, y, x, &pixel))
                join_channels(c, image * c->height * c->width + pixel,
                              y * c->kernel + x, out, join, user);
}

static void join_all(const fal_conv *c, joined *join, void *user)
{
    for (size_t image = 0; image < c->images; image++)
        for (size_t line = 0; line < c->out_height; line++)
            for (size_t column = 0; column < c->out_width; column++)
                join_taps(c, image, line, column, join, user);
}

typedef struct arrays {
    const float *a, *b;
    fal_reference_total *to;
} arrays;

static void to_output(void *user, size_t input, size_t weight, size_t output)
{
    arrays *of = user;
    add(&of->to[output], of->a[input], of->b[weight]);
}

static void to_input(void *user, size_t input, size_t weight, size_t output)
{
    arrays *of = user;
    add(&of->to[input], of->a[output], of->b[weight]);
}

static void to_weight(void *user, size_t input, size_t weight, size_t output)
{
    arrays *of = user;
    add(&of->to[weight], of->a[input], of->b[output]);
}

void fal_reference_conv(const fal_conv *conv, const float *input,
                        const float *weight, fal_reference_total *output)
{
    join_all(conv, to_output, &(arrays){input, weight, output});
}

void fal_reference_conv_data(const fal_conv *conv, const float *delta,
                             const float *carrier, fal_reference_total *signal)
{
    join_all(conv, to_input, &(arrays){delta, carrier, signal});
}

void fal_reference_conv_weight(const fal_conv *conv, const float *input,
                               const float *delta, fal_reference_total *gradient)
{
    size_t out = conv->out_channels;
    size_t pixels = conv->images * conv->out_height * conv->out_width;
    fal_reference_total *bias = gradient +
                                conv->kernel * conv->kernel * conv->channels * out;
    join_all(conv, to_weight, &(arrays){input, delta, gradient});
    for (size_t i = 0; i < pixels * out; i++)
        add(&bias[i % out], 1, delta[i]);
}
