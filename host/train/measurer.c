#include "train/measurer.h"
#include "device/memory.h"
#include "net/flow.h"
#include "ops/gemm.h"

/* ---- making -------------------------------------------------------------- */

static fal_status make_reference(fal_measurer *m)
{
    size_t count = m->trainer->model->network.weights;
    const fal_rule *rule = NULL;
    fal_status status = fal_rule_find("bp", &rule);
    m->reference = fal_allocate(count, sizeof *m->reference);
    if (!m->reference)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++)
        m->reference[i].rule = rule;
    return status;
}

static fal_status make_memory(fal_measurer *m)
{
    fal_trainer *t = m->trainer;
    fal_device *device = t->model->device;
    fal_arena_begin(&m->statistics, device, "statistics of a measured batch");
    fal_status status = fal_network_place_state(&t->model->network, &m->statistics);
    if (!status)
        status = fal_arena_make(&m->statistics);
    if (!status)
        status = fal_workspace_make(&m->workspace, device, &t->model->network,
                                    t->routes, FAL_MODE_MEASURE, t->options.batch,
                                    t->loss, 1, 1);
    return status;
}

/* Frozen layers are carried nothing. */
static fal_status list_tensors(fal_measurer *m)
{
    const fal_trainer *t = m->trainer;
    const fal_network *network = &t->model->network;
    fal_status status = FAL_OK;
    for (unsigned l = 1; l < network->weights && !status; l++) {
        const fal_layer *layer = fal_network_weight_layer(network, l);
        size_t index = fal_network_index(network, layer);
        fal_tensor tensor = {.arena = &m->workspace.arena,
                             .slot = m->workspace.references[index]};
        fal_tensor_like_output(&tensor, layer, m->workspace.rows);
        status = fal_tensor_add(&m->tensors, tensor, layer->name,
                                "reference_delta");
        tensor.slot = m->workspace.carried[index];
        if (!status && !t->routes[l - 1].frozen)
            status = fal_tensor_add(&m->tensors, tensor, layer->name, "carried");
    }
    return status;
}

/* ---- what stands in for the weights under direct rules ------------------- */

unsigned fal_measurer_direct_below(const fal_trainer *t, unsigned number)
{
    const fal_network *network = &t->model->network;
    const fal_layer *layer = fal_network_weight_layer(network, number);
    const fal_layer *below = NULL;
    size_t tensor = layer->from;
    for (; tensor > 0 && !below; tensor = network->layers[tensor - 1].from)
        below = fal_flow_owner(network, tensor);
    int dense = below && !below->kernel && !layer->kernel;
    int direct = number == network->weights || fal_trainer_is_direct(t, number);
    return dense && direct && fal_trainer_is_direct(t, below->number)
               ? below->number
               : 0;
}

static int has_projection(const fal_trainer *t, unsigned number)
{
    return number < t->model->network.weights &&
           fal_measurer_direct_below(t, number);
}

/* B_{l-1}^T B_l, in W_l's shape. */
static fal_status projection(const fal_measurer *m, unsigned number,
                             fal_product *product)
{
    fal_trainer *t = m->trainer;
    const fal_layer *layer = fal_network_weight_layer(&t->model->network, number);
    fal_view below, own;
    fal_status status = fal_trainer_feedback(
        t, fal_measurer_direct_below(t, number), &below);
    if (!status)
        status = fal_trainer_feedback(t, number, &own);
    if (status)
        return status;
    *product = (fal_product){
        .m = layer->inputs,
        .n = layer->outputs,
        .k = t->model->network.outputs,
        .a = {FAL_SOURCE_COLUMNS, below, layer->inputs},
        .b = {FAL_SOURCE_ROWS, own, layer->outputs},
        .c = fal_arena_view(&m->projections, m->projection_slots[number - 1]),
        .pitch = layer->outputs,
        .layer = layer->name,
        .work = "projection"};
    return FAL_OK;
}

