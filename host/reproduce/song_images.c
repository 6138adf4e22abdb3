/* Ten classes of images: 784-1000-10 with ReLU, the output divided by the root of the
 * width, log-softmax; the three decays of a repeat begin with the same weights and
 * feedback, and see the same order of samples. */
#include "analysis/alignment.h"
#include "device/memory.h"
#include "reproduce/song.h"

#include <math.h>
#include <stdio.h>

typedef struct images {
    fal_study *study;
    fal_model *model;
    fal_trainer *trainer;
    size_t width, classes, epochs, read;
    float *weights, *feedback;        /* [classes][width] */
    double *loss, *accuracy, *cosine; /* by epoch, the first at the start */
    fal_status status;                /* of what the callback did */
} images;

static fal_status read_setting(fal_study *study, const char *name, size_t *value)
{
    double number = 0;
    fal_status status = fal_study_number(study, name, &number);
    *value = (size_t)number;
    return status;
}

fal_status song_images_list(fal_study *study, fal_parts *parts)
{
    const double *decays;
    size_t count, repeats = 0;
    double seconds = 0;
    fal_status status = fal_study_numbers(study, "image_decays", &decays, &count);
    if (!status)
        status = read_setting(study, "image_repeats", &repeats);
    if (!status)
        status = fal_study_number(study, "image_seconds", &seconds);
    for (size_t s = 0; s < repeats && !status; s++)
        for (size_t d = 0; d < count && !status; d++) {
            fal_part part = {.kind = SONG_IMAGES,
                             .setting = d,
                             .seed = s,
                             .seconds = seconds,
                             .data = 1};
            fal_part_name(&part, "images-l%g-s%zu", decays[d], s);
            status = fal_parts_add(parts, &part);
        }
    return status;
}

/* ---- a run --------------------------------------------------------------- */

static fal_status make_model(images *m, uint64_t seed, const fal_dataset *data)
{
    char text[128];
    fal_device *device = NULL;
    fal_model_options options = FAL_MODEL_OPTIONS;
    options.seed = seed;
    options.weight_law = "normal:1";
    options.data = data;
    snprintf(text, sizeof text,
             "dense %zu nobias, relu, dense %zu nobias, scale %.9g", m->width,
             m->classes, 1 / sqrt((double)m->width));
    fal_status status = fal_study_device(m->study, &device);
    return status ? status : fal_model_create(&m->model, device, text, &options);
}

static fal_status make_trainer(images *m, uint64_t seed, double decay)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    size_t batch = 0;
    fal_status status = read_setting(m->study, "image_batch", &batch);
    if (!status)
        status = fal_study_number(m->study, "image_rate", &options.learning_rate);
    options.rule = "fa";
    options.optimizer = "sgd";
    options.momentum = 0;
    options.schedule = "constant";
    options.feedback_law = "normal:1";
    options.standardize = "none";
    options.batch = batch;
    options.feedback_seed = options.data_seed = seed;
    options.log_steps = UINT64_MAX;
    if (!status)
        status = fal_trainer_create(&m->trainer, m->model, &options);
    if (!status)
        status = fal_trainer_weight_decay(m->trainer, "dense2", decay);
    return status;
}

static fal_status make_room(images *m)
{
    size_t carried = m->width * m->classes, readings = m->epochs + 1;
    m->weights = fal_allocate(2 * carried, sizeof *m->weights);
    m->loss = fal_allocate(3 * readings, sizeof *m->loss);
    if (!m->weights || !m->loss)
        return FAL_ERROR_MEMORY;
    m->feedback = m->weights + carried;
    m->accuracy = m->loss + readings;
    m->cosine = m->accuracy + readings;
    return FAL_OK;
}

static fal_status read_now(images *m, double loss, double accuracy)
{
    size_t count = m->width * m->classes;
    fal_status status = fal_model_tensor(m->model, "dense2.weight", m->weights,
                                         count);
    m->loss[m->read] = loss;
    m->accuracy[m->read] = accuracy;
    m->cosine[m->read++] = fal_cosine(fal_inner_of(m->weights, m->feedback, count));
    return status;
}

static int on_progress(const fal_progress *progress, void *user)
{
    images *m = user;
    if (progress->event == FAL_EPOCH)
        m->status = read_now(m, progress->test_loss, progress->test_accuracy);
    return fal_study_on_progress(progress, m->study) || m->status;
}

static fal_status train(images *m, const fal_dataset *train,
                        const fal_dataset *test)
{
    fal_evaluation start = {.size = sizeof start};
    fal_status status = fal_model_evaluate(m->model, test, NULL, &start);
    if (!status)
        status = read_now(m, start.loss, start.accuracy);
    if (!status)
        status = fal_trainer_fit(m->trainer, train, test, m->epochs, on_progress,
                                 m);
    return m->status ? m->status : status;
}

