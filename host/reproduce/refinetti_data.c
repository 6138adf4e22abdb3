/* Align, then memorise, on targets that no network can generalise from: y is drawn
 * independently of x, y ~ N(0, [[1, a(1-b)], [a(1-b), a^2]]), so that only their
 * covariance can align anything. 31 fixed batches of 32, drawn once and never
 * reshuffled; two hidden layers of 100 under dfa, no biases; sgd on the summed
 * squared error, without the half. */
#include "data/random.h"
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/curves.h"
#include "reproduce/refinetti.h"
#include "reproduce/watch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { INPUTS = 9, OUTPUTS = 2, BATCH = 32, BATCHES = 31, POINTS = 60 };
enum { SAMPLES = BATCH * BATCHES };

/* The numbers of 2 half sums of squares, of which the trainer learns one. */
static const double rate = 2e-3;

/* ---- settings ------------------------------------------------------------ */

/* One index of four lists in experiment.yaml. */
typedef struct setting {
    const char *activation;
    double a, b;
    uint64_t epochs;
} setting;

static fal_status read_number(fal_study *study, const char *name, size_t index,
                              double *value)
{
    const double *values;
    size_t count;
    fal_status status = fal_study_numbers(study, name, &values, &count);
    if (!status && index >= count)
        status = fal_fail(FAL_ERROR_FORMAT,
                          "setting '%s': it needs a number for each of "
                          "'data-activations'",
                          name);
    if (!status)
        *value = values[index];
    return status;
}

static fal_status count_settings(fal_study *study, size_t *count)
{
    const char *const *activations;
    return fal_study_texts(study, "data-activations", &activations, count);
}

static fal_status read_setting(fal_study *study, size_t index, setting *s)
{
    const char *const *activations;
    double epochs = 0;
    size_t count;
    fal_status status = fal_study_texts(study, "data-activations", &activations,
                                        &count);
    if (!status)
        status = read_number(study, "data-a", index, &s->a);
    if (!status)
        status = read_number(study, "data-b", index, &s->b);
    if (!status)
        status = read_number(study, "data-epochs", index, &epochs);
    if (status)
        return status;
    s->activation = activations[index];
    s->epochs = (uint64_t)epochs;
    return FAL_OK;
}

static fal_status list_parts(fal_study *study, fal_parts *parts)
{
    size_t count = 0;
    fal_status status = count_settings(study, &count);
    for (size_t i = 0; i < count && !status; i++) {
        setting s;
        status = read_setting(study, i, &s);
        for (uint64_t seed = 0; seed < fal_refinetti_seeds(study) && !status;
             seed++) {
            fal_part part = {.kind = FAL_REFINETTI_DATA,
                             .setting = i,
                             .seed = seed,
                             .seconds = 1.7e-3 * (double)s.epochs};
            fal_part_name(&part, "data-%zu-%s-seed-%d", i, s.activation, (int)seed);
            status = fal_parts_add(parts, &part);
        }
    }
    return status;
}

/* ---- data ---------------------------------------------------------------- */

/* Correlation 1 - b, deviations 1 and a. */
static void draw(const setting *s, uint64_t seed, float *x, float *y)
{
    double shared = 1 - s->b, own = sqrt(1 - shared * shared);
    for (size_t i = 0; i < SAMPLES * INPUTS; i++)
        x[i] = fal_random_gaussian(seed, FAL_PURPOSE_SAMPLE, 0, 0, i, 1);
    for (size_t i = 0; i < SAMPLES * OUTPUTS; i++)
        y[i] = fal_random_gaussian(seed, FAL_PURPOSE_TEACHER, 0, 0, i, 1);
    for (size_t r = 0; r < SAMPLES; r++) {
        float *row = y + r * OUTPUTS;
        row[1] = (float)(s->a * (shared * (double)row[0] + own * (double)row[1]));
    }
}

