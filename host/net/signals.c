/* Where signals lie: those that one layer changes into another share a place, and places
 * share memory if none is read any more when the other is written. */
#include "device/memory.h"
#include "net/flow.h"
#include "net/layer.h"

/* ---- what shares a place -------------------------------------------------- */

/* Signals that share a place: parent[t] is a tensor below t, or t itself, and the
 * place is that of the last of these. */
typedef struct places {
    const fal_network *network;
    const fal_flow *flow;
    size_t *parent;
    int keeps; /* until the step ends, not only until nothing reads it */
} places;

static size_t place_of(const places *p, size_t tensor)
{
    while (p->parent[tensor] != tensor)
        tensor = p->parent[tensor];
    return tensor;
}

static void share(places *p, size_t a, size_t b)
{
    size_t x = place_of(p, a), y = place_of(p, b);
    if (x < y)
        p->parent[y] = x;
    else
        p->parent[x] = y;
}

static int is_weight(const places *p, size_t tensor)
{
    return tensor > 0 && p->network->layers[tensor - 1].number > 0;
}

/* A join that keeps the shape hands both its ways the signal that it gets itself. What
 * comes from a block's input goes on to grow in that place, once the way through the
 * body has read it; so a body that ends in a layer with weights needs a delta apart. */
static void share_join(places *p, const fal_layer *join)
{
    size_t tensor = fal_network_index(p->network, join) + 1;
    const fal_hand *body = fal_flow_find(p->flow, join, join->from);
    const fal_hand *other = fal_flow_find(p->flow, join, join->beside);
    const fal_shape in = join->beside ? p->network->layers[join->beside - 1].out
                                      : p->network->input;
    int same = fal_shape_takes(in, join->out);
    int grows = other && p->flow->hand_count[join->beside] > 1;
    if (body && !(grows && same && is_weight(p, join->from)))
        share(p, tensor, join->from);
    if (other && same && other->first)
        share(p, tensor, join->beside);
}

/* Whether the place of a tensor's signal is read by more than the layer that makes it:
 * that layer then writes elsewhere. A block's input comes last. */
static int is_read_twice(const places *p, size_t tensor)
{
    for (size_t i = tensor; i < p->network->count; i++) {
        const fal_layer *join = &p->network->layers[i];
        if (join->is_join && fal_layer_reads(join, tensor) &&
            (join->from == tensor || p->flow->hand_count[tensor] == 1) &&
            fal_flow_find(p->flow, join, join->from) &&
            fal_flow_find(p->flow, join, join->beside) &&
            place_of(p, join->from) == place_of(p, join->beside))
            return 1;
    }
    return 0;
}

static void share_places(places *p)
{
    for (size_t t = 0; t <= p->network->count; t++)
        p->parent[t] = t;
    for (size_t i = 0; i < p->network->count; i++)
        if (p->network->layers[i].is_join)
            share_join(p, &p->network->layers[i]);
    for (size_t i = 0; i < p->network->count; i++) {
        const fal_layer *layer = &p->network->layers[i];
        if (!layer->number && !layer->is_join && layer->from > 0 &&
            fal_shape_size(layer->in) == fal_layer_units(layer) &&
            p->flow->hand_count[layer->from] <= 1 && !is_read_twice(p, i + 1))
            share(p, i + 1, layer->from);
    }
}

/* Whether anything has its place there. */
static int is_used(const places *p, size_t place)
{
    for (size_t t = place; t <= p->network->count; t++)
        if (place_of(p, t) == place &&
            (is_weight(p, t) || p->flow->hand_count[t] > 0))
            return 1;
    return 0;
}

/* ---- memory -------------------------------------------------------------- */

/* A place in memory that signals take one after the other, from wave to wave. */
typedef struct span {
    uint64_t units;
    size_t until; /* the last wave in which it is read */
} span;

static void stretch(size_t *first, size_t *last, size_t wave)
{
    *first = wave < *first ? wave : *first;
    *last = wave > *last ? wave : *last;
}

