/* Two more kinds of fixed points: of zero loss, and with several outputs. */
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/chu_bacho.h"

enum { MOST = 512 };

static fal_status read_task(fal_study *study, const char *const names[6],
                            chu_task *task)
{
    double numbers[6];
    fal_status status = FAL_OK;
    for (size_t i = 0; i < 6 && !status; i++)
        status = fal_study_number(study, names[i], &numbers[i]);
    if (!status)
        *task = (chu_task){.samples = (size_t)numbers[0],
                           .inputs = (size_t)numbers[1],
                           .hidden = (size_t)numbers[2],
                           .outputs = (size_t)numbers[3],
                           .noise = numbers[4],
                           .radius = numbers[5]};
    return status;
}

static fal_status add(cJSON *result, const char *const *names, const double *values,
                      size_t count)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = fal_result_number(result, names[i], values[i]);
    return status;
}

static fal_status open_net(chu_net *net, fal_study *study, const fal_part *part,
                           const char *const names[6], const char *rate)
{
    chu_task task;
    fal_status status = read_task(study, names, &task);
    task.teacher = part->seed + 1;
    if (!status)
        status = chu_net_open(net, study, &task, part->seed + 1);
    if (!status)
        status = fal_study_number(study, rate, &net->rate);
    if (!status)
        status = chu_net_rule(net, "bp", 1);
    if (!status && net->trained.field.parameters > MOST)
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "setting %s: at most %d parameters are analyzed here",
                          names[2], (int)MOST);
    return status;
}

/* ---- zero loss ----------------------------------------------------------- */

static fal_status add_zero(cJSON *result, const fal_field *field,
                           const fal_fixed_point *point)
{
    static const char *const names[] = {"loss", "zero", "zero_expected",
                                        "unstable"};
    const fal_spectrum *j = &point->jacobian;
    const size_t residuals = field->data.rows * field->outputs;
    const double values[] = {point->loss, (double)j->zero,
                             (double)(field->parameters - residuals),
                             (double)j->positive};
    fal_status status = add(result, names, values, 4);
    return status ? status
                  : fal_result_numbers(result, "eigenvalues", j->real, j->side);
}

static fal_status run_zero(chu_net *net, fal_study *study, const fal_part *part,
                           cJSON *result)
{
    double steps, theta[MOST];
    fal_fixed_point point;
    fal_status status = fal_study_number(study, "zero-steps", &steps);
    if (!status)
        status = chu_net_train(net, study, (uint64_t)steps, 0, 1, NULL, NULL);
    if (!status)
        status = chu_net_polished(net, FAL_FIELD_TRUE, theta);
    if (!status)
        status = chu_net_rule(net, "fa", part->seed + 1);
    if (!status)
        status = fal_fixed_point_find(&point, &net->trained.field, theta);
    if (status)
        return status;
    status = add_zero(result, &net->trained.field, &point);
    fal_fixed_point_release(&point);
    return status;
}

fal_status chu_zero(fal_study *study, const fal_part *part, cJSON *result)
{
    static const char *const names[6] = {"zero-samples", "inputs",
                                         "zero-hidden",  "zero-outputs",
                                         "zero-noise",   "zero-radius"};
    chu_net net = {0};
    fal_status status = open_net(&net, study, part, names, "zero-rate");
    if (!status)
        status = run_zero(&net, study, part, result);
    chu_net_close(&net);
    return status;
}

/* ---- several outputs ----------------------------------------------------- */

/* Where a rule comes to rest, from the same start: both fields, by the same feedback. */
static fal_status come_to_rest(chu_net *net, fal_study *study, const fal_part *part,
                               int by_fa, cJSON *result)
{
    static const char *const names[2][4] = {
        {"bp_loss", "bp_update", "bp_gradient", "bp_unstable"},
        {"fa_loss", "fa_update", "fa_gradient", "fa_unstable"}};
    double steps, theta[MOST];
    fal_fixed_point point;
    fal_status status = fal_study_number(study, "outputs-steps", &steps);
    if (!status && by_fa)
        status = chu_net_rule(net, "fa", part->seed + 1);
    if (!status)
        status = chu_net_train(net, study, (uint64_t)steps, .5 * by_fa,
                               .5 + .5 * by_fa, NULL, NULL);
    if (!status)
        status = chu_net_polished(net, by_fa ? FAL_FIELD_RULE : FAL_FIELD_TRUE,
                                  theta);
    if (!status && !by_fa)
        status = chu_net_rule(net, "fa", part->seed + 1);
    if (!status)
        status = fal_fixed_point_find(&point, &net->trained.field, theta);
    if (status)
        return status;
    const double values[] = {point.loss, point.update_norm, point.gradient_norm,
                             (double)point.jacobian.positive};
    status = add(result, names[by_fa], values, 4);
    fal_fixed_point_release(&point);
    return status;
}

fal_status chu_outputs(fal_study *study, const fal_part *part, cJSON *result)
{
    static const char *const names[6] = {"samples", "inputs", "hidden",
                                         "outputs", "noise",  "radius"};
    fal_status status = FAL_OK;
    for (int by_fa = 0; by_fa < 2 && !status; by_fa++) {
        chu_net net = {0};
        status = open_net(&net, study, part, names, "outputs-rate");
        if (!status)
            status = come_to_rest(&net, study, part, by_fa, result);
        chu_net_close(&net);
    }
    return status;
}
