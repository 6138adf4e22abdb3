#include "net/flow.h"
#include "device/memory.h"
#include "net/layer.h"

#include <stdlib.h>

/* ---- who reads what ------------------------------------------------------ */

int fal_layer_reads(const fal_layer *layer, size_t tensor)
{
    return layer->from == tensor || (layer->is_join && layer->beside == tensor);
}

const fal_layer *fal_flow_owner(const fal_network *network, size_t tensor)
{
    for (size_t i = 0; i < tensor; i++)
        if (network->layers[i].number && network->layers[i].end == tensor)
            return &network->layers[i];
    return NULL;
}

int fal_flow_is_direct(const fal_network *network, const fal_route *routes,
                       size_t tensor)
{
    const fal_layer *owner = fal_flow_owner(network, tensor);
    return owner && owner->number < network->weights &&
           fal_rule_is_direct(routes[owner->number - 1].rule);
}

/* The tensor that the output layer makes; behind it the loss alone decides. */
static size_t output_of(const fal_network *network)
{
    const fal_layer *output = fal_network_weight_layer(network,
                                                       (unsigned)network->weights);
    return fal_network_index(network, output) + 1;
}

/* ---- which tensors need a signal ----------------------------------------- */

/* Whether a signal at a tensor is read by what makes it; not where a direct rule brings
 * another. */
static int is_asked(const fal_network *network, const fal_route *routes,
                    const char *wanted, size_t tensor)
{
    return wanted[tensor] && !fal_flow_is_direct(network, routes, tensor);
}

/* Those from which a layer below learns. */
static void find_wanted(const fal_network *network, const fal_route *routes,
                        char *wanted)
{
    for (size_t i = 0; i < network->count; i++) {
        const fal_layer *layer = &network->layers[i];
        int learns = layer->number && !routes[layer->number - 1].frozen;
        wanted[i + 1] = learns ||
                        (!layer->number &&
                         (is_asked(network, routes, wanted, layer->from) ||
                          (layer->is_join &&
                           is_asked(network, routes, wanted, layer->beside))));
    }
}

/* ---- hands --------------------------------------------------------------- */

/* A hand of a layer with weights comes in the wave after its delta, others at the end of
 * the wave in which they have all they need. */
static size_t wave_of(const fal_flow *flow, const fal_layer *layer)
{
    size_t own = flow->ready[fal_network_index(flow->network, layer) + 1];
    return layer->number ? own + 1 : own;
}

static int hands_anything(const fal_flow *flow, const fal_route *routes,
                          const fal_layer *layer)
{
    size_t tensor = fal_network_index(flow->network, layer) + 1;
    if (layer->number)
        return fal_route_hands_down(&routes[layer->number - 1]);
    return tensor < output_of(flow->network) && flow->hand_count[tensor] > 0;
}

/* Products come before what ends their wave, higher layers before lower ones. */
static int compare(const void *a, const void *b)
{
    const fal_hand *x = a, *y = b;
    if (x->wave != y->wave)
        return x->wave < y->wave ? -1 : 1;
    if (!x->layer->number != !y->layer->number)
        return x->layer->number ? -1 : 1;
    return x->layer > y->layer ? -1 : x->layer < y->layer;
}

/* Two products into one tensor cannot share a launch. */
static void put_in_order(fal_hand *hands, size_t count)
{
    qsort(hands, count, sizeof *hands, compare);
    for (size_t i = 1; i < count; i++)
        if (hands[i].layer->number && hands[i].wave == hands[i - 1].wave) {
            hands[i].wave++;
            qsort(hands + i, count - i, sizeof *hands, compare);
        }
    hands[0].first = hands[count - 1].last = 1;
}

static void add_hands(fal_flow *flow, const fal_route *routes, size_t tensor)
{
    const fal_network *network = flow->network;
    fal_hand *hands = flow->hands + flow->count;
    size_t count = 0;
    if (fal_flow_is_direct(network, routes, tensor))
        hands[count++] = (fal_hand){.layer = fal_flow_owner(network, tensor),
                                    .direct = 1,
                                    .tensor = tensor,
                                    .wave = 1};
    else
        for (size_t i = tensor; i < network->count; i++) {
            const fal_layer *layer = &network->layers[i];
            if (fal_layer_reads(layer, tensor) &&
                hands_anything(flow, routes, layer))
                hands[count++] = (fal_hand){
                    .layer = layer, .tensor = tensor, .wave = wave_of(flow, layer)};
        }
    if (count == 0)
        return;
    put_in_order(hands, count);
    flow->begin[tensor] = flow->count;
    flow->hand_count[tensor] = count;
    flow->ready[tensor] = hands[count - 1].wave;
    flow->count += count;
}

