#include "train/evaluate.h"
#include "data/dataset.h"
#include "device/memory.h"
#include "device/options.h"

#include <math.h>
#include <string.h>

enum { BATCH = 256 };

static fal_status make_plans(fal_evaluator *e, const fal_arrays *data)
{
    fal_status status = FAL_OK;
    size_t rows[2] = {e->workspace.rows, e->last};
    for (size_t i = 0; i < 2 && !status; i++) {
        fal_plan_build build = {.network = &e->model->network,
                                .parameters = &e->model->parameters,
                                .state = &e->model->state,
                                .workspace = &e->workspace,
                                .loss = e->loss,
                                .uses_targets = data->targets != NULL,
                                .outputs_only = !data->targets && !data->labels,
                                .rows = rows[i]};
        status = fal_plan_make(&e->plans[i], &build);
    }
    return status;
}

fal_status fal_evaluator_open(fal_evaluator *evaluator, const fal_model *model,
                              const fal_arrays *data, fal_loss loss, int resident)
{
    *evaluator = (fal_evaluator){.model = model, .loss = loss};
    fal_evaluator *e = evaluator;
    size_t rows = data->count < BATCH ? data->count : BATCH;
    e->batches = (data->count + rows - 1) / rows;
    e->last = data->count - (e->batches - 1) * rows;
    fal_status status = fal_workspace_make(&e->workspace, model->device,
                                           &model->network, NULL, FAL_MODE_EVALUATE,
                                           rows, loss, e->batches, 0);
    if (!status)
        status = fal_feed_open(&e->feed, model, &e->workspace, data, resident);
    if (!status)
        status = make_plans(e, data);
    if (status)
        fal_evaluator_close(e);
    return status;
}

void fal_evaluator_close(fal_evaluator *evaluator)
{
    fal_plan_release(&evaluator->plans[0]);
    fal_plan_release(&evaluator->plans[1]);
    fal_feed_close(&evaluator->feed);
    fal_workspace_release(&evaluator->workspace);
    *evaluator = (fal_evaluator){0};
}

static fal_status run_batch(fal_evaluator *e, size_t batch)
{
    int is_last = batch + 1 == e->batches;
    size_t rows = is_last ? e->last : e->workspace.rows;
    fal_status status = fal_feed_batch(&e->feed, batch * e->workspace.rows, rows);
    return status ? status : fal_plan_run(&e->plans[is_last], batch);
}

/* Adds the partial sums up in double, batch by batch. */
static fal_status sum(const fal_evaluator *e, double *loss, size_t *correct)
{
    const fal_workspace *w = &e->workspace;
    float *partials = fal_allocate(w->partials.count, sizeof *partials);
    if (!partials)
        return FAL_ERROR_MEMORY;
    fal_status status = fal_arena_read(&w->arena, w->partials, partials);
    double losses = 0, hits = 0;
    for (size_t b = 0; b < e->batches; b++) {
        size_t rows = b + 1 == e->batches ? e->last : w->rows;
        size_t used = (rows + FAL_LOSS_ROWS - 1) / FAL_LOSS_ROWS;
        for (size_t i = 0; i < used; i++) {
            losses += (double)partials[2 * (b * w->stride + i)];
            hits += (double)partials[2 * (b * w->stride + i) + 1];
        }
    }
    fal_release(partials);
    *loss = losses / (double)e->feed.data.count;
    *correct = (size_t)hits;
    return status;
}

fal_status fal_evaluator_run(fal_evaluator *evaluator, double *loss,
                             size_t *correct)
{
    fal_status status = FAL_OK;
    for (size_t b = 0; b < evaluator->batches && !status; b++)
        status = run_batch(evaluator, b);
    return status ? status : sum(evaluator, loss, correct);
}

fal_status fal_model_evaluate(fal_model *model, const fal_dataset *data,
                              const char *loss_name, fal_evaluation *result)
{
    int loss = 0;
    if (!model || !data || !result)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "fal_model_evaluate: needs a model, a data set and a result");
    fal_status status = fal_loss_find(loss_name, &loss);
    if (!status)
        status = fal_model_fits(model, &data->arrays, loss);
    fal_evaluator evaluator = {0};
    if (!status)
        status = fal_evaluator_open(&evaluator, model, &data->arrays,
                                    (fal_loss)loss, 0);
    fal_evaluation found = {.size = sizeof found, .samples = data->arrays.count};
    if (!status)
        status = fal_evaluator_run(&evaluator, &found.loss, &found.correct);
    fal_evaluator_close(&evaluator);
    if (status)
        return status;
    found.accuracy = (double)found.correct / (double)found.samples;
    return fal_options_write(result, &found, sizeof found, "fal_evaluation");
}

/* The outputs of every batch, read as they are made. */
static fal_status read_outputs(fal_evaluator *e, float *outputs)
{
    const fal_workspace *w = &e->workspace;
    size_t width = e->model->network.outputs;
    fal_status status = FAL_OK;
    for (size_t b = 0; b < e->batches && !status; b++) {
        fal_slot slot = w->outputs[e->model->network.count - 1];
        slot.count = (b + 1 == e->batches ? e->last : w->rows) * width;
        status = run_batch(e, b);
        if (!status)
            status = fal_arena_read(&w->arena, slot, outputs + b * w->rows * width);
    }
    return status;
}

fal_status fal_model_predict(fal_model *model, const void *inputs, fal_type type,
                             size_t count, float *outputs)
{
    if (!model || !inputs || !outputs || count == 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_model_predict: needs a model, inputs, at least one "
                        "sample and room for the outputs");
    fal_shape in = model->raw.height ? model->raw : model->network.input;
    fal_arrays arrays = {.size = sizeof arrays,
                         .count = count,
                         .height = in.height,
                         .width = in.width,
                         .channels = in.channels,
                         .type = type,
                         .inputs = inputs};
    size_t bytes = model->network.outputs * sizeof *outputs;
    float *found = fal_allocate(count, bytes);
    if (!found)
        return FAL_ERROR_MEMORY;
    fal_evaluator evaluator = {0};
    fal_status status = fal_evaluator_open(&evaluator, model, &arrays,
                                           FAL_CROSS_ENTROPY, 0);
    if (!status)
        status = read_outputs(&evaluator, found);
    fal_evaluator_close(&evaluator);
    if (!status)
        memcpy(outputs, found, count * bytes);
    fal_release(found);
    return status;
}
