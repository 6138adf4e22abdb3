/* Feedback: which layers have a B or an R, of which shape and law, and its random
 * values: stored, or drawn by the products that read them. */
#include "data/random.h"
#include "device/memory.h"
#include "net/flow.h"
#include "train/checkpoint.h"
#include "train/model_file.h"
#include "train/trainer.h"

#include <string.h>

static int is_direct(const fal_route *route)
{
    return fal_rule_is_direct(route->rule);
}

static const fal_layer *layer_of(const fal_trainer *trainer, unsigned number)
{
    return fal_network_weight_layer(&trainer->model->network, number);
}

int fal_trainer_hands_down(const fal_trainer *trainer, unsigned number)
{
    return fal_routes_ask(trainer->routes, &trainer->model->network,
                          layer_of(trainer, number)->from);
}

int fal_trainer_is_direct(const fal_trainer *trainer, unsigned number)
{
    const fal_network *network = &trainer->model->network;
    const fal_layer *layer = layer_of(trainer, number);
    return is_direct(&trainer->routes[number - 1]) && number < network->weights &&
           fal_flow_owner(network, layer->end) == layer;
}

/* The law of layer l counts where l hands the error down, or where it receives it
 * directly. */
int fal_trainer_has_law(const fal_trainer *trainer, unsigned number)
{
    const fal_route *route = &trainer->routes[number - 1];
    if (!fal_rule_has_law(route->rule))
        return 0;
    return is_direct(route) ? fal_trainer_is_direct(trainer, number)
                            : fal_trainer_hands_down(trainer, number);
}

/* Whether any layer's rule is one of these. */
static int has_rule(const fal_trainer *trainer, int (*is_one)(const fal_rule *rule))
{
    for (size_t i = 0; i < trainer->model->network.weights; i++)
        if (is_one(trainer->routes[i].rule))
            return 1;
    return 0;
}

/* A matrix in W_l's shape; or from the outputs to units or channels, direct. */
static int has_matrix(const fal_trainer *trainer, unsigned number)
{
    return fal_trainer_has_law(trainer, number) &&
           fal_rule_has_matrix(trainer->routes[number - 1].rule);
}

static int is_stored(const fal_trainer *trainer, unsigned number)
{
    return has_matrix(trainer, number) && !trainer->regenerates &&
           fal_rule_keeps_matrix(trainer->routes[number - 1].rule);
}

/* ---- options ------------------------------------------------------------- */

/* *choice: the place of a name among two, the first where none is given. */
static fal_status choose(const char *what, const char *name,
                         const char *const known[2], int *choice)
{
    for (int i = 0; i < 2; i++)
        if (strcmp(name ? name : known[0], known[i]) == 0) {
            *choice = i;
            return FAL_OK;
        }
    return fal_fail_unknown(what, name, known, 2);
}

static fal_status find_feedback(const char *name, int *regenerates)
{
    static const char *const known[] = {"stored", "regenerated"};
    return choose("feedback", name, known, regenerates);
}

/* What a direct rule brings to the maps of convolutions. */
static fal_status find_dfa_conv(fal_trainer *t)
{
    static const char *const known[] = {"map", "channel"};
    const fal_network *network = &t->model->network;
    int spreads = 0, any = 0;
    fal_status status = choose("dfa_conv", t->options.dfa_conv, known, &spreads);
    for (unsigned l = 1; l <= network->weights && spreads && !status; l++)
        if (layer_of(t, l)->kernel && fal_trainer_is_direct(t, l))
            any = t->routes[l - 1].spreads = 1;
    if (status || any == spreads)
        return status;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "dfa_conv 'channel': no convolution here learns by a direct "
                    "rule (dfa, drtp), the rule is %s; leave it out",
                    t->rule->name);
}

const fal_rule *fal_trainer_learner(const fal_trainer *t)
{
    for (size_t i = 0; i < t->model->network.weights; i++)
        if (fal_rule_learns_feedback(t->routes[i].rule))
            return t->routes[i].rule;
    return NULL;
}

static fal_status check_feedback(const fal_trainer *t)
{
    const fal_trainer_options *o = &t->options;
    if (o->feedback_law && !has_rule(t, fal_rule_has_law) &&
        fal_rule_has_law(t->rule))
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "feedback law '%s': no layer learns by the rule %s, and the "
            "rules of their own have no random feedback; leave it out",
            o->feedback_law, t->rule->name);
    if (o->feedback_law && !has_rule(t, fal_rule_has_law))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "feedback law '%s': the rule %s has no random feedback",
                        o->feedback_law, t->rule->name);
    if (t->regenerates && fal_trainer_learner(t))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "feedback 'regenerated': the rule %s changes its feedback, "
                        "which must be kept; leave it out",
                        fal_trainer_learner(t)->name);
    if (t->regenerates && !has_rule(t, fal_rule_has_matrix))
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "feedback 'regenerated': the rule %s has no random feedback; "
            "leave it out",
            t->rule->name);
    return FAL_OK;
}

