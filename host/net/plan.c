/* Compiling a network: forward in the order of the layers, then the loss; backward.c
 * has the rest. */
#include "net/plan.h"
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
        status = fal_backward_add(build);
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