static fal_status make_data(const setting *s, uint64_t seed, fal_dataset **data)
{
    float *x = fal_allocate(SAMPLES * INPUTS, sizeof *x);
    float *y = fal_allocate(SAMPLES * OUTPUTS, sizeof *y);
    fal_arrays arrays = FAL_ARRAYS;
    fal_status status = x && y ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status) {
        draw(s, seed, x, y);
        arrays.count = SAMPLES;
        arrays.channels = INPUTS;
        arrays.inputs = x;
        arrays.targets = y;
        arrays.outputs = OUTPUTS;
        status = fal_dataset_create(data, &arrays);
    }
    fal_release(x);
    fal_release(y);
    return status;
}

/* ---- a run --------------------------------------------------------------- */

static fal_status make_model(fal_study *study, const setting *s, uint64_t seed,
                             fal_model **model)
{
    char text[160];
    fal_device *device;
    fal_model_options options = FAL_MODEL_OPTIONS;
    options.seed = seed;
    snprintf(text, sizeof text,
             "input 9, dense 100 nobias, %s, dense 100 nobias, %s, dense 2 nobias",
             s->activation, s->activation);
    fal_status status = fal_study_device(study, &device);
    return status ? status : fal_model_create(model, device, text, &options);
}

static fal_status make_trainer(fal_model *model, uint64_t seed,
                               fal_trainer **trainer)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = "dfa"; /* B from [-1, 1)/sqrt(100), by default */
    options.optimizer = "sgd";
    options.momentum = 0;
    options.loss = "mse";
    options.learning_rate = rate;
    options.loss_reduction = "sum";
    options.schedule = "constant";
    options.standardize = "none";
    options.batch = BATCH;
    options.no_shuffle = 1;
    options.feedback_seed = seed;
    options.log_steps = UINT64_MAX;
    return fal_trainer_create(trainer, model, &options);
}

/* Where the curve is highest, and how far it falls from there to its end. */
static fal_status add_peak(cJSON *result, const fal_watch *watch)
{
    const double *curve = fal_watch_values(watch, "weight_alignment.dense2");
    size_t best = 0, last = watch->count - 1;
    for (size_t i = 0; i < watch->count && curve; i++)
        if (curve[i] > curve[best])
            best = i;
    double peak = curve ? curve[best] : NAN, end = curve ? curve[last] : NAN;
    fal_status status = fal_result_number(result, "peak", peak);
    if (!status)
        status = fal_result_number(result, "fall", peak - end);
    if (!status)
        status = fal_result_number(result, "peak-epoch",
                                   (double)watch->steps[best] / BATCHES);
    return status;
}

static fal_status add_results(cJSON *result, const fal_watch *watch)
{
    const double *curve = fal_watch_values(watch, "gradient_alignment.total");
    fal_status status = fal_watch_result(watch, result);
    if (!status)
        status = fal_result_number(result, "gradient-alignment",
                                   curve ? curve[watch->count - 1] : NAN);
    return status ? status : add_peak(result, watch);
}

static fal_status train(fal_study *study, const setting *s, fal_trainer *trainer,
                        const fal_dataset *data, cJSON *result)
{
    static const char *const metrics[] = {"weight_alignment", "gradient_alignment",
                                          NULL};
    fal_watch watch = {.study = study,
                       .trainer = trainer,
                       .batch = {.size = sizeof watch.batch},
                       .metrics = metrics,
                       .share = 1};
    uint64_t *steps = fal_watch_steps(BATCHES * s->epochs, POINTS, &watch.count);
    watch.steps = steps;
    fal_status status = steps ? fal_dataset_describe(data, &watch.batch)
                              : FAL_ERROR_MEMORY;
    watch.batch.count = BATCH; /* the first */
    if (!status)
        status = fal_watch_fit(&watch, data, NULL, s->epochs);
    if (!status)
        status = add_results(result, &watch);
    fal_watch_release(&watch);
    fal_release(steps);
    return status;
}

