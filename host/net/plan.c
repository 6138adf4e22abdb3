/* Compiling a network: forward in the order of the layers, loss, then backward in
 * waves of products. Where a delta comes from is decided by the layers' routes
 * alone. */
#include "net/plan.h"
#include "device/memory.h"
#include "net/layer.h"
#include "ops/normalize.h"

fal_view fal_plan_input(const fal_plan_build *build, size_t index)
{
    const fal_workspace *w = build->workspace;
    return fal_arena_view(&w->arena, index ? w->outputs[index - 1] : w->inputs);
}

fal_view fal_plan_output(const fal_plan_build *build, size_t index)
{
    return fal_arena_view(&build->workspace->arena,
                          build->workspace->outputs[index]);
}

fal_view fal_plan_delta(const fal_plan_build *build, size_t index)
{
    return fal_arena_view(&build->workspace->arena,
                          build->workspace->deltas[index]);
}

void fal_routes_freeze(fal_route *routes, size_t count)
{
    routes[count - 1].frozen = 0;
    for (size_t i = count - 1; i-- > 0;)
        routes[i].frozen = routes[i].rule->path == FAL_PATH_NONE ||
                           (routes[i].rule->path == FAL_PATH_LAYERS &&
                            routes[i + 1].frozen);
}

/* What carries delta of the layer above down through it: B where its row has one of
 * W's shape, else W itself (also where that row is direct). Both [in][out], read
 * transposed. */
static int carries_by_weight(const fal_route *above)
{
    return above->rule->path != FAL_PATH_LAYERS ||
           above->rule->carrier != FAL_CARRIER_FEEDBACK;
}

static fal_operand carrier(const fal_plan_build *build, const fal_layer *above)
{
    const fal_route *route = &build->routes[above->number - 1];
    return (fal_operand){FAL_SOURCE_COLUMNS,
                         !carries_by_weight(route)
                             ? route->feedback
                             : fal_arena_view(build->parameters, above->weight),
                         above->outputs};
}

/* ---- deltas -------------------------------------------------------------- */

/* The activation whose derivative is the epilogue of a hidden layer's delta: the last
 * below the next layer with weights, or the place of that layer if there is none. */
static size_t top_of(const fal_network *network, const fal_layer *above)
{
    size_t index = fal_network_index(network, above);
    return network->layers[index - 1].is_activation ? index - 1 : index;
}

/* delta of a hidden layer. The signal arrives at the input of the next layer with
 * weights, that is after the nonlinearity; the last activation's derivative is the
 * product's epilogue. */
static void delta_product(const fal_plan_build *build, const fal_layer *layer,
                          fal_product *product)
{
    const fal_network *network = build->network;
    const fal_route *route = &build->routes[layer->number - 1];
    const fal_layer *above = fal_network_weight_layer(network, layer->number + 1);
    int direct = route->rule->path == FAL_PATH_DIRECT;
    const fal_layer *from = direct ? fal_network_weight_layer(
                                         network, (unsigned)network->weights)
                                   : above;
    size_t top = top_of(network, above);
    *product = (fal_product){
        .m = build->rows,
        .n = above->inputs,
        .k = from->outputs,
        .a = {FAL_SOURCE_ROWS,
              fal_plan_delta(build, fal_network_index(network, from)),
              from->outputs},
        .b = direct ? (fal_operand){FAL_SOURCE_ROWS, route->feedback, above->inputs}
                    : carrier(build, above),
        .c = fal_plan_delta(build, fal_network_index(network, layer)),
        .pitch = above->inputs,
        .layer = layer->name,
        .work = "delta",
    };
    if (network->layers[top].is_activation) {
        product->output = fal_plan_output(build, top);
        product->derivative = network->layers[top].activation;
    }
}

