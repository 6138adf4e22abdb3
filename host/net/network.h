/* A network as its text describes it: layers with shapes, and where their
 * parameters lie. Nothing here touches a device. */
#ifndef FAL_NETWORK_H
#define FAL_NETWORK_H

#include "device/arena.h"
#include "learn/rule.h"
#include "ops/activation.h"

typedef struct fal_shape {
    size_t height, width, channels;
} fal_shape;

size_t fal_shape_size(fal_shape shape);

/* As the network's text has it: "28x28x1"; of a row of numbers "784". */
enum { FAL_SHAPE_TEXT = 64 };
void fal_shape_print(char text[FAL_SHAPE_TEXT], fal_shape shape);

/* 1: data go into an input: both have the same shape, or as many numbers and one is
 * a row. */
int fal_shape_takes(fal_shape input, fal_shape data);

struct fal_layer_kind;

enum { FAL_NAME_LIMIT = 48 };

/* Layers read and write tensors: number 0 is the network's input, i + 1 the output of
 * layer i. A layer reads the one before it, except where a block's shortcut begins. */
typedef struct fal_layer {
    const struct fal_layer_kind *kind;
    char name[FAL_NAME_LIMIT];
    fal_shape in, out;
    size_t from; /* the tensor it reads */
    int is_row; /* what it makes is a row of numbers, though it may lie there as a map
                  * that was flattened */

    /* The end of a block adds the tensor `beside`: the block's input, which may have
     * fewer channels and `stride` times the rows and columns; or, with a projection,
     * which stands before the join, the body's end. */
    int is_join;
    size_t beside;
    fal_shape aside; /* of the tensor beside */
    int pads;        /* its shortcut is written zeropad, not identity */

    /* Of layers with weight matrices: the tensor in which what they make ends, behind
     * norms, activations, dropout and joins, before anything else. The signal of a
     * direct rule enters there. */
    size_t end;

    size_t kernel, stride, pad; /* of convolutions, pools; a pool's kernel 0: all */
    int averages;               /* a pool */
    double rate;                /* of dropout … */
    unsigned dropout;           /* … and its number, 1, 2, … */
    fal_activation activation;  /* of activation layers */
    int is_activation;
    int fused; /* an activation or a join that the layer before computes as its
                * epilogue, in the same place */
    int has_weight, has_bias;
    unsigned number; /* 1, 2, … over layers with weight matrices; 0: has none */
    unsigned block;  /* the number of this layer or of the last below that has one,
                      * whose delta passes through this layer; 0: none */
    size_t inputs, outputs; /* of the weight, stored [inputs][outputs]; its inputs
                             * are [kernel][kernel][in channels] in convolutions */
    fal_slot weight, bias;  /* in the parameter arena */
    const fal_rule *rule;   /* of the text, layers with weight matrices; NULL: the
                             * trainer's */
    int by_sample;          /* of norms: over each sample, not over the batch */
    int has_state;
    fal_slot running_mean, running_var; /* [outputs] in the state arena */
} fal_layer;

typedef struct fal_network {
    fal_shape input;
    fal_layer *layers;
    size_t count;
    size_t weights; /* layers with weights; at least 1 */
    size_t outputs; /* units of the output layer */
    char *text;     /* complete: input, every layer with its name */
} fal_network;

/* What the text may leave out. */
typedef struct fal_network_defaults {
    fal_shape input; /* all 0: none */
    size_t outputs;  /* for presets; 0: none */
    const char *activation;
    const char *norm; /* of presets: "batch", "layer", "none" or NULL */
    int no_bias;
} fal_network_defaults;

/* 1: the text is a preset, right or wrong, rather than layers. */
int fal_network_is_preset(const char *text);

fal_status fal_network_parse(fal_network *network, const char *text,
                             const fal_network_defaults *defaults);
void fal_network_release(fal_network *network);

/* Its layers learn by the rules of another network's. */
fal_status fal_network_take_rules(fal_network *network, const fal_network *other);

/* The layer with weights number 1 … weights. */
fal_layer *fal_network_weight_layer(const fal_network *network, unsigned number);

/* Its place in network->layers. */
size_t fal_network_index(const fal_network *network, const fal_layer *layer);

/* Floats that it makes of a sample. */
size_t fal_layer_units(const fal_layer *layer);

/* 1: it has a weight matrix, so that it has a number and learns by a rule. */
int fal_layer_has_matrix(const fal_layer *layer);

/* Floats of all weights and biases. */
uint64_t fal_network_parameters(const fal_network *network);

/* Whether a training batch of so many rows is large enough; the message names the
 * layer that needs more. */
fal_status fal_network_check_rows(const fal_network *network, size_t rows);

/* Places weights and biases in layer order; every arena that holds something for
 * each parameter is placed by the same slots. */
fal_status fal_network_place(fal_network *network, fal_arena *arena);

/* The same for what layers keep that is not trained. */
fal_status fal_network_place_state(fal_network *network, fal_arena *arena);

#endif
