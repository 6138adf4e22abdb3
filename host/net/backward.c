/* The backward pass: signals from the output's delta down, and the gradients that the
 * deltas make, in waves. Who hands what to whom, and when, is net/flow.h's matter; where
 * it goes the workspace's; here are the products and launches that do it. */
#include "device/memory.h"
#include "net/flow.h"
#include "net/layer.h"
#include "ops/join.h"

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
static void read_layer(const fal_plan_build *build, const fal_layer *layer,
                       fal_product *product)
{
    const fal_route *route = &build->routes[layer->number - 1];
    product->b = (fal_operand){FAL_SOURCE_COLUMNS,
                               fal_arena_view(build->parameters, layer->weight),
                               layer->outputs};
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

/* ---- places -------------------------------------------------------------- */

static fal_view signal_of(const fal_plan_build *build, size_t tensor)
{
    return fal_plan_delta(build, tensor - 1);
}

static int are_same(fal_view a, fal_view b)
{
    return a.buffer == b.buffer && a.offset == b.offset;
}

/* Measuring: what is handed to the end of a layer stays as it came. */
static int is_kept(const fal_plan_build *build, size_t tensor)
{
    return build->carried && fal_flow_owner(build->network, tensor);
}

static fal_view target_of(const fal_plan_build *build, size_t tensor)
{
    if (!is_kept(build, tensor))
        return signal_of(build, tensor);
    const fal_layer *owner = fal_flow_owner(build->network, tensor);
    return fal_arena_view(&build->workspace->arena,
                          build->carried[fal_network_index(build->network, owner)]);
}

/* Whether the derivative of the activation that makes a tensor is left to the last that
 * is handed to it. */
static int derives_at_once(const fal_plan_build *build, const fal_hand *hand)
{
    const fal_layer *own = &build->network->layers[hand->tensor - 1];
    return hand->last && own->is_activation && !is_kept(build, hand->tensor) &&
           (hand->direct || hand->layer->number || hand->layer->kind->adds) &&
           are_same(signal_of(build, hand->tensor), signal_of(build, own->from));
}

static fal_handed handed(const fal_plan_build *build, const fal_hand *hand)
{
    const fal_layer *own = &build->network->layers[hand->tensor - 1];
    fal_handed to = {.into = target_of(build, hand->tensor),
                     .accumulate = !hand->first};
    if (derives_at_once(build, hand) && own->activation.phi != FAL_LINEAR) {
        to.derivative = own->activation;
        to.output = fal_plan_output(build, hand->tensor - 1);
    }
    return to;
}

/* For profiles: the layer with weights whose delta comes of it. */
static const char *name_of(const fal_plan_build *build, size_t tensor)
{
    unsigned number = build->network->layers[tensor - 1].block;
    return fal_network_weight_layer(build->network, number)->name;
}

/* ---- signals ------------------------------------------------------------- */

static const fal_layer *output_layer(const fal_plan_build *build)
{
    return fal_network_weight_layer(build->network,
                                    (unsigned)build->network->weights);
}

/* What a product hands down is made from: the delta of its layer, or for a direct one
 * that of the output layer or what the target alone says. */
static fal_operand error_of(const fal_plan_build *build, const fal_hand *hand)
{
    const fal_workspace *w = build->workspace;
    const fal_layer *from = hand->direct ? output_layer(build) : hand->layer;
    int target = hand->direct &&
                 build->routes[hand->layer->number - 1].rule->path ==
                     FAL_PATH_TARGET;
    fal_view view = target ? fal_arena_view(&w->arena, w->signal)
                           : fal_plan_delta(
                                 build, fal_network_index(build->network, from));
    return (fal_operand){FAL_SOURCE_ROWS, view, from->outputs};
}

static int spreads(const fal_plan_build *build, const fal_hand *hand)
{
    return hand->direct && build->routes[hand->layer->number - 1].spreads;
}

static fal_view spread_of(const fal_plan_build *build, const fal_hand *hand)
{
    const fal_workspace *w = build->workspace;
    size_t index = fal_network_index(build->network, hand->layer);
    return fal_arena_view(&w->arena, w->spread[index]);
}

/* The product of a dense layer's hand, or of a direct one. The signal arrives at the
 * tensor, that is after the nonlinearity, whose derivative is the epilogue. */
static void hand_product(const fal_plan_build *build, const fal_hand *hand,
                         fal_product *product)
{
    const fal_layer *layer = hand->layer;
    const fal_handed to = handed(build, hand);
    size_t units = fal_layer_units(&build->network->layers[hand->tensor - 1]);
    size_t width = spreads(build, hand) ? layer->outputs : units;
    const fal_operand error = error_of(build, hand);
    *product = (fal_product){.m = build->rows,
                             .n = width,
                             .k = error.pitch,
                             .a = error,
                             .c = to.into,
                             .pitch = width,
                             .accumulate = to.accumulate,
                             .output = to.output,
                             .derivative = to.derivative,
                             .layer = name_of(build, hand->tensor),
                             .work = "delta"};
    if (hand->direct)
        read_direct(&build->routes[layer->number - 1], width, product);
    else
        read_layer(build, layer, product);
    if (!spreads(build, hand))
        return;
    product->c = spread_of(build, hand);
    product->output = (fal_view){NULL, 0};
    product->derivative = (fal_activation){FAL_LINEAR, 0};
}

/* What a direct signal says of each channel, at all positions. */
static fal_status spread(fal_plan_build *build, const fal_hand *hand)
{
    const fal_handed to = handed(build, hand);
    const fal_shape map = build->network->layers[hand->tensor - 1].out;
    build->list->layer = name_of(build, hand->tensor);
    return fal_spread_add(build->list, spread_of(build, hand), build->rows,
                          map.height * map.width, map.channels, to.derivative,
                          to.output, to.into);
}

/* ---- drawn before they are read ------------------------------------------ */

static int is_random(const fal_values *values)
{
    return values->kind == FAL_VALUES_RANDOM ||
           values->kind == FAL_VALUES_RANDOM_SIGN;
}

/* A random matrix [rows][columns] that is not stored: it, or its magnitudes, then are. */
static fal_status draw(fal_plan_build *build, size_t rows, size_t columns,
                       int turned, fal_view *matrix, fal_values *values)
{
    const fal_workspace *w = build->workspace;
    const fal_view into = fal_arena_view(&w->arena, w->drawn);
    const fal_random random = values->random;
    if (values->kind == FAL_VALUES_RANDOM)
        *matrix = into;
    values->kind = values->kind == FAL_VALUES_RANDOM ? FAL_VALUES_STORED
                                                     : FAL_VALUES_MAGNITUDE_SIGN;
    values->magnitude = into;
    return (values->redrawn ? fal_random_redraw_add : fal_random_add)(
        build->list, &random, into, rows, columns, turned);
}

/* A product draws what it reads in the order in which it lies, which is not that of the
 * numbers of a map. */
static int reads_drawn(const fal_product *product)
{
    size_t channels = product->values.random.channels;
    return is_random(&product->values) && channels > 1 && channels < product->n;
}

static fal_status hand_drawn(fal_plan_build *build, const fal_hand *hand)
{
    fal_product p;
    int turned = !hand->direct;
    hand_product(build, hand, &p);
    if (!reads_drawn(&p))
        return FAL_OK;
    p.b.source = turned ? FAL_SOURCE_COLUMNS : FAL_SOURCE_ROWS;
    build->list->layer = p.layer;
    fal_status status = draw(build, turned ? p.n : p.k, turned ? p.k : p.n, turned,
                             &p.b.data, &p.values);
    return status ? status : fal_gemm_add(build->list, &p, 1);
}

/* ---- convolutions -------------------------------------------------------- */

static fal_status carry(fal_plan_build *build, const fal_hand *hand)
{
    const fal_layer *layer = hand->layer;
    const fal_handed to = handed(build, hand);
    fal_product product = {.k = 0};
    read_layer(build, layer, &product);
    fal_carrying carrier = {product.b.data, product.values};
    build->list->layer = name_of(build, hand->tensor);
    fal_status status = FAL_OK;
    if (is_random(&carrier.values))
        status = draw(build, layer->inputs, layer->outputs, 1, &carrier.matrix,
                      &carrier.values);
    return status
               ? status
               : layer->kind->carry(build, fal_network_index(build->network, layer),
                                    &carrier, &to);
}

/* ---- layers without weights ---------------------------------------------- */

static fal_status copy(fal_plan_build *build, fal_view from, size_t tensor,
                       fal_view into)
{
    const fal_activation identity = {FAL_LINEAR, 0};
    size_t units = fal_layer_units(&build->network->layers[tensor - 1]);
    return are_same(from, into) ? FAL_OK
                                : fal_activate_add(build->list, identity, from,
                                                   into, build->rows * units);
}

/* The way through the body takes a join's signal as it is, what comes from the block's
 * input as the shortcut does. */
static fal_status hand_on_join(fal_plan_build *build, const fal_hand *hand,
                               fal_view signal)
{
    const fal_layer *join = hand->layer;
    const fal_handed to = handed(build, hand);
    if (are_same(signal, to.into))
        return FAL_OK;
    const fal_shape in = build->network->layers[hand->tensor - 1].out;
    const fal_shortcut shortcut = {
        .images = build->rows,
        .height = in.height,
        .width = in.width,
        .channels = in.channels,
        .stride = hand->tensor == join->beside ? join->stride : 1,
        .out_channels = join->out.channels};
    return fal_join_backward_add(build->list, &shortcut, signal, to.accumulate,
                                 to.into);
}

/* Where it cannot add to what is there, it works in its own place, and that is added. */
static fal_status hand_on_layer(fal_plan_build *build, const fal_hand *hand,
                                fal_view signal)
{
    const fal_network *network = build->network;
    const fal_layer *layer = hand->layer;
    size_t index = fal_network_index(network, layer);
    fal_handed to = handed(build, hand);
    const fal_activation none = {FAL_LINEAR, 0};
    const fal_view into = to.into, nothing = {NULL, 0};
    int adds = to.accumulate && !layer->kind->adds;
    if (adds)
        to = (fal_handed){.into = signal};
    fal_status status = layer->kind->backward(build, index, signal, &to);
    if (status || !adds)
        return status;
    return fal_sum_add(build->list, signal, into,
                       build->rows * fal_layer_units(layer), none, nothing);
}

/* What layer `index` hands on of its output's signal, if that has not been done. */
static fal_status hand_on(fal_plan_build *build, const fal_flow *flow, size_t index)
{
    const fal_layer *layer = &build->network->layers[index];
    const fal_hand *last = fal_flow_hands(flow, index + 1);
    fal_view signal = signal_of(build, index + 1);
    const size_t tensors[2] = {layer->from, layer->beside};
    fal_status status = FAL_OK;
    build->list->layer = layer->name;
    for (size_t i = 0; i < 1 + (size_t)layer->is_join && !status; i++) {
        const fal_hand *hand = fal_flow_find(flow, layer, tensors[i]);
        last = fal_flow_hands(flow, index + 1) + flow->hand_count[index + 1] - 1;
        if (!hand || derives_at_once(build, last))
            continue;
        status = layer->is_join ? hand_on_join(build, hand, signal)
                                : hand_on_layer(build, hand, signal);
    }
    return status;
}

/* A tensor's signal is complete. */
static fal_status complete(fal_plan_build *build, const fal_flow *flow,
                           size_t tensor)
{
    fal_status status = FAL_OK;
    build->list->layer = name_of(build, tensor);
    if (is_kept(build, tensor))
        status = copy(build, target_of(build, tensor), tensor,
                      signal_of(build, tensor));
    if (status || build->network->layers[tensor - 1].number)
        return status;
    return hand_on(build, flow, tensor - 1);
}

/* ---- gradients ----------------------------------------------------------- */

/* The gradient of a layer's weight and bias, or their new values. `update` is room
 * for what the product refers to. */
static void gradient_product(const fal_plan_build *build, size_t index,
                             fal_product *product, fal_update *update)
{
    const fal_layer *layer = &build->network->layers[index];
    layer->kind->gradient(build, index, product);
    product->c = fal_plan_gradient(build, layer, update, &product->update);
}

/* ---- waves --------------------------------------------------------------- */

typedef struct backward {
    fal_flow flow;
    fal_product *products;
    fal_update *updates;
} backward;

static int is_product(const fal_hand *hand)
{
    return hand->direct || (hand->layer->number && !hand->layer->kind->carry);
}

/* Whether the gradient of a layer is made in a wave, by a product or by launches. */
static int has_gradient(const fal_plan_build *build, const fal_flow *flow,
                        size_t index, size_t wave)
{
    return build->workspace->mode == FAL_MODE_TRAIN &&
           flow->gradient[index] == wave;
}

/* Outputs that were not kept, made again where this wave is the first to read them */
static fal_status remake(fal_plan_build *build, size_t wave)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < build->network->count && !status; i++) {
        const fal_layer *layer = &build->network->layers[i];
        build->list->layer = layer->name;
        if (build->workspace->remade[i] == wave)
            status = layer->kind->forward(build, i);
    }
    return status;
}

