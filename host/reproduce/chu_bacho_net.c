/* Small networks, trained on all samples at once by the ordinary trainer in float32;
 * where a point must be exact its field, in double, goes the last bit of the way. */
#include "reproduce/chu_bacho.h"
#include "data/random.h"
#include "device/error.h"
#include "device/memory.h"

#include <math.h>
#include <stdio.h>

/* Steps of an epoch: an end of an epoch waits for the device. */
enum { COPIES = 100 };

double chu_normal(uint64_t seed, uint32_t use, uint64_t index)
{
    return (double)fal_random_gaussian(seed, FAL_PURPOSE_TEACHER, use, 0, index, 1);
}

/* ---- the task ------------------------------------------------------------ */

/* The weight from input i, or the bias (i = inputs), to unit k. */
static double teacher_weight(const chu_task *task, size_t k, size_t i)
{
    const double angle = .3 + 2 * acos(-1) * (double)k / (double)task->hidden;
    if (task->radius == 0)
        return chu_normal(task->teacher, USE_TEACHER, k * (task->inputs + 1) + i);
    return i == 0 ? task->radius * cos(angle)
                  : (i == 1 ? task->radius * sin(angle) : 0);
}

/* From unit k to output o. */
static double teacher_output(const chu_task *task, size_t k, size_t o)
{
    const uint64_t place = (task->inputs + 1 + o) * task->hidden + k;
    if (task->radius == 0)
        return chu_normal(task->teacher, USE_TEACHER, place);
    return task->outputs == 1 || o % task->hidden == k;
}

/* Output o: sum_k V_ok tanh(w_k x + b_k). */
static double teach(const chu_task *task, const float *x, size_t o)
{
    double sum = 0;
    for (size_t k = 0; k < task->hidden; k++) {
        double a = teacher_weight(task, k, task->inputs);
        for (size_t i = 0; i < task->inputs; i++)
            a += teacher_weight(task, k, i) * (double)x[i];
        sum += tanh(a) * teacher_output(task, k, o);
    }
    return sum;
}

/* Sample r of the copies is r mod task->samples. */
static void fill(const chu_task *task, size_t count, float *inputs, float *targets)
{
    for (size_t r = 0; r < count; r++) {
        const size_t sample = r % task->samples;
        float *x = inputs + r * task->inputs;
        for (size_t i = 0; i < task->inputs; i++)
            x[i] = (float)chu_normal(task->teacher, USE_INPUTS,
                                     sample * task->inputs + i);
        for (size_t o = 0; o < task->outputs; o++)
            targets[r * task->outputs + o] =
                (float)(teach(task, x, o) +
                        task->noise * chu_normal(task->teacher, USE_NOISE,
                                                 sample * task->outputs + o));
    }
}

static fal_status make_samples(chu_net *net, const chu_task *task)
{
    const size_t count = task->samples * COPIES;
    float *inputs = fal_allocate(count * task->inputs, sizeof *inputs);
    float *targets = fal_allocate(count * task->outputs, sizeof *targets);
    fal_status status = inputs && targets ? FAL_OK : FAL_ERROR_MEMORY;
    fal_arrays arrays = FAL_ARRAYS;
    arrays.count = count;
    arrays.channels = task->inputs;
    arrays.inputs = inputs;
    arrays.targets = targets;
    arrays.outputs = task->outputs;
    if (!status) {
        fill(task, count, inputs, targets);
        status = fal_dataset_create(&net->copies, &arrays);
    }
    arrays.count = task->samples;
    if (!status)
        status = fal_dataset_create(&net->samples, &arrays);
    fal_release(inputs);
    fal_release(targets);
    return status;
}

/* ---- the network --------------------------------------------------------- */

