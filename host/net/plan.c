/* Compiling a network: forward in the order of the layers; then, from the output
 * layer down, each layer's delta and its gradients. Which launches make a delta is
 * decided by the layers' routes alone. */
#include "net/plan.h"
#include "net/layer.h"
#include "ops/gemm.h"

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
static fal_operand carrier(const fal_plan_build *build, const fal_layer *above)
{
    const fal_route *route = &build->routes[above->number - 1];
    int has_feedback = route->rule->path == FAL_PATH_LAYERS &&
                       route->rule->carrier == FAL_CARRIER_FEEDBACK;
    return (fal_operand){FAL_SOURCE_COLUMNS,
                         has_feedback
                             ? route->feedback
                             : fal_arena_view(build->parameters, above->weight),
                         above->outputs};
}

/* delta of a hidden layer. The signal arrives at the input of the next layer with
 * weights, that is after the nonlinearity; the last activation's derivative is the
 * product's epilogue, any others follow. */
static fal_status make_delta(fal_plan_build *build, const fal_layer *layer)
{
    const fal_network *network = build->network;
    const fal_route *route = &build->routes[layer->number - 1];
    const fal_layer *above = fal_network_weight_layer(network, layer->number + 1);
    const fal_layer *output = fal_network_weight_layer(network,
                                                       (unsigned)network->weights);
    int direct = route->rule->path == FAL_PATH_DIRECT;
    const fal_layer *from = direct ? output : above;
    size_t index = fal_network_index(network, layer);
    size_t top = fal_network_index(network, above) - 1;
    fal_view delta = fal_plan_delta(build, index);
    fal_product product = {
        .m = build->rows,
        .n = above->inputs,
        .k = from->outputs,
        .a = {FAL_SOURCE_ROWS,
              fal_plan_delta(build, fal_network_index(network, from)),
              from->outputs},
        .b = direct ? (fal_operand){FAL_SOURCE_ROWS, route->feedback, above->inputs}
                    : carrier(build, above),
        .c = delta,
        .pitch = above->inputs,
    };
    if (network->layers[top].is_activation) {
        product.output = fal_plan_output(build, top);
        product.derivative = network->layers[top].activation;
    } else {
        top++;
    }
    fal_status status = fal_gemm_add(build->list, &product);
    for (size_t i = top; --i > index && !status;)
        status = network->layers[i].kind->backward(build, i, delta);
    return status;
}

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

static fal_status add_backward(fal_plan_build *build)
{
    fal_status status = FAL_OK;
    unsigned last = (unsigned)build->network->weights;
    for (unsigned number = last; number > 0 && !status; number--) {
        const fal_layer *layer = fal_network_weight_layer(build->network, number);
        if (build->routes[number - 1].frozen)
            continue;
        build->list->layer = layer->name;
        if (number < last)
            status = make_delta(build, layer);
        if (!status)
            status = layer->kind->backward(
                build, fal_network_index(build->network, layer), (fal_view){0});
    }
    return status;
}

fal_status fal_plan_make(fal_plan *plan, fal_plan_build *build)
{
    fal_plan made = {.rows = build->rows, .uses_targets = build->uses_targets};
    made.launches.device = build->parameters->device;
    build->list = &made.launches;
    fal_status status = add_forward(build);
    made.has_loss = !build->outputs_only;
    if (!status && made.has_loss)
        status = add_loss(&made, build);
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
