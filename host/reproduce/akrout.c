/* Akrout, Wilson, Humphreys, Lillicrap & Tweed 2019: one hidden layer of sigmoids by
 * backpropagation, feedback alignment, the rule of Kolen and Pollack, and the weight
 * mirror: by what angle the hidden layer's delta misses the true one, and what the
 * network learns. */
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/experiment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double DEGREES = 57.29577951308232;

/* Of the last epochs the mean accuracy counts: one epoch's swings. */
enum { LAST_EPOCHS = 3, MOST_RULES = 8 };

/* Among the rules of the settings. */
enum { FIXED = 1 };

/* ---- settings ------------------------------------------------------------ */

typedef struct setting {
    const char *rule;
    double rate, units, epochs, batch;
    double soon;      /* epochs, after which angles are looked at too */
    double decay_sum; /* kp: of rate times weight decay over all steps */
    double mirror;    /* wm: rate and decay of the mirror */
} setting;

static fal_status read_rule(fal_study *study, size_t index, setting *s)
{
    const char *const *rules;
    const double *rates;
    size_t count, rate_count = 0;
    fal_status status = fal_study_texts(study, "rules", &rules, &count);
    if (!status)
        status = fal_study_numbers(study, "rates", &rates, &rate_count);
    if (!status && rate_count != count)
        status = fal_fail(FAL_ERROR_FORMAT, "akrout: rates are for each of rules");
    if (status)
        return status;
    s->rule = rules[index];
    s->rate = rates[index];
    return FAL_OK;
}

static fal_status read_setting(fal_study *study, size_t index, setting *s)
{
    const struct {
        const char *name;
        double *value;
    } numbers[] = {{"units", &s->units},         {"epochs", &s->epochs},
                   {"batch", &s->batch},         {"soon", &s->soon},
                   {"decay_sum", &s->decay_sum}, {"mirror", &s->mirror}};
    fal_status status = read_rule(study, index, s);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !status; i++)
        status = fal_study_number(study, numbers[i].name, numbers[i].value);
    return status;
}

static fal_status list(fal_study *study, fal_parts *parts)
{
    const char *const *rules;
    size_t count;
    double seconds = 0, epochs = 0;
    fal_status status = fal_study_texts(study, "rules", &rules, &count);
    if (!status)
        status = fal_study_number(study, "seconds", &seconds);
    if (!status)
        status = fal_study_number(study, "epochs", &epochs);
    for (size_t r = count; r-- > 0 && !status;) /* the mirror takes longest */
        for (uint64_t s = 0; s < fal_study_seeds(study) && !status; s++) {
            fal_part part = {.setting = r, .seed = s, .data = 1};
            part.seconds = seconds * epochs;
            fal_part_name(&part, "%s-s%d", rules[r], (int)s);
            status = fal_parts_add(parts, &part);
        }
    return status;
}

/* ---- a run --------------------------------------------------------------- */

typedef struct run {
    fal_study *study;
    setting setting;
    fal_model *model;
    fal_trainer *trainer;
    size_t epochs;
    double *angles, *weights; /* in degrees, before each epoch and at the end */
    double *accuracies;       /* behind each epoch */
    size_t angle_count, weight_count, accuracy_count;
} run;

static double degrees(double cosine)
{
    return DEGREES * acos(fmin(fmax(cosine, -1), 1));
}

static int on_metric(const fal_metric *metric, void *user)
{
    run *r = user;
    int is_delta = strcmp(metric->name, "gradient_alignment") == 0 &&
                   strcmp(metric->layer, "dense1") == 0;
    int is_weight = strcmp(metric->name, "weight_alignment") == 0 &&
                    strcmp(metric->layer, "dense2") == 0;
    if (is_delta && r->angle_count <= r->epochs)
        r->angles[r->angle_count++] = degrees(metric->value);
    if (is_weight && r->weight_count <= r->epochs)
        r->weights[r->weight_count++] = degrees(metric->value);
    return 0;
}

static int on_progress(const fal_progress *progress, void *user)
{
    run *r = user;
    if (progress->event == FAL_EPOCH && r->accuracy_count < r->epochs)
        r->accuracies[r->accuracy_count++] = progress->test_accuracy;
    return fal_study_on_progress(progress, r->study);
}