fal_status chu_net_open(chu_net *net, fal_study *study, const chu_task *task,
                        uint64_t seed)
{
    fal_model_options options = FAL_MODEL_OPTIONS;
    fal_device *device;
    char text[128];
    *net = (chu_net){0};
    snprintf(text, sizeof text, "input %zu, dense %zu, tanh, dense %zu nobias",
             task->inputs, task->hidden, task->outputs);
    options.seed = seed;
    options.weight_law = "normal:0.5";
    fal_status status = fal_study_device(study, &device);
    if (!status)
        status = make_samples(net, task);
    if (!status)
        status = fal_model_create(&net->model, device, text, &options);
    if (!status)
        status = fal_model_standardize(net->model, net->samples, "none");
    return status;
}

static void drop_rule(chu_net *net)
{
    fal_trained_field_release(&net->trained);
    fal_trainer_destroy(net->trainer);
    net->trainer = NULL;
}

void chu_net_close(chu_net *net)
{
    drop_rule(net);
    fal_model_destroy(net->model);
    fal_dataset_destroy(net->samples);
    fal_dataset_destroy(net->copies);
    *net = (chu_net){0};
}

fal_status chu_net_rule(chu_net *net, const char *rule, uint64_t feedback_seed)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    fal_arrays facts = FAL_ARRAYS;
    drop_rule(net);
    fal_status status = fal_dataset_describe(net->samples, &facts);
    options.rule = rule;
    options.feedback_law = rule[0] == 'b' ? NULL : "fan-in";
    options.feedback_seed = feedback_seed;
    options.optimizer = "sgd";
    options.momentum = 0;
    options.learning_rate = net->rate;
    options.schedule = "constant";
    options.loss = "mse";
    options.standardize = "none";
    options.batch = facts.count;
    options.no_shuffle = 1;
    options.log_steps = UINT64_MAX;
    if (!status)
        status = fal_trainer_create(&net->trainer, net->model, &options);
    return status
               ? status
               : fal_trained_field_make(&net->trained, net->trainer, net->samples,
                                        FAL_FIXED_POINT_PARAMETERS);
}

/* ---- training ------------------------------------------------------------ */

/* Ten a decade. */
size_t chu_steps(uint64_t last, double *steps, size_t room)
{
    size_t count = 1;
    steps[0] = 0;
    for (int i = 0; count + 1 < room; i++) {
        const double step = floor(pow(10, i / 10.0));
        if (step >= (double)last)
            break;
        if (step > steps[count - 1])
            steps[count++] = step;
    }
    steps[count++] = (double)last;
    return count;
}

struct training {
    chu_net *net;
    fal_study *study;
    double from, to, steps[CHU_LOOKS];
    size_t next, count;
    chu_look look;
    void *user;
    fal_status status;
};

static void look_at(struct training *t, uint64_t step)
{
    if (t->look && t->next < t->count && (double)step == t->steps[t->next]) {
        t->next++;
        t->status = t->look(t->net, step, t->user);
    }
}

static int on_progress(const fal_progress *progress, void *user)
{
    struct training *t = user;
    const double done = (double)progress->step / t->steps[t->count - 1];
    if (progress->event != FAL_STEP)
        return 0;
    look_at(t, progress->step);
    if (progress->step % COPIES)
        return t->status != FAL_OK;
    fal_study_progress(t->study, t->from + done * (t->to - t->from));
    return t->status != FAL_OK || fal_study_stopped(t->study);
}

fal_status chu_net_train(chu_net *net, fal_study *study, uint64_t steps,
                         double from, double to, chu_look look, void *user)
{
    struct training t = {.net = net,
                         .study = study,
                         .from = from,
                         .to = to,
                         .look = look,
                         .user = user};
    t.count = chu_steps(steps, t.steps, CHU_LOOKS);
    look_at(&t, 0);
    if (t.status)
        return t.status;
    fal_status status = fal_trainer_fit(net->trainer, net->copies, NULL,
                                        (steps + COPIES - 1) / COPIES, on_progress,
                                        &t);
    return t.status ? t.status : status;
}

fal_status chu_net_polished(chu_net *net, fal_field_way way, double *theta)
{
    fal_status status = fal_trained_field_weights(&net->trained, net->model, theta);
    return status ? status
                  : fal_fixed_point_polish(&net->trained.field, way, theta, NULL);
}
