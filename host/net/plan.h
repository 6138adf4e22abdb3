/* Plans: a network compiled into a flat list of launches, one plan for each number
 * of rows and each mode, all over the same arenas. */
#ifndef FAL_PLAN_H
#define FAL_PLAN_H

#include "learn/rule.h"
#include "net/network.h"
#include "ops/loss.h"
#include "ops/optimize.h"
#include "ops/random.h"

/* To train; to evaluate; or to measure: as training, but without gradients or
 * updates, and beside the rule's deltas there are those of backpropagation. */
typedef enum fal_mode {
    FAL_MODE_TRAIN,
    FAL_MODE_EVALUATE,
    FAL_MODE_MEASURE
} fal_mode;

/* Where a batch lives on its way through the network. Measuring keeps every output
 * and delta until the step ends; training where that is asked for, else as long as
 * something reads them; evaluation needs two outputs at a time. */
typedef struct fal_workspace {
    fal_arena arena;
    fal_mode mode;
    size_t rows;                      /* at most */
    int keeps;                        /* all until the step ends */
    fal_slot inputs, labels, targets; /* targets only for squared error */
    fal_slot *outputs;                /* of each layer … */
    fal_slot *again; /* … and where the backward pass finds it; not in evaluation */
    size_t *remade;   /* the wave of that pass that first makes it there; or 0 */
    fal_slot *deltas; /* the signal at each layer's output: of one with weights its
                       * delta; not in evaluation */
    fal_slot *kept;   /* of each layer, for its backward pass; not in evaluation */
    fal_slot
        *spread;    /* of layers whose direct signal is the same all over a map: the
                       * signal of each channel */
    fal_slot room;  /* of convolutions' launches … */
    fal_slot drawn; /* … and for a random matrix that is not stored */

    /* Measuring: of each layer with weights, the error that is handed to its `end`,
     * before the nonlinearity; and what `deltas` are under backpropagation. What
     * nobody reads has a place too: the gradients of gains. */
    fal_slot *carried, *references, unread;

    fal_slot partials; /* [slots][stride][2], see ops/loss.h */
    size_t slots, stride;
    fal_slot halted; /* one int, see ops/loss.h; training only */
    fal_slot
        signal; /* [rows][outputs], see ops/loss.h; count 0: no layer reads it */
} fal_workspace;

/* How the error reaches a layer with weights: its row of the rule table, and what
 * the row's carrier needs. */
typedef struct fal_route {
    const fal_rule *rule;
    int frozen;
    fal_view feedback; /* B or R; layer to layer [in][out], direct [outputs][units];
                        * no buffer: drawn while it is read */
    fal_random random; /* their law, seed and stream */
    float magnitude;   /* of signs that have all the same */
    int spreads; /* direct, onto a map: [outputs][channels], the same at all positions */
} fal_route;

/* `routes`: by weight layer number − 1, they say what a step needs; NULL in
 * evaluation. `keeps`: what training makes stays until the step ends; else memory is
 * used again once nothing of the step reads what lies there. */
fal_status fal_workspace_make(fal_workspace *workspace, fal_device *device,
                              const fal_network *network, const fal_route *routes,
                              fal_mode mode, size_t rows, fal_loss loss,
                              size_t slots, int keeps);
void fal_workspace_release(fal_workspace *workspace);

/* host/net/routes.c: every layer learns by its own rule, else by `rule`; `routes` has
 * a place for each layer with weights. Errors: ARGUMENT (a layer that cannot learn by
 * its rule; names both). */
fal_status fal_routes_make(fal_route *routes, const fal_network *network,
                           const fal_rule *rule);

/* Whether a network can learn by a rule; errors as above, MEMORY. */
fal_status fal_routes_check(const fal_network *network, const fal_rule *rule);

/* Sets `frozen` of every route from the rules: the output layer never is; a layer
 * whose row says none is; so is one to which nothing hands an error, for all that could
 * is frozen. */
void fal_routes_freeze(fal_route *routes, const fal_network *network);

/* Whether a matrix below learns from what is handed to a tensor: that does not get past
 * one that a direct rule speaks for. */
