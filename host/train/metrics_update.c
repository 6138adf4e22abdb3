/* Updates of a convolution, for what a measurement says of them. The sum over Gram
 * matrices that stands for those of a dense layer does not hold here, where a sample
 * adds an outer product for each position; so dW and dW* are made, as the step would
 * make them. */
#include "analysis/gram.h"
#include "device/memory.h"
#include "net/layer.h"
#include "train/metrics.h"

enum { OWN = 0, TRUE_ONE = 1, ROOM = 2, SLOTS };

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Once, as large as the largest convolution's. */
static fal_status make_room(fal_measurer *m)
{
    const fal_trainer *t = m->trainer;
    const fal_network *network = &t->model->network;
    uint64_t floats = 0, room = 0;
    fal_status status = FAL_OK;
    if (m->updates.count)
        return FAL_OK;
    for (size_t i = 0; i < network->count; i++) {
        const fal_layer *layer = &network->layers[i];
        if (!layer->number || !layer->kernel)
            continue;
        const fal_conv conv = fal_layer_conv(layer, m->workspace.rows);
        floats = larger(floats, layer->weight.count);
        room = larger(room,
                      fal_conv_room(t->model->device, &conv, FAL_CONV_WEIGHT));
    }
    fal_arena_begin(&m->updates, t->model->device, "measured updates");
    for (size_t i = 0; i < SLOTS && !status; i++)
        status = fal_arena_place(&m->updates, i == ROOM ? room : floats,
                                 &m->update_slots[i]);
    return status ? status : fal_arena_make(&m->updates);
}

static fal_status add_update(const fal_measurer *m, const fal_layer *layer,
                             const fal_slot *deltas, fal_slot to,
                             fal_launches *list)
{
    const fal_network *network = &m->trainer->model->network;
    const fal_workspace *w = &m->workspace;
    const fal_conv conv = fal_layer_conv(layer, m->last_rows);
    fal_slot input = layer->from ? w->outputs[layer->from - 1] : w->inputs;
    const fal_conv_weight pass = {
        .input = fal_arena_view(&w->arena, input),
        .delta = fal_arena_view(&w->arena,
                                deltas[fal_network_index(network, layer)]),
        .gradient = fal_arena_view(&m->updates, to),
        .room = fal_arena_view(&m->updates, m->update_slots[ROOM]),
        .layer = layer->name,
        .work = "measure"};
    return fal_conv_weight_add(list, &conv, &pass);
}

static fal_status make_both(const fal_measurer *m, const fal_layer *layer)
{
    const fal_workspace *w = &m->workspace;
    fal_launches list = {.device = m->trainer->model->device, .evaluation = 1};
    fal_status status = add_update(m, layer, w->deltas, m->update_slots[OWN],
                                   &list);
    if (!status)
        status = add_update(m, layer, w->references, m->update_slots[TRUE_ONE],
                            &list);
    if (!status)
        status = fal_launches_run(&list);
    fal_launches_release(&list);
    return status;
}

static fal_status find_inner(const fal_measurer *m, const fal_layer *layer,
                             fal_inner *inner)
{
    size_t count = layer->weight.count;
    float *values = fal_allocate(2 * count, sizeof *values);
    fal_status status = values ? FAL_OK : FAL_ERROR_MEMORY;
    for (size_t i = OWN; i <= TRUE_ONE && !status; i++) {
        fal_slot slot = m->update_slots[i];
        slot.count = count;
        status = fal_arena_read(&m->updates, slot, values + i * count);
    }
    if (!status)
        *inner = fal_inner_of(values, values + count, count);
    fal_release(values);
    return status;
}

/* Of [kernel * kernel * in][out] */
static fal_status find_ranks(const fal_measurer *m, const fal_layer *layer,
                             fal_ranks *ranks)
{
    const fal_view own = fal_arena_view(&m->updates, m->update_slots[OWN]);
    fal_gram gram = {.a = own,
                     .b = own,
                     .rows = layer->inputs,
                     .columns = layer->outputs,
                     .by_column = layer->outputs < layer->inputs};
    size_t side = gram.by_column ? gram.columns : gram.rows;
    gram.out = fal_allocate(side, side * sizeof *gram.out);
    fal_status status = gram.out
                            ? fal_grams_compute(m->trainer->model->device, &gram, 1)
                            : FAL_ERROR_MEMORY;
    if (!status)
        status = fal_ranks_of_gram(gram.out, side, ranks);
    fal_release(gram.out);
    return status;
}

fal_status fal_metrics_of_update(fal_measurer *m, const fal_layer *layer,
                                 fal_inner *inner, fal_ranks *ranks)
{
    fal_status status = make_room(m);
    if (!status)
        status = make_both(m, layer);
    if (!status)
        status = find_inner(m, layer, inner);
    return status || !fal_has_ranks() ? status : find_ranks(m, layer, ranks);
}
