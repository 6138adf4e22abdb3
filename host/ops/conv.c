/* What may be asked for, and to whom it goes. */
#include "ops/conv.h"
#include "ops/conv_choice.h"
#include "ops/conv_patches.h"
#include "ops/strips.h"
#include "ops/winograd.h"

static fal_status refuse(const fal_conv *c, const char *why)
{
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "convolution %zux%zu, stride %zu, padding %zu, of %zu maps "
                    "%zux%zux%zu to %zux%zux%zu: %s",
                    c->kernel, c->kernel, c->stride, c->pad, c->images, c->height,
                    c->width, c->channels, c->out_height, c->out_width,
                    c->out_channels, why);
}

static int has_sizes(const fal_conv *c)
{
    return c->images && c->height && c->width && c->channels && c->kernel &&
           c->stride && c->out_height && c->out_width && c->out_channels;
}

/* Below 2^31, whatever the factors are */
static int is_small(const size_t *factors, size_t count)
{
    double product = 1;
    for (size_t i = 0; i < count; i++)
        product *= (double)factors[i];
    return product <= INT32_MAX;
}

static int has_small_sizes(const fal_conv *c)
{
    const size_t pixels[] = {c->images, c->height, c->width};
    const size_t outs[] = {c->images, c->out_height, c->out_width};
    const size_t rows[] = {c->kernel, c->kernel, c->channels + 1};
    const size_t columns[] = {c->kernel, c->kernel, c->out_channels};
    const size_t borders[] = {c->height + c->width + 2 * c->pad + c->stride};
    return is_small(pixels, 3) && is_small(outs, 3) && is_small(rows, 3) &&
           is_small(columns, 3) && is_small(borders, 1);
}

static int is_result(size_t out, size_t size, const fal_conv *c)
{
    size_t whole = size + 2 * c->pad;
    return whole >= c->kernel && out == (whole - c->kernel) / c->stride + 1;
}

static fal_status check(const fal_conv *c)
{
    if (!has_sizes(c))
        return refuse(c, "every size but the padding must be at least 1");
    if (!has_small_sizes(c))
        return refuse(c, "pixels of all maps, and weights of a channel, must stay "
                         "below 2^31");
    if (!is_result(c->out_height, c->height, c) ||
        !is_result(c->out_width, c->width, c))
        return refuse(c,
                      "height and width of the result must be (size + 2·padding − "
                      "kernel)/stride + 1");
    return FAL_OK;
}

static uint64_t room_of(const fal_device *device, const fal_conv *conv,
                        fal_conv_pass pass)
{
    switch (fal_conv_choose(device, conv, pass)) {
    case FAL_CONV_WINOGRAD:
        return fal_winograd_room(device, conv, pass, 2);
    case FAL_CONV_WINOGRAD4:
        return fal_winograd_room(device, conv, pass, 4);
    case FAL_CONV_STRIPS:
        return fal_strips_room(device, conv, pass);
    case FAL_CONV_PATCHES:
        break;
    }
    return fal_patches_room(device, conv, pass);
}

/* Does nothing with a room that is not there; whoever needs one asks for it. */
static fal_status check_room(const fal_launches *list, const fal_conv *c,
                             fal_conv_pass pass, fal_view room)
{
    fal_status status = check(c);
    if (!status && !room.buffer && room_of(list->device, c, pass) > 0)
        return refuse(c, "needs room for what it keeps meanwhile");
    return status;
}

/* Shares are rounded, so that fewer images may need more. */
uint64_t fal_conv_room(const fal_device *device, const fal_conv *conv,
                       fal_conv_pass pass)
{
    fal_conv some = *conv;
    uint64_t most = 0;
    if (!has_sizes(conv) || !has_small_sizes(conv))
        return 0; /* the pass says what is wrong */
    for (some.images = 1; some.images <= conv->images; some.images++) {
        uint64_t room = room_of(device, &some, pass);
        most = room > most ? room : most;
    }
    return most;
}

fal_status fal_conv_forward_add(fal_launches *list, const fal_conv *conv,
                                const fal_conv_forward *pass)
{
    fal_status status = check_room(list, conv, FAL_CONV_FORWARD, pass->room);
    if (status)
        return status;
    switch (fal_conv_choose(list->device, conv, FAL_CONV_FORWARD)) {
    case FAL_CONV_WINOGRAD:
        return fal_winograd_forward_add(list, conv, pass, 2);
    case FAL_CONV_WINOGRAD4:
        return fal_winograd_forward_add(list, conv, pass, 4);
    case FAL_CONV_STRIPS:
        return fal_strips_forward_add(list, conv, pass);
    case FAL_CONV_PATCHES:
        break;
    }
    return fal_patches_forward_add(list, conv, pass);
}

fal_status fal_conv_data_add(fal_launches *list, const fal_conv *conv,
                             const fal_conv_data *pass)
{
    fal_status status = check_room(list, conv, FAL_CONV_DATA, pass->room);
    if (status)
        return status;
    if (pass->values.kind > FAL_VALUES_MAGNITUDE_SIGN)
        return refuse(conv,
                      "random weights that carry its error down must be drawn "
                      "before");
    switch (fal_conv_choose(list->device, conv, FAL_CONV_DATA)) {
    case FAL_CONV_WINOGRAD:
        return fal_winograd_data_add(list, conv, pass, 2);
    case FAL_CONV_WINOGRAD4:
        return fal_winograd_data_add(list, conv, pass, 4);
    case FAL_CONV_STRIPS:
        return fal_strips_data_add(list, conv, pass);
    case FAL_CONV_PATCHES:
        break;
    }
    return fal_patches_data_add(list, conv, pass);
}

fal_status fal_conv_weight_add(fal_launches *list, const fal_conv *conv,
                               const fal_conv_weight *pass)
{
    fal_status status = check_room(list, conv, FAL_CONV_WEIGHT, pass->room);
    if (status)
        return status;
    switch (fal_conv_choose(list->device, conv, FAL_CONV_WEIGHT)) {
    case FAL_CONV_WINOGRAD:
        return fal_winograd_weight_add(list, conv, pass);
    case FAL_CONV_STRIPS:
        return fal_strips_weight_add(list, conv, pass);
    case FAL_CONV_WINOGRAD4:
    case FAL_CONV_PATCHES:
        break;
    }
    return fal_patches_weight_add(list, conv, pass);
}

const char *fal_conv_form(const fal_device *device, const fal_conv *conv,
                          fal_conv_pass pass)
{
    return fal_conv_method_name(fal_conv_choose(device, conv, pass));
}
