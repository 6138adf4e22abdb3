#include "reference/optimize.h"

#include <math.h>

static const double U = 0x1p-24;     /* the rounding of one operation */
static const double TINY = 0x1p-120; /* where numbers flush to 0 */

static int is_decoupled(const fal_update *u)
{
    return u->decoupled || u->rule == FAL_ADAMW || u->rule == FAL_MUON;
}

/* Decay that is decoupled; the other kind becomes part of the gradient. */
static double decay(const fal_update *u, double rate, double g,
                    fal_reference_parameter *p)
{
    if (!is_decoupled(u))
        return g + u->weight_decay * p->weight;
    p->weight -= rate * u->weight_decay * p->weight;
    p->feedback -= rate * u->weight_decay * p->feedback;
    return g;
}

static fal_reference_parameter moved(fal_reference_parameter p, double by)
{
    p.weight -= by;
    p.feedback -= by;
    return p;
}

static fal_reference_parameter sgd(const fal_update *u, double rate, double g,
                                   fal_reference_parameter p)
{
    g = decay(u, rate, g, &p);
    p.moment = u->momentum * p.moment + g;
    return moved(p, rate * (u->nesterov ? g + u->momentum * p.moment : p.moment));
}

static double beta2_of(const fal_update *u)
{
    return u->rule == FAL_MUON ? .95 : .999;
}

static double epsilon_of(const fal_update *u)
{
    return u->rule == FAL_MUON ? 1e-10 : 1e-8;
}

static fal_reference_parameter adam(const fal_update *u, uint64_t t, double rate,
                                    double g, fal_reference_parameter p)
{
    const double beta1 = .9, beta2 = beta2_of(u);
    g = decay(u, rate, g, &p);
    p.moment = beta1 * p.moment + (1 - beta1) * g;
    p.square = beta2 * p.square + (1 - beta2) * g * g;
    double mean = p.moment / (1 - pow(beta1, (double)t));
    double variance = p.square / (1 - pow(beta2, (double)t));
    return moved(p, rate * mean / (sqrt(variance) + epsilon_of(u)));
}

fal_reference_parameter fal_reference_update(const fal_update *update, uint64_t t,
                                             double rate, double gradient,
                                             fal_reference_parameter p)
{
    return update->rule == FAL_SGD ? sgd(update, rate, gradient, p)
                                   : adam(update, t, rate, gradient, p);
}

/* ---- bounds -------------------------------------------------------------- */

/* Magnitudes of what was added up, since sums may cancel: a rounding of each term
 * and sum is at most 4 u of them. Adam's step divides by a root (6 u and half of
 * the square's relative error) and a quotient (5 u), factors from double (3 u). */
static fal_reference_parameter sgd_rounding(const fal_update *u, double rate,
                                            double g, fal_reference_parameter p)
{
    double sum = fabs(g) + fabs(u->weight_decay * p.weight);
    double moment = sum + fabs(u->momentum * p.moment);
    double step = sum + moment;
    return (fal_reference_parameter){4 * U * (fabs(p.weight) + 3 * rate * step),
                                     4 * U * moment, 0,
                                     4 * U * (fabs(p.feedback) + 3 * rate * step)};
}

static fal_reference_parameter adam_rounding(const fal_update *u, uint64_t t,
                                             double rate, double g,
                                             fal_reference_parameter p)
{
    double sum = fabs(g) + fabs(u->weight_decay * p.weight);
    double moment = .9 * fabs(p.moment) + .1 * sum;
    double beta2 = beta2_of(u);
    double square = beta2 * p.square + (1 - beta2) * sum * sum;
    double to = adam(u, t, rate, g, p).square;
    double step = rate / (1 - pow(.9, (double)t)) * moment /
                  (sqrt(to / (1 - pow(beta2, (double)t))) + epsilon_of(u));
    double relative = 4 * U + 20 * U + 4 * U * square / (to + TINY);
    return (fal_reference_parameter){4 * U * fabs(p.weight) + step * relative,
                                     4 * U * moment, 6 * U * square,
                                     4 * U * fabs(p.feedback) + step * relative};
}

/* How far an update moves with the gradient. */
static void add_shift(fal_reference_parameter *bound, fal_reference_parameter a,
                      fal_reference_parameter b)
{
    bound->weight += fabs(a.weight - b.weight);
    bound->moment += fabs(a.moment - b.moment);
    bound->square += fabs(a.square - b.square);
    bound->feedback += fabs(a.feedback - b.feedback);
}

fal_reference_parameter fal_reference_update_bound(const fal_update *update,
                                                   uint64_t t, double rate,
                                                   double gradient, double error,
                                                   fal_reference_parameter p)
{
    fal_reference_parameter bound = update->rule == FAL_SGD
                                        ? sgd_rounding(update, rate, gradient, p)
                                        : adam_rounding(update, t, rate, gradient,
                                                        p);
    fal_reference_parameter to = fal_reference_update(update, t, rate, gradient, p);
    for (int sign = -1; sign <= 1 && error > 0; sign += 2)
        add_shift(
            &bound, to,
            fal_reference_update(update, t, rate, gradient + sign * error, p));
    bound.weight += TINY, bound.moment += TINY, bound.square += TINY;
    bound.feedback += TINY;
    return bound;
}
