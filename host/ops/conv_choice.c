/* By shape, pass and family of the device alone, never by timing: the same run takes
 * the same form everywhere. */
#include "ops/conv_choice.h"
#include "ops/sizes.h"
#include "ops/strips.h"
#include "ops/winograd.h"

/* Filtering saves 20 of 36 multiplications, but transforms maps and weights. The
 * fewest channels on both sides, and tiles of 2 x 2 outputs that share the transformed
 * weights, from which on it was measured to be faster: 1.3 to 2.3 times patches. Below
 * sides of 8 the fewest from which on it errs no more than patches do; below 3 it errs
 * more with any: there a kernel's nine places hold four pixels, and direct sums are
 * short. */
enum {
    FEWEST_CHANNELS = 8,
    FEWEST_SMALL_CHANNELS = 16,
    FEWEST_TILES = 32,
    SMALL = 8,
    TINY = 3
};

/* Strips copy no patches, but their tiles are parts of a line: measured to be 1.1 to 3
 * times as fast as patches up to so many channels of the map that is read, if three
 * quarters of the tiles, of so many outputs, are in use. A 1 x 1 kernel has patches worth
 * sparing only where a stride skips pixels, in the weight pass or with few channels. */
enum {
    MOST_CHANNELS = 128,
    MOST_POINT_CHANNELS = 32,
    MOST_GRADIENT_CHANNELS = 64,
    TILE = 8
};

static int wants_winograd(const fal_conv *conv)
{
    size_t tiles = conv->images * ((conv->out_height + 1) / 2) *
                   ((conv->out_width + 1) / 2);
    size_t channels = fal_smaller(conv->channels, conv->out_channels);
    size_t side = fal_smaller(conv->out_height, conv->out_width);
    return side >= TINY && tiles >= FEWEST_TILES &&
           channels >= (side < SMALL ? FEWEST_SMALL_CHANNELS : FEWEST_CHANNELS);
}

static int wants_strips(const fal_conv *conv, fal_conv_pass pass)
{
    size_t wide = conv->out_width, channels = conv->channels;
    if (pass == FAL_CONV_WEIGHT)
        return channels <= MOST_GRADIENT_CHANNELS &&
               (conv->kernel > 1 || conv->stride > 1);
    if (pass == FAL_CONV_DATA) {
        wide = fal_divided(conv->width, conv->stride);
        channels = conv->out_channels;
    }
    size_t most = conv->kernel > 1   ? MOST_CHANNELS
                  : conv->stride > 1 ? MOST_POINT_CHANNELS
                                     : 0;
    return channels <= most && 4 * wide >= 3 * fal_rounded(wide, TILE);
}

/* Without filtering */
static fal_conv_method choose_direct(const fal_device *device, const fal_conv *conv,
                                     fal_conv_pass pass)
{
    return fal_strips_suit(device, conv) && wants_strips(conv, pass)
               ? FAL_CONV_STRIPS
               : FAL_CONV_PATCHES;
}

fal_conv_method fal_conv_choose(const fal_device *device, const fal_conv *conv,
                                fal_conv_pass pass)
{
    fal_conv_wish wish = device->facts.conv;
    if (wish == FAL_WISH_PATCHES)
        return FAL_CONV_PATCHES;
    if (wish == FAL_WISH_STRIPS && fal_strips_suit(device, conv))
        return FAL_CONV_STRIPS;
    if (wish == FAL_WISH_DIRECT || !fal_winograd_suits(device, conv))
        return choose_direct(device, conv, pass);
    if (wish != FAL_WISH_WINOGRAD2 && !wants_winograd(conv))
        return choose_direct(device, conv, pass);
    return wish == FAL_WISH_WINOGRAD4 && pass != FAL_CONV_WEIGHT
               ? FAL_CONV_WINOGRAD4
               : FAL_CONV_WINOGRAD;
}

const char *fal_conv_method_name(fal_conv_method kind)
{
    static const char *const names[] = {[FAL_CONV_PATCHES] = "patches",
                                        [FAL_CONV_WINOGRAD] = "winograd",
                                        [FAL_CONV_WINOGRAD4] = "winograd4",
                                        [FAL_CONV_STRIPS] = "strips"};
    return names[kind];
}
