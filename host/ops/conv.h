/* Convolutions of maps [images][height][width][channels] by weights
 * [kernel][kernel][in][out], as the product of ops/gemm.h whose operand is patches of a
 * map, or, where that is faster, by kernels of their own: which form a pass takes
 * follows from its shape and the device's family alone (host/ops/conv_choice.c). */
#ifndef FAL_CONV_H
#define FAL_CONV_H

#include "ops/gemm.h"

/* out_height = (height + 2·pad − kernel)/stride + 1, rounded down; so out_width. */
typedef struct fal_conv {
    size_t images;
    size_t height, width, channels; /* of an input map */
    size_t kernel, stride, pad;
    size_t out_height, out_width, out_channels;
} fal_conv;

typedef enum fal_conv_pass {
    FAL_CONV_FORWARD,
    FAL_CONV_DATA,
    FAL_CONV_WEIGHT
} fal_conv_pass;

/* output <- phi(conv(input, weight) + bias + beside) */
typedef struct fal_conv_forward {
    fal_view input, weight, output;
    fal_view bias;   /* [out], or no buffer */
    fal_view beside; /* laid out as the output, or no buffer */
    fal_activation activation;
    fal_view room;            /* fal_conv_room floats, for the launches alone */
    const char *layer, *work; /* for profiles; NULL: the list's, none */
} fal_conv_forward;

/* signal <- (conv^T(delta, carrier) + the old signal if accumulate)·phi'(output): what
 * delta says of the input, carried down by W or by what stands in for it. */
typedef struct fal_conv_data {
    fal_view delta;   /* [images][out_height][out_width][out] */
    fal_view carrier; /* laid out as the weights … */
    fal_values values; /* … and what it is: stored, its signs; never a random matrix
                        * (draw it before) */
    fal_view signal;   /* [images][height][width][in] */
    int accumulate;
    fal_view output; /* stored output h of the activation below, laid out as the
                      * signal; or no buffer */
    fal_activation derivative;
    fal_view room;
    const char *layer, *work;
} fal_conv_data;

/* gradient <- beta·gradient + alpha·(input^T * delta); below it, as a last row, the
 * same of Σ delta over images and positions (has_bias); or, with an update, its step
 * for the weights that lie there. */
typedef struct fal_conv_weight {
    fal_view input, delta;
    fal_view gradient; /* [kernel·kernel·in (+ 1)][out] */
    int has_bias;
    float alpha, beta;        /* alpha 0: 1 */
    const fal_update *update; /* rule, moment, squares, feedback (laid out as the
                               * gradient) and halted count; or NULL */
    fal_view
        halted; /* without an update: one int, nothing changes where it is not 0;
                      * or no buffer */
    fal_view room;
    const char *layer, *work;
} fal_conv_weight;

/* Floats of room that a pass of so many images, or of fewer, may need on this device,
 * whatever is fused with it. */
uint64_t fal_conv_room(const fal_device *device, const fal_conv *conv,
                       fal_conv_pass pass);

fal_status fal_conv_forward_add(fal_launches *list, const fal_conv *conv,
                                const fal_conv_forward *pass);
fal_status fal_conv_data_add(fal_launches *list, const fal_conv *conv,
                             const fal_conv_data *pass);
fal_status fal_conv_weight_add(fal_launches *list, const fal_conv *conv,
                               const fal_conv_weight *pass);

/* The form that a pass takes, for people: "patches", "winograd", … */
const char *fal_conv_form(const fal_device *device, const fal_conv *conv,
                          fal_conv_pass pass);

#endif
