/* Weight decay: a layer's own, times a factor that may fall over the steps of the
 * trainer's life. The factor goes with each step; a layer's own decay stands in the
 * launches that update it, which are made anew where it changes. */
#include "device/memory.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

enum { SCHEDULES = 3 };

const char *const fal_decay_schedule_names[SCHEDULES] = {"constant", "cut",
                                                         "linear"};

/* ---- options ------------------------------------------------------------- */

static fal_status find_schedule(const char *name, fal_decay_schedule *schedule)
{
    for (int i = 0; i < SCHEDULES; i++)
        if (strcmp(name ? name : fal_decay_schedule_names[0],
                   fal_decay_schedule_names[i]) == 0) {
            *schedule = (fal_decay_schedule)i;
            return FAL_OK;
        }
    return fal_fail_unknown("weight decay schedule", name, fal_decay_schedule_names,
                            SCHEDULES);
}

static fal_status check_steps(const fal_trainer *t)
{
    const char *name = fal_decay_schedule_names[t->decay_schedule];
    int needs = t->decay_schedule != FAL_DECAY_CONSTANT;
    if (needs == (t->options.weight_decay_steps > 0))
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    needs
                        ? "weight decay schedule %s: it needs the step from which "
                          "there is none; give weight_decay_steps"
                        : "weight decay schedule %s: it has no weight_decay_steps; "
                          "leave them out, or use cut or linear",
                    name);
}

static fal_status check_decay(double decay)
{
    if (isfinite((float)decay) && decay >= 0)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT, "weight decay %g must not be below 0",
                    decay);
}

fal_status fal_trainer_make_decays(fal_trainer *t)
{
    const fal_trainer_options *o = &t->options;
    size_t count = t->model->network.count;
    fal_status status = check_decay(o->weight_decay);
    if (!status)
        status = find_schedule(o->weight_decay_schedule, &t->decay_schedule);
    if (!status)
        status = check_steps(t);
    if (status)
        return status;
    t->options.weight_decay_schedule = NULL; /* the caller's */
    t->decays = fal_allocate(count, sizeof *t->decays);
    for (size_t i = 0; t->decays && i < count; i++)
        t->decays[i] = (float)o->weight_decay;
    return t->decays ? FAL_OK : FAL_ERROR_MEMORY;
}

/* ---- what they are ------------------------------------------------------- */

float fal_trainer_decay(const fal_trainer *t, const fal_layer *layer)
{
    return t->decays[fal_network_index(&t->model->network, layer)];
}

float fal_trainer_decay_factor(const fal_trainer *t, uint64_t step)
{
    uint64_t steps = t->options.weight_decay_steps;
    if (t->decay_schedule == FAL_DECAY_CONSTANT)
        return 1;
    if (step >= steps)
        return 0;
    return t->decay_schedule == FAL_DECAY_CUT
               ? 1
               : (float)(1 - (double)step / (double)steps);
}

/* ---- changing them ------------------------------------------------------- */

fal_status fal_trainer_take_decays(fal_trainer *t, const float *decays)
{
    size_t bytes = t->model->network.count * sizeof *decays;
    if (memcmp(t->decays, decays, bytes) == 0)
        return FAL_OK;
    float *before = fal_allocate(t->model->network.count, sizeof *before);
    if (!before)
        return FAL_ERROR_MEMORY;
    memcpy(before, t->decays, bytes);
    memcpy(t->decays, decays, bytes);
    fal_status status = fal_trainer_remake_updates(t);
    if (status)
        memcpy(t->decays, before, bytes);
    fal_release(before);
    return status;
}

/* The place of a layer that learns something. */
static fal_status find_layer(const fal_network *network, const char *name,
                             size_t *index)
{
    const char **known = fal_allocate(network->count, sizeof *known);
    size_t count = 0;
    if (!known)
        return FAL_ERROR_MEMORY;
    *index = network->count;
    for (size_t i = 0; i < network->count; i++) {
        if (!network->layers[i].has_weight)
            continue;
        known[count++] = network->layers[i].name;
        if (strcmp(network->layers[i].name, name) == 0)
            *index = i;
    }
    fal_status status = FAL_OK;
    if (*index == network->count)
        status = fal_fail_unknown("layer with weights", name, known, count);
    fal_release(known);
    return status;
}

static fal_status change(fal_trainer *t, size_t first, size_t count, double decay)
{
    size_t layers = t->model->network.count;
    float *decays = fal_allocate(layers, sizeof *decays);
    if (!decays)
        return FAL_ERROR_MEMORY;
    memcpy(decays, t->decays, layers * sizeof *decays);
    for (size_t i = first; i < first + count; i++)
        decays[i] = (float)decay;
    fal_status status = fal_trainer_take_decays(t, decays);
    fal_release(decays);
    return status;
}

fal_status fal_trainer_weight_decay(fal_trainer *trainer, const char *layer,
                                    double decay)
{
    if (!trainer)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_weight_decay: needs a trainer");
    size_t index = 0, count = layer ? 1 : trainer->model->network.count;
    fal_status status = check_decay(decay);
    if (!status && layer)
        status = find_layer(&trainer->model->network, layer, &index);
    return status ? status : change(trainer, index, count, decay);
}
