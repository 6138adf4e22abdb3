#include "reproduce/refinetti_images.h"
#include "device/memory.h"

enum { SIDE = 14, BATCH = 32, POINTS = 40 };

static const double rate = 1e-3;

/* ---- settings ------------------------------------------------------------ */

fal_status fal_images_read(fal_study *study, fal_images_setting *setting)
{
    double epochs = 0, samples = 0;
    fal_status status = fal_study_number(study, "image-epochs", &epochs);
    if (!status)
        status = fal_study_number(study, "image-samples", &samples);
    *setting = (fal_images_setting){.rule = "dfa",
                                    .activation = "tanh",
                                    .epochs = (uint64_t)epochs,
                                    .samples = (size_t)samples};
    return status;
}

uint64_t fal_images_epoch(const fal_images_setting *setting)
{
    return (setting->samples + BATCH - 1) / BATCH;
}

double fal_images_seconds(const fal_images_setting *setting)
{
    uint64_t steps = setting->epochs * fal_images_epoch(setting);
    return 1 + 1.3e-4 * (double)steps;
}

uint64_t *fal_images_steps(const fal_images_setting *setting, size_t *count)
{
    return fal_watch_steps(setting->epochs * fal_images_epoch(setting), POINTS,
                           count);
}

double *fal_images_epochs(const fal_images_setting *setting, size_t *count)
{
    uint64_t *steps = fal_images_steps(setting, count);
    double *epochs = steps ? fal_allocate(*count, sizeof *epochs) : NULL;
    for (size_t i = 0; i < *count && epochs; i++)
        epochs[i] = (double)steps[i] / (double)fal_images_epoch(setting);
    fal_release(steps);
    return epochs;
}

/* ---- data ---------------------------------------------------------------- */

/* The first `samples` of a split, in 14 x 14. */
static fal_status shrink(const fal_dataset *data, size_t samples,
                         fal_dataset **shrunken)
{
    fal_dataset *first = NULL;
    fal_arrays arrays = {.size = sizeof arrays};
    fal_status status = fal_dataset_describe(data, &arrays);
    if (status)
        return status;
    if (samples < arrays.count)
        arrays.count = samples;
    arrays.borrow = 1;
    status = fal_dataset_create(&first, &arrays);
    if (!status)
        status = fal_dataset_resize(shrunken, first, SIDE, SIDE);
    fal_dataset_destroy(first);
    return status;
}

static fal_status open_split(fal_images_split *split, fal_study *study,
                             const fal_images_setting *setting, fal_split which)
{
    const fal_dataset *data;
    fal_status status = fal_study_dataset(study, which, &data);
    if (!status)
        status = shrink(data, setting->samples, &split->clean);
    if (!status)
        status = fal_dataset_label_noise(&split->data, split->clean, setting->noise,
                                         1, which);
    return status;
}

static void close_split(fal_images_split *split)
{
    fal_dataset_destroy(split->data);
    fal_dataset_destroy(split->clean);
}

fal_status fal_images_open(fal_images *images, fal_study *study,
                           const fal_images_setting *setting)
{
    *images = (fal_images){0};
    fal_status status = open_split(&images->train, study, setting, FAL_SPLIT_TRAIN);
    if (!status)
        status = open_split(&images->test, study, setting, FAL_SPLIT_TEST);
    if (status)
        fal_images_close(images);
    return status;
}

void fal_images_close(fal_images *images)
{
    close_split(&images->train);
    close_split(&images->test);
    *images = (fal_images){0};
}

/* ---- a run --------------------------------------------------------------- */

static fal_status make_model(fal_study *study, const fal_images_setting *setting,
                             uint64_t seed, const fal_dataset *data,
                             fal_model **model)
{
    fal_device *device;
    fal_model_options options = FAL_MODEL_OPTIONS;
    options.seed = seed + 1;
    options.activation = setting->activation;
    options.no_bias = 1;
    options.data = data;
    fal_status status = fal_study_device(study, &device);
    return status ? status : fal_model_create(model, device, "mlp-4x100", &options);
}

static fal_status make_trainer(const fal_images_setting *setting, fal_model *model,
                               fal_trainer **trainer)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = setting->rule; /* dfa's B from [-1, 1)/sqrt(100), by default */
    options.optimizer = "sgd";
    options.momentum = 0;
    options.learning_rate = rate;
    options.loss_reduction = "sum";
    options.schedule = "constant";
    options.standardize = "global";
    options.batch = BATCH;
    options.log_steps = UINT64_MAX;
    return fal_trainer_create(trainer, model, &options);
}

static fal_status make_watch(fal_images_run *run, fal_study *study,
                             const fal_images_setting *setting,
                             const fal_dataset *test)
{
    static const char *const metrics[] = {"weight_alignment", "gradient_alignment",
                                          NULL};
    run->watch.study = study;
    run->watch.metrics = metrics;
    run->watch.share = 1;
    run->steps = fal_images_steps(setting, &run->watch.count);
    run->watch.steps = run->steps;
    run->watch.batch.size = sizeof run->watch.batch;
    fal_status status = run->steps ? fal_dataset_describe(test, &run->watch.batch)
                                   : FAL_ERROR_MEMORY;
    if (run->watch.batch.count > BATCH)
        run->watch.batch.count = BATCH;
    return status;
}

fal_status fal_images_begin(fal_images_run *run, fal_study *study,
                            const fal_images_setting *setting,
                            const fal_images *images, uint64_t seed)
{
    *run = (fal_images_run){0};
    fal_status status = make_model(study, setting, seed, images->train.data,
                                   &run->model);
    if (!status)
        status = make_trainer(setting, run->model, &run->watch.trainer);
    if (!status)
        status = make_watch(run, study, setting, images->test.data);
    if (status)
        fal_images_end(run);
    return status;
}

void fal_images_end(fal_images_run *run)
{
    fal_trainer_destroy(run->watch.trainer);
    fal_model_destroy(run->model);
    fal_release(run->steps);
    fal_watch_release(&run->watch);
    *run = (fal_images_run){0};
}