/* The waves in which anything in a place is written or read. */
static void find_life(const places *p, size_t place, size_t *first, size_t *last)
{
    *first = SIZE_MAX, *last = 0;
    for (size_t t = place; t <= p->network->count; t++) {
        const fal_layer *layer = &p->network->layers[t - 1];
        if (place_of(p, t) != place)
            continue;
        for (size_t h = 0; h < p->flow->hand_count[t]; h++)
            stretch(first, last, fal_flow_hands(p->flow, t)[h].wave);
        if (p->flow->hand_count[t] == 0)
            stretch(first, last, 0); /* the loss's */
        if (layer->number)
            stretch(first, last, p->flow->gradient[t - 1]);
        for (size_t h = 0; h < p->flow->count; h++)
            if (p->flow->hands[h].layer == layer && !p->flow->hands[h].direct)
                stretch(first, last, p->flow->hands[h].wave);
        if (layer->number == p->network->weights) /* direct rules read it */
            stretch(first, last, 1);
    }
}

/* Of those that are free the one whose size comes nearest. */
static span *find_span(span *spans, size_t *count, uint64_t units, size_t first)
{
    span *best = NULL;
    for (size_t i = 0; i < *count; i++) {
        span *s = &spans[i];
        int fits = s->units >= units;
        if (s->until >= first)
            continue;
        if (!best || (fits && (best->units < units || s->units < best->units)) ||
            (!fits && best->units < units && s->units > best->units))
            best = s;
    }
    return best ? best : &spans[(*count)++];
}

/* Places in the order in which they are written: `order` of them. */
static size_t put_in_order(const places *p, size_t *order)
{
    size_t count = 0;
    for (size_t t = p->network->count; t > 0; t--) {
        size_t first, last, other, at = count;
        if (place_of(p, t) != t || !is_used(p, t))
            continue;
        find_life(p, t, &first, &last);
        for (; at > 0; at--) {
            find_life(p, order[at - 1], &other, &last);
            if (other <= first)
                break;
            order[at] = order[at - 1];
        }
        order[at] = t;
        count++;
    }
    return count;
}

/* `taken`: of each place the number of its span. */
static void share_spans(const places *p, size_t *order, span *spans, size_t *taken)
{
    size_t used = 0, count = put_in_order(p, order);
    for (size_t i = 0; i < count; i++) {
        size_t place = order[i], first, last;
        uint64_t units = fal_layer_units(&p->network->layers[place - 1]);
        find_life(p, place, &first, &last);
        span *s = p->keeps ? &spans[used++] : find_span(spans, &used, units, first);
        s->units = units > s->units ? units : s->units;
        s->until = last;
        taken[place] = (size_t)(s - spans);
    }
}

static fal_status place_spans(fal_workspace *w, const places *p, const span *spans,
                              const size_t *taken, fal_slot *made, fal_slot *slots)
{
    fal_status status = FAL_OK;
    for (size_t t = 1; t <= p->network->count && !status; t++) {
        size_t place = place_of(p, t);
        if (!is_used(p, place))
            continue;
        fal_slot *slot = &made[taken[place]];
        if (!slot->count)
            status = fal_arena_place(&w->arena, w->rows * spans[taken[place]].units,
                                     slot);
        slots[t - 1] = *slot;
        slots[t - 1].count = w->rows * fal_layer_units(&p->network->layers[t - 1]);
    }
    return status;
}

static fal_status place_signals(fal_workspace *w, places *p, fal_slot *slots)
{
    size_t tensors = p->network->count + 1;
    size_t *order = fal_allocate(tensors, sizeof *order);
    size_t *taken = fal_allocate(tensors, sizeof *taken);
    span *spans = fal_allocate(tensors, sizeof *spans);
    fal_slot *made = fal_allocate(tensors, sizeof *made);
    fal_status status = order && taken && spans && made ? FAL_OK : FAL_ERROR_MEMORY;
    share_places(p);
    if (!status) {
        share_spans(p, order, spans, taken);
        status = place_spans(w, p, spans, taken, made, slots);
    }
    fal_release(order);
    fal_release(taken);
    fal_release(spans);
    fal_release(made);
    return status;
}

fal_status fal_signals_place(fal_workspace *w, const fal_network *network,
                             const fal_route *routes, int keeps, fal_slot *slots)
{
    fal_flow flow = {0};
    places p = {.network = network, .flow = &flow, .keeps = keeps};
    p.parent = fal_allocate(network->count + 1, sizeof *p.parent);
    fal_status status = p.parent ? fal_flow_make(&flow, network, routes, 1)
                                 : FAL_ERROR_MEMORY;
    if (!status)
        status = place_signals(w, &p, slots);
    fal_flow_release(&flow);
    fal_release(p.parent);
    return status;
}
