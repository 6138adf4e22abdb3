#include "device/memory.h"
#include "net/layer.h"

/* Every layer's output has a slot of its own, but a fused activation shares that of
 * the layer before, and so does an identity. */
static int shares_slot(const fal_layer *layer, size_t index)
{
    return index > 0 && layer->is_activation &&
           (layer->fused || layer->activation.phi == FAL_LINEAR);
}

static fal_status place_training(fal_workspace *w, const fal_network *network)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < network->count && !status; i++) {
        const fal_layer *layer = &network->layers[i];
        uint64_t size = (uint64_t)w->rows * fal_shape_size(layer->out);
        if (shares_slot(layer, i))
            w->outputs[i] = w->outputs[i - 1];
        else
            status = fal_arena_place(&w->arena, size, &w->outputs[i]);
        if (layer->number && !status)
            status = fal_arena_place(&w->arena, size, &w->deltas[i]);
        if (layer->kind->kept && !status)
            status = fal_arena_place(&w->arena, layer->kind->kept(layer, w->rows),
                                     &w->kept[i]);
    }
    return status ? status : fal_arena_place(&w->arena, 1, &w->halted);
}

/* The output layer's delta is the loss's for every rule. */
static fal_status place_measuring(fal_workspace *w, const fal_network *network)
{
    uint64_t unread = 0;
    fal_status status = place_training(w, network);
    for (size_t i = 0; i < network->count && !status; i++) {
        const fal_layer *layer = &network->layers[i];
        uint64_t size = (uint64_t)w->rows * fal_shape_size(layer->out);
        w->references[i] = w->deltas[i];
        if (layer->has_weight && !layer->number && 2 * layer->outputs > unread)
            unread = 2 * layer->outputs;
        if (!layer->number || layer->number == network->weights)
            continue;
        status = fal_arena_place(&w->arena, size, &w->references[i]);
        if (!status)
            status = fal_arena_place(&w->arena, size, &w->carried[i]);
    }
    return status ? status : fal_arena_place(&w->arena, unread, &w->unread);
}

/* Outputs take turns in two slots of the widest layer. */
static fal_status place_evaluation(fal_workspace *w, const fal_network *network)
{
    size_t widest = 0, turn = 0;
    fal_slot slots[2];
    for (size_t i = 0; i < network->count; i++)
        if (fal_shape_size(network->layers[i].out) > widest)
            widest = fal_shape_size(network->layers[i].out);
    fal_status status = FAL_OK;
    for (size_t i = 0; i < 2 && !status; i++)
        status = fal_arena_place(&w->arena, (uint64_t)w->rows * widest, &slots[i]);
    for (size_t i = 0; i < network->count && !status; i++)
        w->outputs[i] = shares_slot(&network->layers[i], i) ? w->outputs[i - 1]
                                                            : slots[turn++ % 2];
    return status;
}

static fal_status place(fal_workspace *w, const fal_network *network,
                        const fal_route *routes, fal_loss loss)
{
    uint64_t rows = w->rows;
    fal_status status = fal_arena_place(
        &w->arena, rows * fal_shape_size(network->input), &w->inputs);
    if (!status)
        status = fal_arena_place(&w->arena, rows, &w->labels);
    if (!status && loss == FAL_SQUARED_ERROR)
        status = fal_arena_place(&w->arena, rows * network->outputs, &w->targets);
    if (!status)
        status = fal_arena_place(&w->arena, w->slots * w->stride * 2, &w->partials);
    if (!status && routes && fal_routes_read_target(routes, network->weights))
        status = fal_arena_place(&w->arena, rows * network->outputs, &w->signal);
    if (status)
        return status;
    switch (w->mode) {
    case FAL_MODE_TRAIN:
        return place_training(w, network);
    case FAL_MODE_EVALUATE:
        return place_evaluation(w, network);
    case FAL_MODE_MEASURE:
        break;
    }
    return place_measuring(w, network);
}

static fal_status allocate_slots(fal_workspace *w, size_t layers)
{
    fal_slot **const lists[] = {&w->outputs, &w->deltas, &w->kept, &w->carried,
                                &w->references};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!(*lists[i] = fal_allocate(layers, sizeof **lists[i])))
            return FAL_ERROR_MEMORY;
    return FAL_OK;
}

fal_status fal_workspace_make(fal_workspace *workspace, fal_device *device,
                              const fal_network *network, const fal_route *routes,
                              fal_mode mode, size_t rows, fal_loss loss,
                              size_t slots)
{
    fal_workspace w = {.mode = mode, .rows = rows, .slots = slots};
    w.stride = (rows + FAL_LOSS_ROWS - 1) / FAL_LOSS_ROWS;
    fal_arena_begin(&w.arena, device, "activations");
    fal_status status = allocate_slots(&w, network->count);
    if (!status)
        status = place(&w, network, routes, loss);
    if (!status)
        status = fal_arena_make(&w.arena);
    if (status)
        fal_workspace_release(&w);
    else
        *workspace = w;
    return status;
}

void fal_workspace_release(fal_workspace *workspace)
{
    fal_arena_release(&workspace->arena);
    fal_release(workspace->outputs);
    fal_release(workspace->deltas);
    fal_release(workspace->kept);
    fal_release(workspace->carried);
    fal_release(workspace->references);
    *workspace = (fal_workspace){0};
}
