/* The update field of a learning rule on a small dense network, in double, over all
 * samples at once:
 *
 *   u(theta) = -(what the rule puts in place of the gradient of the loss L)
 *
 * theta holds, layer by layer, W [inputs][outputs] and then b. Beside u and L the field
 * has their derivatives along a direction, by carrying a tangent through the forward
 * and the backward pass: exact, no differences are taken. */
#ifndef FAL_FIELD_H
#define FAL_FIELD_H

#include "net/network.h"
#include "ops/loss.h"

/* What the loss is taken over. */
typedef struct fal_field_data {
    size_t rows;
    const double *inputs;  /* [rows][inputs] as the first layer gets them */
    const double *targets; /* [rows][outputs]; of labels: one-hot */
    fal_loss loss;
    int summed; /* 1: cross-entropy or half the squared error, summed over the rows;
                 * 0: their mean */
} fal_field_data;

/* A layer: dense, or a nonlinearity of each value. */
typedef struct fal_field_layer {
    size_t inputs, outputs;
    int has_weight, has_bias;
    size_t place; /* of W in theta */
    fal_activation activation;

    /* What carries the error down from a dense layer in place of its W,
     * [inputs][outputs], and in place of all that into it from the output,
     * [network's outputs][outputs]; NULL: W does, it comes from above. */
    double *carrier, *direct;

    /* [rows][outputs]: the values, what the rule hands down to them, and the
     * derivatives of both along a direction. */
    double *value, *delta, *value_tangent, *delta_tangent;
} fal_field_layer;

typedef struct fal_field {
    fal_field_layer *layers;
    size_t count;
    size_t first; /* the lowest dense layer */
    size_t outputs, parameters;
    fal_field_data data; /* the caller's arrays */
} fal_field;

/* By which errors go down: the rule's carriers, or the weights of backpropagation,
 * which makes -u the gradient of the loss. */
typedef enum fal_field_way { FAL_FIELD_RULE, FAL_FIELD_TRUE } fal_field_way;

/* Of a network whose layers are all dense or pointwise. Carriers are NULL, for the
 * caller to set by fal_field_carrier. The data outlive the field. Errors: ARGUMENT
 * (names a layer that is neither), MEMORY. */
fal_status fal_field_make(fal_field *field, const fal_network *network,
                          const fal_field_data *data);
void fal_field_release(fal_field *field);

/* The dense layer `number` = 1, 2, … */
fal_field_layer *fal_field_weights(const fal_field *field, size_t number);

/* Room for what carries the error down from that layer, or directly into it. */
fal_status fal_field_carrier(fal_field *field, size_t number, int direct,
                             double **values);

/* u at theta; returns L. */
double fal_field_update(fal_field *field, const double *theta, fal_field_way way,
                        double *u);

/* du along `direction`, at the theta and by the way of the last fal_field_update. */
void fal_field_tangent(fal_field *field, const double *theta,
                       const double *direction, fal_field_way way, double *du);

/* All of du/dtheta, column by column: matrix[j * parameters + i] = du_i/dtheta_j. By
 * the true way it is minus the Hessian of L. */
fal_status fal_field_jacobian(fal_field *field, const double *theta,
                              fal_field_way way, double *matrix);

#endif
