/* Dropout of maps [rows][positions][channels]: y <- x/(1 − rate), or 0 where the word of
 * the element, numbered in PyTorch's order [row][channel][position], is below
 * rate·2³². Its backward pass is the same on the signal. Kernel: cl/dropout.cl. */
#ifndef FAL_DROPOUT_H
#define FAL_DROPOUT_H

#include "device/launch.h"
#include "ops/random.h"

/* `numbers`: seed, purpose and layer; the draw is the step's (fal_update_step). In
 * place is fine. */
fal_status fal_dropout_add(fal_launches *list, const fal_random *numbers,
                           double rate, fal_view x, fal_view y, size_t rows,
                           size_t positions, size_t channels);

#endif
