/* Routes: the row of the rule table that each layer with weights learns by, and
 * whether it can. A row says two things of its layer: where its own error comes from,
 * and what carries its delta down to the layer below, if that takes it from there: its
 * B, its signs, or W itself, under bp and under direct rows. */
#include "device/memory.h"
#include "net/flow.h"
#include "net/layer.h"

#include <stdio.h>

/* ---- what a row asks of a layer ------------------------------------------ */

/* The layer that follows a tensor before a layer's end. */
static const fal_layer *reader_of(const fal_network *network, size_t tensor)
{
    size_t i = tensor;
    while (!fal_layer_reads(&network->layers[i], tensor))
        i++;
    return &network->layers[i];
}

/* What leaves a hidden layer's units without a bound; NULL: nothing does. What
 * saturates bounds them, a gain or a sum behind it may grow. */
static const fal_layer *unbounded_by(const fal_network *network,
                                     const fal_layer *layer)
{
    const fal_layer *by = layer;
    size_t tensor = fal_network_index(network, layer) + 1;
    while (tensor != layer->end) {
        const fal_layer *l = reader_of(network, tensor);
        fal_phi phi = l->activation.phi;
        if (l->is_activation && (phi == FAL_TANH || phi == FAL_SIGMOID))
            by = NULL;
        else if (l->has_weight || l->is_join || (by && l->is_activation))
            by = l;
        tensor = fal_network_index(network, l) + 1;
    }
    return by;
}

/* Only a derivative that vanishes ends what the target asks of a layer. */
static fal_status check_bound(const fal_network *network, const fal_layer *layer,
                              const fal_rule *rule)
{
    char culprit[2 * FAL_NAME_LIMIT] = "no activation keeps";
    const fal_layer *by = unbounded_by(network, layer);
    if (rule->path != FAL_PATH_TARGET || !by)
        return FAL_OK;
    if (by != layer)
        snprintf(culprit, sizeof culprit, "%s (%s) does not keep", by->name,
                 by->kind->name);
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "rule %s, layer %s: %s its units within bounds, and they would "
        "grow without end, for the target pulls them whatever the outputs "
        "are; use --activation tanh, or write tanh or sigmoid behind each "
        "hidden layer",
        rule->name, layer->name, culprit);
}

/* What is above must hand down what a layer learns by. */
static fal_status check_source(const fal_network *network, const fal_route *routes,
                               unsigned number)
{
    const fal_rule *own = routes[number - 1].rule;
    unsigned above = number + 1;
    if (own->path == FAL_PATH_NONE || !routes[number - 1].frozen)
        return FAL_OK;
    while (above < network->weights &&
           routes[above - 1].rule->path != FAL_PATH_NONE)
        above++;
    const fal_layer *layer = fal_network_weight_layer(network, number);
    const fal_layer *next = fal_network_weight_layer(network, above);
    const fal_rule *rule = routes[above - 1].rule;
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "rule %s, layer %s: no error reaches it, for %s above has the rule "
        "%s and hands none down; give %s the rule %s or a direct one (dfa, "
        "drtp), or %s another",
        own->name, layer->name, next->name, rule->name, layer->name, rule->name,
        next->name);
}

/* ---- routes -------------------------------------------------------------- */

fal_status fal_routes_make(fal_route *routes, const fal_network *network,
                           const fal_rule *rule)
{
    fal_status status = FAL_OK;
    for (unsigned l = 1; l <= network->weights; l++) {
        const fal_rule *own = fal_network_weight_layer(network, l)->rule;
        routes[l - 1].rule = own ? own : rule;
    }
    fal_routes_freeze(routes, network);
    for (unsigned l = 1; l < network->weights && !status; l++) {
        status = check_bound(network, fal_network_weight_layer(network, l),
                             routes[l - 1].rule);
        if (!status)
            status = check_source(network, routes, l);
    }
    return status;
}

fal_status fal_routes_check(const fal_network *network, const fal_rule *rule)
{
    fal_route *routes = fal_allocate(network->weights, sizeof *routes);
    fal_status status = routes ? fal_routes_make(routes, network, rule)
                               : FAL_ERROR_MEMORY;
    fal_release(routes);
    return status;
}

int fal_route_hands_down(const fal_route *route)
{
    return !route->frozen && route->rule->path != FAL_PATH_NONE;
}

/* Whether anything brings an error to a tensor; what is above it is decided. */
static int has_signal(const fal_route *routes, const fal_network *network,
                      size_t tensor)
{
    if (fal_flow_is_direct(network, routes, tensor))
        return 1;
    for (size_t i = tensor; i < network->count; i++) {
        const fal_layer *layer = &network->layers[i];
        if (fal_layer_reads(layer, tensor) &&
            (layer->number ? fal_route_hands_down(&routes[layer->number - 1])
                           : has_signal(routes, network, i + 1)))
            return 1;
    }
    return 0;
}

void fal_routes_freeze(fal_route *routes, const fal_network *network)
{
    for (size_t i = network->count; i-- > 0;) {
        const fal_layer *layer = &network->layers[i];
        if (layer->number == network->weights)
            routes[layer->number - 1].frozen = 0;
        else if (layer->number)
            routes[layer->number - 1].frozen =
                routes[layer->number - 1].rule->path == FAL_PATH_NONE ||
                !has_signal(routes, network, i + 1);
    }
}

int fal_routes_ask(const fal_route *routes, const fal_network *network,
                   size_t tensor)
{
    if (tensor == 0 || fal_flow_is_direct(network, routes, tensor))
        return 0;
    const fal_layer *layer = &network->layers[tensor - 1];
    if (layer->number)
        return !routes[layer->number - 1].frozen;
    return fal_routes_ask(routes, network, layer->from) ||
           (layer->is_join && fal_routes_ask(routes, network, layer->beside));
}

int fal_routes_teach(const fal_route *routes, const fal_network *network,
                     const fal_layer *layer)
{
    if (layer->number)
        return !routes[layer->number - 1].frozen;
    return layer->has_weight && fal_routes_ask(routes, network, layer->from);
}

int fal_routes_read_target(const fal_route *routes, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (routes[i].rule->path == FAL_PATH_TARGET)
            return 1;
    return 0;
}