int fal_routes_ask(const fal_route *routes, const fal_network *network,
                   size_t tensor);

/* Whether a layer's parameters learn: a matrix unless it is frozen; a norm, what of it
 * the signals to matrices below pass. */
int fal_routes_teach(const fal_route *routes, const fal_network *network,
                     const fal_layer *layer);

/* Whether a layer hands an error down at all. */
int fal_route_hands_down(const fal_route *route);

/* Whether a layer's delta is made from the target alone. */
int fal_routes_read_target(const fal_route *routes, size_t count);

/* What a layer's row says of the step of a run of its parameters, a part of the weight's
 * slot or of what lies behind it. */
void fal_route_update(const fal_route *route, const fal_layer *layer, fal_slot run,
                      fal_update *update);

/* The optimizer's step, where the products of the weights' gradients do it. */
typedef struct fal_plan_update {
    fal_update how; /* rule, momentum, halted; no places, no weight decay … */
    const float *decays; /* … which each layer of the network has of its own */
    const fal_arena *moments, *squares; /* laid out as the parameters; may be empty
                                         */
} fal_plan_update;

/* All that goes into a plan. What follows `list` is the plan's own business. */
typedef struct fal_plan_build {
    const fal_network *network;
    const fal_arena *parameters;
    const fal_arena *state;        /* running statistics … */
    const fal_arena *statistics;   /* … and a batch's, laid out so */
    const fal_arena *gradients;    /* training, without `update` */
    const fal_plan_update *update; /* or NULL: gradients are kept, weights stay */
    const fal_workspace *workspace;
    const fal_route *routes;    /* by weight layer number − 1; not evaluating */
    const fal_route *reference; /* the same, of backpropagation: measuring only */
    fal_loss loss;
    int summed; /* the loss of a batch is the sum over its rows, not the mean */
    int uses_targets;    /* the data set has real targets */
    int outputs_only;    /* no loss */
    uint64_t noise_seed; /* of dropout */
    size_t rows;
    fal_launches *list;
    const fal_slot *outputs; /* where the pass that is added has its outputs … */
    const fal_slot *deltas;  /* … and signals … */
    const fal_slot
        *carried;  /* … and what is handed to the ends of layers; or NULL */
    cl_mem *rooms; /* by layer: of norms, see ops/normalize.h */
} fal_plan_build;

typedef struct fal_plan {
    fal_launches launches;
    size_t rows;
    int uses_targets;
    int has_loss;
    size_t *first;      /* of each layer the place in the list of its first … */
    size_t loss_launch; /* … behind them the loss's … */
    unsigned loss_argument; /* … and the argument that says which slot it writes */
} fal_plan;

/* Forward, loss and, in training, everything down to the gradients, or to the new
 * weights; in measuring, down to both deltas. */
fal_status fal_plan_make(fal_plan *plan, fal_plan_build *build);
fal_status fal_plan_run(const fal_plan *plan, size_t slot);

/* Only what makes the output of layer `index` from what it reads. */
fal_status fal_plan_run_layer(const fal_plan *plan, size_t index);
void fal_plan_release(fal_plan *plan);

/* Of some plans the one for batches like this; else the next to give way, released:
 * its rows are 0. */
fal_plan *fal_plan_pick(fal_plan *plans, size_t count, size_t *next, size_t rows,
                        int uses_targets);

/* host/net/backward.c: adds the backward pass, down to gradients or new weights, or
 * when measuring to deltas. */
fal_status fal_backward_add(fal_plan_build *build);

/* For layer kinds: the views of a tensor, and of layer `index`. */
fal_view fal_plan_tensor(const fal_plan_build *build, size_t tensor);
fal_view fal_plan_input(const fal_plan_build *build, size_t index);
fal_view fal_plan_output(const fal_plan_build *build, size_t index);
fal_view fal_plan_delta(const fal_plan_build *build, size_t index);

/* Where the gradient of a layer's parameters goes; or, with an update, where they are,
 * which is then described in *update, and *used points there. */
fal_view fal_plan_gradient(const fal_plan_build *build, const fal_layer *layer,
                           fal_update *update, const fal_update **used);

#endif
