/* One training step: batch, plan, update; and what happens when a loss explodes. */
#include "data/dataset.h"
#include "device/memory.h"
#include "device/options.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

static fal_status make_plan(fal_trainer *t, fal_plan *plan, size_t rows,
                            int targets)
{
    fal_plan_build build = {.network = &t->model->network,
                            .parameters = &t->model->parameters,
                            .state = &t->model->state,
                            .statistics = &t->statistics,
                            .gradients = &t->gradients,
                            .update = t->update.count ? NULL : &t->in_products,
                            .workspace = &t->workspace,
                            .routes = t->routes,
                            .loss = t->loss,
                            .summed = t->sums_loss,
                            .noise_seed = t->options.noise_seed,
                            .uses_targets = targets,
                            .rows = rows};
    return fal_plan_make(plan, &build);
}

static fal_status find_plan(fal_trainer *t, size_t rows, int targets,
                            fal_plan **plan)
{
    *plan = fal_plan_pick(t->plans, FAL_PLAN_SIZES, &t->next_plan, rows, targets);
    return (*plan)->rows ? FAL_OK : make_plan(t, *plan, rows, targets);
}

/* Gather, plan and update of a full batch. */
fal_status fal_trainer_launches(fal_trainer *t, size_t *launches)
{
    fal_plan *plan = NULL;
    fal_status status = find_plan(t, t->options.batch, 0, &plan);
    if (!status)
        *launches = 1 + plan->launches.count + t->clipping.count + t->update.count +
                    t->muon.count + t->mirror.count;
    return status;
}

/* The rate that `base` has become by now */
static double rate_now(const fal_trainer *t, double base)
{
    if (t->fixed_rate >= 0)
        return t->fixed_rate * (base / t->options.learning_rate);
    return fal_schedule_rate(&t->schedule, base, t->step - t->schedule_start,
                             t->schedule_length, t->epoch - t->schedule_epoch);
}

/* The numbers of this step for all that updates weights. With muon the others are
 * adamw's. */
static fal_status set_update(fal_trainer *t, const fal_plan *plan)
{
    const fal_trainer_options *o = &t->options;
    double rate = rate_now(t, o->learning_rate), others = rate;
    if (t->optimizer == FAL_MUON)
        others = rate_now(t, o->learning_rate_adamw);
    fal_update_step now = fal_update_at(t->step + 1, others);
    now.draw = (uint32_t)t->step;
    now.decay = fal_trainer_decay_factor(t, t->step);
    fal_status status = fal_launches_step(&plan->launches, sizeof now, &now);
    if (!status)
        status = fal_launches_step(&t->update, sizeof now, &now);
    now.rate = (float)rate;
    return status ? status : fal_launches_step(&t->muon, sizeof now, &now);
}

fal_status fal_trainer_run(fal_trainer *t, fal_feed *feed, size_t start,
                           size_t rows)
{
    fal_plan *plan = NULL;
    size_t slot = 0;
    fal_status status = find_plan(t, rows, feed->data.targets != NULL, &plan);
    if (!status)
        status = fal_ring_begin(&t->ring, rows, &slot);
    feed->step = t->step;
    if (!status)
        status = fal_feed_batch(feed, start, rows);
    if (!status)
        status = set_update(t, plan);
    if (!status)
        status = fal_plan_run(plan, slot);
    if (!status)
        status = fal_launches_run(&t->clipping);
    if (!status)
        status = fal_launches_run(&t->update);
    if (!status)
        status = fal_launches_run(&t->muon);
    if (!status)
        status = fal_trainer_run_mirror(t, 1);
    if (status)
        return status;
    /* From here the step counts, whatever becomes of reading its loss. */
    t->last_rows = rows;
    t->step++;
    status = fal_ring_end(&t->ring);
    if (!status)
        status = fal_cl(t->model->device, clFlush(t->model->device->queue),
                        "clFlush", NULL);
    return status;
}

static fal_status all_finite(const fal_arena *arena, fal_slot slot, int *finite)
{
    float *values = fal_allocate(slot.count, sizeof *values);
    if (!values)
        return FAL_ERROR_MEMORY;
    fal_status status = fal_arena_read(arena, slot, values);
    *finite = 1;
    for (uint64_t i = 0; i < slot.count && !status; i++)
        *finite = *finite && isfinite(values[i]);
    fal_release(values);
    return status;
}

/* The first layer whose output is not finite, while the batch is run once more: later
 * ones may lie in the same place. */
static fal_status find_culprit(fal_trainer *t, const fal_plan *plan,
                               const char **name)
{
    const fal_workspace *w = &t->workspace;
    const fal_network *network = &t->model->network;
    int finite = 1;
    fal_slot slot = w->inputs;
    slot.count = plan->rows * fal_shape_size(network->input);
    *name = "input";
    fal_status status = all_finite(&w->arena, slot, &finite);
    for (size_t i = 0; i < network->count && finite && !status; i++) {
        slot = w->outputs[i];
        slot.count = plan->rows * fal_shape_size(network->layers[i].out);
        *name = network->layers[i].name;
        status = fal_plan_run_layer(plan, i);
        if (!status)
            status = all_finite(&w->arena, slot, &finite);
    }
    return status;
}

