/* From a minimum of the loss, where backpropagation came to rest, with fresh feedback: the
 * unstable directions there, and the way that feedback alignment takes from a point
 * close by. The setting of a part says how many signs are wrong at the minimum. */
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/chu_bacho.h"

#include <math.h>
#include <string.h>

enum { CURVES = 6, MOST = 256 };

static const char *const curve_names[CURVES] = {"update_norm",   "gradient_norm",
                                                "curve_loss",    "cosine",
                                                "weight_cosine", "opposed_units"};

struct escape {
    double minimum[MOST]; /* theta */
    double farthest;      /* from there, as a share of its norm */
    double steps[CHU_LOOKS], curves[CURVES][CHU_LOOKS];
    size_t points;
};

/* ---- on the way ---------------------------------------------------------- */

static double norm_of(const double *a, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * a[i];
    return sqrt(sum);
}

static double inner(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Output weights and their feedback, by unit. */
static size_t opposed(const chu_net *net, const double *theta, double *cosine)
{
    const fal_field_layer *output = fal_field_weights(&net->trained.field, 2);
    const double *v = theta + output->place, *b = output->carrier;
    const size_t n = output->inputs;
    size_t count = 0;
    for (size_t k = 0; k < n; k++)
        count += b[k] * v[k] < 0;
    *cosine = inner(v, b, n) / (norm_of(v, n) * norm_of(b, n));
    return count;
}

static fal_status look(chu_net *net, uint64_t step, void *user)
{
    struct escape *e = user;
    const size_t n = net->trained.field.parameters, at = e->points++;
    double theta[MOST], u[MOST], descent[MOST], away[MOST];
    fal_status status = fal_trained_field_weights(&net->trained, net->model, theta);
    if (status)
        return status;
    fal_field_update(&net->trained.field, theta, FAL_FIELD_TRUE, descent);
    e->steps[at] = (double)step;
    e->curves[2][at] = fal_field_update(&net->trained.field, theta, FAL_FIELD_RULE,
                                        u);
    e->curves[0][at] = norm_of(u, n);
    e->curves[1][at] = norm_of(descent, n);
    e->curves[3][at] = inner(u, descent, n) / (e->curves[0][at] * e->curves[1][at]);
    e->curves[5][at] = (double)opposed(net, theta, &e->curves[4][at]);
    for (size_t i = 0; i < n; i++)
        away[i] = theta[i] - e->minimum[i];
    e->farthest = fmax(e->farthest, norm_of(away, n) / norm_of(e->minimum, n));
    return FAL_OK;
}

/* ---- at the two ends ----------------------------------------------------- */

/* NAME_least, NAME_largest, … of the point that theta is, under these endings. */
static fal_status add_point(cJSON *result, const fal_fixed_point *point,
                            const char *const names[7])
{
    const fal_spectrum *j = &point->jacobian, *q = &point->stability;
    const double values[] = {point->loss, (double)j->positive,
                             fal_fixed_point_is_counted(point)
                                 ? (double)(point->unit_inputs * point->opposed)
                                 : NAN,
                             point->along, (double)q->negative};
    fal_status status = FAL_OK;
    for (size_t i = 0; i < 5 && !status; i++)
        status = fal_result_number(result, names[i], values[i]);
    if (!status)
        status = fal_result_numbers(result, names[5], j->real, j->side);
    return status ? status : fal_result_numbers(result, names[6], q->real, q->side);
}

static const char *const start_names[7] = {
    "start_loss",       "start_unstable",    "start_expected", "start_cosine",
    "start_q_negative", "start_eigenvalues", "start_q"};
static const char *const end_names[7] = {
    "end_loss",       "end_unstable",    "end_expected", "end_cosine",
    "end_q_negative", "end_eigenvalues", "end_q"};

static fal_status analyze(chu_net *net, const double *theta, cJSON *result,
                          const char *const names[7])
{
    fal_fixed_point point;
    fal_status status = fal_fixed_point_find(&point, &net->trained.field, theta);
    if (status)
        return status;
    status = add_point(result, &point, names);
    fal_fixed_point_release(&point);
    return status;
}

/* ---- a part -------------------------------------------------------------- */

static fal_status read_task(fal_study *study, chu_task *task)
{
    double numbers[6];
    static const char *const names[] = {"samples", "inputs",  "hidden",
                                        "noise",   "teacher", "radius"};
    fal_status status = FAL_OK;
    for (size_t i = 0; i < 6 && !status; i++)
        status = fal_study_number(study, names[i], &numbers[i]);
    if (!status)
        *task = (chu_task){.samples = (size_t)numbers[0],
                           .inputs = (size_t)numbers[1],
                           .hidden = (size_t)numbers[2],
                           .outputs = 1,
                           .noise = numbers[3],
                           .teacher = (uint64_t)numbers[4],
                           .radius = numbers[5]};
    if (!status && task->hidden * (task->inputs + 2) > MOST)
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "setting hidden: at most %d parameters are analyzed here",
                          (int)MOST);
    return status;
}

