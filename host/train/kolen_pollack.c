/* Under kp feedback comes nearer to the weights by decay alone: both take the same
 * steps, so that their distance shrinks by the factor 1 - rate * decay a step. */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>

/* The sum of rate * decay that leaves 5 % of the distance; and how many steps are
 * looked at for it. */
static const double ENOUGH = 3;
enum { LOOKS = 10000, NUMBER = 64 };

static double rate_at(const fal_trainer *t, double base, uint64_t step,
                      uint64_t steps, uint64_t batches)
{
    if (t->fixed_rate >= 0)
        return t->fixed_rate * (base / t->options.learning_rate);
    return fal_schedule_rate(&t->schedule, base, step, steps, step / batches);
}

/* As far as they go with the decay, whose factor may fall. */
static double sum_of_rates(const fal_trainer *t, const fal_layer *layer,
                           uint64_t steps, uint64_t batches)
{
    int adamw = t->optimizer == FAL_MUON && !fal_trainer_is_muons(t, layer);
    double base = adamw ? t->options.learning_rate_adamw : t->options.learning_rate;
    uint64_t stride = steps / LOOKS + 1;
    double sum = 0;
    for (uint64_t s = 0; s < steps; s += stride) {
        uint64_t left = steps - s;
        sum += (double)(left < stride ? left : stride) *
               (double)fal_trainer_decay_factor(t, t->step + s) *
               rate_at(t, base, s, steps, batches);
    }
    return sum;
}

/* Three digits, and 600 rather than 6e+02. */
static void print_plain(char text[NUMBER], double value)
{
    double unit = pow(10, floor(log10(value)) - 2);
    if (value < 100)
        snprintf(text, NUMBER, "%.3g", value);
    else
        snprintf(text, NUMBER, "%.0f", round(value / unit) * unit);
}

static void say_none(const fal_trainer *t, const fal_layer *layer, double rates)
{
    char decay[NUMBER], tenth[NUMBER];
    print_plain(decay, ENOUGH / rates);
    print_plain(tenth, ENOUGH / rates / 10);
    fal_device_say(t->model->device,
                   "rule %s, layer %s: its weight decay is 0, so that feedback and "
                   "weights never approach; a weight decay of %s leaves 5 %% of "
                   "their distance, and so does one of %s in 10 times as many "
                   "epochs",
                   t->routes[layer->number - 1].rule->name, layer->name, decay,
                   tenth);
}

static void say(const fal_trainer *t, const fal_layer *layer, double rates)
{
    double sum = rates * (double)fal_trainer_decay(t, layer);
    int falls = t->decay_schedule != FAL_DECAY_CONSTANT;
    char decay[NUMBER], longer[NUMBER];
    print_plain(decay, ENOUGH / rates);
    print_plain(longer, ENOUGH / sum);
    fal_device_say(
        t->model->device,
        "rule %s, layer %s: learning rate times weight decay adds up to "
        "%.3g over this run, which leaves %.0f %% of the distance from "
        "feedback to weights; a sum of %g leaves 5 %%: give a weight decay of "
        "%s%s%s%s",
        t->routes[layer->number - 1].rule->name, layer->name, sum, 100 * exp(-sum),
        ENOUGH, decay, falls ? "" : ", or train ", falls ? "" : longer,
        falls ? "" : " times as long");
}

void fal_trainer_warn_of_decay(const fal_trainer *t, uint64_t steps,
                               uint64_t batches)
{
    const fal_network *network = &t->model->network;
    const fal_layer *slowest = NULL;
    double least = ENOUGH * .99, rates = 0; /* the advice is rounded */
    for (unsigned l = 2; l <= network->weights; l++) {
        const fal_layer *layer = fal_network_weight_layer(network, l);
        if (t->routes[l - 1].rule->learning != FAL_LEARNS_WITH_WEIGHTS ||
            !fal_trainer_has_law(t, l))
            continue;
        double found = sum_of_rates(t, layer, steps, batches);
        double sum = found * (double)fal_trainer_decay(t, layer);
        if (sum < least)
            least = sum, rates = found, slowest = layer;
    }
    if (rates > 0 && fal_trainer_decay(t, slowest) > 0)
        say(t, slowest, rates);
    else if (rates > 0)
        say_none(t, slowest, rates);
}
