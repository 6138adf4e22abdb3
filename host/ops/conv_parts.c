#include "ops/conv_parts.h"
#include "ops/grid.h"

size_t fal_conv_rows(const fal_conv *c)
{
    return c->kernel * c->kernel * c->channels;
}

double fal_conv_flops(const fal_conv *c)
{
    return 2. * (double)(c->images * c->out_height * c->out_width) *
           (double)(c->kernel * c->kernel * c->channels) * (double)c->out_channels;
}

void fal_conv_note(fal_launches *list, const char *layer, const char *work,
                   double flops, double bytes)
{
    const char *before = list->layer;
    list->layer = layer ? layer : before;
    fal_launch_work(list, work ? work : "", flops, bytes);
    list->layer = before;
}

fal_kernel_epilogue fal_conv_forward_epilogue(const fal_conv_forward *pass)
{
    return (fal_kernel_epilogue){.parts = (pass->bias.buffer ? FAL_PART_BIAS : 0) |
                                          (pass->beside.buffer ? FAL_PART_MIX : 0),
                                 .activation = (cl_int)pass->activation.phi,
                                 .slope = pass->activation.slope,
                                 .alpha = 1,
                                 .beta = 1};
}

fal_kernel_epilogue fal_conv_data_epilogue(const fal_conv_data *pass)
{
    return (fal_kernel_epilogue){
        .parts = (pass->accumulate ? FAL_PART_ACCUMULATE : 0) |
                 (pass->output.buffer ? FAL_PART_OUTPUT : 0),
        .derivative = (cl_int)pass->derivative.phi,
        .derivative_slope = pass->derivative.slope};
}

fal_view fal_view_moved(fal_view view, uint64_t by)
{
    view.offset += view.buffer ? by : 0;
    return view;
}

fal_conv_class fal_conv_class_of(const fal_conv *c, size_t size, size_t of)
{
    size_t s = c->stride, tap = (of + c->pad) % s;
    fal_conv_class found = {.of = of, .pixels = fal_divided(size - of, s)};
    found.taps = tap < c->kernel ? fal_divided(c->kernel - tap, s) : 0;
    found.before = tap * (c->kernel / s) + fal_smaller(tap, c->kernel % s);
    found.begin = (ptrdiff_t)((of + c->pad - tap) / s) + 1 - (ptrdiff_t)found.taps;
    return found;
}

uint64_t fal_conv_turned_at(const fal_conv *c, fal_conv_class y, fal_conv_class x)
{
    return (uint64_t)(y.before * c->kernel + x.before * y.taps) * c->channels *
           c->out_channels;
}

fal_status fal_conv_turn_add(fal_launches *list, const fal_conv *c,
                             const fal_conv_data *pass)
{
    static const int32_t kinds[] = {[FAL_VALUES_STORED] = 0,
                                    [FAL_VALUES_SIGN] = 1,
                                    [FAL_VALUES_MAGNITUDE_SIGN] = 3};
    size_t vector = (size_t)list->device->facts.vector;
    size_t taps = c->kernel * c->kernel,
           weights = taps * c->channels * c->out_channels;
    int is_cpu = fal_is_cpu_like(list);
    fal_launch_begin(list, "turn_weights");
    fal_conv_note(list, pass->layer, pass->work, 0, 8. * (double)weights);
    fal_launch_int(list, kinds[pass->values.kind]);
    fal_launch_float(list, pass->values.scale);
    fal_launch_uint(list, (uint32_t)c->kernel);
    fal_launch_uint(list, (uint32_t)c->stride);
    fal_launch_uint(list, (uint32_t)c->channels);
    fal_launch_uint(list, (uint32_t)c->out_channels);
    fal_launch_view(list, pass->carrier);
    fal_launch_view(list, pass->values.magnitude);
    fal_launch_view(list, pass->room);
    if (!is_cpu)
        return fal_end_elements(list, weights);
    size_t blocks = taps * fal_divided(c->channels, vector);
    size_t span = fal_span(list->device, blocks, vector * c->out_channels, 1);
    fal_launch_ulong(list, blocks);
    fal_launch_ulong(list, span);
    return fal_end_spans(list, blocks, span);
}

fal_status fal_conv_pieces_add(fal_launches *list, const fal_conv *c,
                               const fal_conv_weight *pass, size_t count)
{
    const fal_update none = {.rule = FAL_SGD, .halted = pass->halted};
    const fal_update *u = pass->update ? pass->update : &none;
    size_t n = (fal_conv_rows(c) + (pass->has_bias ? 1 : 0)) * c->out_channels;
    fal_kernel_optimizer optimizer;
    fal_status status = fal_update_describe(u, &optimizer);
    if (status)
        return status;
    fal_launch_begin(list, "add_pieces");
    fal_conv_note(list, pass->layer, pass->work, 0,
                  4. * (double)(count + 1) * (double)n);
    fal_launch_bytes(list, sizeof optimizer, &optimizer);
    fal_launch_step(list, sizeof(fal_update_step));
    fal_launch_int(list, pass->update != NULL);
    fal_launch_float(list, pass->update || pass->alpha == 0 ? 1 : pass->alpha);
    fal_launch_float(list, pass->beta);
    fal_launch_uint(list, (uint32_t)count);
    fal_launch_view(list, pass->room);
    fal_launch_view(list, pass->gradient);
    fal_update_views(list, u);
    return fal_end_elements(list, n);
}
