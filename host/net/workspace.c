/* The arena of a batch on its way through a network: which tensors and signals have a
 * place of their own, and which share one. */
#include "device/memory.h"
#include "net/layer.h"
#include "net/packing.h"
#include "net/signals.h"
#include "ops/conv.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- outputs ------------------------------------------------------------- */

/* A layer whose output is its input's place: it is another's epilogue, or changes
 * nothing. */
static int shares_slot(const fal_layer *layer, size_t index)
{
    int changes = !layer->is_activation || layer->activation.phi != FAL_LINEAR;
    return index > 0 && (layer->fused || !changes);
}

/* Training keeps every output until the step ends. */
static fal_status place_outputs(fal_workspace *w, const fal_network *network)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < network->count && !status; i++) {
        const fal_layer *layer = &network->layers[i];
        if (shares_slot(layer, i))
            w->outputs[i] = w->outputs[i - 1];
        else
            status = fal_arena_place(&w->arena, w->rows * fal_layer_units(layer),
                                     &w->outputs[i]);
    }
    return status;
}

/* ---- convolutions -------------------------------------------------------- */

/* Of a random matrix that is not stored, and is drawn before it is read, since the
 * order of its numbers is that of a map: see backward.c. */
static uint64_t drawn_floats(const fal_network *network, const fal_route *routes,
                             const fal_layer *layer)
{
    const fal_route *route = &routes[layer->number - 1];
    int reads_map = layer->in.channels < layer->inputs;
    if (!fal_rule_has_matrix(route->rule) ||
        (route->feedback.buffer && fal_rule_keeps_matrix(route->rule)))
        return 0;
    if (route->rule->path == FAL_PATH_LAYERS)
        return reads_map || layer->kernel ? (uint64_t)layer->inputs * layer->outputs
                                          : 0;
    return layer->kernel && !route->spreads
               ? (uint64_t)network->outputs * fal_layer_units(layer)
               : 0;
}

/* For the largest; launches of a queue in order take turns. */
static fal_status place_room(fal_workspace *w, const fal_network *network,
                             const fal_route *routes)
{
    fal_conv_pass last = routes ? FAL_CONV_WEIGHT : FAL_CONV_FORWARD;
    uint64_t room = 0, drawn = 0;
    for (size_t i = 0; i < network->count; i++) {
        const fal_layer *layer = &network->layers[i];
        if (routes && layer->number)
            drawn = larger(drawn, drawn_floats(network, routes, layer));
        if (layer->kind != &fal_conv_kind)
            continue;
        const fal_conv conv = fal_layer_conv(layer, w->rows);
        for (int pass = FAL_CONV_FORWARD; pass <= (int)last; pass++)
            room = larger(
                room, fal_conv_room(w->arena.device, &conv, (fal_conv_pass)pass));
    }
    fal_status status = FAL_OK;
    if (room)
        status = fal_arena_place(&w->arena, room, &w->room);
    if (!status && drawn)
        status = fal_arena_place(&w->arena, drawn, &w->drawn);
    return status;
}

/* ---- modes --------------------------------------------------------------- */

static fal_status place_spreads(fal_workspace *w, const fal_network *network,
                                const fal_route *routes)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < network->count && !status; i++) {
        const fal_layer *layer = &network->layers[i];
        if (layer->number && routes[layer->number - 1].spreads)
            status = fal_arena_place(&w->arena, w->rows * layer->outputs,
                                     &w->spread[i]);
    }
    return status;
}

/* A place for each signal. */
static fal_status place_signals(fal_workspace *w, const fal_network *network,
                                const fal_route *routes, fal_slot *slots)
{
    fal_signals signals;
    fal_status status = fal_signals_make(&signals, network, routes);
    if (status)
        return status;
    for (size_t t = 1; t <= network->count && !status; t++) {
        size_t place = fal_signals_place(&signals, t);
        if (place < t)
            slots[t - 1] = slots[place - 1];
        else if (fal_signals_uses(&signals, t))
            status = fal_arena_place(
                &w->arena, w->rows * fal_layer_units(&network->layers[t - 1]),
                &slots[t - 1]);
    }
    fal_signals_release(&signals);
    return status;
}

/* ---- memory that is used again ------------------------------------------- */

static void stretch(size_t *last, size_t time)
{
    *last = time > *last ? time : *last;
}

/* The last time at which a tensor is read: in the forward pass times are layers, then
 * comes the loss, then the waves of the backward pass. */