/* ---- gradients ----------------------------------------------------------- */

/* Launches of their own follow in order within a wave, products of a wave do not. */
static void wait_for(size_t *after, const fal_layer *layer, size_t wave)
{
    size_t until = layer->kind->carry ? wave - 1 : wave;
    if (until > *after)
        *after = until;
}

/* A gradient comes a wave after its delta; but weights, and feedback with them, are not
 * updated before they have carried a signal down. */
static void find_gradient(fal_flow *flow, const fal_route *routes, int updates,
                          size_t index)
{
    const fal_layer *layer = &flow->network->layers[index];
    const fal_route *route = &routes[layer->number - 1];
    const fal_hand *carried = fal_flow_find(flow, layer, layer->from);
    size_t after = flow->ready[index + 1];
    if (route->frozen)
        return;
    if (updates && carried && fal_rule_carrier_moves(route->rule))
        wait_for(&after, layer, carried->wave);
    flow->gradient[index] = after + 1;
}

static void count_waves(fal_flow *flow)
{
    for (size_t i = 0; i < flow->network->count; i++) {
        if (flow->gradient[i] > flow->waves)
            flow->waves = flow->gradient[i];
        if (flow->ready[i + 1] > flow->waves)
            flow->waves = flow->ready[i + 1];
    }
}

/* ---- making -------------------------------------------------------------- */

static void fill(fal_flow *flow, const fal_route *routes, int updates,
                 const char *wanted)
{
    for (size_t tensor = output_of(flow->network); --tensor > 0;)
        if (wanted[tensor])
            add_hands(flow, routes, tensor);
    for (size_t i = 0; i < flow->network->count; i++)
        if (flow->network->layers[i].number)
            find_gradient(flow, routes, updates, i);
    count_waves(flow);
}

fal_status fal_flow_make(fal_flow *flow, const fal_network *network,
                         const fal_route *routes, int updates)
{
    size_t tensors = network->count + 1;
    fal_flow made = {.network = network};
    char *wanted = fal_allocate(tensors, 1);
    made.hands = fal_allocate(2 * tensors, sizeof *made.hands);
    made.begin = fal_allocate(tensors, sizeof *made.begin);
    made.hand_count = fal_allocate(tensors, sizeof *made.hand_count);
    made.ready = fal_allocate(tensors, sizeof *made.ready);
    made.gradient = fal_allocate(tensors, sizeof *made.gradient);
    fal_status status = wanted && made.hands && made.begin && made.hand_count &&
                                made.ready && made.gradient
                            ? FAL_OK
                            : FAL_ERROR_MEMORY;
    if (!status) {
        find_wanted(network, routes, wanted);
        fill(&made, routes, updates, wanted);
    }
    fal_release(wanted);
    if (status)
        fal_flow_release(&made);
    else
        *flow = made;
    return status;
}

void fal_flow_release(fal_flow *flow)
{
    fal_release(flow->hands);
    fal_release(flow->begin);
    fal_release(flow->hand_count);
    fal_release(flow->ready);
    fal_release(flow->gradient);
    *flow = (fal_flow){0};
}

const fal_hand *fal_flow_hands(const fal_flow *flow, size_t tensor)
{
    return flow->hand_count[tensor] ? flow->hands + flow->begin[tensor] : NULL;
}

const fal_hand *fal_flow_find(const fal_flow *flow, const fal_layer *layer,
                              size_t tensor)
{
    const fal_hand *hands = fal_flow_hands(flow, tensor);
    for (size_t i = 0; i < flow->hand_count[tensor]; i++)
        if (hands[i].layer == layer && !hands[i].direct)
            return &hands[i];
    return NULL;
}

static void note(size_t wave, size_t *first, size_t *last)
{
    *first = *first == 0 || wave < *first ? wave : *first;
    *last = wave > *last ? wave : *last;
}

void fal_flow_reads(const fal_flow *flow, size_t tensor, size_t *first,
                    size_t *last)
{
    const fal_layer *layers = flow->network->layers;
    if (tensor > 0 && layers[tensor - 1].is_activation && flow->hand_count[tensor])
        note(flow->ready[tensor], first, last);
    for (size_t i = tensor; i < flow->network->count; i++) {
        const fal_hand *hand = fal_flow_find(flow, &layers[i], tensor);
        if (hand && layers[i].kind->reads_input)
            note(hand->wave, first, last);
        if (layers[i].from != tensor || !flow->gradient[i])
            continue;
        note(flow->ready[i + 1] + 1, first, last);
        note(flow->gradient[i], first, last);
    }
}