static fal_status run_part(fal_study *study, const fal_part *part, cJSON *result)
{
    setting s;
    uint64_t seed = part->seed + 1;
    fal_dataset *data = NULL;
    fal_model *model = NULL;
    fal_trainer *trainer = NULL;
    fal_status status = read_setting(study, part->setting, &s);
    if (!status)
        status = make_data(&s, seed, &data);
    if (!status)
        status = make_model(study, &s, seed, &model);
    if (!status)
        status = make_trainer(model, seed, &trainer);
    if (!status)
        status = train(study, &s, trainer, data, result);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    return status;
}

/* ---- conclusions --------------------------------------------------------- */

static fal_status add_figures(fal_study *study, fal_findings *findings, size_t i,
                              const setting *s)
{
    static const char *const members[] = {"gradient-alignment", "peak", "fall",
                                          "peak-epoch"};
    char name[96];
    fal_status status = FAL_OK;
    for (size_t m = 0; m < sizeof members / sizeof *members && !status; m++) {
        snprintf(name, sizeof name, "data.%s.a%g-b%g.%s", s->activation, s->a, s->b,
                 members[m]);
        status = fal_findings_collect(findings, study, name, FAL_REFINETTI_DATA, i,
                                      members[m]);
    }
    return status;
}

/* The epochs of a setting's curves; for fal_release. */
static double *epochs_of(const setting *s, size_t *count)
{
    uint64_t *steps = fal_watch_steps(BATCHES * s->epochs, POINTS, count);
    double *epochs = steps ? fal_allocate(*count, sizeof *epochs) : NULL;
    for (size_t i = 0; i < *count && epochs; i++)
        epochs[i] = (double)steps[i] / BATCHES;
    fal_release(steps);
    return epochs;
}

static fal_status plot(fal_study *study, fal_findings *findings, size_t settings,
                       const char *member, fal_plot look)
{
    fal_curves curves = {0};
    double *epochs[FAL_CURVES] = {NULL};
    for (size_t i = 0; i < settings && i < FAL_CURVES && !curves.status; i++) {
        setting s;
        size_t count = 0;
        curves.status = read_setting(study, i, &s);
        if (curves.status)
            break;
        epochs[i] = epochs_of(&s, &count);
        if (!epochs[i])
            curves.status = FAL_ERROR_MEMORY;
        fal_curves_add(&curves, study, FAL_REFINETTI_DATA, i, member, epochs[i],
                       count, "%s, a = %g, b = %g", s.activation, s.a, s.b);
    }
    fal_status status = fal_curves_plot(&curves, findings, look);
    for (size_t i = 0; i < FAL_CURVES; i++)
        fal_release(epochs[i]);
    return status;
}

static fal_status plot_both(fal_study *study, fal_findings *findings, size_t count)
{
    fal_plot look = {
        .section = "Align, then memorise: targets drawn at random",
        .title = "Weight alignment",
        .caption = "Cosine of dense2's W with B_1^T B_2. It rises first, and falls "
                   "while the targets are learnt by heart.",
        .x_label = "epoch",
        .y_label = "weight_alignment.dense2",
        .log_x = 1};
    fal_status status = plot(study, findings, count, "weight_alignment.dense2",
                             look);
    look.section = NULL;
    look.title = "Gradient alignment";
    look.caption =
        "Cosine of the hidden deltas of dfa with those of backpropagation "
        "on the first batch: the less the second target weighs (a) and "
        "the more it follows the first (small b), the worse conditioned "
        "the targets are.";
    look.y_label = "gradient_alignment.total";
    return status ? status
                  : plot(study, findings, count, "gradient_alignment.total", look);
}

static fal_status conclude(fal_study *study, fal_findings *findings)
{
    size_t count = 0;
    fal_status status = count_settings(study, &count);
    for (size_t i = 0; i < count && !status; i++) {
        setting s;
        status = read_setting(study, i, &s);
        if (!status)
            status = add_figures(study, findings, i, &s);
    }
    return status ? status : plot_both(study, findings, count);
}

const fal_refinetti_chapter fal_refinetti_data = {list_parts, run_part, conclude};
