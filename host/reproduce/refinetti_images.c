#include "reproduce/refinetti_images.h"
#include "device/memory.h"

#include <string.h>

enum { BATCH = 32, POINTS = 40 };

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

/* Half of each side: bilinear, as image libraries shrink, 1 3 3 1 in eighths. */
static double shrunk(const unsigned char *image, size_t row, size_t column)
{
    static const double tap[4] = {.125, .375, .375, .125};
    double sum = 0, all = 0;
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++) {
            size_t r = 2 * row + i - 1, c = 2 * column + j - 1;
            if (r >= 28 || c >= 28)
                continue;
            sum += tap[i] * tap[j] * (double)image[r * 28 + c];
            all += tap[i] * tap[j];
        }
    return sum / all;
}

static fal_status shrink(const fal_dataset *data, size_t samples, double noise,
                         fal_dataset **shrunken)
{
    fal_arrays a = {.size = sizeof a};
    (void)noise;
    fal_status status = fal_dataset_describe(data, &a);
    if (status)
        return status;
    if (samples && samples < a.count)
        a.count = samples;
    unsigned char *out = fal_allocate(a.count, 14 * 14);
    if (!out)
        return FAL_ERROR_MEMORY;
    for (size_t n = 0; n < a.count; n++)
        for (size_t p = 0; p < 196; p++)
            out[n * 196 + p] =
                (unsigned char)(.5 +
                                shrunk((const unsigned char *)a.inputs + n * 784,
                                       p / 14, p % 14));
    a.inputs = out;
    a.height = a.width = 14;
    status = fal_dataset_create(shrunken, &a);
    fal_release(out);
    return status;
}

fal_status fal_images_open(fal_images *images, fal_study *study,
                           const fal_images_setting *setting)
{
    const fal_dataset *train, *test;
    *images = (fal_images){0};
    fal_status status = fal_study_dataset(study, FAL_SPLIT_TRAIN, &train);
    if (!status)
        status = fal_study_dataset(study, FAL_SPLIT_TEST, &test);
    if (!status)
        status = shrink(train, setting->samples, setting->noise, &images->train);
    if (!status)
        status = shrink(test, 0, setting->noise, &images->test);
    if (status)
        fal_images_close(images);
    return status;
}

void fal_images_close(fal_images *images)
{
    fal_dataset_destroy(images->train);
    fal_dataset_destroy(images->test);
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
    fal_status status = make_model(study, setting, seed, images->train,
                                   &run->model);
    if (!status)
        status = make_trainer(setting, run->model, &run->watch.trainer);
    if (!status)
        status = make_watch(run, study, setting, images->test);
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