static void outlive_readers(const fal_network *network, const fal_flow *flow,
                            size_t tensor, size_t *last)
{
    size_t loss = network->count;
    if (tensor == network->count)
        stretch(last, loss);
    if (flow->hand_count[tensor])
        stretch(last, loss + flow->ready[tensor]);
    for (size_t i = tensor; i < network->count; i++) {
        const fal_layer *layer = &network->layers[i];
        if (!fal_layer_reads(layer, tensor))
            continue;
        stretch(last, i);
        stretch(last, loss + flow->gradient[i]);
        for (size_t h = 0; h < flow->count; h++)
            if (flow->hands[h].layer == layer && !flow->hands[h].direct)
                stretch(last, loss + flow->hands[h].wave);
    }
}

/* Of each layer the number of the thing that its output, then its signal, is. */
static size_t list_lives(const fal_workspace *w, const fal_signals *signals,
                         fal_packed *items, size_t *output, size_t *signal)
{
    const fal_network *network = signals->network;
    size_t count = 0;
    for (size_t i = 0; i < network->count; i++) {
        if (!shares_slot(&network->layers[i], i))
            items[count++] = (fal_packed){
                .floats = w->rows * fal_layer_units(&network->layers[i]),
                .first = i};
        output[i] = count - 1;
        outlive_readers(network, &signals->flow, i + 1, &items[count - 1].last);
    }
    for (size_t i = 0; i < network->count; i++) {
        size_t place = fal_signals_place(signals, i + 1);
        signal[i] = SIZE_MAX;
        if (place < i + 1)
            signal[i] = signal[place - 1];
        else if (fal_signals_uses(signals, place)) {
            fal_packed *item = &items[signal[i] = count++];
            item->floats = w->rows * fal_layer_units(&network->layers[i]);
            fal_signals_life(signals, place, &item->first, &item->last);
            item->first += network->count, item->last += network->count;
        }
    }
    return count;
}

static fal_slot part_of(fal_slot whole, const fal_packed *item)
{
    return (fal_slot){whole.buffer, whole.offset + item->offset, item->floats};
}

/* *packed: 0 where all that does not fit into one buffer. */
static fal_status pack(fal_workspace *w, const fal_signals *signals,
                       fal_packed *items, size_t *output, size_t *signal,
                       int *packed)
{
    uint64_t floats = 0;
    fal_slot whole;
    size_t layers = signals->network->count;
    size_t count = list_lives(w, signals, items, output, signal);
    fal_status status = fal_pack(items, count, &floats);
    *packed = !status && floats <= w->arena.limit;
    if (!*packed)
        return status;
    status = fal_arena_place(&w->arena, floats, &whole);
    for (size_t i = 0; i < layers && !status; i++) {
        w->outputs[i] = part_of(whole, &items[output[i]]);
        if (signal[i] != SIZE_MAX)
            w->deltas[i] = part_of(whole, &items[signal[i]]);
    }
    return status;
}

static fal_status place_packed(fal_workspace *w, const fal_network *network,
                               const fal_route *routes, int *packed)
{
    fal_signals signals;
    fal_packed *items = fal_allocate(2 * network->count, sizeof *items);
    size_t *numbers = fal_allocate(2 * network->count, sizeof *numbers);
    fal_status status = fal_signals_make(&signals, network, routes);
    if (!status)
        status = items && numbers ? pack(w, &signals, items, numbers,
                                         numbers + network->count, packed)
                                  : FAL_ERROR_MEMORY;
    fal_signals_release(&signals);
    fal_release(items);
    fal_release(numbers);
    return status;
}

static fal_status place_kept(fal_workspace *w, const fal_network *network)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < network->count && !status; i++) {
        const fal_layer *layer = &network->layers[i];
        if (layer->kind->kept)
            status = fal_arena_place(&w->arena, layer->kind->kept(layer, w->rows),
                                     &w->kept[i]);
    }
    return status;
}

static fal_status place_training(fal_workspace *w, const fal_network *network,
                                 const fal_route *routes)
{
    int packed = 0;
    fal_status status = place_kept(w, network);
    if (!status && !w->keeps)
        status = place_packed(w, network, routes, &packed);
    if (!status && !packed)
        status = place_outputs(w, network);
    if (!status && !packed)
        status = place_signals(w, network, routes, w->deltas);
    if (!status)
        status = place_spreads(w, network, routes);
    return status ? status : fal_arena_place(&w->arena, 1, &w->halted);
}

/* Routes of backpropagation in every layer. */
static fal_route *make_reference(const fal_network *network)
{
    const fal_rule *rule = NULL;
    fal_route *routes = fal_allocate(network->weights, sizeof *routes);
    if (!routes || fal_rule_find("bp", &rule))
        return routes;
    for (size_t i = 0; i < network->weights; i++)
        routes[i].rule = rule;
    return routes;
}

