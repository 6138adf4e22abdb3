/* Compiling a network: forward in the order of the layers, then the loss; backward.c
 * has the rest. */
#include "net/plan.h"
#include "device/memory.h"
#include "net/layer.h"
#include "ops/normalize.h"

fal_view fal_plan_tensor(const fal_plan_build *build, size_t tensor)
{
    const fal_workspace *w = build->workspace;
    return fal_arena_view(&w->arena,
                          tensor ? build->outputs[tensor - 1] : w->inputs);
}

fal_view fal_plan_input(const fal_plan_build *build, size_t index)
{
    return fal_plan_tensor(build, build->network->layers[index].from);
}

fal_view fal_plan_output(const fal_plan_build *build, size_t index)
{
    return fal_plan_tensor(build, index + 1);
}

fal_view fal_plan_delta(const fal_plan_build *build, size_t index)
{
    return fal_arena_view(&build->workspace->arena, build->deltas[index]);
}

fal_view fal_plan_gradient(const fal_plan_build *build, const fal_layer *layer,
                           fal_update *update, const fal_update **used)
{
    const fal_plan_update *u = build->update;
    const fal_workspace *w = build->workspace;
    fal_slot slot = layer->weight;
    if (w->mode == FAL_MODE_MEASURE)
        return fal_arena_view(&w->arena, w->unread);
    if (!u)
        return fal_arena_view(build->gradients, slot);
    *update = u->how;
    update->weight_decay = u->decays[fal_network_index(build->network, layer)];
    if (u->moments->count)
        update->moment = fal_arena_view(u->moments, slot);
    if (u->squares->count)
        update->squares = fal_arena_view(u->squares, slot);
    fal_route_update(&build->routes[layer->block - 1], layer, slot, update);
    *used = update;
    return fal_arena_view(build->parameters, slot);
}

static fal_status add_forward(fal_plan *plan, fal_plan_build *build)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < build->network->count && !status; i++) {
        plan->first[i] = build->list->count;
        build->list->layer = build->network->layers[i].name;
        status = build->network->layers[i].kind->forward(build, i);
    }
    return status;
}

/* From the loss's delta, which is that of the last layer's output, to that of the
 * output layer `index` with weights. */
static fal_status add_tail(fal_plan_build *build, size_t index)
{
    fal_status status = FAL_OK;
    for (size_t i = build->network->count; --i > index && !status;) {
        const fal_layer *layer = &build->network->layers[i];
        build->list->layer = layer->name;
        const fal_handed to = {.into = fal_plan_delta(build, index)};
        status = layer->kind->backward(build, i, to.into, &to);
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
        .a = fal_plan_output(build, network->count - 1),
        .partials = fal_arena_view(&w->arena, w->partials),
        .stride = w->stride,
        .summed = build->summed,
    };
    if (build->uses_targets)
        work.targets = fal_arena_view(&w->arena, w->targets);
    else
        work.labels = fal_arena_view(&w->arena, w->labels);
    if (w->mode != FAL_MODE_EVALUATE)
        work.delta = fal_plan_delta(build, index);
    if (w->signal.count)
        work.signal = fal_arena_view(&w->arena, w->signal);
    if (w->mode == FAL_MODE_TRAIN)
        work.halted = fal_arena_view(&w->arena, w->halted);
    build->list->layer = "loss";
    fal_status status = fal_loss_add(build->list, &work, &plan->loss_argument);
    return status || !work.delta.buffer ? status : add_tail(build, index);
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

/* Down by the rule, then by backpropagation from the same output error. */
static fal_status add_both_passes(fal_plan_build *build)
{
    const fal_route *rule = build->routes;
    build->carried = build->workspace->carried;
    fal_status status = fal_backward_add(build);
    build->carried = NULL;
    build->deltas = build->workspace->references;
    build->routes = build->reference;
    if (!status)
        status = fal_backward_add(build);
    build->routes = rule;
    return status;
}

static fal_status add_backward(fal_plan_build *build)
{
    build->outputs = build->workspace->again;
    if (build->workspace->mode == FAL_MODE_MEASURE)
        return add_both_passes(build);
    fal_status status = add_statistics(build);
    return status ? status : fal_backward_add(build);
}

static fal_status add_passes(fal_plan *plan, fal_plan_build *build)
{
    fal_status status = add_forward(plan, build);
    plan->loss_launch = plan->first[build->network->count] = plan->launches.count;
    plan->has_loss = !build->outputs_only;
    if (!status && plan->has_loss)
        status = add_loss(plan, build);
    if (!status && build->workspace->mode != FAL_MODE_EVALUATE)
        status = add_backward(build);
    return status;
}

fal_status fal_plan_make(fal_plan *plan, fal_plan_build *build)
{
    size_t layers = build->network->count;
    fal_plan made = {.rows = build->rows, .uses_targets = build->uses_targets};
    made.launches.device = build->parameters->device;
    made.launches.evaluation = build->workspace->mode != FAL_MODE_TRAIN;
    made.first = fal_allocate(layers + 1, sizeof *made.first);
    build->list = &made.launches;
    build->outputs = build->workspace->outputs;
    build->deltas = build->workspace->deltas;
    build->rooms = fal_allocate(layers, sizeof *build->rooms);
    fal_status status = made.first && build->rooms ? add_passes(&made, build)
                                                   : FAL_ERROR_MEMORY;
    fal_release(build->rooms);
    build->rooms = NULL;
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

fal_status fal_plan_run_layer(const fal_plan *plan, size_t index)
{
    fal_launches layer = plan->launches;
    layer.items += plan->first[index];
    layer.count = plan->first[index + 1] - plan->first[index];
    return fal_launches_run(&layer);
}

void fal_plan_release(fal_plan *plan)
{
    fal_launches_release(&plan->launches);
    fal_release(plan->first);
    *plan = (fal_plan){0};
}

fal_plan *fal_plan_pick(fal_plan *plans, size_t count, size_t *next, size_t rows,
                        int uses_targets)
{
    for (size_t i = 0; i < count; i++)
        if (plans[i].rows == rows && plans[i].uses_targets == uses_targets)
            return &plans[i];
    fal_plan *oldest = &plans[(*next)++ % count];
    fal_plan_release(oldest);
    return oldest;
}
