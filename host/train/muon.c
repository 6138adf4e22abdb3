/* Muon: the weights of hidden layers are updated as matrices, by launches that come
 * after all gradients; those of a convolution as the flattened one, [out][in·k·k]. A
 * matrix is mixed with its momentum into the place where adamw keeps squares of the
 * other parameters, and orthogonalized between there and the place of its gradient, or
 * a spare one where gradients are kept. */
#include "device/memory.h"
#include "ops/newton_schulz.h"
#include "train/trainer.h"

#include <math.h>

/* Of the network, in the order of its text */
static int is_first_convolution(const fal_network *network, const fal_layer *layer)
{
    if (!layer->kernel)
        return 0;
    for (unsigned l = 1; l < layer->number; l++)
        if (fal_network_weight_layer(network, l)->kernel)
            return 0;
    return 1;
}

int fal_trainer_is_muons(const fal_trainer *t, const fal_layer *layer)
{
    const fal_network *network = &t->model->network;
    return t->optimizer == FAL_MUON && layer->number > 0 &&
           layer->number < network->weights &&
           !is_first_convolution(network, layer);
}

/* Where a matrix has its room. */
struct place {
    const fal_layer *layer;
    fal_slot sums, room, spare;
};

static fal_status place(const fal_trainer *t, fal_arena *arena,
                        const fal_layer *layer, struct place *p)
{
    size_t size = fal_newton_schulz_room(layer->inputs, layer->outputs);
    size_t sums = fal_square_sums_count(layer->weight.count);
    p->layer = layer;
    fal_status status = fal_arena_place(arena, size, &p->room);
    if (!status)
        status = fal_arena_place(arena, sums, &p->sums);
    if (!status && t->options.keep_gradients)
        status = fal_arena_place(arena, layer->weight.count, &p->spare);
    return status;
}

/* *count of them, in room for as many as there are layers. Where the launches are made
 * anew, their room is there. */
static fal_status place_all(fal_trainer *t, struct place *places, size_t *count)
{
    fal_status status = FAL_OK;
    fal_arena arena;
    fal_arena_begin(&arena, t->model->device, "muon");
    arena.limit = t->model->parameters.limit;
    for (size_t i = 0; i < t->model->network.count && !status; i++) {
        const fal_layer *layer = &t->model->network.layers[i];
        if (fal_trainer_is_muons(t, layer) && fal_trainer_learns(t, layer))
            status = place(t, &arena, layer, &places[(*count)++]);
    }
    if (!status && !t->muon_room.count)
        status = fal_arena_make(&arena);
    if (status || t->muon_room.count)
        fal_arena_release(&arena);
    else
        t->muon_room = arena;
    return status;
}

static fal_newton_schulz matrix(const fal_trainer *t, const struct place *p)
{
    const fal_layer *layer = p->layer;
    double out = (double)layer->outputs, in = (double)layer->inputs;
    return (fal_newton_schulz){
        .rows = layer->inputs,
        .columns = layer->outputs,
        .x = fal_arena_view(&t->squares, layer->weight),
        .spare = t->options.keep_gradients
                     ? fal_arena_view(&t->muon_room, p->spare)
                     : fal_arena_view(&t->gradients, layer->weight),
        .factor = (float)sqrt(fmax(1, out / in)),
        .sums = fal_arena_view(&t->muon_room, p->sums),
        .room = fal_arena_view(&t->muon_room, p->room),
        .layer = layer->name};
}

static fal_status add_momentum(fal_trainer *t, const fal_newton_schulz *m,
                               const fal_layer *layer)
{
    t->muon.layer = layer->name;
    return fal_momentum_add(
        &t->muon,
        &(fal_momentum){.count = layer->weight.count,
                        .beta = (float)t->options.momentum,
                        .gradient = fal_arena_view(&t->gradients, layer->weight),
                        .moment = fal_arena_view(&t->moments, layer->weight),
                        .mixed = m->x,
                        .sums = m->sums,
                        .halted = t->in_products.how.halted,
                        .scale = fal_trainer_clip_scale(t)});
}

/* sgd without momentum takes the decay off the weights as Muon does. */
static fal_status add_update(fal_trainer *t, const fal_newton_schulz *m,
                             const fal_layer *layer)
{
    fal_update update = {
        .rule = FAL_SGD,
        .count = layer->weight.count,
        .weights = fal_arena_view(&t->model->parameters, layer->weight),
        .gradient = fal_newton_schulz_result(m),
        .weight_decay = fal_trainer_decay(t, layer),
        .halted = t->in_products.how.halted};
    fal_route_update(&t->routes[layer->number - 1], layer, layer->weight, &update);
    t->muon.layer = layer->name;
    return fal_update_add(&t->muon, &update);
}

static fal_status add_launches(fal_trainer *t, const struct place *places,
                               fal_newton_schulz *matrices, size_t count)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < count && !status; i++) {
        matrices[i] = matrix(t, &places[i]);
        status = add_momentum(t, &matrices[i], places[i].layer);
    }
    if (!status)
        status = fal_newton_schulz_add(&t->muon, matrices, count);
    for (size_t i = 0; i < count && !status; i++)
        status = add_update(t, &matrices[i], places[i].layer);
    return status;
}

fal_status fal_trainer_make_muon(fal_trainer *t)
{
    size_t layers = t->model->network.count, count = 0;
    struct place *places = fal_allocate(layers, sizeof *places);
    fal_newton_schulz *matrices = fal_allocate(layers, sizeof *matrices);
    fal_status status = places && matrices ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status)
        status = place_all(t, places, &count);
    if (!status && count)
        status = add_launches(t, places, matrices, count);
    fal_release(places);
    fal_release(matrices);
    return status;
}
