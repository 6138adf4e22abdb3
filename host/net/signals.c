/* Decided from the flow alone: who hands what to whom, and when. */
#include "net/signals.h"
#include "device/memory.h"
#include "net/layer.h"

/* ---- what shares a place ------------------------------------------------- */

size_t fal_signals_place(const fal_signals *s, size_t tensor)
{
    while (s->parent[tensor] != tensor)
        tensor = s->parent[tensor];
    return tensor;
}

static void share(fal_signals *s, size_t a, size_t b)
{
    size_t x = fal_signals_place(s, a), y = fal_signals_place(s, b);
    if (x < y)
        s->parent[y] = x;
    else
        s->parent[x] = y;
}

static int is_weight(const fal_signals *s, size_t tensor)
{
    return tensor > 0 && s->network->layers[tensor - 1].number > 0;
}

static int is_projection(const fal_signals *s, const fal_layer *join)
{
    return s->network->layers[join->beside].from != join->beside;
}

/* Whether the signal of the end of a block's body changes in its place before all else
 * has read it: that of an inner block's join goes on to grow as the signal of its input;
 * and what adds to the block's own input, a single layer, works where it stands. */
static int changes(const fal_signals *s, const fal_layer *join, size_t tensor)
{
    const fal_layer *layers = s->network->layers, *end = &layers[tensor - 1];
    size_t input = is_projection(s, join) ? layers[join->beside].from
                                          : join->beside;
    return end->is_join || (!end->number && end->from == input);
}

/* A join that keeps the shape hands both its ways the signal that it gets itself. What
 * comes from a block's input goes on to grow in that place, once the way through the
 * body has read it; so a body that ends in a layer with weights needs a delta apart, and
 * one whose signal changes that signal. */
static void share_join(fal_signals *s, const fal_layer *join)
{
    size_t tensor = fal_network_index(s->network, join) + 1;
    const fal_hand *body = fal_flow_find(&s->flow, join, join->from);
    const fal_hand *other = fal_flow_find(&s->flow, join, join->beside);
    const fal_shape in = join->beside ? s->network->layers[join->beside - 1].out
                                      : s->network->input;
    int same = fal_shape_takes(in, join->out), projects = is_projection(s, join);
    int apart = !projects &&
                (is_weight(s, join->from) || changes(s, join, join->from));
    if (body && !(other && same && apart))
        share(s, tensor, join->from);
    if (other && same && other->first &&
        !(projects && changes(s, join, join->beside)))
        share(s, tensor, join->beside);
}

/* Whether the place of a tensor's signal is read by more than the layer that makes it:
 * that layer then writes elsewhere. A block's input comes last. */
static int is_read_twice(const fal_signals *s, size_t tensor)
{
    for (size_t i = tensor; i < s->network->count; i++) {
        const fal_layer *join = &s->network->layers[i];
        if (join->is_join && fal_layer_reads(join, tensor) &&
            (join->from == tensor || s->flow.hand_count[tensor] == 1) &&
            fal_flow_find(&s->flow, join, join->from) &&
            fal_flow_find(&s->flow, join, join->beside) &&
            fal_signals_place(s, join->from) == fal_signals_place(s, join->beside))
            return 1;
    }
    return 0;
}

static void share_places(fal_signals *s)
{
    for (size_t t = 0; t <= s->network->count; t++)
        s->parent[t] = t;
    for (size_t i = 0; i < s->network->count; i++)
        if (s->network->layers[i].is_join)
            share_join(s, &s->network->layers[i]);
    for (size_t i = 0; i < s->network->count; i++) {
        const fal_layer *layer = &s->network->layers[i];
        if (!layer->number && !layer->is_join && layer->from > 0 &&
            fal_shape_size(layer->in) == fal_layer_units(layer) &&
            s->flow.hand_count[layer->from] == 1 &&
            fal_flow_find(&s->flow, layer, layer->from) && !is_read_twice(s, i + 1))
            share(s, i + 1, layer->from);
    }
}

int fal_signals_uses(const fal_signals *s, size_t place)
{
    for (size_t t = place; t <= s->network->count; t++)
        if (fal_signals_place(s, t) == place &&
            (is_weight(s, t) || s->flow.hand_count[t] > 0))
            return 1;
    return 0;
}

/* ---- for how long -------------------------------------------------------- */

static void stretch(size_t *first, size_t *last, size_t wave)
{
    *first = wave < *first ? wave : *first;
    *last = wave > *last ? wave : *last;
}

void fal_signals_life(const fal_signals *s, size_t place, size_t *first,
                      size_t *last)
{
    *first = SIZE_MAX, *last = 0;
    for (size_t t = place; t <= s->network->count; t++) {
        const fal_layer *layer = &s->network->layers[t - 1];
        if (fal_signals_place(s, t) != place)
            continue;
        for (size_t h = 0; h < s->flow.hand_count[t]; h++)
            stretch(first, last, fal_flow_hands(&s->flow, t)[h].wave);
        if (s->flow.hand_count[t] == 0)
            stretch(first, last, 0); /* the loss's */
        if (layer->number)
            stretch(first, last, s->flow.gradient[t - 1]);
        for (size_t h = 0; h < s->flow.count; h++)
            if (s->flow.hands[h].layer == layer && !s->flow.hands[h].direct)
                stretch(first, last, s->flow.hands[h].wave);
        if (layer->number == s->network->weights) /* direct rules read it */
            stretch(first, last, 1);
    }
}

fal_status fal_signals_make(fal_signals *signals, const fal_network *network,
                            const fal_route *routes)
{
    fal_signals made = {.network = network};
    made.parent = fal_allocate(network->count + 1, sizeof *made.parent);
    fal_status status = made.parent ? fal_flow_make(&made.flow, network, routes, 1)
                                    : FAL_ERROR_MEMORY;
    if (status) {
        fal_signals_release(&made);
        return status;
    }
    share_places(&made);
    *signals = made;
    return FAL_OK;
}

void fal_signals_release(fal_signals *signals)
{
    fal_flow_release(&signals->flow);
    fal_release(signals->parent);
    *signals = (fal_signals){0};
}