static fal_status tell(const images *m, cJSON *result)
{
    const size_t last = m->read - 1;
    fal_status status = fal_result_numbers(result, "losses", m->loss, m->read);
    if (!status)
        status = fal_result_numbers(result, "accuracies", m->accuracy, m->read);
    if (!status)
        status = fal_result_numbers(result, "cosines", m->cosine, m->read);
    if (!status)
        status = fal_result_number(result, "accuracy", m->accuracy[last]);
    if (!status)
        status = fal_result_number(result, "final", m->cosine[last]);
    return status;
}

static fal_status open_images(images *m, const fal_part *part,
                              const fal_dataset *data)
{
    const double *decays;
    size_t count;
    fal_arrays arrays = FAL_ARRAYS;
    fal_status status = fal_study_numbers(m->study, "image_decays", &decays,
                                          &count);
    if (!status)
        status = read_setting(m->study, "image_units", &m->width);
    if (!status)
        status = read_setting(m->study, "image_epochs", &m->epochs);
    if (!status)
        status = fal_dataset_describe(data, &arrays);
    m->classes = arrays.classes;
    if (!status)
        status = make_room(m);
    if (!status)
        status = make_model(m, part->seed, data);
    if (!status)
        status = make_trainer(m, part->seed, decays[part->setting]);
    if (!status)
        status = fal_trainer_tensor(m->trainer, "dense2.feedback", m->feedback,
                                    m->width * m->classes);
    return status;
}

fal_status song_images_run(fal_study *study, const fal_part *part, cJSON *result)
{
    images m = {.study = study};
    const fal_dataset *data = NULL, *test = NULL;
    fal_status status = fal_study_dataset(study, FAL_SPLIT_TRAIN, &data);
    if (!status)
        status = fal_study_dataset(study, FAL_SPLIT_TEST, &test);
    if (!status)
        status = open_images(&m, part, data);
    if (!status)
        status = train(&m, data, test);
    if (!status)
        status = tell(&m, result);
    fal_trainer_destroy(m.trainer);
    fal_model_destroy(m.model);
    fal_release(m.weights);
    fal_release(m.loss);
    return status;
}

/* ---- conclusions --------------------------------------------------------- */

enum { MOST_DECAYS = 8 };

/* A line a decay of a list of the results, by epoch. */
static fal_status plot(fal_study *study, fal_findings *findings, const char *member,
                       fal_plot frame)
{
    char names[MOST_DECAYS][32];
    double *values[MOST_DECAYS] = {0}, *x = NULL;
    fal_series series[MOST_DECAYS];
    const double *decays;
    size_t count, most = 0, lines = 0;
    fal_status status = fal_study_numbers(study, "image_decays", &decays, &count);
    for (size_t d = 0; d < count && d < MOST_DECAYS && !status; d++) {
        fal_series *line = &series[lines++];
        snprintf(names[d], sizeof names[d], "λ = %g", decays[d]);
        *line = (fal_series){.name = names[d]};
        status = fal_study_lists(study, SONG_IMAGES, d, member, &values[d],
                                 &line->seeds, &line->count);
        line->y = values[d];
        most = line->count > most ? line->count : most;
    }
    x = status ? NULL : fal_allocate(most, sizeof *x);
    if (!status && !x)
        status = FAL_ERROR_MEMORY;
    for (size_t i = 0; i < most && x; i++)
        x[i] = (double)i;
    for (size_t d = 0; d < lines; d++)
        series[d].x = x;
    frame.series = series;
    frame.series_count = lines;
    if (!status)
        status = fal_findings_plot(findings, &frame);
    for (size_t d = 0; d < lines; d++)
        fal_release(values[d]);
    fal_release(x);
    return status;
}

static fal_status add_figures(fal_study *study, fal_findings *findings)
{
    static const char *const members[] = {"final", "accuracy"};
    const double *decays;
    size_t count;
    char name[64];
    fal_status status = fal_study_numbers(study, "image_decays", &decays, &count);
    for (size_t i = 0; i < 2 * count && !status; i++) {
        snprintf(name, sizeof name, "images-l%g-%s", decays[i / 2], members[i % 2]);
        status = fal_findings_collect(findings, study, name, SONG_IMAGES, i / 2,
                                      members[i % 2]);
    }
    return status;
}

fal_status song_images_conclude(fal_study *study, fal_findings *findings)
{
    fal_status status = add_figures(study, findings);
    if (!status)
        status = plot(study, findings, "cosines",
                      (fal_plot){.section = "Images",
                                 .title = "Alignment of the output weights",
                                 .caption = "Cosine of β and b of 784-1000-10 with "
                                            "ReLU, from one start for every λ.",
                                 .x_label = "epoch",
                                 .y_label = "cos(β, b)"});
    if (!status)
        status = plot(study, findings, "accuracies",
                      (fal_plot){.title = "Accuracy on the test set",
                                 .caption = "Of the same runs.",
                                 .x_label = "epoch",
                                 .y_label = "accuracy"});
    return status;
}