/* Whether so many wrong signs are what the setting asks for. */
static int is_wanted(size_t setting, size_t wrong, size_t units)
{
    switch ((chu_signs)setting) {
    case CHU_NONE_WRONG:
        return wrong == 0;
    case CHU_ALL_WRONG:
        return wrong == units;
    case CHU_SOME_WRONG:
        break;
    }
    return wrong > 0 && wrong < units;
}

/* The first feedback, by its seed, under which the signs are as the setting wants. */
static fal_status draw_feedback(chu_net *net, const fal_part *part,
                                const double *theta, uint64_t *seed)
{
    enum { TRIES = 1000 };
    double unread;
    for (uint64_t i = 0; i < TRIES; i++) {
        *seed = TRIES * (part->seed + 1) + i;
        fal_status status = chu_net_rule(net, "fa", *seed);
        if (status || is_wanted(part->setting, opposed(net, theta, &unread),
                                fal_field_weights(&net->trained.field, 1)->outputs))
            return status;
    }
    return fal_fail(FAL_ERROR_ARGUMENT, "no feedback with such signs in %d draws",
                    (int)TRIES);
}

/* The point itself is a fixed point for any B. */
static fal_status step_aside(chu_net *net, const fal_part *part, double distance,
                             const double *theta)
{
    double aside[MOST];
    for (size_t i = 0; i < net->trained.field.parameters; i++)
        aside[i] = theta[i] + distance * chu_normal(part->seed, USE_ASIDE, i);
    return fal_trained_field_set_weights(&net->trained, net->model, aside);
}

static fal_status add_way(cJSON *result, const struct escape *e, uint64_t seed)
{
    fal_status status = fal_result_number(result, "feedback_seed", (double)seed);
    if (!status)
        status = fal_result_number(result, "farthest", e->farthest);
    if (!status)
        status = fal_result_number(result, "opposed", e->curves[5][0]);
    if (!status)
        status = fal_result_number(result, "end_opposed",
                                   e->curves[5][e->points - 1]);
    if (!status)
        status = fal_result_numbers(result, "steps", e->steps, e->points);
    for (size_t c = 0; c < CURVES && !status; c++)
        status = fal_result_numbers(result, curve_names[c], e->curves[c],
                                    e->points);
    return status;
}

static fal_status find_minimum(chu_net *net, fal_study *study, const fal_part *part,
                               uint64_t steps, struct escape *e, uint64_t *seed)
{
    fal_status status = chu_net_rule(net, "bp", 1);
    if (!status)
        status = chu_net_train(net, study, steps, 0, .5, NULL, NULL);
    if (!status)
        status = chu_net_polished(net, FAL_FIELD_TRUE, e->minimum);
    return status ? status : draw_feedback(net, part, e->minimum, seed);
}

static fal_status leave_minimum(chu_net *net, fal_study *study,
                                const fal_part *part, uint64_t steps,
                                struct escape *e, cJSON *result)
{
    double distance, theta[MOST];
    fal_status status = fal_study_number(study, "perturbation", &distance);
    if (!status)
        status = analyze(net, e->minimum, result, start_names);
    if (!status)
        status = step_aside(net, part, distance, e->minimum);
    if (!status)
        status = chu_net_train(net, study, steps, .5, 1, look, e);
    if (!status)
        status = chu_net_polished(net, FAL_FIELD_RULE, theta);
    return status ? status : analyze(net, theta, result, end_names);
}

static fal_status run(chu_net *net, fal_study *study, const fal_part *part,
                      struct escape *e, cJSON *result)
{
    double steps;
    uint64_t seed = 0;
    fal_status status = fal_study_number(study, "steps", &steps);
    if (!status)
        status = fal_study_number(study, "rate", &net->rate);
    if (!status)
        status = find_minimum(net, study, part, (uint64_t)steps, e, &seed);
    if (!status)
        status = leave_minimum(net, study, part, (uint64_t)steps, e, result);
    return status ? status : add_way(result, e, seed);
}

fal_status chu_escape(fal_study *study, const fal_part *part, cJSON *result)
{
    chu_net net = {0};
    chu_task task;
    struct escape *e = fal_allocate(1, sizeof *e);
    fal_status status = e ? read_task(study, &task) : FAL_ERROR_MEMORY;
    if (!status)
        status = chu_net_open(&net, study, &task, part->seed + 1);
    if (!status)
        status = run(&net, study, part, e, result);
    chu_net_close(&net);
    fal_release(e);
    return status;
}
