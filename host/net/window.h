/* Windows that slide over a map: what convolutions and pools have in common. */
#ifndef FAL_WINDOW_H
#define FAL_WINDOW_H

#include "net/network.h"

/* Reads `stride S`, `pad P` and the like: the number behind the word at *at, if that is
 * `name`; *at is then behind it. `least`: 0 or 1. */
fal_status fal_window_option(char *const *words, size_t count, size_t *at,
                             const char *name, size_t least, size_t *value);

/* layer->out from layer->in, kernel, stride and pad. */
fal_status fal_window_shape(fal_layer *layer, size_t channels);

#endif