static fal_status make_model(run *r, uint64_t seed, const fal_dataset *data)
{
    char text[96];
    fal_device *device = NULL;
    fal_arrays arrays = FAL_ARRAYS;
    fal_model_options options = FAL_MODEL_OPTIONS;
    fal_status status = fal_dataset_describe(data, &arrays);
    options.seed = seed;
    options.data = data;
    snprintf(text, sizeof text, "dense %zu, sigmoid, dense %zu",
             (size_t)r->setting.units, arrays.classes);
    if (!status)
        status = fal_study_device(r->study, &device);
    return status ? status : fal_model_create(&r->model, device, text, &options);
}

/* The decay that takes feedback to the weights by the end of the run. */
static double decay_of(const setting *s, size_t samples)
{
    double steps = s->epochs * ceil((double)samples / s->batch);
    return strcmp(s->rule, "kp") == 0 ? s->decay_sum / (s->rate * steps) : 0;
}

static fal_status make_trainer(run *r, uint64_t seed, const fal_dataset *data)
{
    const setting *s = &r->setting;
    fal_arrays arrays = FAL_ARRAYS;
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    fal_status status = fal_dataset_describe(data, &arrays);
    options.rule = s->rule;
    options.optimizer = "sgd";
    options.momentum = 0;
    options.schedule = "constant";
    options.learning_rate = s->rate;
    options.weight_decay = decay_of(s, arrays.count);
    options.batch = (size_t)s->batch;
    options.feedback_seed = options.data_seed = options.noise_seed = seed;
    options.measure_epochs = 1;
    options.log_steps = UINT64_MAX;
    if (strcmp(s->rule, "wm") == 0)
        options.mirror_rate = options.mirror_decay = s->mirror;
    if (!status)
        status = fal_trainer_create(&r->trainer, r->model, &options);
    return status ? status : fal_trainer_on_metric(r->trainer, on_metric, r);
}

static fal_status make_room(run *r)
{
    r->epochs = (size_t)r->setting.epochs;
    r->angles = fal_allocate(3 * (r->epochs + 1), sizeof *r->angles);
    if (!r->angles)
        return FAL_ERROR_MEMORY;
    r->weights = r->angles + r->epochs + 1;
    r->accuracies = r->weights + r->epochs + 1;
    return FAL_OK;
}

static double mean_of_last(const double *values, size_t count)
{
    size_t first = count > LAST_EPOCHS ? count - LAST_EPOCHS : 0;
    double sum = 0;
    for (size_t i = first; i < count; i++)
        sum += values[i];
    return sum / (double)(count - first);
}

static fal_status tell(const run *r, cJSON *result)
{
    if (r->angle_count == 0 || r->weight_count < r->angle_count)
        return fal_fail(FAL_ERROR_FORMAT, "akrout: no angles were measured");
    size_t last = r->angle_count - 1, soon = (size_t)r->setting.soon;
    fal_status status = fal_result_numbers(result, "angles", r->angles,
                                           r->angle_count);
    if (!status)
        status = fal_result_numbers(result, "weights", r->weights, r->weight_count);
    if (!status)
        status = fal_result_numbers(result, "accuracies", r->accuracies,
                                    r->accuracy_count);
    if (!status)
        status = fal_result_number(result, "soon",
                                   r->angles[soon < last ? soon : last]);
    if (!status)
        status = fal_result_number(result, "angle", r->angles[last]);
    if (!status)
        status = fal_result_number(result, "weight", r->weights[last]);
    return status ? status
                  : fal_result_number(
                        result, "accuracy",
                        100 * mean_of_last(r->accuracies, r->accuracy_count));
}

static fal_status open_and_train(run *r, const fal_part *part)
{
    const fal_dataset *train = NULL, *test = NULL;
    fal_status status = fal_study_dataset(r->study, FAL_SPLIT_TRAIN, &train);
    if (!status)
        status = fal_study_dataset(r->study, FAL_SPLIT_TEST, &test);
    if (!status)
        status = make_room(r);
    if (!status)
        status = make_model(r, part->seed + 1, train);
    if (!status)
        status = make_trainer(r, part->seed + 1, train);
    return status ? status
                  : fal_trainer_fit(r->trainer, train, test, r->epochs, on_progress,
                                    r);
}

static fal_status run_part(fal_study *study, const fal_part *part, cJSON *result)
{
    run r = {.study = study};
    fal_status status = read_setting(study, part->setting, &r.setting);
    if (!status)
        status = open_and_train(&r, part);
    if (!status)
        status = tell(&r, result);
    fal_trainer_destroy(r.trainer);
    fal_model_destroy(r.model);
    fal_release(r.angles);
    return status;
}

