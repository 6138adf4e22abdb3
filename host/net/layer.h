/* The table of layer kinds: a new kind is a new file and a new row. */
#ifndef FAL_LAYER_H
#define FAL_LAYER_H

#include "net/network.h"
#include "net/plan.h"
#include "ops/conv.h"

/* Where a signal goes: into <- (it + the old `into` if accumulate)·phi'(output) */
typedef struct fal_handed {
    fal_view into;
    int accumulate;
    fal_activation derivative;
    fal_view output; /* or no buffer */
} fal_handed;

/* What carries a delta down through a layer: a matrix laid out as its weights. */
typedef struct fal_carrying {
    fal_view matrix;
    fal_values values;
} fal_carrying;

typedef struct fal_layer_kind {
    const char *name;
    const char *arguments; /* for texts: "N [nobias]" */
    const char *meaning;   /* a line of the manual */

    /* Reads the words after the kind; messages say what is wrong with them. */
    fal_status (*parse)(fal_layer *layer, char *const *words, size_t count);

    /* Fills layer->out (and the weight's sizes) from layer->in. */
    fal_status (*shape)(fal_layer *layer);

    /* The arguments again, for the network's complete text. */
    void (*print)(const fal_layer *layer, char *text, size_t size);

    /* Adds the launches of layer `index`: its output from its input. */
    fal_status (*forward)(fal_plan_build *build, size_t index);

    int takes_activation; /* computes the activation behind it as its epilogue … */
    int takes_join;       /* … and before that a join that only adds */

    /* Turns the signal at its output into that of the tensor it reads, and makes the
     * gradients of what it learns. `adds`: it does all that fal_handed says, others
     * write to `into` only, which may be the place of `signal`. Layers with weight
     * matrices: NULL. */
    fal_status (*backward)(fal_plan_build *build, size_t index, fal_view signal,
                           const fal_handed *to);
    int adds;
    int reads_input; /* its input, which must still be there then */

    /* Layers with weight matrices: the product that makes the gradients of layer
     * `index` from its input and its delta; or, where that is no product of
     * ops/gemm.h, the launches that do, and those that carry its delta down. */
    void (*gradient)(const fal_plan_build *build, size_t index,
                     fal_product *product);
    fal_status (*add_gradient)(fal_plan_build *build, size_t index);
    fal_status (*carry)(fal_plan_build *build, size_t index,
                        const fal_carrying *carrier, const fal_handed *to);

    /* Floats that forward leaves for backward beside the output; NULL: none. */
    uint64_t (*kept)(const fal_layer *layer, size_t rows);

    /* Rows that a training batch must have; NULL: one. */
    size_t (*least_rows)(const fal_layer *layer);
} fal_layer_kind;

/* host/net/convolve.c: a convolution's passes over so many rows, and the hooks of its
 * kind. */
fal_conv fal_layer_conv(const fal_layer *layer, size_t rows);
fal_status fal_conv_layer_forward(fal_plan_build *build, size_t index);
fal_status fal_conv_layer_carry(fal_plan_build *build, size_t index,
                                const fal_carrying *carrier, const fal_handed *to);
fal_status fal_conv_layer_gradient(fal_plan_build *build, size_t index);

extern const fal_layer_kind fal_dense_kind, fal_norm_kind, fal_relu_kind,
    fal_leaky_kind, fal_tanh_kind, fal_sigmoid_kind, fal_linear_kind,
    fal_scale_kind, fal_conv_kind, fal_pool_kind, fal_flatten_kind,
    fal_dropout_kind;

/* The end of a block, which no text names. */
extern const fal_layer_kind fal_join_kind;

extern const fal_layer_kind *const fal_layer_kinds[];
extern const size_t fal_layer_kind_count;

/* A size written in decimal, 1 … 2³¹ − 1. `what` stands in the error. */
fal_status fal_parse_size(const char *word, const char *what, size_t least,
                          size_t *size);

#endif