/* What lies between the product and the layer itself. */
static fal_status end_delta(fal_plan_build *build, const fal_layer *layer)
{
    const fal_network *network = build->network;
    size_t index = fal_network_index(network, layer);
    size_t top = top_of(network,
                        fal_network_weight_layer(network, layer->number + 1));
    fal_status status = FAL_OK;
    for (size_t i = top; --i > index && !status;) {
        build->list->layer = network->layers[i].name;
        status = network->layers[i].kind->backward(build, i,
                                                   fal_plan_delta(build, index));
    }
    return status;
}

/* ---- gradients ----------------------------------------------------------- */

fal_view fal_plan_gradient(const fal_plan_build *build, fal_slot slot,
                           fal_update *update, const fal_update **used)
{
    const fal_plan_update *u = build->update;
    if (!u)
        return fal_arena_view(build->gradients, slot);
    *update = u->how;
    if (u->moments->count)
        update->moment = fal_arena_view(u->moments, slot);
    if (u->squares->count)
        update->squares = fal_arena_view(u->squares, slot);
    *used = update;
    return fal_arena_view(build->parameters, slot);
}

/* The gradient of a layer's weight and bias, or their new values. `update` is room
 * for what the product refers to. */
static void gradient_product(const fal_plan_build *build, const fal_layer *layer,
                             fal_product *product, fal_update *update)
{
    layer->kind->gradient(build, fal_network_index(build->network, layer), product);
    product->c = fal_plan_gradient(build, layer->weight, update, &product->update);
}

/* ---- waves --------------------------------------------------------------- */

/* Backward goes in waves: a wave is one launch of all products that wait for no
 * other of it. The output layer's delta, from the loss, is there before the first;
 * a delta straight from the output comes with the first, one from the layer above a
 * wave after that layer's. */
static size_t delta_wave(const fal_plan_build *build, unsigned number)
{
    unsigned last = (unsigned)build->network->weights;
    size_t wave = 0;
    for (; number < last; number++, wave++)
        if (build->routes[number - 1].rule->path == FAL_PATH_DIRECT)
            return wave + 1;
    return wave;
}

/* A gradient comes a wave after its delta; but weights are not updated before they
 * have carried the delta of the layer below. */
static size_t gradient_wave(const fal_plan_build *build, unsigned number)
{
    size_t wave = delta_wave(build, number) + 1;
    const fal_route *below = number > 1 ? &build->routes[number - 2] : NULL;
    if (!build->update || !below || below->frozen ||
        below->rule->path == FAL_PATH_DIRECT ||
        !carries_by_weight(&build->routes[number - 1]))
        return wave;
    size_t carried = delta_wave(build, number - 1) + 1;
    return carried > wave ? carried : wave;
}

/* One wave's products, output layer first; *more: a later wave has some too. */
static size_t collect(const fal_plan_build *build, size_t wave,
                      fal_product *products, fal_update *updates, int *more)
{
    size_t count = 0;
    *more = 0;
    for (unsigned number = (unsigned)build->network->weights; number > 0;
         number--) {
        if (build->routes[number - 1].frozen)
            continue;
        const fal_layer *layer = fal_network_weight_layer(build->network, number);
        size_t of_delta = delta_wave(build, number);
        size_t of_gradient = gradient_wave(build, number);
        if (of_delta == wave)
            delta_product(build, layer, &products[count++]);
        if (of_gradient == wave) {
            gradient_product(build, layer, &products[count], &updates[count]);
            count++;
        }
        *more = *more || of_delta > wave || of_gradient > wave;
    }
    return count;
}

static fal_status end_deltas(fal_plan_build *build, size_t wave)
{
    fal_status status = FAL_OK;
    unsigned number = (unsigned)build->network->weights;
    while (--number > 0 && !status)
        if (!build->routes[number - 1].frozen && delta_wave(build, number) == wave)
            status = end_delta(build,
                               fal_network_weight_layer(build->network, number));
    return status;
}