/* The update kernels did nothing since the loss was not finite, so the weights are
 * those that made it: the same batch shows where. */
static fal_status run_again(fal_trainer *t, fal_feed *feed, uint64_t step,
                            size_t start, size_t rows, const char **layer)
{
    fal_plan *plan = NULL;
    feed->step = step;
    fal_status status = find_plan(t, rows, feed->data.targets != NULL, &plan);
    if (!status)
        status = fal_feed_batch(feed, start, rows);
    const fal_update_step now = {.draw = (uint32_t)step};
    if (!status)
        status = fal_launches_step(&plan->launches, sizeof now, &now);
    return status ? status : find_culprit(t, plan, layer);
}

fal_status fal_trainer_diverged(fal_trainer *t, fal_feed *feed, size_t start,
                                size_t rows)
{
    const char *layer = NULL;
    uint64_t step = t->step - (t->ring.begun - t->ring.diverged_at);
    fal_status status = feed ? run_again(t, feed, step, start, rows, &layer)
                             : FAL_OK;
    if (!status)
        status = fal_arena_clear_slot(&t->workspace.arena, t->workspace.halted);
    if (status)
        return status;
    if (t->mirror.count) /* each step had one behind it, which changed nothing */
        t->mirror_steps -= t->step - step;
    t->step = step;
    t->ring.begun = t->ring.summed = 0;
    t->ring.diverged = 0;
    return fal_fail(FAL_ERROR_DIVERGED,
                    "training, step %llu%s%s: the loss is no longer finite; the "
                    "weights are as before that step; lower the learning rate, or "
                    "check the data for values that are not finite",
                    (unsigned long long)step + 1, layer ? ", layer " : "",
                    layer ? layer : "");
}

/* The feed of the caller's rows; a new one where type or kind of answer changes. */
static fal_status open_step_feed(fal_trainer *t, const fal_arrays *arrays)
{
    const fal_arrays *had = &t->step_feed.data;
    int same = t->has_step_feed && had->type == arrays->type &&
               !had->labels == !arrays->labels && !had->targets == !arrays->targets;
    if (same)
        return fal_feed_change(&t->step_feed, arrays);
    if (t->has_step_feed)
        fal_feed_close(&t->step_feed);
    t->has_step_feed = 0;
    fal_status status = fal_feed_open(&t->step_feed, t->model, &t->workspace,
                                      arrays, 0);
    t->step_feed.augmentation = &t->augmentation;
    t->has_step_feed = !status;
    return status;
}

static fal_status check_schedule(const fal_trainer *t)
{
    if (t->schedule.kind == FAL_SCHEDULE_CONSTANT || t->fixed_rate >= 0)
        return FAL_OK;
    if (t->schedule.kind == FAL_SCHEDULE_STEP)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_step: the schedule step counts epochs, and "
                        "single steps have none; set rates by "
                        "fal_trainer_learning_rate, or use another schedule");
    if (t->options.steps == 0)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "fal_trainer_step: a schedule needs options.steps; give them, "
            "or use the schedule constant");
    if (t->step - t->schedule_start >= t->schedule_length)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "fal_trainer_step: the schedule's %llu steps are done; set a "
            "rate by fal_trainer_learning_rate, or use the schedule "
            "constant",
            (unsigned long long)t->schedule_length);
    return FAL_OK;
}

static fal_status check_step(fal_trainer *t, const fal_arrays *arrays)
{
    fal_status status = fal_model_fits(t->model, arrays, (int)t->loss);
    if (status)
        return status;
    if (arrays->count > t->options.batch)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "fal_trainer_step: %zu rows are more than the trainer's batch "
            "of %zu",
            arrays->count, t->options.batch);
    status = fal_network_check_rows(&t->model->network, arrays->count);
    if (status)
        return fal_fail(status, "fal_trainer_step: %s; give it more rows",
                        fal_error_message());
    return check_schedule(t);
}

fal_status fal_trainer_step(fal_trainer *t, const fal_arrays *given, double *loss)
{
    fal_arrays arrays;
    if (!t || !given)
        return fal_fail(FAL_ERROR_ARGUMENT, "fal_trainer_step: needs a trainer and "
                                            "arrays");
    fal_status status = fal_arrays_read(&arrays, given, "fal_trainer_step");
    if (!status)
        status = check_step(t, &arrays);
    if (!status)
        status = open_step_feed(t, &arrays);
    if (!status)
        status = fal_trainer_run(t, &t->step_feed, 0, arrays.count);
    if (!status) {
        t->model->real_targets = arrays.targets != NULL;
        if (t->goes_on) /* but not by this batch */
            fal_trainer_leave_fit(t);
    }
    /* without a loss to hand back, what the ring happens to know is enough */
    if (status || (!loss && !t->ring.diverged))
        return status;
    status = fal_ring_flush(&t->ring);
    if (status)
        return status;
    int is_last = t->ring.begun == t->ring.diverged_at + 1;
    if (t->ring.diverged)
        return fal_trainer_diverged(t, is_last ? &t->step_feed : NULL, 0,
                                    arrays.count);
    *loss = t->ring.last.loss / (double)t->ring.last.samples;
    return FAL_OK;
}
