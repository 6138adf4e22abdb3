/* What carries the error down, as matrices on the device: for those who measure it.
 * Products of a step need none of them. */
#include "device/memory.h"
#include "ops/signs.h"
#include "train/trainer.h"

static const fal_view nothing = {NULL, 0};

static fal_route *route_of(const fal_trainer *t, unsigned number)
{
    return &t->routes[number - 1];
}

/* W, a stored B and a stored R lie where they are. */
static int needs_room(const fal_trainer *t, unsigned number)
{
    const fal_route *route = route_of(t, number);
    return fal_trainer_has_law(t, number) &&
           (route->rule->carrier != FAL_CARRIER_FEEDBACK ||
            !route->feedback.buffer);
}

static size_t floats_of(const fal_trainer *t, unsigned number)
{
    size_t rows, columns;
    fal_trainer_matrix_shape(t, number, &rows, &columns);
    return rows * columns;
}

/* Once, for all layers that need some. */
static fal_status make_room(fal_trainer *t)
{
    unsigned count = (unsigned)t->model->network.weights;
    fal_status status = FAL_OK;
    if (t->carrier_slots)
        return FAL_OK;
    fal_slot *slots = fal_allocate(count, sizeof *slots);
    if (!slots)
        return FAL_ERROR_MEMORY;
    fal_arena_begin(&t->carriers, t->model->device, "carriers");
    for (unsigned l = 1; l <= count && !status; l++)
        if (needs_room(t, l))
            status = fal_arena_place(&t->carriers, floats_of(t, l), &slots[l - 1]);
    if (!status)
        status = fal_arena_make(&t->carriers);
    if (status) {
        fal_arena_release(&t->carriers);
        fal_release(slots);
        return status;
    }
    t->carrier_slots = slots;
    return FAL_OK;
}

static fal_status find_room(fal_trainer *t, unsigned number, fal_view *room)
{
    fal_status status = make_room(t);
    if (!status)
        *room = fal_arena_view(&t->carriers, t->carrier_slots[number - 1]);
    return status;
}

fal_status fal_trainer_feedback(fal_trainer *t, unsigned number, fal_view *view)
{
    const fal_route *route = route_of(t, number);
    *view = route->feedback;
    if (route->feedback.buffer || !fal_rule_has_matrix(route->rule) ||
        !needs_room(t, number))
        return FAL_OK;
    fal_status status = find_room(t, number, view);
    fal_trainer_redraw(t);
    return status ? status : fal_trainer_draw(t, number, *view);
}

static fal_status make_signs(fal_trainer *t, const fal_layer *layer,
                             fal_view magnitude, fal_view into)
{
    fal_launches list = {.device = t->model->device, .evaluation = 1};
    fal_status status = fal_signs_add(
        &list, fal_arena_view(&t->model->parameters, layer->weight), magnitude,
        route_of(t, layer->number)->magnitude, into, floats_of(t, layer->number));
    if (!status)
        status = fal_launches_run(&list);
    fal_launches_release(&list);
    return status;
}

fal_status fal_trainer_carrier(fal_trainer *t, unsigned number, fal_view *view)
{
    const fal_layer *layer = fal_network_weight_layer(&t->model->network, number);
    const fal_rule *rule = route_of(t, number)->rule;
    fal_view magnitude = nothing;
    *view = nothing;
    if (!fal_trainer_hands_down(t, number))
        return FAL_OK;
    if (fal_rule_is_direct(rule) || !fal_rule_has_law(rule)) {
        *view = fal_arena_view(&t->model->parameters, layer->weight);
        return FAL_OK;
    }
    if (rule->carrier == FAL_CARRIER_FEEDBACK)
        return fal_trainer_feedback(t, number, view);
    fal_status status = find_room(t, number, view);
    if (!status)
        status = fal_trainer_feedback(t, number, &magnitude);
    return status ? status : make_signs(t, layer, magnitude, *view);
}
