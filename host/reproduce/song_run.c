/* One network of two layers, trained by the library's trainer. Its random numbers, all
 * Philox (data/random.h): seed s draws w and beta as any model's weights, b as any
 * trainer's feedback, sample i as draw i of the samples, and for linear units theta of
 * y = x·theta as a teacher; the network that makes y for the others is a model with the
 * seed 2^32 + s. */
#include "analysis/alignment.h"
#include "analysis/tangent_kernel.h"
#include "data/random.h"
#include "device/memory.h"
#include "reproduce/song.h"

#include <math.h>
#include <stdio.h>

enum {
    LOG_READINGS = 24,
    EVEN_READINGS = 32,
    READINGS = LOG_READINGS + EVEN_READINGS + 1,
    MOST_STEPS = 250 /* between looks at the study */
};

static const uint64_t TEACHERS = (uint64_t)1 << 32;

typedef struct run {
    fal_study *study;
    const song_setting *setting;
    uint64_t seed;
    fal_device *device;
    char text[160];
    float *x, *y, *beta, *b;
    fal_dataset *data;
    fal_model *model;
    fal_trainer *trainer;
    uint64_t steps[READINGS];
    size_t readings, read;
    double loss[READINGS], cosine[READINGS]; /* the loss is the mean of e² */
    double at[READINGS];                     /* steps, as numbers */
} run;

/* ---- data ---------------------------------------------------------------- */

static void draw(uint64_t seed, uint32_t purpose, uint32_t number, float *values,
                 size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = fal_random_gaussian(seed, purpose, 0, number, i, 1);
}

static fal_status make_linear(run *r)
{
    const song_setting *s = r->setting;
    float *theta = fal_allocate(s->inputs, sizeof *theta);
    if (!theta)
        return FAL_ERROR_MEMORY;
    draw(r->seed, FAL_PURPOSE_TEACHER, 0, theta, s->inputs);
    for (size_t i = 0; i < s->samples; i++)
        r->y[i] = (float)fal_inner_of(r->x + i * s->inputs, theta, s->inputs).ab;
    fal_release(theta);
    return FAL_OK;
}

static fal_status make_model(const run *r, uint64_t seed, fal_model **model)
{
    fal_model_options options = FAL_MODEL_OPTIONS;
    options.seed = seed;
    options.weight_law = "normal:1";
    return fal_model_create(model, r->device, r->text, &options);
}

/* By another network of the same form. */
static fal_status make_taught(run *r)
{
    fal_model *teacher = NULL;
    fal_status status = make_model(r, TEACHERS + r->seed, &teacher);
    if (!status)
        status = fal_model_predict(teacher, r->x, FAL_FLOATS, r->setting->samples,
                                   r->y);
    fal_model_destroy(teacher);
    return status;
}

static fal_status make_data(run *r)
{
    const song_setting *s = r->setting;
    for (size_t i = 0; i < s->samples; i++)
        draw(r->seed, FAL_PURPOSE_SAMPLE, (uint32_t)i, r->x + i * s->inputs,
             s->inputs);
    fal_status status = s->network->phi == FAL_LINEAR ? make_linear(r)
                                                      : make_taught(r);
    fal_arrays arrays = FAL_ARRAYS;
    arrays.count = s->samples;
    arrays.channels = s->inputs;
    arrays.inputs = r->x;
    arrays.targets = r->y;
    arrays.outputs = 1;
    arrays.borrow = 1;
    return status ? status : fal_dataset_create(&r->data, &arrays);
}

/* ---- network ------------------------------------------------------------- */

static double scale_of(const song_setting *s)
{
    return 1 / sqrt((double)s->width);
}

/* The trainer's losses are halves: a step for the mean of e² is twice as long for its
 * half. The decay of a step, rate times decay, is the paper's. */