/* What is handed to an end is of all layers that have this end. */
static fal_status place_carried(fal_workspace *w, const fal_network *network,
                                size_t index)
{
    const fal_layer *layer = &network->layers[index];
    const fal_layer *owner = fal_flow_owner(network, layer->end);
    if (owner != layer) {
        w->carried[index] = w->carried[fal_network_index(network, owner)];
        return FAL_OK;
    }
    return fal_arena_place(
        &w->arena, w->rows * fal_layer_units(&network->layers[layer->end - 1]),
        &w->carried[index]);
}

static fal_status place_ends(fal_workspace *w, const fal_network *network)
{
    uint64_t unread = 0;
    fal_status status = FAL_OK;
    for (size_t i = 0; i < network->count && !status; i++) {
        const fal_layer *layer = &network->layers[i];
        if (layer->has_weight && !layer->number)
            unread = larger(unread, 2 * layer->outputs);
        if (layer->number && layer->number < network->weights)
            status = place_carried(w, network, i);
    }
    return status ? status : fal_arena_place(&w->arena, unread, &w->unread);
}

/* The output layer's delta is the loss's for every rule, in one place. */
static fal_status place_measuring(fal_workspace *w, const fal_network *network,
                                  const fal_route *routes)
{
    fal_route *reference = make_reference(network);
    fal_status status = reference ? place_training(w, network, routes)
                                  : FAL_ERROR_MEMORY;
    if (!status)
        status = place_signals(w, network, reference, w->references);
    for (size_t i = 0; i < network->count; i++)
        if (network->layers[i].number == network->weights)
            w->references[i] = w->deltas[i];
    fal_release(reference);
    return status ? status : place_ends(w, network);
}

/* The last layer that reads the output of layer `index`, or what shares its slot. */
static size_t last_reader(const fal_network *network, size_t index)
{
    size_t last = index, t = index + 1;
    do
        for (size_t i = t; i < network->count; i++)
            if (fal_layer_reads(&network->layers[i], t) && i > last)
                last = i;
    while (++t <= network->count && shares_slot(&network->layers[t - 1], t - 1));
    return last;
}

/* Outputs take turns in slots of the widest layer: two, or as many as a block needs. */
enum { TURNS = 8 };

static fal_status take_turn(fal_workspace *w, const fal_network *network,
                            size_t index, size_t widest, fal_slot slots[TURNS],
                            size_t until[TURNS])
{
    size_t turn = 0;
    while (turn < TURNS && slots[turn].count > 0 && until[turn] >= index)
        turn++;
    if (turn == TURNS)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "network, layer %s: blocks are nested too deeply",
                        network->layers[index].name);
    fal_status status = FAL_OK;
    if (!slots[turn].count)
        status = fal_arena_place(&w->arena, w->rows * widest, &slots[turn]);
    until[turn] = last_reader(network, index);
    w->outputs[index] = slots[turn];
    return status;
}

static fal_status place_evaluation(fal_workspace *w, const fal_network *network)
{
    fal_slot slots[TURNS] = {{0}};
    size_t until[TURNS] = {0}, widest = 0;
    fal_status status = FAL_OK;
    for (size_t i = 0; i < network->count; i++)
        widest = larger(widest, fal_layer_units(&network->layers[i]));
    for (size_t i = 0; i < network->count && !status; i++)
        if (shares_slot(&network->layers[i], i))
            w->outputs[i] = w->outputs[i - 1];
        else
            status = take_turn(w, network, i, widest, slots, until);
    return status;
}

/* ---- the arena ----------------------------------------------------------- */

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
    if (!status)
        status = place_room(w, network, routes);
    if (status)
        return status;
    switch (w->mode) {
    case FAL_MODE_TRAIN:
        return place_training(w, network, routes);
    case FAL_MODE_EVALUATE:
        return place_evaluation(w, network);
    case FAL_MODE_MEASURE:
        break;
    }
    return place_measuring(w, network, routes);
}

static fal_status allocate_slots(fal_workspace *w, size_t layers)
{
    fal_slot **const lists[] = {&w->outputs, &w->deltas,     &w->kept,
                                &w->carried, &w->references, &w->spread};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!(*lists[i] = fal_allocate(layers, sizeof **lists[i])))
            return FAL_ERROR_MEMORY;
    return FAL_OK;
}

fal_status fal_workspace_make(fal_workspace *workspace, fal_device *device,
                              const fal_network *network, const fal_route *routes,
                              fal_mode mode, size_t rows, fal_loss loss,
                              size_t slots, int keeps)
{
    fal_workspace w = {.mode = mode, .rows = rows, .slots = slots, .keeps = keeps};
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
    fal_release(workspace->spread);
    fal_release(workspace->carried);
    fal_release(workspace->references);
    *workspace = (fal_workspace){0};
}
