/* Routes: the row of the rule table that each layer with weights learns by, and
 * whether it can. A row says two things of its layer: where its own error comes from,
 * and what carries its delta down to the layer below, if that takes it from there: its
 * B, its signs, or W itself, under bp and under direct rows. */
#include "device/memory.h"
#include "net/layer.h"

#include <stdio.h>

/* ---- what a row asks of a layer ------------------------------------------ */

/* What leaves a hidden layer's units without a bound; NULL: nothing does. What
 * saturates bounds them, a gain behind it may grow. */
static const fal_layer *unbounded_by(const fal_layer *layer)
{
    const fal_layer *by = layer;
    for (const fal_layer *l = layer + 1; !l->number; l++) {
        fal_phi phi = l->activation.phi;
        if (l->is_activation && (phi == FAL_TANH || phi == FAL_SIGMOID))
            by = NULL;
        else if (l->has_weight || (by && l->is_activation))
            by = l;
    }
    return by;
}

/* Only a derivative that vanishes ends what the target asks of a layer. */
static fal_status check_bound(const fal_layer *layer, const fal_rule *rule)
{
    char culprit[2 * FAL_NAME_LIMIT] = "no activation keeps";
    const fal_layer *by = unbounded_by(layer);
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

/* The layer above must hand down what this one learns by. */
static fal_status check_source(const fal_network *network, const fal_route *routes,
                               unsigned number)
{
    const fal_rule *own = routes[number - 1].rule, *above = routes[number].rule;
    if (own->path != FAL_PATH_LAYERS || above->path != FAL_PATH_NONE)
        return FAL_OK;
    const fal_layer *layer = fal_network_weight_layer(network, number);
    const fal_layer *next = fal_network_weight_layer(network, number + 1);
    return fal_fail(
        FAL_ERROR_ARGUMENT,
        "rule %s, layer %s: no error reaches it, for %s above has the rule "
        "%s and hands none down; give %s the rule %s or a direct one (dfa, "
        "drtp), or %s another",
        own->name, layer->name, next->name, above->name, layer->name, above->name,
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
    for (unsigned l = 1; l < network->weights && !status; l++) {
        status = check_bound(fal_network_weight_layer(network, l),
                             routes[l - 1].rule);
        if (!status)
            status = check_source(network, routes, l);
    }
    fal_routes_freeze(routes, network->weights);
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

void fal_routes_freeze(fal_route *routes, size_t count)
{
    routes[count - 1].frozen = 0;
    for (size_t i = count - 1; i-- > 0;)
        routes[i].frozen = routes[i].rule->path == FAL_PATH_NONE ||
                           (routes[i].rule->path == FAL_PATH_LAYERS &&
                            routes[i + 1].frozen);
}

int fal_routes_read_target(const fal_route *routes, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (routes[i].rule->path == FAL_PATH_TARGET)
            return 1;
    return 0;
}
