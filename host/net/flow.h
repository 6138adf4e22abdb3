/* How the error flows down a network: which tensors get a signal, dL/d(tensor) or what a
 * rule puts in its place, who hands it to them, and in which order. Tensors are numbered
 * as in net/network.h. */
#ifndef FAL_FLOW_H
#define FAL_FLOW_H

#include "net/plan.h"

/* What hands a signal to a tensor: a layer that reads it, from what that layer makes; or
 * the layer itself whose rule brings it from the output (`direct`). A tensor that several
 * layers read, the input of a block, adds up what they hand to it, in order. */
typedef struct fal_hand {
    const fal_layer *layer;
    int direct;
    size_t tensor;   /* that gets it */
    size_t wave;     /* in which it comes */
    int first, last; /* of the tensor's */
} fal_hand;

/* A wave is one launch of all dense products that wait for no other of it, then the
 * convolutions of the wave one by one; at its end the layers without weights pass on
 * what is complete. Waves count from 1; 0: before the first (the output layer's delta
 * is the loss's), or never. */
typedef struct fal_flow {
    const fal_network *network;
    fal_hand *hands; /* by tensor, from the highest on; of each in order */
    size_t count;
    size_t *begin;      /* by tensor: the place of its first hand … */
    size_t *hand_count; /* … and how many it has: 0: no signal, or the loss's */
    size_t *ready;      /* by tensor: the wave in which its signal is complete */
    size_t *gradient;   /* by layer: the wave of its weight matrix's gradient */
    size_t waves;
} fal_flow;

/* `updates`: the gradients' products change weights, and feedback with them, which
 * therefore wait until those have carried a signal down. */
fal_status fal_flow_make(fal_flow *flow, const fal_network *network,
                         const fal_route *routes, int updates);
void fal_flow_release(fal_flow *flow);

/* The hands of a tensor, in order; NULL: none. */
const fal_hand *fal_flow_hands(const fal_flow *flow, size_t tensor);

/* The hand of this layer to this tensor; NULL: it hands it nothing. */
const fal_hand *fal_flow_find(const fal_flow *flow, const fal_layer *layer,
                              size_t tensor);

/* Widens *first … *last, 0 at the beginning, by the waves that may read what a tensor
 * holds, for a gradient, a derivative or a norm, whether or not there are updates. */
void fal_flow_reads(const fal_flow *flow, size_t tensor, size_t *first,
                    size_t *last);

/* The layer whose rule speaks for a tensor: of those whose `end` it is the one with the
 * smallest number; NULL: it is no layer's end. */
const fal_layer *fal_flow_owner(const fal_network *network, size_t tensor);

/* Whether a layer reads a tensor; of a join also `beside`. */
int fal_layer_reads(const fal_layer *layer, size_t tensor);

/* Whether any hand brings its signal straight to the end of a layer: the smallest
 * numbered one's rule is direct. */
int fal_flow_is_direct(const fal_network *network, const fal_route *routes,
                       size_t tensor);

#endif
