/* bench step: training steps on random data that lie on the device, as a fit makes
 * them: gathering, standardisation and the optimizer inside the time. */
#include "cli/bench.h"
#include "cli/settings.h"
#include "cli/start_time.h"
#include "data/dataset.h"
#include "device/error.h"
#include "device/memory.h"
#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCHES = 8 }; /* of different samples, in turn */

struct step {
    fal_dataset *data;
    fal_model *model;
    fal_trainer *trainer;
    fal_feed feed;
    int has_feed;
    size_t batch, turn;
};

/* HxWxC, or N numbers. */
static fal_status read_shape(const char *text, fal_arrays *arrays)
{
    unsigned long long sizes[3] = {1, 1, 1};
    int count = 0;
    char *end = (char *)text;
    for (; count < 3 && *end != 0; count++) {
        const char *digits = end + (count > 0 && *end == 'x');
        sizes[count] = strtoull(digits, &end, 10);
        if (end == digits || sizes[count] == 0 || sizes[count] > INT32_MAX)
            break;
    }
    if (*end != 0 || (count != 1 && count != 3))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "option --data-shape: '%.100s' is no shape; give HxWxC or "
                        "N, as 28x28x1",
                        text);
    int flat = count == 1;
    arrays->height = flat ? 1 : (size_t)sizes[0];
    arrays->width = flat ? 1 : (size_t)sizes[1];
    arrays->channels = (size_t)sizes[flat ? 0 : 2];
    return FAL_OK;
}

static void fill(unsigned char *bytes, size_t count, int32_t *labels,
                 const fal_arrays *arrays)
{
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)((state = state * 1664525u + 1013904223u) >> 24);
    for (size_t i = 0; i < arrays->count; i++)
        labels[i] = (int32_t)((state = state * 1664525u + 1013904223u) %
                              arrays->classes);
}

static fal_status make_data(struct step *s, const cli_options *options)
{
    fal_arrays arrays = FAL_ARRAYS;
    fal_status status = read_shape(cli_text(options, CLI_DATA_SHAPE), &arrays);
    if (status)
        return status;
    size_t floats = arrays.height * arrays.width * arrays.channels;
    arrays.count = BATCHES * s->batch;
    arrays.type = FAL_BYTES;
    arrays.classes = (size_t)cli_whole(options, CLI_CLASSES);
    unsigned char *bytes = fal_allocate(arrays.count, floats);
    int32_t *labels = fal_allocate(arrays.count, sizeof *labels);
    status = bytes && labels ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status) {
        fill(bytes, arrays.count * floats, labels, &arrays);
        arrays.inputs = bytes;
        arrays.labels = labels;
        status = fal_dataset_create(&s->data, &arrays);
    }
    fal_release(bytes);
    fal_release(labels);
    return status;
}

/* A rate so small that random labels make no loss explode. */
static void trainer_options(fal_trainer_options *trainer,
                            const cli_options *options)
{
    *trainer = (fal_trainer_options)FAL_TRAINER_OPTIONS;
    trainer->rule = cli_text(options, CLI_RULE_NAME);
    trainer->feedback = cli_text(options, CLI_FEEDBACK);
    trainer->dfa_conv = cli_text(options, CLI_DFA_CONV);
    trainer->optimizer = cli_text(options, CLI_OPTIMIZER);
    trainer->augment = cli_text(options, CLI_AUGMENT);
    trainer->schedule = "constant";
    trainer->learning_rate = 1e-6;
    trainer->batch = (size_t)cli_whole(options, CLI_BATCH);
}

static fal_status make_trainer(struct step *s, fal_device *device,
                               const cli_options *options)
{
    fal_model_options model;
    fal_trainer_options trainer;
    cli_model_options(&model, options, s->data);
    trainer_options(&trainer, options);
    fal_status status = fal_model_create(&s->model, device,
                                         cli_text(options, CLI_NET), &model);
    if (!status)
        status = fal_model_standardize(s->model, s->data, "global");
    if (!status)
        status = fal_trainer_create(&s->trainer, s->model, &trainer);
    if (!status)
        status = fal_feed_open(&s->feed, s->model, &s->trainer->workspace,
                               &s->data->arrays, 1);
    s->has_feed = !status;
    if (!status)
        s->feed.augmentation = &s->trainer->augmentation;
    return status;
}

static fal_status one_step(void *user)
{
    struct step *s = user;
    return fal_trainer_run(s->trainer, &s->feed, s->turn++ % BATCHES * s->batch,
                           s->batch);
}

static fal_status measure(struct step *s, fal_device *device,
                          cli_step_figures *figures)
{
    fal_status status = one_step(s);
    if (!status)
        status = fal_ring_flush(&s->trainer->ring);
    figures->start_ms = cli_process_ms();
    if (!status)
        status = fal_bench_time(device, one_step, s, &figures->timing);
    if (!status)
        status = fal_ring_flush(&s->trainer->ring);
    if (!status && s->trainer->ring.diverged) /* halted steps do less */
        status = fal_fail(FAL_ERROR_DIVERGED,
                          "bench step: a loss is no longer finite, so that the "
                          "times mean nothing; take a smaller network");
    figures->samples_per_second = 1e3 * (double)s->batch / figures->timing.ms;
    return status;
}

fal_status cli_bench_step(fal_device *device, const cli_options *options,
                          cli_step_figures *figures)
{
    struct step s = {.batch = (size_t)cli_whole(options, CLI_BATCH)};
    fal_status status = make_data(&s, options);
    if (!status)
        status = make_trainer(&s, device, options);
    if (!status)
        status = measure(&s, device, figures);
    if (s.has_feed)
        fal_feed_close(&s.feed);
    fal_trainer_destroy(s.trainer);
    fal_model_destroy(s.model);
    fal_dataset_destroy(s.data);
    return status;
}
