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

/* The last time at which the output of layer `index` is read before the backward pass.
 * Times are layers, then comes the loss, then the waves of the backward pass. */
static size_t last_forward(const fal_network *network, size_t index)
{
    const fal_layer *output = fal_network_weight_layer(network,
                                                       (unsigned)network->weights);
    size_t last = index;
    for (size_t i = index + 1; i < network->count; i++)
        if (fal_layer_reads(&network->layers[i], index + 1))
            last = i;
    return &network->layers[index] < output ? last : network->count;
}

/* What the things are that have a place: by layer their numbers. */
typedef struct lives {
    fal_packed *items;
    size_t count;
    size_t *output, *again, *signal;
} lives;

static size_t add_life(lives *l, uint64_t floats, size_t first, size_t last)
{
    l->items[l->count] = (fal_packed){
        .floats = floats, .first = first, .last = last};
    return l->count++;
}

/* Maps of so many channels, and so many values a row, are made again. */
enum { FEWEST_CHANNELS = 64, FEWEST_VALUES = 8192 };

/* Whether a layer's input is where it was when its output is first wanted again: it
 * stays until the layer itself has passed a signal on and, with that, changed what it
 * learns. */
static int has_input_still(const fal_flow *flow, const fal_layer *layer,
                           size_t wave, const lives *l)
{
    const fal_hand *down = fal_flow_find(flow, layer, layer->from);
    return down && down->wave >= wave && layer->from > 0 &&
           l->again[layer->from - 1] == l->output[layer->from - 1];
}

/* Whether what a norm makes is made again for the backward pass, from its input; in
 * between it lies nowhere. That costs a pass through memory, little beside convolutions
 * of many channels; small maps take little place; and where the first wave reads it, as
 * under direct rules, all such maps are there together after all. */
static int is_made_again(const fal_flow *flow, size_t index, size_t wave,
                         const lives *l)
{
    const fal_network *network = flow->network;
    const fal_layer *layer = &network->layers[index];
    int adds = index + 1 < network->count && layer[1].is_join && layer[1].fused;
    return layer->kind == &fal_norm_kind && layer->has_state && !adds &&
           layer->out.channels >= FEWEST_CHANNELS &&
           fal_layer_units(layer) >= FEWEST_VALUES && wave > 1 &&
           has_input_still(flow, layer, wave, l);
}

/* Of the output of layer `index`, and of those behind it that lie in its place, up to
 * `end`. */
static void add_output(const fal_workspace *w, const fal_flow *flow, size_t index,
                       size_t end, lives *l)
{
    const fal_network *network = flow->network;
    size_t loss = network->count, last = index, from = 0, until = 0;
    for (size_t i = index; i < end; i++) {
        stretch(&last, last_forward(network, i));
        fal_flow_reads(flow, i + 1, &from, &until);
    }
    uint64_t floats = w->rows * fal_layer_units(&network->layers[index]);
    int again = is_made_again(flow, index, from, l);
    if (until && !again)
        stretch(&last, loss + until);
    size_t made = add_life(l, floats, index, last);
    size_t used = again ? add_life(l, floats, loss + from, loss + until) : made;
    for (size_t i = index; i < end; i++)
        l->output[i] = made, l->again[i] = used;
}

static void add_signal(const fal_workspace *w, const fal_signals *signals,
                       size_t index, lives *l)
{
    const fal_network *network = signals->network;
    size_t place = fal_signals_place(signals, index + 1), first, last;
    l->signal[index] = SIZE_MAX;
    if (place < index + 1) {
        l->signal[index] = l->signal[place - 1];
    } else if (fal_signals_uses(signals, place)) {
        fal_signals_life(signals, place, &first, &last);
        l->signal[index] = add_life(
            l, w->rows * fal_layer_units(&network->layers[index]),
            network->count + first, network->count + last);
    }
}

static void list_lives(const fal_workspace *w, const fal_signals *signals, lives *l)
{
    const fal_network *network = signals->network;
    for (size_t i = 0, end; i < network->count; i = end) {
        end = i + 1;
        while (end < network->count && shares_slot(&network->layers[end], end))
            end++;
        add_output(w, &signals->flow, i, end, l);
    }
    for (size_t i = 0; i < network->count; i++)
        add_signal(w, signals, i, l);
}

static fal_slot part_of(fal_slot whole, const fal_packed *item)
{
    return (fal_slot){whole.buffer, whole.offset + item->offset, item->floats};
}

/* *packed: 0 where all that does not fit into one buffer. */
static fal_status pack(fal_workspace *w, const fal_signals *signals, lives *l,
                       int *packed)
{
    const fal_network *network = signals->network;
    uint64_t floats = 0;
    fal_slot whole;
    list_lives(w, signals, l);
    fal_status status = fal_pack(l->items, l->count, &floats);
    *packed = !status && floats <= w->arena.limit;
    if (!*packed)
        return status;
    status = fal_arena_place(&w->arena, floats, &whole);
    for (size_t i = 0; i < network->count && !status; i++) {
        w->outputs[i] = part_of(whole, &l->items[l->output[i]]);
        w->again[i] = part_of(whole, &l->items[l->again[i]]);
        if (l->again[i] != l->output[i] && !shares_slot(&network->layers[i], i))
            w->remade[i] = l->items[l->again[i]].first - network->count;
        if (l->signal[i] != SIZE_MAX)
            w->deltas[i] = part_of(whole, &l->items[l->signal[i]]);
    }
    return status;
}

static fal_status place_packed(fal_workspace *w, const fal_network *network,
                               const fal_route *routes, int *packed)
{
    fal_signals signals;
    size_t count = network->count;
    lives l = {.items = fal_allocate(3 * count, sizeof *l.items),
               .output = fal_allocate(count, sizeof *l.output),
               .again = fal_allocate(count, sizeof *l.again),
               .signal = fal_allocate(count, sizeof *l.signal)};
    fal_status status = fal_signals_make(&signals, network, routes);
    if (!status)
        status = l.items && l.output && l.again && l.signal
                     ? pack(w, &signals, &l, packed)
                     : FAL_ERROR_MEMORY;
    fal_signals_release(&signals);
    fal_release(l.items);
    fal_release(l.output);
    fal_release(l.again);
    fal_release(l.signal);
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
    for (size_t i = 0; i < network->count && !packed; i++)
        w->again[i] = w->outputs[i];
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
    fal_slot **const lists[] = {&w->outputs, &w->again,      &w->deltas, &w->kept,
                                &w->carried, &w->references, &w->spread};
    w->remade = fal_allocate(layers, sizeof *w->remade);
    if (!w->remade)
        return FAL_ERROR_MEMORY;
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
    fal_release(workspace->again);
    fal_release(workspace->remade);
    fal_release(workspace->deltas);
    fal_release(workspace->kept);
    fal_release(workspace->spread);
    fal_release(workspace->carried);
    fal_release(workspace->references);
    *workspace = (fal_workspace){0};
}
