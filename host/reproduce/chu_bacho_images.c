/* Accuracy beside alignment: networks with a layer of one or two units, and initial
 * weights of other scales, each under fa and bp. */
#include "data/dataset.h"
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/chu_bacho.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDE "dense 200, tanh, dense 200, tanh, "
const chu_image_net chu_image_nets[] = {
    {"wide", "784-200-200-10", WIDE, 1},
    {"neck-2", "784-200-2-10", "dense 200, tanh, dense 2, tanh, ", 1},
    {"neck-1", "784-200-1-10", "dense 200, tanh, dense 1, tanh, ", 1},
    {"small-start", "784-200-200-10, weights x .01", WIDE, .01},
    {"large-start", "784-200-200-10, weights x 10", WIDE, 10},
};
const size_t chu_image_net_count = sizeof chu_image_nets / sizeof *chu_image_nets;

/* ---- the model ----------------------------------------------------------- */

static fal_status scale_tensor(fal_model *model, const char *name, double scale)
{
    size_t shape[4], dimensions;
    fal_status status = fal_model_tensor_shape(model, name, shape, &dimensions);
    const size_t count = status ? 0 : shape[0] * shape[1] * shape[2] * shape[3];
    float *values = fal_allocate(count, sizeof *values);
    if (!status && !values)
        status = FAL_ERROR_MEMORY;
    if (!status)
        status = fal_model_tensor(model, name, values, count);
    for (size_t i = 0; i < count && !status; i++)
        values[i] *= (float)scale;
    if (!status)
        status = fal_model_tensor_set(model, name, values, count);
    fal_release(values);
    return status;
}

static fal_status make_model(fal_model **model, fal_study *study,
                             const fal_part *part, const fal_dataset *data)
{
    const chu_image_net *net = &chu_image_nets[part->setting / 2];
    fal_model_options options = FAL_MODEL_OPTIONS;
    fal_device *device;
    char text[128];
    fal_arrays facts = FAL_ARRAYS;
    fal_status status = fal_study_device(study, &device);
    if (!status)
        status = fal_dataset_describe(data, &facts);
    if (status)
        return status;
    snprintf(text, sizeof text, "%sdense %zu", net->network, facts.classes);
    options.seed = part->seed + 1;
    options.weight_law = "xavier";
    options.data = data;
    status = fal_model_create(model, device, text, &options);
    for (size_t i = 0; !status && i < fal_model_tensor_count(*model); i++)
        status = scale_tensor(*model, fal_model_tensor_name(*model, i), net->scale);
    return status;
}

/* ---- training ------------------------------------------------------------ */

static fal_status make_trainer(fal_trainer **trainer, fal_study *study,
                               const fal_part *part, fal_model *model)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    double rate, batch;
    fal_status status = fal_study_number(study, "image-rate", &rate);
    if (!status)
        status = fal_study_number(study, "image-batch", &batch);
    if (status)
        return status;
    options.rule = part->setting % 2 ? "bp" : "fa";
    options.optimizer = "sgd";
    options.momentum = 0;
    options.schedule = "constant";
    options.learning_rate = rate;
    options.batch = (size_t)batch;
    options.feedback_seed = options.data_seed = part->seed + 1;
    return fal_trainer_create(trainer, model, &options);
}

/* The first `setting` samples of a split; the study's stays as it is. */
static fal_status take_first(fal_dataset **first, fal_study *study, fal_split split,
                             const char *setting)
{
    const fal_dataset *all;
    fal_arrays arrays = FAL_ARRAYS;
    double samples;
    fal_status status = fal_study_number(study, setting, &samples);
    if (!status)
        status = fal_study_dataset(study, split, &all);
    if (!status)
        status = fal_dataset_describe(all, &arrays);
    if (status)
        return status;
    arrays.borrow = 1;
    if (samples < (double)arrays.count)
        arrays.count = (size_t)samples;
    return fal_dataset_create(first, &arrays);
}

/* ---- measuring ----------------------------------------------------------- */

enum { FOUND = 4 };

/* What is kept of the metrics: of all hidden layers, of the first, of what the updates
 * have in common, and of the output weights and their feedback. */
static const struct {
    const char *metric, *layer, *name;
} kept[FOUND] = {{"gradient_alignment", "total", "alignment"},
                 {"gradient_alignment", "dense1", "first_alignment"},
                 {"update_alignment", "total", "update_alignment"},
                 {"weight_alignment", "dense3", "output_alignment"}};

static int keep(const fal_metric *metric, void *user)
{
    double *found = user;
    for (size_t i = 0; i < FOUND; i++)
        if (strcmp(metric->name, kept[i].metric) == 0 &&
            strcmp(metric->layer, kept[i].layer) == 0)
            found[i] = metric->value;
    return 0;
}

static fal_status judge(fal_study *study, fal_model *model, fal_trainer *trainer,
                        cJSON *result)
{
    double found[FOUND] = {NAN, NAN, NAN, NAN};
    fal_evaluation evaluation = {.size = sizeof evaluation};
    const fal_dataset *test;
    fal_dataset *few = NULL;
    fal_status status = take_first(&few, study, FAL_SPLIT_TEST, "image-measured");
    if (!status)
        status = fal_trainer_measure_dataset(trainer, few, keep, found);
    fal_dataset_destroy(few);
    if (!status)
        status = fal_study_dataset(study, FAL_SPLIT_TEST, &test);
    if (!status)
        status = fal_model_evaluate(model, test, NULL, &evaluation);
    if (!status)
        status = fal_result_number(result, "accuracy", evaluation.accuracy);
    for (size_t i = 0; i < FOUND && !status; i++)
        status = fal_result_number(result, kept[i].name, found[i]);
    return status;
}

fal_status chu_images(fal_study *study, const fal_part *part, cJSON *result)
{
    fal_dataset *train = NULL;
    fal_model *model = NULL;
    fal_trainer *trainer = NULL;
    double epochs;
    fal_status status = fal_study_number(study, "image-epochs", &epochs);
    if (!status)
        status = take_first(&train, study, FAL_SPLIT_TRAIN, "image-samples");
    if (!status)
        status = make_model(&model, study, part, train);
    if (!status)
        status = make_trainer(&trainer, study, part, model);
    if (!status)
        status = fal_trainer_fit(trainer, train, NULL, (uint64_t)epochs,
                                 fal_study_on_progress, study);
    if (!status)
        status = judge(study, model, trainer, result);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(train);
    return status;
}
