#include "ops/optimize.h"
#include "ops/grid.h"

#include <math.h>

/* cl/common.cl: bits of an optimizer's `parts` */
enum {
    PART_NESTEROV = 1,
    PART_MOMENT = 2,
    PART_HALTED = 4,
    PART_SCALE = 8,
    PART_DECOUPLED = 16,
    PART_LEARNT = 32
};

fal_update_step fal_update_at(uint64_t t, double rate)
{
    double first = 1 / (1 - pow(.9, (double)t));
    double second = 1 / sqrt(1 - pow(.999, (double)t));
    double third = 1 / sqrt(1 - pow(.95, (double)t));
    return (fal_update_step){
        (float)rate, (float)first, (float)second, (float)third, 1, 0};
}

static fal_status check(const fal_update *u)
{
    if (u->rule != FAL_SGD && (!u->moment.buffer || !u->squares.buffer))
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "update by adam, adamw or muon: needs room for moments and squares");
    if (u->rule == FAL_SGD && u->momentum != 0 && !u->moment.buffer)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "update by sgd: momentum %g needs room for moments",
                        (double)u->momentum);
    return FAL_OK;
}

static int is_decoupled(const fal_update *u)
{
    return u->rule == FAL_ADAMW || u->rule == FAL_MUON || u->decoupled ||
           u->feedback.buffer;
}

fal_status fal_update_describe(const fal_update *update,
                               fal_kernel_optimizer *optimizer)
{
    *optimizer = (fal_kernel_optimizer){
        (cl_int)update->rule,
        (cl_uint)((update->nesterov ? PART_NESTEROV : 0) |
                  (update->moment.buffer ? PART_MOMENT : 0) |
                  (update->halted.buffer ? PART_HALTED : 0) |
                  (update->scale.buffer ? PART_SCALE : 0) |
                  (is_decoupled(update) ? PART_DECOUPLED : 0) |
                  (update->feedback.buffer ? PART_LEARNT : 0)),
        update->momentum, update->weight_decay};
    return check(update);
}

void fal_update_views(fal_launches *list, const fal_update *update)
{
    fal_launch_view(list, update->moment);
    fal_launch_view(list, update->squares);
    fal_launch_view(list, update->feedback);
    fal_launch_view(list, update->halted);
}

fal_status fal_update_add(fal_launches *list, const fal_update *update)
{
    fal_kernel_optimizer optimizer;
    fal_status status = fal_update_describe(update, &optimizer);
    if (status)
        return status;
    /* the gradient; weights and what else there is both ways */
    int arrays = 3 + (update->moment.buffer ? 2 : 0) +
                 (update->squares.buffer ? 2 : 0) +
                 (update->feedback.buffer ? 2 : 0);
    fal_launch_begin(list, "update");
    fal_launch_work(list, "", 0, 4. * arrays * (double)update->count);
    fal_launch_bytes(list, sizeof optimizer, &optimizer);
    fal_launch_step(list, sizeof(fal_update_step));
    fal_launch_view(list, update->weights);
    fal_launch_view(list, update->gradient);
    fal_update_views(list, update);
    fal_launch_view(list, update->scale);
    return fal_end_elements(list, update->count);
}