static fal_status make_trainer(run *r)
{
    static const char *const courses[] = {"constant", "cut", "linear"};
    const song_setting *s = r->setting;
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    double longer = s->network->summed ? 1 : 2;
    options.rule = "fa";
    options.optimizer = "sgd";
    options.loss = "mse";
    options.loss_reduction = s->network->summed ? "sum" : "mean";
    options.learning_rate = longer * s->rate;
    options.momentum = 0;
    options.schedule = "constant";
    options.feedback_law = "normal:1";
    options.standardize = "none";
    options.batch = s->samples;
    options.no_shuffle = 1;
    options.feedback_seed = r->seed;
    options.log_steps = UINT64_MAX;
    options.weight_decay_schedule = courses[s->course];
    options.weight_decay_steps = s->course == SONG_ALWAYS ? 0 : s->steps / 2;
    fal_status status = fal_trainer_create(&r->trainer, r->model, &options);
    return status
               ? status
               : fal_trainer_weight_decay(r->trainer, "dense2", s->decay / longer);
}

static fal_status open_run(run *r)
{
    const song_setting *s = r->setting;
    size_t numbers = s->samples * (s->inputs + 1) + 2 * s->width;
    snprintf(r->text, sizeof r->text,
             "input %zu, dense %zu nobias, %sdense 1 nobias, scale %.9g", s->inputs,
             s->width, s->network->layer, scale_of(s));
    r->x = fal_allocate(numbers, sizeof *r->x);
    if (!r->x)
        return FAL_ERROR_MEMORY;
    r->y = r->x + s->samples * s->inputs;
    r->beta = r->y + s->samples;
    r->b = r->beta + s->width;
    fal_status status = fal_study_device(r->study, &r->device);
    if (!status)
        status = make_data(r);
    if (!status)
        status = make_model(r, r->seed, &r->model);
    if (!status)
        status = make_trainer(r);
    if (!status)
        status = fal_trainer_tensor(r->trainer, "dense2.feedback", r->b, s->width);
    return status;
}

static void close_run(run *r)
{
    fal_trainer_destroy(r->trainer);
    fal_model_destroy(r->model);
    fal_dataset_destroy(r->data);
    fal_release(r->x);
}

/* ---- readings ------------------------------------------------------------ */

/* Close together at first, and evenly over all steps: each once, ascending. */
static void plan_readings(run *r)
{
    double last = (double)r->setting->steps;
    size_t fine = 0, even = 0;
    while (even <= EVEN_READINGS) {
        double a = fine < LOG_READINGS ? pow(last, fine / (double)LOG_READINGS)
                                       : last;
        double b = last * (double)even / EVEN_READINGS;
        uint64_t next = (uint64_t)round(a < b ? a : b);
        fine += a <= b;
        even += b <= a;
        if (r->readings == 0 || next > r->steps[r->readings - 1])
            r->steps[r->readings++] = next;
    }
}

static fal_status read_now(run *r)
{
    size_t width = r->setting->width;
    fal_evaluation found = {.size = sizeof found};
    fal_status status = fal_model_evaluate(r->model, r->data, "mse", &found);
    if (!status)
        status = fal_model_tensor(r->model, "dense2.weight", r->beta, width);
    if (status)
        return status;
    r->at[r->read] = (double)r->steps[r->read];
    r->loss[r->read] = 2 * found.loss;
    r->cosine[r->read++] = fal_cosine(fal_inner_of(r->beta, r->b, width));
    return FAL_OK;
}

/* Each epoch is a step: all samples are one batch. */
static fal_status train_until(run *r, uint64_t *done, uint64_t step)
{
    fal_status status = FAL_OK;
    while (*done < step && !status) {
        uint64_t steps = step - *done < MOST_STEPS ? step - *done : MOST_STEPS;
        status = fal_trainer_fit(r->trainer, r->data, NULL, steps, NULL, NULL);
        *done += steps;
        fal_study_progress(r->study, (double)*done / (double)r->setting->steps);
        if (!status && fal_study_stopped(r->study))
            return FAL_STOPPED;
    }
    return status;
}

