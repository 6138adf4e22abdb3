/* What a model is made of; how the trainer and the evaluator reach it. */
#ifndef FAL_MODEL_H
#define FAL_MODEL_H

#include "learn/law.h"
#include "net/network.h"
#include "train/tensor.h"

struct fal_model {
    fal_device *device;
    fal_network network;
    fal_law weight_law;
    fal_arena parameters;
    fal_arena state; /* running statistics; may be empty */
    fal_tensor_list tensors;

    /* Standardisation by channel of the input: x = (v − mean)/deviation. */
    int standardized; /* fitted, or read from a file */
    double *mean, *deviation;
    fal_arena scales; /* [3][channels]: see the slots */
    fal_slot byte_scale, float_scale, shift;

    /* Images that are resized on their way in: their shape before, height 0: none, and
     * what they then have, which goes into the network's input. */
    fal_shape raw, resized;

    /* What the outputs stand for. */
    const char *const *class_names; /* [outputs], the model's; NULL: unknown */
    int real_targets;               /* numbers rather than classes */
};

/* Takes from the data what the outputs stand for (names only where there is one for
 * each output) and, unless there is one or `standardize` is NULL, the
 * standardisation; all or, in case of failure, nothing. */
fal_status fal_model_adapt(fal_model *model, const fal_dataset *data,
                           const char *standardize);

/* What fal_model_create does before it draws the weights: network and tensors, with
 * names and shapes but no memory on the device; then that memory. */
fal_status fal_model_sketch(fal_model **sketched, fal_device *device,
                            const char *network, const fal_model_options *options);
fal_status fal_model_furnish(fal_model *model);

/* Sets mean and deviation and their copies on the device. */
fal_status fal_model_set_scales(fal_model *model, const double *mean,
                                const double *deviation);

/* Whether samples are images that the model resizes; and makes them what goes into the
 * network's input: *own, for fal_release, are then their inputs, else NULL. */
int fal_model_resizes(const fal_model *model, const fal_arrays *samples);
fal_status fal_model_resize(const fal_model *model, fal_arrays *arrays, void **own);

/* Whether a data set's samples and labels or targets are this network's; the
 * message says what is not. */
fal_status fal_model_fits(const fal_model *model, const fal_arrays *data, int loss);

/* What a law says of a matrix in the shape of a layer's weights; the fans of a
 * convolution count its kernel. */
fal_random fal_model_law(fal_law law, const fal_layer *layer);

/* "cross-entropy" (NULL the same) or "mse". */
fal_status fal_loss_find(const char *name, int *loss);
const char *fal_loss_name(int loss);

/* "mean" (NULL the same) or "sum": 1 if it is the sum. */
fal_status fal_reduction_find(const char *name, int *sums);
const char *fal_reduction_name(int sums);

#endif