/* One wave's products, output layer first. */
static size_t collect(const fal_plan_build *build, size_t wave, const backward *b)
{
    const fal_layer *layers = build->network->layers;
    size_t count = 0;
    for (size_t i = build->network->count; i-- > 0;) {
        const fal_hand *hands = fal_flow_hands(&b->flow, i + 1);
        for (size_t h = 0; h < b->flow.hand_count[i + 1]; h++)
            if (hands[h].wave == wave && is_product(&hands[h])) {
                hand_product(build, &hands[h], &b->products[count]);
                count += reads_drawn(&b->products[count]) ? 0 : 1;
            }
        if (layers[i].kind->gradient && has_gradient(build, &b->flow, i, wave)) {
            gradient_product(build, i, &b->products[count], &b->updates[count]);
            count++;
        }
    }
    return count;
}

/* What hangs on those products, and what are no products. */
static fal_status add_others(fal_plan_build *build, size_t wave, const backward *b)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < b->flow.count && !status; i++) {
        const fal_hand *hand = &b->flow.hands[i];
        if (hand->wave != wave || !hand->layer->number)
            continue;
        if (spreads(build, hand))
            status = spread(build, hand);
        else
            status = is_product(hand) ? hand_drawn(build, hand)
                                      : carry(build, hand);
    }
    for (size_t i = build->network->count; i-- > 0 && !status;) {
        const fal_layer *layer = &build->network->layers[i];
        build->list->layer = layer->name;
        if (layer->kind->add_gradient && has_gradient(build, &b->flow, i, wave))
            status = layer->kind->add_gradient(build, i);
    }
    return status;
}

