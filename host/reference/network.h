/* One training step of a dense network in double, written from science §1 alone: it
 * shares no code with host/net, host/learn and host/train. Rows are samples. */
#ifndef FAL_REFERENCE_NETWORK_H
#define FAL_REFERENCE_NETWORK_H

#include "ops/activation.h"
#include "ops/loss.h"
#include "ops/optimize.h"

typedef enum fal_reference_rule {
    FAL_REFERENCE_BP,
    FAL_REFERENCE_FA,
    FAL_REFERENCE_DFA,
    FAL_REFERENCE_USF,
    FAL_REFERENCE_BRSF, /* the caller draws R before each step */
    FAL_REFERENCE_FRSF,
    FAL_REFERENCE_SHALLOW,
    FAL_REFERENCE_DRTP,
    FAL_REFERENCE_KP, /* decay is decoupled, of biases too; feedback learns */
    FAL_REFERENCE_WM  /* the caller makes mirror steps */
} fal_reference_rule;

enum { FAL_REFERENCE_STAGES = 2 };

typedef enum fal_reference_norm_kind {
    FAL_REFERENCE_NO_NORM,
    FAL_REFERENCE_BATCH,
    FAL_REFERENCE_LAYER
} fal_reference_norm_kind;

/* A layer: a = x W + b, then a norm, then activations one after the other. The caller
 * fills the first part; the second is made, zeroed but for gains and variances, by
 * fal_reference_network_make. */
typedef struct fal_reference_layer {
    size_t in, out;
    int has_bias;
    fal_activation activations[FAL_REFERENCE_STAGES]; /* linear: none; of the output
                                                       * layer scales only */
    fal_reference_rule rule; /* how the error reaches this layer */
    fal_reference_norm_kind norm;
    int plain; /* the norm has no gain and shift */

    /* Parameters, [in][out] and three times [out], one behind the other; so are
     * their gradients. A bias that the layer has not stays 0. */
    double *weight, *bias, *gain, *shift;
    double *weight_gradient, *bias_gradient, *gain_gradient, *shift_gradient;
    double
        *feedback; /* dfa, drtp: [outputs][out]; the others [in][out]; room for the
                       * larger */
    double magnitude;                         /* usf's s; the caller's */
    double *values[FAL_REFERENCE_STAGES + 1]; /* [rows][out]: a, then each output */
    double *normed;                           /* [rows][out], with a norm */
    double *mean, *variance;                  /* of the batch's groups, biased */
    double *running_mean, *running_variance;  /* [out] */
    double *delta;                            /* [rows][out] */
    int frozen;                               /* of the last step */
    double *moments, *squares;                /* as the parameters */
} fal_reference_layer;

typedef struct fal_reference_network {
    fal_reference_layer *layers;
    size_t count;
    size_t rows; /* of the last batch */
    uint64_t updates;
} fal_reference_network;

/* Rows of numbers with labels or targets. */
typedef struct fal_reference_batch {
    size_t rows;
    const double *inputs;  /* [rows][in of the first layer] */
    const int32_t *labels; /* [rows], or NULL */
    const double *targets; /* [rows][outputs], or NULL */
    fal_loss loss;
    int summed; /* e is that of the sum over the rows, not of the mean */
} fal_reference_batch;

typedef struct fal_reference_settings {
    fal_update_rule optimizer;
    double rate, momentum, weight_decay;
    int nesterov;
    double clip;       /* 0: not */
    double rate_adamw; /* of what muon leaves to it */
    const double
        *weight_decays; /* of each layer, in place of weight_decay; or NULL */
} fal_reference_settings;

/* Copies the layers' first part; for batches of at most `rows`. */
fal_status fal_reference_network_make(fal_reference_network *network,
                                      const fal_reference_layer *layers,
                                      size_t count, size_t rows);
void fal_reference_network_release(fal_reference_network *network);

/* Parameters that are trained, from layer->weight on; a bias that is not there, but
 * lies between some that are, counts. */
size_t fal_reference_parameters(const fal_reference_layer *layer);

/* The batch mean; leaves every layer's values and the output layer's delta. */
double fal_reference_network_forward(fal_reference_network *network,
                                     const fal_reference_batch *batch);

/* After forward: deltas and gradients by each layer's rule. A frozen layer's are 0.
 */
void fal_reference_network_backward(fal_reference_network *network,
                                    const fal_reference_batch *batch);

/* After backward: running statistics, then the optimizer's update, with state of its
 * own. */
fal_status fal_reference_network_update(fal_reference_network *network,
                                        const fal_reference_settings *settings);

/* Mirror step number `step` of all layers of wm, with `rows` rows of noise. */
fal_status fal_reference_network_mirror(fal_reference_network *network, double rate,
                                        double decay, uint64_t noise_seed,
                                        uint64_t step, size_t rows);

/* The batch mean of evaluation: norms over the batch take running statistics. */
double fal_reference_network_evaluate(fal_reference_network *network,
                                      const fal_reference_batch *batch);

#endif