/* ---- conclusions --------------------------------------------------------- */

static fal_status add_figures(fal_study *study, fal_findings *findings)
{
    static const char *const members[] = {"soon", "angle", "weight", "accuracy"};
    const char *const *rules;
    size_t count;
    fal_status status = fal_study_texts(study, "rules", &rules, &count);
    for (size_t i = 0; i < 4 * count && !status; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s-%s", rules[i / 4], members[i % 4]);
        status = fal_findings_collect(findings, study, name, 0, i / 4,
                                      members[i % 4]);
    }
    return status;
}

/* By how many points of accuracy a rule leads the second, fixed feedback, from the same
 * start. */
static fal_status add_lead(fal_study *study, fal_findings *findings,
                           const char *rule, size_t index)
{
    char name[64];
    double *own = NULL, *fixed = NULL;
    size_t count = 0, others = 0;
    fal_status status = fal_study_values(study, 0, index, "accuracy", &own, &count);
    if (!status)
        status = fal_study_values(study, 0, FIXED, "accuracy", &fixed, &others);
    for (size_t s = 0; s < count && s < others && !status; s++)
        own[s] -= fixed[s];
    snprintf(name, sizeof name, "%s-lead", rule);
    if (!status)
        status = fal_findings_figure(findings, name, own, count);
    fal_release(own);
    fal_release(fixed);
    return status;
}

static fal_status add_leads(fal_study *study, fal_findings *findings)
{
    const char *const *rules;
    size_t count;
    fal_status status = fal_study_texts(study, "rules", &rules, &count);
    for (size_t r = 0; r < count && !status; r++)
        if (r != FIXED)
            status = add_lead(study, findings, rules[r], r);
    return status;
}

/* A line a rule of a list of the results, by epoch, of which the first reading is
 * number `first`. */
static fal_status plot(fal_study *study, fal_findings *findings, const char *member,
                       double first, fal_plot frame)
{
    double *values[MOST_RULES] = {0}, *x = NULL;
    fal_series series[MOST_RULES];
    const char *const *rules;
    size_t count, most = 0, lines = 0;
    fal_status status = fal_study_texts(study, "rules", &rules, &count);
    for (; lines < count && lines < MOST_RULES && !status; lines++) {
        fal_series *line = &series[lines];
        *line = (fal_series){.name = rules[lines]};
        status = fal_study_lists(study, 0, lines, member, &values[lines],
                                 &line->seeds, &line->count);
        line->y = values[lines];
        most = line->count > most ? line->count : most;
    }
    x = status ? NULL : fal_allocate(most, sizeof *x);
    if (!status && !x)
        status = FAL_ERROR_MEMORY;
    for (size_t i = 0; i < most && x; i++)
        x[i] = first + (double)i;
    for (size_t l = 0; l < lines; l++)
        series[l].x = x;
    frame.x_label = "epoch";
    frame.series = series;
    frame.series_count = lines;
    if (!status)
        status = fal_findings_plot(findings, &frame);
    for (size_t l = 0; l < lines; l++)
        fal_release(values[l]);
    fal_release(x);
    return status;
}

static fal_status conclude(fal_study *study, fal_findings *findings)
{
    fal_status status = add_figures(study, findings);
    if (!status)
        status = add_leads(study, findings);
    if (!status)
        status = plot(
            study, findings, "angles", 0,
            (fal_plot){.section = "One hidden layer of sigmoids",
                       .title = "Angle of the hidden layer's delta",
                       .caption = "Between the rule's delta and that of "
                                  "backpropagation: the angle of the mean "
                                  "cosine over the next batch. The mirror "
                                  "has learned for the length of an epoch "
                                  "before the first.",
                       .y_label = "degrees"});
    if (!status)
        status = plot(
            study, findings, "weights", 0,
            (fal_plot){.title = "Angle of weights and feedback",
                       .caption = "Of the output layer, the only one that "
                                  "hands its error down.",
                       .y_label = "degrees"});
    if (!status)
        status = plot(study, findings, "accuracies", 1,
                      (fal_plot){.title = "Accuracy on the test set",
                                 .caption = "Of the same runs.",
                                 .y_label = "accuracy"});
    return status;
}

const fal_experiment fal_experiment_akrout = {.name = "akrout",
                                              .list = list,
                                              .run = run_part,
                                              .conclude = conclude,
                                              .on_device = 1};