static fal_status train(run *r)
{
    uint64_t done = 0;
    fal_status status = FAL_OK;
    plan_readings(r);
    for (size_t i = 0; i < r->readings && !status; i++) {
        status = train_until(r, &done, r->steps[i]);
        if (!status)
            status = read_now(r);
    }
    return status;
}

/* ---- what comes of it ---------------------------------------------------- */

/* How fast the loss falls at last, a step: over the later half of the steps in which it
 * is above 1e-9 of its start and ten times its end. Further down float32 stands still:
 * steps are less than half a unit in the last place of weights of size 1. */
static double late_rate(const run *r)
{
    size_t end = r->readings - 1, begin = 0;
    double least = fmax(1e-9 * r->loss[0], 10 * r->loss[end]);
    while (end > 0 && !(r->loss[end] > least))
        end--;
    while (begin < end && r->at[begin] < r->at[end] / 2)
        begin++;
    return begin < end
               ? log(r->loss[begin] / r->loss[end]) / (r->at[end] - r->at[begin])
               : NAN;
}

/* The step of the summed loss, half the sum of e². */
static double summed_rate(const song_setting *s)
{
    return s->network->summed ? s->rate : 2 * s->rate / (double)s->samples;
}

/* What the kernel of the start foretells: by all of it, and by its share of beta alone. */
static fal_status foretell(const run *r, const float *w, cJSON *result)
{
    const song_setting *s = r->setting;
    fal_two_layers net = {.inputs = s->inputs,
                          .units = s->width,
                          .activation = {s->network->phi, 0},
                          .scale = scale_of(s),
                          .w = w,
                          .beta = r->beta,
                          .b = r->b};
    fal_tangent_extremes found;
    fal_status status = fal_tangent_extremes_of(&net, r->x, s->samples, &found);
    double twice = 2 * summed_rate(s);
    if (!status)
        status = fal_result_number(result, "foretold", twice * found.least);
    if (!status)
        status = fal_result_number(result, "foretold_output",
                                   twice * found.output_least);
    return status;
}

static fal_status foretell_start(run *r, cJSON *result)
{
    const song_setting *s = r->setting;
    size_t count = s->width * s->inputs;
    float *w = fal_allocate(count, sizeof *w);
    if (!w)
        return FAL_ERROR_MEMORY;
    fal_status status = fal_model_tensor(r->model, "dense1.weight", w, count);
    if (!status)
        status = fal_model_tensor(r->model, "dense2.weight", r->beta, s->width);
    if (!status)
        status = foretell(r, w, result);
    fal_release(w);
    return status;
}

/* The cosine when half the steps were done. */
static double middle(const run *r)
{
    size_t i = 0;
    while (i + 1 < r->read && r->at[i] < r->at[r->read - 1] / 2)
        i++;
    return r->cosine[i];
}

static fal_status tell(const run *r, cJSON *result)
{
    size_t last = r->read - 1;
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"final", r->cosine[last]},
                   {"gain", r->cosine[last] - r->cosine[0]},
                   {"kept", r->cosine[last] / middle(r)},
                   {"loss", r->loss[last] / r->loss[0]},
                   {"rate", late_rate(r)}};
    fal_status status = fal_result_numbers(result, "steps", r->at, r->read);
    if (!status)
        status = fal_result_numbers(result, "losses", r->loss, r->read);
    if (!status)
        status = fal_result_numbers(result, "cosines", r->cosine, r->read);
    for (size_t i = 0; i < 5 && !status; i++)
        status = fal_result_number(result, numbers[i].name, numbers[i].value);
    return status;
}

fal_status song_run(fal_study *study, const song_setting *setting, uint64_t seed,
                    cJSON *result)
{
    run r = {.study = study, .setting = setting, .seed = seed};
    fal_status status = open_run(&r);
    if (!status)
        status = foretell_start(&r, result);
    if (!status)
        status = train(&r);
    if (!status)
        status = tell(&r, result);
    close_run(&r);
    return status;
}