fal_status fal_trainer_find_routes(fal_trainer *t)
{
    const fal_network *network = &t->model->network;
    t->routes = fal_allocate(network->weights, sizeof *t->routes);
    if (!t->routes)
        return FAL_ERROR_MEMORY;
    fal_status status = fal_routes_make(t->routes, network, t->rule);
    if (!status)
        status = find_feedback(t->options.feedback, &t->regenerates);
    if (!status)
        status = find_dfa_conv(t);
    return status ? status : check_feedback(t);
}

/* ---- laws ---------------------------------------------------------------- */

static int is_layered(const fal_rule *rule)
{
    return rule->path == FAL_PATH_LAYERS && fal_rule_has_law(rule);
}

/* `units` and `weights` are for one kind of rule each; where a network has both kinds,
 * they say nothing of the other. */
static fal_status find_law(const fal_trainer *trainer, int direct, fal_law *law)
{
    fal_law_kind usual = direct ? FAL_LAW_UNITS : FAL_LAW_WEIGHTS;
    fal_law_kind others = direct ? FAL_LAW_WEIGHTS : FAL_LAW_UNITS;
    *law = trainer->feedback_law;
    if (!trainer->has_feedback_law ||
        (law->kind == others &&
         has_rule(trainer, direct ? is_layered : fal_rule_is_direct)))
        law->kind = usual;
    if (direct ? law->kind == FAL_LAW_WEIGHTS : law->kind == FAL_LAW_UNITS)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "feedback law '%s' is not for %s rules; use '%s' or a law of its own "
            "such as xavier",
            direct ? "weights" : "units", direct ? "direct" : "layer-to-layer",
            direct ? "units" : "weights");
    if (law->kind == FAL_LAW_WEIGHTS)
        *law = trainer->model->weight_law;
    return FAL_OK;
}

static fal_status check_law(const fal_trainer *trainer, const fal_route *route,
                            fal_law law)
{
    char name[FAL_LAW_TEXT];
    fal_law_print(name, law);
    if (trainer->regenerates && route->random.distribution != FAL_UNIFORM)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "feedback 'regenerated': the law '%s' is not uniform, only "
                        "such numbers are the same each time; use another law, or "
                        "--feedback stored",
                        name);
    if (!fal_rule_has_matrix(route->rule) && !(route->magnitude > 0))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "feedback law '%s': the rule %s takes its deviation as "
                        "size of all signs, and that is 0; use another law",
                        name, route->rule->name);
    return FAL_OK;
}

/* Of direct rules the units of a map count, whatever form B has. */
static fal_random direct_law(const fal_trainer *trainer, const fal_layer *layer,
                             fal_law law)
{
    size_t units = fal_layer_units(layer);
    fal_random random = fal_law_resolve(law, trainer->model->network.outputs, units,
                                        units);
    if (layer->kernel && !trainer->routes[layer->number - 1].spreads)
        random.channels = (uint32_t)layer->out.channels;
    return random;
}

static fal_status resolve_law(fal_trainer *trainer, const fal_layer *layer)
{
    fal_route *route = &trainer->routes[layer->number - 1];
    int direct = is_direct(route);
    fal_law law;
    fal_status status = find_law(trainer, direct, &law);
    if (status)
        return status;
    route->random = direct ? direct_law(trainer, layer, law)
                           : fal_model_law(law, layer);
    route->random.seed = trainer->options.feedback_seed;
    route->random.purpose = FAL_PURPOSE_FEEDBACK;
    route->random.layer = layer->number;
    route->magnitude = (float)fal_law_deviation(&route->random);
    return check_law(trainer, route, law);
}

/* ---- matrices ------------------------------------------------------------ */

void fal_trainer_matrix_shape(const fal_trainer *trainer, unsigned number,
                              size_t *rows, size_t *columns)
{
    const fal_layer *layer = layer_of(trainer, number);
    const fal_route *route = &trainer->routes[number - 1];
    int direct = is_direct(route);
    *rows = direct ? trainer->model->network.outputs : layer->inputs;
    *columns = direct && !route->spreads ? fal_layer_units(layer) : layer->outputs;
}

/* What learns with the weights is laid out as they are, with a row for the bias: the
 * product that makes the step of both writes there too, and nobody reads it. */
static fal_status place_matrix(fal_trainer *trainer, const fal_layer *layer,
                               fal_slot *slot)
{
    const fal_rule *rule = trainer->routes[layer->number - 1].rule;
    int follows = rule->learning == FAL_LEARNS_WITH_WEIGHTS && layer->has_bias;
    size_t rows, columns;
    fal_trainer_matrix_shape(trainer, layer->number, &rows, &columns);
    fal_status status = fal_arena_place(
        &trainer->feedback, (uint64_t)(rows + (follows ? 1 : 0)) * columns, slot);
    slot->count = (uint64_t)rows * columns;
    return status;
}

/* As files have it */
static void shape_tensor(const fal_trainer *trainer, const fal_layer *layer,
                         fal_tensor *tensor)
{
    const fal_route *route = &trainer->routes[layer->number - 1];
    size_t outputs = trainer->model->network.outputs;
    if (!is_direct(route))
        fal_tensor_like_weight(tensor, layer);
    else if (!route->spreads)
        fal_tensor_like_output(tensor, layer, outputs);
    else {
        tensor->dimensions = 2;
        tensor->shape[0] = outputs;
        tensor->shape[1] = layer->outputs;
    }
}

