#include "reference/join.h"

#include <stdint.h>

static size_t across(size_t size, const fal_shortcut *s)
{
    return (size + s->stride - 1) / s->stride;
}

size_t fal_reference_shortcut_size(const fal_shortcut *s)
{
    return s->images * across(s->height, s) * across(s->width, s) * s->out_channels;
}

/* Where element i of x goes; SIZE_MAX: nowhere. */
static size_t target(const fal_shortcut *s, size_t i)
{
    size_t channel = i % s->channels, pixel = i / s->channels;
    size_t column = pixel % s->width, row = pixel / s->width % s->height;
    size_t image = pixel / s->width / s->height;
    if (row % s->stride || column % s->stride)
        return SIZE_MAX;
    size_t line = image * across(s->height, s) + row / s->stride;
    return (line * across(s->width, s) + column / s->stride) * s->out_channels +
           (s->out_channels - s->channels) / 2 + channel;
}

static size_t size_of(const fal_shortcut *s)
{
    return s->images * s->height * s->width * s->channels;
}

void fal_reference_shortcut(const fal_shortcut *s, const double *x, double *y)
{
    for (size_t i = 0; i < size_of(s); i++)
        if (target(s, i) != SIZE_MAX)
            y[target(s, i)] += x[i];
}

void fal_reference_shortcut_back(const fal_shortcut *s, const double *signal,
                                 double *into)
{
    for (size_t i = 0; i < size_of(s); i++)
        if (target(s, i) != SIZE_MAX)
            into[i] += signal[target(s, i)];
}
