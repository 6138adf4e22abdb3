/* The backward pass: deltas from the output's down, and the gradients that they make,
 * in waves of products. Where a delta comes from is decided by the layers' routes
 * alone. */
#include "device/memory.h"
#include "net/layer.h"

/* Only a matrix has feedback beside it; a bias and the gain and bias of a norm have
 * not. */
void fal_route_update(const fal_route *route, const fal_layer *layer, fal_slot run,
                      fal_update *update)
{
    int is_matrix = layer->number > 0 && run.buffer == layer->weight.buffer &&
                    run.offset == layer->weight.offset;
    if (route->rule->learning != FAL_LEARNS_WITH_WEIGHTS)
        return;
    update->decoupled = 1;
    if (is_matrix)
        update->feedback = route->feedback;
}

/* ---- carriers ------------------------------------------------------------ */

/* A random matrix, stored or drawn while it is read */
static void read_random(const fal_route *route, fal_product *product)
{
    product->b.data = route->feedback;
    if (route->feedback.buffer)
        return;
    product->b.source = FAL_SOURCE_ROWS;
    product->values = (fal_values){.kind = FAL_VALUES_RANDOM,
                                   .random = route->random};
}

/* The signs of the operand, which is W, and random magnitudes */
static void read_signs(const fal_route *route, fal_product *product)
{
    int redrawn = route->rule->carrier == FAL_CARRIER_SIGN_REDRAWN;
    fal_values_kind kind = route->rule->carrier == FAL_CARRIER_SIGN
                               ? FAL_VALUES_SIGN
                           : route->feedback.buffer && !redrawn
                               ? FAL_VALUES_MAGNITUDE_SIGN
                               : FAL_VALUES_RANDOM_SIGN;
    product->values = (fal_values){.kind = kind,
                                   .scale = route->magnitude,
                                   .magnitude = route->feedback,
                                   .random = route->random,
                                   .redrawn = redrawn};
}

/* What carries the error down through a layer: W or what its row has in W's shape, all
 * [in][out] and read transposed. */
static void read_layer(const fal_plan_build *build, const fal_layer *above,
                       fal_product *product)
{
    const fal_route *route = &build->routes[above->number - 1];
    product->b = (fal_operand){FAL_SOURCE_COLUMNS,
                               fal_arena_view(build->parameters, above->weight),
                               above->outputs};
    if (!fal_rule_carries_by_weight(route->rule))
        read_random(route, product);
    else if (fal_rule_has_law(route->rule) && route->rule->path == FAL_PATH_LAYERS)
        read_signs(route, product);
}

/* B straight from the output or the target, [outputs][units] */
static void read_direct(const fal_route *route, size_t units, fal_product *product)
{
    product->b = (fal_operand){FAL_SOURCE_ROWS, route->feedback, units};
    read_random(route, product);
}

/* ---- deltas -------------------------------------------------------------- */

/* The activation whose derivative is the epilogue of a hidden layer's delta: the last
 * below the next layer with weights, or the place of that layer if there is none. */
static size_t top_of(const fal_network *network, const fal_layer *above)
{
    size_t index = fal_network_index(network, above);
    return network->layers[index - 1].is_activation ? index - 1 : index;
}

/* What a hidden layer's delta is made from: the delta of the layer above or of the
 * output layer, or what the target alone says. */
static fal_operand error_of(const fal_plan_build *build, const fal_rule *rule,
                            const fal_layer *from)
{
    const fal_workspace *w = build->workspace;
    fal_view view = rule->path == FAL_PATH_TARGET
                        ? fal_arena_view(&w->arena, w->signal)
                        : fal_plan_delta(build,
                                         fal_network_index(build->network, from));
    return (fal_operand){FAL_SOURCE_ROWS, view, from->outputs};
}

/* delta of a hidden layer. The signal arrives at the input of the next layer with
 * weights, that is after the nonlinearity; the last activation's derivative is the
 * product's epilogue, unless the signal itself is wanted. */
static void delta_product(const fal_plan_build *build, const fal_layer *layer,
                          fal_product *product)
{
    const fal_network *network = build->network;
    const fal_route *route = &build->routes[layer->number - 1];
    const fal_layer *above = fal_network_weight_layer(network, layer->number + 1);
    int direct = fal_rule_is_direct(route->rule);
    const fal_layer *from = direct ? fal_network_weight_layer(
                                         network, (unsigned)network->weights)
                                   : above;
    size_t top = top_of(network, above);
    size_t index = fal_network_index(network, layer);
    *product = (fal_product){
        .m = build->rows,
        .n = above->inputs,
        .k = from->outputs,
        .a = error_of(build, route->rule, from),
        .c = build->carried
                 ? fal_arena_view(&build->workspace->arena, build->carried[index])
                 : fal_plan_delta(build, index),
        .pitch = above->inputs,
        .layer = layer->name,
        .work = "delta",
    };
    if (direct)
        read_direct(route, above->inputs, product);
    else
        read_layer(build, above, product);
    if (network->layers[top].is_activation && !build->carried) {
        product->output = fal_plan_output(build, top);
        product->derivative = network->layers[top].activation;
    }
}