static fal_status add_backward(fal_plan_build *build)
{
    size_t most = 2 * build->network->weights;
    fal_product *products = fal_allocate(most, sizeof *products);
    fal_update *updates = fal_allocate(most, sizeof *updates);
    fal_status status = products && updates ? FAL_OK : FAL_ERROR_MEMORY;
    int more = 1;
    for (size_t wave = 1; more && !status; wave++) {
        size_t count = collect(build, wave, products, updates, &more);
        build->list->layer = "backward";
        status = fal_gemm_add(build->list, products, count);
        if (!status)
            status = end_deltas(build, wave);
    }
    fal_release(products);
    fal_release(updates);
    return status;
}

/* ---- a plan -------------------------------------------------------------- */

static fal_status add_forward(fal_plan_build *build)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < build->network->count && !status; i++) {
        build->list->layer = build->network->layers[i].name;
        status = build->network->layers[i].kind->forward(build, i);
    }
    return status;
}

static fal_status add_loss(fal_plan *plan, fal_plan_build *build)
{
    const fal_workspace *w = build->workspace;
    const fal_network *network = build->network;
    const fal_layer *output = fal_network_weight_layer(network,
                                                       (unsigned)network->weights);
    size_t index = fal_network_index(network, output);
    fal_loss_work work = {
        .loss = build->loss,
        .rows = build->rows,
        .outputs = network->outputs,
        .a = fal_plan_output(build, index),
        .partials = fal_arena_view(&w->arena, w->partials),
        .stride = w->stride,
    };
    if (build->uses_targets)
        work.targets = fal_arena_view(&w->arena, w->targets);
    else
        work.labels = fal_arena_view(&w->arena, w->labels);
    if (w->mode == FAL_MODE_TRAIN) {
        work.delta = fal_plan_delta(build, index);
        work.halted = fal_arena_view(&w->arena, w->halted);
    }
    build->list->layer = "loss";
    plan->loss_launch = build->list->count;
    return fal_loss_add(build->list, &work, &plan->loss_argument);
}

/* Running statistics move once the loss is known to be finite. */
static fal_status add_statistics(fal_plan_build *build)
{
    const fal_workspace *w = build->workspace;
    fal_status status = FAL_OK;
    build->list->layer = "statistics";
    for (size_t i = 0; i < build->state->count && !status; i++) {
        fal_slot all = {i, 0, build->state->sizes[i]};
        status = fal_running_add(build->list,
                                 fal_arena_view(build->statistics, all),
                                 fal_arena_view(build->state, all), all.count,
                                 fal_arena_view(&w->arena, w->halted));
    }
    return status;
}

fal_status fal_plan_make(fal_plan *plan, fal_plan_build *build)
{
    fal_plan made = {.rows = build->rows, .uses_targets = build->uses_targets};
    made.launches.device = build->parameters->device;
    made.launches.evaluation = build->workspace->mode == FAL_MODE_EVALUATE;
    build->list = &made.launches;
    fal_status status = add_forward(build);
    made.has_loss = !build->outputs_only;
    if (!status && made.has_loss)
        status = add_loss(&made, build);
    if (!status && build->workspace->mode == FAL_MODE_TRAIN)
        status = add_statistics(build);
    if (!status && build->workspace->mode == FAL_MODE_TRAIN)
        status = add_backward(build);
    build->list = NULL;
    if (status)
        fal_plan_release(&made);
    else
        *plan = made;
    return status;
}

fal_status fal_plan_run(const fal_plan *plan, size_t slot)
{
    uint32_t value = (uint32_t)slot;
    fal_status status = FAL_OK;
    if (plan->has_loss)
        status = fal_launch_set(&plan->launches, plan->loss_launch,
                                plan->loss_argument, sizeof value, &value);
    return status ? status : fal_launches_run(&plan->launches);
}

void fal_plan_release(fal_plan *plan)
{
    fal_launches_release(&plan->launches);
    *plan = (fal_plan){0};
}
