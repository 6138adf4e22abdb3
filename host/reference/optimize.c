#include "reference/optimize.h"

#include <math.h>

static fal_reference_parameter sgd(const fal_update *u, double rate, double g,
                                   fal_reference_parameter p)
{
    g += u->weight_decay * p.weight;
    p.moment = u->momentum * p.moment + g;
    p.weight -= rate * (u->nesterov ? g + u->momentum * p.moment : p.moment);
    return p;
}

static fal_reference_parameter adam(const fal_update *u, uint64_t t, double rate,
                                    double g, fal_reference_parameter p)
{
    const double beta1 = .9, beta2 = .999;
    if (u->rule == FAL_ADAMW)
        p.weight -= rate * u->weight_decay * p.weight;
    else
        g += u->weight_decay * p.weight;
    p.moment = beta1 * p.moment + (1 - beta1) * g;
    p.square = beta2 * p.square + (1 - beta2) * g * g;
    double mean = p.moment / (1 - pow(beta1, (double)t));
    double variance = p.square / (1 - pow(beta2, (double)t));
    p.weight -= rate * mean / (sqrt(variance) + 1e-8);
    return p;
}

fal_reference_parameter fal_reference_update(const fal_update *update, uint64_t t,
                                             double rate, double gradient,
                                             fal_reference_parameter p)
{
    return update->rule == FAL_SGD ? sgd(update, rate, gradient, p)
                                   : adam(update, t, rate, gradient, p);
}
