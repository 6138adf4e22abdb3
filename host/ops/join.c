#include "ops/join.h"
#include "ops/grid.h"

/* cl/join.cl: shortcut */
typedef struct kernel_shortcut {
    cl_uint height, width, channels, stride, out_height, out_width, out_channels,
        before;
} kernel_shortcut;

static fal_status check(const fal_shortcut *s)
{
    if (s->channels == 0 || s->out_channels < s->channels || s->stride == 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "shortcut from %zu channels to %zu, stride %zu: it needs "
                        "channels, as many at the end or more, and a stride",
                        s->channels, s->out_channels, s->stride);
    if ((double)s->images * (double)s->height > INT32_MAX ||
        (double)s->width * (double)s->out_channels > INT32_MAX)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "shortcut of %zu maps of %zu x %zu x %zu: images x height "
                        "and width x channels must stay below 2^31",
                        s->images, s->height, s->width, s->out_channels);
    return FAL_OK;
}

/* Rows of the identity are one pixel each, so that narrow maps go by whole vectors. */
static kernel_shortcut describe(const fal_shortcut *s)
{
    if (s->stride == 1 && s->channels == s->out_channels) {
        cl_uint row = (cl_uint)(s->width * s->channels), lines = (cl_uint)s->height;
        return (kernel_shortcut){lines, 1, row, 1, lines, 1, row, 0};
    }
    return (kernel_shortcut){(cl_uint)s->height,
                             (cl_uint)s->width,
                             (cl_uint)s->channels,
                             (cl_uint)s->stride,
                             (cl_uint)((s->height - 1) / s->stride + 1),
                             (cl_uint)((s->width - 1) / s->stride + 1),
                             (cl_uint)s->out_channels,
                             (cl_uint)((s->out_channels - s->channels) / 2)};
}

static void add_activation(fal_launches *list, fal_activation activation)
{
    fal_launch_int(list, (int32_t)activation.phi);
    fal_launch_float(list, activation.slope);
}

/* Without a stored output there is nothing to derive. */
static void add_derivative(fal_launches *list, fal_activation derivative,
                           fal_view h)
{
    const fal_activation none = {FAL_LINEAR, 0};
    add_activation(list, h.buffer ? derivative : none);
}

static void note(fal_launches *list, size_t floats)
{
    fal_launch_work(list, "", 0, 4. * (double)floats);
}

fal_status fal_join_add(fal_launches *list, const fal_shortcut *shortcut,
                        fal_view a, fal_view x, fal_activation activation,
                        fal_view h)
{
    fal_status status = check(shortcut);
    if (status)
        return status;
    const kernel_shortcut s = describe(shortcut);
    size_t lines = shortcut->images * s.out_height;
    size_t floats = (size_t)s.out_width * s.out_channels;
    fal_launch_begin(list, "join");
    note(list, lines * ((size_t)s.out_width * s.channels + 2 * floats));
    fal_launch_bytes(list, sizeof s, &s);
    add_activation(list, activation);
    fal_launch_view(list, a);
    fal_launch_view(list, x);
    fal_launch_view(list, h);
    return fal_end_lines(list, lines, floats, lines * floats);
}

fal_status fal_join_backward_add(fal_launches *list, const fal_shortcut *shortcut,
                                 fal_view signal, int accumulate, fal_view into)
{
    fal_status status = check(shortcut);
    if (status)
        return status;
    const kernel_shortcut s = describe(shortcut);
    size_t lines = shortcut->images * s.height;
    size_t floats = (size_t)s.width * s.channels;
    fal_launch_begin(list, "join_backward");
    note(list, lines * floats * (accumulate ? 3 : 2));
    fal_launch_bytes(list, sizeof s, &s);
    fal_launch_int(list, accumulate != 0);
    fal_launch_view(list, signal);
    fal_launch_view(list, into);
    return fal_end_lines(list, lines, floats, lines * floats);
}

fal_status fal_sum_add(fal_launches *list, fal_view from, fal_view into,
                       size_t count, fal_activation derivative, fal_view h)
{
    fal_launch_begin(list, "sum_maps");
    note(list, count * (h.buffer ? 4 : 3));
    add_derivative(list, derivative, h);
    fal_launch_view(list, from);
    fal_launch_view(list, into);
    fal_launch_view(list, h);
    return fal_end_elements(list, count);
}

fal_status fal_spread_add(fal_launches *list, fal_view from, size_t rows,
                          size_t positions, size_t channels,
                          fal_activation derivative, fal_view h, fal_view into)
{
    size_t floats = positions * channels;
    if (channels == 0 || (double)positions * (double)channels > INT32_MAX)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "signal spread over %zu positions of %zu channels: their "
                        "product must be at least 1 and below 2^31",
                        positions, channels);
    fal_launch_begin(list, "spread");
    note(list, rows * floats * (h.buffer ? 2 : 1));
    fal_launch_uint(list, (uint32_t)positions);
    fal_launch_uint(list, (uint32_t)channels);
    add_derivative(list, derivative, h);
    fal_launch_view(list, from);
    fal_launch_view(list, h);
    fal_launch_view(list, into);
    return fal_end_lines(list, rows, floats, rows * floats);
}