/* The signal stays as it came, delta goes on from a copy. */
static fal_status copy_carried(fal_plan_build *build, size_t index, size_t count)
{
    const fal_activation identity = {FAL_LINEAR, 0};
    return fal_activate_add(
        build->list, identity,
        fal_arena_view(&build->workspace->arena, build->carried[index]),
        fal_plan_delta(build, index), count);
}

/* What lies between the product and the layer itself. */
static fal_status end_delta(fal_plan_build *build, const fal_layer *layer)
{
    const fal_network *network = build->network;
    const fal_layer *above = fal_network_weight_layer(network, layer->number + 1);
    size_t index = fal_network_index(network, layer), top = top_of(network, above);
    fal_status status = FAL_OK;
    build->list->layer = layer->name;
    if (build->carried) {
        status = copy_carried(build, index, build->rows * above->inputs);
        top += network->layers[top].is_activation;
    }
    for (size_t i = top; --i > index && !status;) {
        build->list->layer = network->layers[i].name;
        status = network->layers[i].kind->backward(build, i,
                                                   fal_plan_delta(build, index));
    }
    return status;
}

/* ---- gradients ----------------------------------------------------------- */

/* The gradient of a layer's weight and bias, or their new values. `update` is room
 * for what the product refers to. */
static void gradient_product(const fal_plan_build *build, const fal_layer *layer,
                             fal_product *product, fal_update *update)
{
    layer->kind->gradient(build, fal_network_index(build->network, layer), product);
    product->c = fal_plan_gradient(build, layer, update, &product->update);
}

/* ---- waves --------------------------------------------------------------- */

/* A wave is one launch of all products that wait for no other of it. In which wave,
 * 1, 2, …, a layer's delta and gradient are made; 0: before the first (the output
 * layer's delta is the loss's), or never. */
typedef struct turn {
    const fal_layer *layer;
    size_t delta, gradient;
} turn;

static size_t later(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* A delta straight from the output comes with the first wave, one from the layer
 * above a wave after that layer's. Returns the number of waves. */
static size_t schedule_deltas(const fal_plan_build *build, turn *turns)
{
    const fal_route *routes = build->routes;
    size_t count = build->network->weights, waves = 0;
    for (size_t i = count - 1; i-- > 0;)
        if (!routes[i].frozen) {
            turns[i].delta = fal_rule_is_direct(routes[i].rule)
                                 ? 1
                                 : turns[i + 1].delta + 1;
            waves = later(waves, turns[i].delta);
        }
    return waves;
}

/* A gradient comes a wave after its delta; but weights, and feedback with them, are not
 * updated before they have carried the delta of the layer below. Returns the number of
 * waves. */
static size_t schedule_gradients(const fal_plan_build *build, turn *turns)
{
    const fal_route *routes = build->routes;
    size_t waves = 0;
    for (size_t i = 0; i < build->network->weights; i++) {
        if (routes[i].frozen)
            continue;
        int carries = build->update && i > 0 &&
                      routes[i - 1].rule->path == FAL_PATH_LAYERS &&
                      fal_rule_carrier_moves(routes[i].rule);
        turns[i].gradient = 1 +
                            later(turns[i].delta, carries ? turns[i - 1].delta : 0);
        waves = later(waves, turns[i].gradient);
    }
    return waves;
}

/* One wave's products, output layer first. */
static size_t collect(const fal_plan_build *build, size_t wave, const turn *turns,
                      fal_product *products, fal_update *updates)
{
    size_t count = 0;
    for (size_t i = build->network->weights; i-- > 0;) {
        if (turns[i].delta == wave)
            delta_product(build, turns[i].layer, &products[count++]);
        if (turns[i].gradient == wave) {
            gradient_product(build, turns[i].layer, &products[count],
                             &updates[count]);
            count++;
        }
    }
    return count;
}

static fal_status end_deltas(fal_plan_build *build, size_t wave, const turn *turns)
{
    fal_status status = FAL_OK;
    for (size_t i = build->network->weights; i-- > 0 && !status;)
        if (turns[i].delta == wave)
            status = end_delta(build, turns[i].layer);
    return status;
}

static fal_status add_waves(fal_plan_build *build, turn *turns,
                            fal_product *products, fal_update *updates)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < build->network->weights; i++)
        turns[i].layer = fal_network_weight_layer(build->network, (unsigned)i + 1);
    size_t waves = schedule_deltas(build, turns);
    if (build->workspace->mode == FAL_MODE_TRAIN)
        waves = schedule_gradients(build, turns);
    for (size_t wave = 1; wave <= waves && !status; wave++) {
        size_t count = collect(build, wave, turns, products, updates);
        build->list->layer = "backward";
        status = fal_gemm_add(build->list, products, count);
        if (!status)
            status = end_deltas(build, wave, turns);
    }
    return status;
}

fal_status fal_backward_add(fal_plan_build *build)
{
    size_t layers = build->network->weights;
    turn *turns = fal_allocate(layers, sizeof *turns);
    fal_product *products = fal_allocate(2 * layers, sizeof *products);
    fal_update *updates = fal_allocate(2 * layers, sizeof *updates);
    fal_status status = turns && products && updates
                            ? add_waves(build, turns, products, updates)
                            : FAL_ERROR_MEMORY;
    fal_release(turns);
    fal_release(products);
    fal_release(updates);
    return status;
}