static fal_status add_projections(fal_measurer *m)
{
    unsigned count = (unsigned)m->trainer->model->network.weights;
    size_t used = 0;
    fal_product *products = fal_allocate(count, sizeof *products);
    fal_status status = products ? FAL_OK : FAL_ERROR_MEMORY;
    for (unsigned l = 2; l < count && !status; l++)
        if (has_projection(m->trainer, l))
            status = projection(m, l, &products[used++]);
    m->projecting = (fal_launches){
        .device = m->trainer->model->device, .layer = "measure", .evaluation = 1};
    if (!status)
        status = fal_gemm_add(&m->projecting, products, used);
    fal_release(products);
    return status;
}

static fal_status make_projections(fal_measurer *m)
{
    const fal_trainer *t = m->trainer;
    unsigned count = (unsigned)t->model->network.weights;
    fal_status status = FAL_OK;
    fal_arena_begin(&m->projections, t->model->device, "products of feedback");
    m->projections.limit = t->model->parameters.limit;
    m->projection_slots = fal_allocate(count, sizeof *m->projection_slots);
    if (!m->projection_slots)
        return FAL_ERROR_MEMORY;
    for (unsigned l = 2; l < count && !status; l++)
        if (has_projection(t, l))
            status = fal_arena_place(
                &m->projections,
                fal_network_weight_layer(&t->model->network, l)->weight.count,
                &m->projection_slots[l - 1]);
    if (!status)
        status = fal_arena_make(&m->projections);
    return !status && m->projections.count ? add_projections(m) : status;
}

fal_status fal_measurer_make(fal_trainer *t)
{
    if (t->measurer)
        return FAL_OK;
    fal_measurer *m = fal_allocate(1, sizeof *m);
    if (!m)
        return FAL_ERROR_MEMORY;
    m->trainer = t;
    fal_status status = make_reference(m);
    if (!status)
        status = make_memory(m);
    if (!status)
        status = list_tensors(m);
    if (!status)
        status = make_projections(m);
    if (status)
        fal_measurer_destroy(m);
    else
        t->measurer = m;
    return status;
}

void fal_measurer_destroy(fal_measurer *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < sizeof m->plans / sizeof *m->plans; i++)
        fal_plan_release(&m->plans[i]);
    fal_launches_release(&m->projecting);
    fal_arena_release(&m->projections);
    fal_arena_release(&m->updates);
    fal_release(m->projection_slots);
    fal_tensor_list_release(&m->tensors);
    fal_workspace_release(&m->workspace);
    fal_arena_release(&m->statistics);
    fal_release(m->reference);
    fal_release(m->room[0]);
    fal_release(m->room[1]);
    fal_release(m);
}

/* ---- running ------------------------------------------------------------- */

static fal_status make_plan(fal_measurer *m, fal_plan *plan, size_t rows,
                            int targets)
{
    const fal_trainer *t = m->trainer;
    fal_plan_build build = {.network = &t->model->network,
                            .parameters = &t->model->parameters,
                            .state = &t->model->state,
                            .statistics = &m->statistics,
                            .workspace = &m->workspace,
                            .routes = t->routes,
                            .reference = m->reference,
                            .loss = t->loss,
                            .summed = t->sums_loss,
                            .noise_seed = t->options.noise_seed,
                            .uses_targets = targets,
                            .rows = rows};
    return fal_plan_make(plan, &build);
}

static fal_status find_plan(fal_measurer *m, size_t rows, int targets,
                            fal_plan **plan)
{
    *plan = fal_plan_pick(m->plans, sizeof m->plans / sizeof *m->plans,
                          &m->next_plan, rows, targets);
    return (*plan)->rows ? FAL_OK : make_plan(m, *plan, rows, targets);
}

fal_status fal_measurer_run(fal_measurer *m, fal_feed *feed, size_t start,
                            size_t rows)
{
    fal_plan *plan = NULL;
    fal_status status = find_plan(m, rows, feed->data.targets != NULL, &plan);
    feed->step = m->trainer->step;
    if (!status)
        status = fal_feed_batch_to(feed, &m->workspace, start, rows);
    const fal_update_step now = {.draw = (uint32_t)m->trainer->step};
    if (!status)
        status = fal_launches_step(&plan->launches, sizeof now, &now);
    if (!status)
        status = fal_plan_run(plan, 0);
    if (!status)
        m->last_rows = rows;
    return status;
}