static fal_status place(fal_trainer *trainer, const fal_layer *layer)
{
    fal_slot *slot = &trainer->feedback_slots[layer->number - 1];
    fal_tensor tensor = {.arena = &trainer->feedback};
    fal_status status = FAL_OK;
    shape_tensor(trainer, layer, &tensor);
    if (is_stored(trainer, layer->number))
        status = place_matrix(trainer, layer, slot);
    else
        tensor.random = &trainer->routes[layer->number - 1].random;
    tensor.slot = *slot;
    return status ? status
                  : fal_tensor_add(&trainer->feedback_tensors, tensor, layer->name,
                                   "feedback");
}

fal_status fal_trainer_draw(fal_trainer *trainer, unsigned number, fal_view view)
{
    const fal_route *route = &trainer->routes[number - 1];
    size_t rows, columns;
    fal_trainer_matrix_shape(trainer, number, &rows, &columns);
    return fal_random_fill(trainer->model->device, &route->random, view, rows,
                           columns, !is_direct(route));
}

static fal_status place_all(fal_trainer *trainer)
{
    const fal_network *network = &trainer->model->network;
    fal_status status = FAL_OK;
    for (unsigned l = 1; l <= network->weights && !status; l++) {
        const fal_layer *layer = layer_of(trainer, l);
        if (fal_trainer_has_law(trainer, l))
            status = resolve_law(trainer, layer);
        if (!status && has_matrix(trainer, l))
            status = place(trainer, layer);
    }
    return status ? status : fal_arena_make(&trainer->feedback);
}

static fal_status draw_all(fal_trainer *trainer)
{
    const fal_network *network = &trainer->model->network;
    fal_status status = FAL_OK;
    for (unsigned l = 1; l <= network->weights && !status; l++)
        if (is_stored(trainer, l)) {
            fal_route *route = &trainer->routes[l - 1];
            route->feedback = fal_arena_view(&trainer->feedback,
                                             trainer->feedback_slots[l - 1]);
            status = fal_trainer_draw(trainer, l, route->feedback);
        }
    return status;
}

fal_status fal_trainer_make_feedback(fal_trainer *trainer)
{
    size_t count = trainer->model->network.weights;
    trainer->feedback_slots = fal_allocate(count, sizeof *trainer->feedback_slots);
    if (!trainer->feedback_slots)
        return FAL_ERROR_MEMORY;
    fal_arena_begin(&trainer->feedback, trainer->model->device, "feedback");
    fal_status status = place_all(trainer);
    return status ? status : draw_all(trainer);
}

int fal_trainer_redraws(const fal_trainer *trainer, const fal_random *random)
{
    for (size_t i = 0; i < trainer->model->network.weights; i++)
        if (&trainer->routes[i].random == random)
            return !fal_rule_keeps_matrix(trainer->routes[i].rule);
    return 0;
}

void fal_trainer_redraw(fal_trainer *trainer)
{
    for (size_t i = 0; i < trainer->model->network.weights; i++)
        if (trainer->routes[i].rule->carrier == FAL_CARRIER_SIGN_REDRAWN)
            trainer->routes[i].random.draw = (uint32_t)trainer->step;
}

uint64_t fal_trainer_saved_bytes(const fal_trainer *trainer)
{
    uint64_t floats = 0;
    for (size_t i = 0; i < trainer->feedback_tensors.count; i++)
        if (trainer->feedback_tensors.items[i].random)
            floats += fal_tensor_floats(&trainer->feedback_tensors.items[i]);
    return floats * sizeof(float);
}

/* ---- files --------------------------------------------------------------- */

fal_status fal_trainer_save(fal_trainer *trainer, const char *path)
{
    if (!trainer || !path)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_save: needs a trainer and a path");
    fal_trainer_redraw(trainer);
    const fal_tensor_list *const lists[] = {&trainer->model->tensors,
                                            &trainer->feedback_tensors};
    return fal_model_write(trainer->model, path, lists, 2);
}

fal_status fal_trainer_load_feedback(fal_trainer *trainer, const char *path)
{
    if (!trainer || !path)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_load_feedback: needs a trainer and a path");
    fal_safetensors *file = NULL;
    char *name = NULL;
    if (trainer->regenerates)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "feedback of '%s': it cannot be taken where feedback is "
            "regenerated from its seed; use --feedback stored, or leave "
            "it by --fresh-feedback",
            path);
    if (trainer->feedback_tensors.count > 0 && trainer->feedback.count == 0)
        return FAL_OK; /* all of it is drawn */
    fal_status status = fal_model_path(path, "start.safetensors", &name);
    if (!status)
        status = fal_safetensors_open(&file, name);
    if (!status)
        status = fal_checkpoint_check_sum(file);
    if (!status)
        status = fal_tensor_list_load(&trainer->feedback_tensors, file, 0);
    fal_safetensors_close(file);
    fal_release(name);
    return status;
}