static fal_status end_wave(fal_plan_build *build, size_t wave, const backward *b)
{
    fal_status status = FAL_OK;
    for (size_t t = build->network->count; t > 0 && !status; t--)
        if (b->flow.hand_count[t] > 0 && b->flow.ready[t] == wave)
            status = complete(build, &b->flow, t);
    return status;
}

static fal_status add_waves(fal_plan_build *build, const backward *b)
{
    fal_status status = FAL_OK;
    for (size_t wave = 1; wave <= b->flow.waves && !status; wave++) {
        size_t count = collect(build, wave, b);
        status = remake(build, wave);
        build->list->layer = "backward";
        if (!status)
            status = fal_gemm_add(build->list, b->products, count);
        if (!status)
            status = add_others(build, wave, b);
        if (!status)
            status = end_wave(build, wave, b);
    }
    return status;
}

fal_status fal_backward_add(fal_plan_build *build)
{
    size_t most = 2 * (build->network->count + 1);
    backward b = {.products = fal_allocate(most, sizeof *b.products),
                  .updates = fal_allocate(most, sizeof *b.updates)};
    fal_status status = b.products && b.updates
                            ? fal_flow_make(&b.flow, build->network, build->routes,
                                            build->update != NULL)
                            : FAL_ERROR_MEMORY;
    if (!status)
        status = add_waves(build, &b);
    fal_flow_release(&b.flow);
    fal_release(b.products);
    fal_release(b.updates);
    return status;
}
