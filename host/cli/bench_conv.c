/* bench conv: one pass of a convolution of square random maps, as a layer's step calls
 * it, nothing fused with it. */
#include "cli/bench.h"
#include "ops/conv.h"

#include <string.h>

static const char *const passes[] = {"forward", "data", "weight"};

static fal_conv_pass find_pass(const char *name)
{
    size_t pass = 0;
    while (strcmp(name, passes[pass]) != 0)
        pass++;
    return (fal_conv_pass)pass;
}

static fal_status find_shape(fal_conv *conv, const cli_options *options)
{
    size_t size = (size_t)cli_whole(options, CLI_SIZE_OF_MAP);
    size_t kernel = (size_t)cli_whole(options, CLI_KERNEL);
    size_t stride = (size_t)cli_whole(options, CLI_STRIDE), pad = (kernel - 1) / 2;
    if (kernel > size + 2 * pad)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "option --kernel: %zu does not fit maps of %zux%zu, padded by "
            "%zu; give a smaller one",
            kernel, size, size, pad);
    size_t out = (size + 2 * pad - kernel) / stride + 1;
    *conv = (fal_conv){
        .images = (size_t)cli_whole(options, CLI_BATCH),
        .height = size,
        .width = size,
        .channels = (size_t)cli_whole(options, CLI_CHANNELS_IN),
        .kernel = kernel,
        .stride = stride,
        .pad = pad,
        .out_height = out,
        .out_width = out,
        .out_channels = (size_t)cli_whole(options, CLI_CHANNELS_OUT)};
    return FAL_OK;
}

/* Of a pass: the map it starts from, the map beyond, the weights, and room. */
enum { IN, OUT, WEIGHT, ROOM, BUFFERS };

static size_t floats_of(const fal_device *device, const fal_conv *c,
                        fal_conv_pass pass, int which)
{
    switch (which) {
    case IN:
        return c->images * c->height * c->width * c->channels;
    case OUT:
        return c->images * c->out_height * c->out_width * c->out_channels;
    case WEIGHT:
        return c->kernel * c->kernel * c->channels * c->out_channels;
    }
    return (size_t)fal_conv_room(device, c, pass);
}

static fal_status add(fal_launches *list, const fal_conv *conv, fal_conv_pass pass,
                      const fal_view *views)
{
    const fal_conv_forward forward = {.input = views[IN],
                                      .weight = views[WEIGHT],
                                      .output = views[OUT],
                                      .room = views[ROOM]};
    const fal_conv_data data = {.delta = views[OUT],
                                .carrier = views[WEIGHT],
                                .signal = views[IN],
                                .room = views[ROOM]};
    const fal_conv_weight weight = {.input = views[IN],
                                    .delta = views[OUT],
                                    .gradient = views[WEIGHT],
                                    .room = views[ROOM]};
    return pass == FAL_CONV_FORWARD ? fal_conv_forward_add(list, conv, &forward)
           : pass == FAL_CONV_DATA  ? fal_conv_data_add(list, conv, &data)
                                    : fal_conv_weight_add(list, conv, &weight);
}

fal_status cli_bench_conv(fal_device *device, const cli_options *options,
                          cli_gemm_figures *figures)
{
    fal_launches list = {.device = device};
    fal_conv conv;
    fal_view views[BUFFERS] = {{NULL, 0}};
    fal_conv_pass pass = find_pass(cli_text(options, CLI_PASS));
    fal_status status = find_shape(&conv, options);
    for (int i = 0; i < BUFFERS && !status; i++) {
        size_t floats = floats_of(device, &conv, pass, i);
        if (floats > 0)
            status = fal_bench_random(device, floats, &views[i].buffer);
    }
    if (!status)
        status = add(&list, &conv, pass, views);
    if (!status)
        status = fal_bench_launches(&list, &figures->timing);
    if (!status)
        figures->gflops = 2e-6 * (double)floats_of(device, &conv, pass, OUT) *
                          (double)(conv.kernel * conv.kernel * conv.channels) /
                          figures->timing.ms;
    fal_launches_release(&list);
    for (int i = 0; i < BUFFERS; i++)
        fal_buffer_destroy(device, views[i].buffer);
    return status;
}
