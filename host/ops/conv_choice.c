/* By shape, pass and family of the device alone, never by timing: the same run takes
 * the same form everywhere. */
#include "ops/conv_choice.h"
#include "ops/winograd.h"

/* Filtering saves 20 of 36 multiplications, but transforms maps and weights. The
 * fewest channels on both sides, and tiles of 2 x 2 outputs that share the transformed
 * weights, from which on it was measured to be faster: 1.3 to 2.3 times patches. */
enum { FEWEST_CHANNELS = 8, FEWEST_TILES = 32 };

static int wants_winograd(const fal_conv *conv)
{
    size_t tiles = conv->images * ((conv->out_height + 1) / 2) *
                   ((conv->out_width + 1) / 2);
    return conv->channels >= FEWEST_CHANNELS &&
           conv->out_channels >= FEWEST_CHANNELS && tiles >= FEWEST_TILES;
}

fal_conv_method fal_conv_choose(const fal_device *device, const fal_conv *conv,
                                fal_conv_pass pass)
{
    fal_conv_wish wish = device->facts.conv;
    if (wish == FAL_WISH_DIRECT || !fal_winograd_suits(device, conv))
        return FAL_CONV_PATCHES;
    if (wish != FAL_WISH_WINOGRAD2 && !wants_winograd(conv))
        return FAL_CONV_PATCHES;
    return wish == FAL_WISH_WINOGRAD4 && pass != FAL_CONV_WEIGHT
               ? FAL_CONV_WINOGRAD4
               : FAL_CONV_WINOGRAD;
}

const char *fal_conv_method_name(fal_conv_method kind)
{
    static const char *const names[] = {[FAL_CONV_PATCHES] = "patches",
                                        [FAL_CONV_WINOGRAD] = "winograd",
                                        [FAL_CONV_WINOGRAD4] = "winograd4"};
    return names[kind];
}
