/* Where the two ways of a residual block meet, and other sums of maps. Kernels:
 * cl/join.cl. */
#ifndef FAL_JOIN_H
#define FAL_JOIN_H

#include "device/launch.h"
#include "ops/activation.h"

/* A shortcut without weights from maps [images][height][width][channels] to
 * [images][⌈height/stride⌉][⌈width/stride⌉][out_channels]: every stride-th pixel, with
 * (out_channels − channels)/2 channels of zeros before (rounded down) and the rest
 * behind (He et al. 2016, option A). stride 1 and as many channels: the identity. */
typedef struct fal_shortcut {
    size_t images, height, width, channels;
    size_t stride, out_channels;
} fal_shortcut;

/* h <- phi(a + shortcut(x)) */
fal_status fal_join_add(fal_launches *list, const fal_shortcut *shortcut,
                        fal_view a, fal_view x, fal_activation activation,
                        fal_view h);

/* into <- the signal at h carried back to x, + the old `into` if accumulate */
fal_status fal_join_backward_add(fal_launches *list, const fal_shortcut *shortcut,
                                 fal_view signal, int accumulate, fal_view into);

/* into <- (into + from)·phi'(h), `count` floats; h: the stored output, or no buffer */
fal_status fal_sum_add(fal_launches *list, fal_view from, fal_view into,
                       size_t count, fal_activation derivative, fal_view h);

/* into [rows][positions][channels] <- from [rows][channels]·phi'(h), h laid out as
 * `into` or no buffer */
fal_status fal_spread_add(fal_launches *list, fal_view from, size_t rows,
                          size_t positions, size_t channels,
                          fal_activation derivative, fal_view h, fal_view into);

#endif
