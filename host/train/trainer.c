/* Making and taking apart a trainer. */
#include "train/trainer.h"
#include "data/dataset.h"
#include "device/memory.h"
#include "device/options.h"
#include "net/layer.h"
#include "ops/gemm.h"
#include "train/augment.h"
#include "train/measurer.h"

#include <math.h>
#include <string.h>

static const fal_trainer_options defaults = FAL_TRAINER_OPTIONS;

void fal_trainer_options_init(fal_trainer_options *options, size_t size)
{
    fal_options_init(options, size, &defaults, sizeof defaults);
}

enum { OPTIMIZERS = 4 };

const char *const fal_optimizer_names[OPTIMIZERS] = {"sgd", "adam", "adamw",
                                                     "muon"};

static fal_status find_optimizer(const char *name, fal_update_rule *optimizer)
{
    for (size_t i = 0; i < OPTIMIZERS; i++)
        if (strcmp(name, fal_optimizer_names[i]) == 0) {
            *optimizer = (fal_update_rule)i;
            return FAL_OK;
        }
    return fal_fail_unknown("optimizer", name, fal_optimizer_names, OPTIMIZERS);
}

static fal_status check_optimizer(const fal_trainer_options *o,
                                  fal_update_rule optimizer)
{
    int has_momentum = optimizer == FAL_SGD || optimizer == FAL_MUON;
    if (!isfinite(o->learning_rate) || o->learning_rate < 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "learning rate %g must be above 0 (0: the default)",
                        o->learning_rate);
    if (!isfinite(o->learning_rate_adamw) || o->learning_rate_adamw < 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "learning rate of muon's adamw %g must be above 0 (0: the "
                        "default)",
                        o->learning_rate_adamw);
    if (optimizer != FAL_MUON && o->learning_rate_adamw > 0)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "a learning rate of adamw beside the other belongs to muon; "
            "leave it out, or use the optimizer muon");
    if (!(o->momentum < 1))
        return fal_fail(FAL_ERROR_ARGUMENT, "momentum %g must be below 1",
                        o->momentum);
    if (!has_momentum && o->momentum >= 0)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "momentum belongs to sgd and muon; leave it out, or use the "
            "optimizer sgd or muon");
    if (optimizer != FAL_SGD && o->nesterov)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "nesterov belongs to sgd; leave it out, or use the "
                        "optimizer sgd");
    if (o->nesterov && o->momentum == 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "nesterov needs a momentum above 0");
    return FAL_OK;
}

static fal_status check_numbers(const fal_trainer_options *o,
                                fal_update_rule optimizer)
{
    fal_status status = check_optimizer(o, optimizer);
    if (status)
        return status;
    if (o->batch < 1 || o->batch > INT32_MAX)
        return fal_fail(FAL_ERROR_ARGUMENT, "batch %zu must be 1 to 2147483647",
                        o->batch);
    if (!isfinite(o->clip) || o->clip < 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "clip %g must be above 0 (0: gradients are not clipped)",
                        o->clip);
    if (o->log_steps == 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "log_steps must be 1 or more");
    return FAL_OK;
}

/* The trainer keeps no text of the caller's. */
static fal_status keep_standardize(fal_trainer_options *o)
{
    static const char *const known[] = {"channel", "global", "none"};
    const char *given = o->standardize ? o->standardize : known[0];
    for (size_t i = 0; i < 3; i++)
        if (strcmp(given, known[i]) == 0) {
            o->standardize = known[i];
            o->rule = o->optimizer = o->loss = o->schedule = o->feedback_law =
                o->milestones = o->feedback = o->loss_reduction = o->dfa_conv =
                    o->augment = NULL;
            return FAL_OK;
        }
    return fal_fail_unknown("standardisation", given, known, 3);
}

static fal_status make_schedule(fal_trainer *t)
{
    const fal_trainer_options *o = &t->options;
    fal_status status = fal_schedule_make(&t->schedule,
                                          o->schedule ? o->schedule : "cosine",
                                          o->warmup, o->milestones, o->decay);
    if (!status && o->steps > 0 && o->warmup >= o->steps)
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "warm-up of %llu steps: it must be shorter than the run, "
                          "which has %llu",
                          (unsigned long long)o->warmup,
                          (unsigned long long)o->steps);
    return status;
}

static void fill_defaults(fal_trainer_options *o, fal_update_rule optimizer)
{
    static const struct {
        double rate, adamw, momentum;
    } usual[] = {[FAL_SGD] = {.01, 0, .9},
                 [FAL_ADAM] = {.001, 0, 0},
                 [FAL_ADAMW] = {.001, 0, 0},
                 [FAL_MUON] = {.02, 3e-4, .95}};
    if (o->learning_rate == 0)
        o->learning_rate = usual[optimizer].rate;
    if (o->learning_rate_adamw == 0)
        o->learning_rate_adamw = usual[optimizer].adamw;
    if (o->momentum < 0)
        o->momentum = usual[optimizer].momentum;
}

static fal_status find_augmentation(fal_trainer *t)
{
    if (!t->options.augment)
        return FAL_OK;
    fal_status status = fal_augmentation_parse(&t->augmentation,
                                               t->options.augment);
    t->augmentation.seed = t->options.noise_seed;
    return status
               ? status
               : fal_augmentation_check(&t->augmentation, t->model->network.input);
}

static fal_status resolve(fal_trainer *t)
{
    fal_trainer_options *o = &t->options;
    int loss = 0;
    fal_status status = fal_rule_find(o->rule ? o->rule : "bp", &t->rule);
    if (!status)
        status = find_optimizer(o->optimizer ? o->optimizer : "adam",
                                &t->optimizer);
    if (!status)
        status = make_schedule(t);
    if (!status)
        status = fal_loss_find(o->loss, &loss);
    if (!status)
        status = fal_reduction_find(o->loss_reduction, &t->sums_loss);
    if (!status && o->feedback_law)
        status = fal_law_parse(o->feedback_law, 1, "feedback law",
                               &t->feedback_law);
    if (!status)
        status = check_numbers(o, t->optimizer);
    if (!status)
        status = fal_trainer_find_routes(t);
    if (!status)
        status = find_augmentation(t);
    t->loss = (fal_loss)loss;
    t->has_feedback_law = o->feedback_law != NULL;
    fill_defaults(o, t->optimizer);
    return status ? status : keep_standardize(o);
}

/* An arena with a number for each parameter, laid out as the parameters are. */
static fal_status mirror(fal_trainer *trainer, fal_arena *arena, const char *what)
{
    fal_arena_begin(arena, trainer->model->device, what);
    arena->limit = trainer->model->parameters.limit;
    fal_status status = fal_network_place(&trainer->model->network, arena);
    return status ? status : fal_arena_make(arena);
}

/* Gradients are written where somebody reads them, or where a sum over the batch is
 * too long for the product to end it in one piece. */
static int updates_in_products(const fal_trainer *t)
{
    return !t->options.keep_gradients && t->options.clip == 0 &&
           t->optimizer != FAL_MUON && t->options.batch <= FAL_GEMM_DEPTH;
}

/* Muon works in the place of those that need not be kept. */
static int keeps_gradients(const fal_trainer *t)
{
    return t->options.keep_gradients ||
           (t->optimizer != FAL_MUON && !updates_in_products(t));
}

/* Room for the sums of squares of all gradients, and for the factor they make. A
 * span has a partial sum more than its floats fill at most, and there are no more
 * spans than tensors. */
static fal_status make_norm(fal_trainer *t)
{
    size_t floats = (size_t)(fal_arena_bytes(&t->gradients) / sizeof(float));
    size_t most = fal_square_sums_count(floats) + 2 * t->model->network.count;
    fal_arena_begin(&t->norm, t->model->device, "gradient norm");
    fal_status status = fal_arena_place(&t->norm, most, &t->square_sums);
    if (!status)
        status = fal_arena_place(&t->norm, 1, &t->scale);
    t->square_sums.count = 0; /* grows with each span */
    return status ? status : fal_arena_make(&t->norm);
}

static fal_status add_square_sums(fal_trainer *t, const fal_layer *layer,
                                  fal_slot span)
{
    (void)layer;
    fal_view sums = fal_arena_view(&t->norm, t->square_sums);
    sums.offset += t->square_sums.count;
    t->square_sums.count += fal_square_sums_count(span.count);
    return fal_square_sums_add(&t->clipping, fal_arena_view(&t->gradients, span),
                               span.count, sums);
}

fal_view fal_trainer_clip_scale(const fal_trainer *t)
{
    return t->options.clip > 0 ? fal_arena_view(&t->norm, t->scale)
                               : (fal_view){NULL, 0};
}

static fal_status add_update(fal_trainer *t, const fal_layer *layer, fal_slot span)
{
    fal_update update = t->in_products.how;
    fal_route_update(&t->routes[layer->block - 1], layer, span, &update);
    update.count = span.count;
    update.weight_decay = fal_trainer_decay(t, layer);
    update.weights = fal_arena_view(&t->model->parameters, span);
    update.gradient = fal_arena_view(&t->gradients, span);
    update.scale = fal_trainer_clip_scale(t);
    if (t->moments.count)
        update.moment = fal_arena_view(&t->moments, span);
    if (t->squares.count)
        update.squares = fal_arena_view(&t->squares, span);
    return fal_update_add(&t->update, &update);
}

/* Grows `span` by a slot that follows it, but for the alignment between. */
static int joins(fal_slot *span, fal_slot slot)
{
    uint64_t end = span->offset + span->count;
    if (span->count == 0 || slot.buffer != span->buffer || slot.offset < end ||
        slot.offset - end >= 16)
        return 0;
    span->count = slot.offset + slot.count - span->offset;
    return 1;
}

/* A run of parameters, which `layer` begins. */
typedef fal_status (*end_of_run)(fal_trainer *t, const fal_layer *layer,
                                 fal_slot span);

/* Runs of parameters that lie side by side, each ended by `end`; to update them, only
 * such as are updated alike. */
struct runs {
    const fal_layer *layer;
    fal_slot span;
    end_of_run end;
    int updates;
};

/* Its parameters have feedback beside them, or decay in a way of their own. */
static int is_apart(const fal_trainer *t, const fal_layer *layer)
{
    return t->routes[layer->block - 1].rule->learning == FAL_LEARNS_WITH_WEIGHTS;
}

static int are_alike(const fal_trainer *t, const fal_layer *one,
                     const fal_layer *other)
{
    return one == other ||
           (!is_apart(t, one) && !is_apart(t, other) &&
            fal_trainer_decay(t, one) == fal_trainer_decay(t, other));
}

static fal_status end_run(fal_trainer *t, const struct runs *runs)
{
    return runs->span.count ? runs->end(t, runs->layer, runs->span) : FAL_OK;
}

static fal_status add_slot(fal_trainer *t, struct runs *runs,
                           const fal_layer *layer, fal_slot slot)
{
    int goes_on = runs->layer &&
                  (!runs->updates || are_alike(t, layer, runs->layer));
    if (goes_on && joins(&runs->span, slot))
        return FAL_OK;
    fal_status status = end_run(t, runs);
    runs->layer = layer;
    runs->span = slot;
    return status;
}

int fal_trainer_learns(const fal_trainer *t, const fal_layer *layer)
{
    return fal_routes_teach(t->routes, &t->model->network, layer);
}

/* All that learns, to clip it; or, to update it, all but Muon's matrices. */
static fal_status add_runs(fal_trainer *t, int updates, end_of_run end)
{
    struct runs runs = {.end = end, .updates = updates};
    fal_status status = FAL_OK;
    for (size_t i = 0; i < t->model->network.count && !status; i++) {
        const fal_layer *layer = &t->model->network.layers[i];
        if (!fal_trainer_learns(t, layer))
            continue;
        if (!updates || !fal_trainer_is_muons(t, layer))
            status = add_slot(t, &runs, layer, layer->weight);
        if (!status && layer->has_bias)
            status = add_slot(t, &runs, layer, layer->bias);
    }
    return status ? status : end_run(t, &runs);
}

static fal_status make_clipping(fal_trainer *t)
{
    fal_status status = add_runs(t, 0, add_square_sums);
    if (!status)
        status = fal_clip_scale_add(&t->clipping, (float)t->options.clip,
                                    fal_arena_view(&t->norm, t->square_sums),
                                    t->square_sums.count,
                                    fal_arena_view(&t->norm, t->scale));
    return status;
}

/* A launch for each run, where the products do not update; Muon's matrices have
 * their own. */
static fal_status make_updates(fal_trainer *t)
{
    t->update = t->muon = (fal_launches){.device = t->model->device,
                                         .layer = "update"};
    if (updates_in_products(t))
        return FAL_OK;
    fal_status status = add_runs(t, 1, add_update);
    if (!status && t->optimizer == FAL_MUON)
        status = fal_trainer_make_muon(t);
    return status;
}

static fal_status make_update(fal_trainer *t)
{
    t->in_products = (fal_plan_update){
        .how = {.rule = t->optimizer,
                .momentum = (float)t->options.momentum,
                .nesterov = t->options.nesterov,
                .halted = fal_arena_view(&t->workspace.arena, t->workspace.halted)},
        .decays = t->decays,
        .moments = &t->moments,
        .squares = &t->squares};
    t->clipping = t->mirror = (fal_launches){.device = t->model->device,
                                             .layer = "update"};
    fal_status status = t->options.clip > 0 ? make_clipping(t) : FAL_OK;
    return status ? status : make_updates(t);
}

fal_status fal_trainer_remake_updates(fal_trainer *t)
{
    fal_launches update = t->update, muon = t->muon;
    fal_status status = make_updates(t);
    fal_launches_release(status ? &t->update : &update);
    fal_launches_release(status ? &t->muon : &muon);
    if (status) {
        t->update = update;
        t->muon = muon;
    }
    for (size_t i = 0; i < FAL_PLAN_SIZES && !status; i++)
        fal_plan_release(&t->plans[i]);
    return status;
}

/* Those of maps are large. */
static int keeps_deltas(const fal_trainer *t)
{
    int maps = 0;
    for (size_t i = 0; i < t->model->network.count; i++)
        maps |= t->model->network.layers[i].kind->carry != NULL;
    return t->options.keep_gradients || !maps;
}

static fal_status make_arenas(fal_trainer *t)
{
    fal_status status = FAL_OK;
    if (!updates_in_products(t))
        status = mirror(t, &t->gradients, "gradients");
    int moments = t->optimizer != FAL_SGD || t->options.momentum > 0;
    if (!status && moments)
        status = mirror(t, &t->moments, "optimizer state");
    if (!status && t->optimizer != FAL_SGD)
        status = mirror(t, &t->squares, "optimizer state");
    if (!status && t->options.clip > 0)
        status = make_norm(t);
    fal_arena_begin(&t->statistics, t->model->device, "statistics of a batch");
    if (!status)
        status = fal_network_place_state(&t->model->network, &t->statistics);
    if (!status)
        status = fal_arena_make(&t->statistics);
    if (!status)
        status = fal_workspace_make(&t->workspace, t->model->device,
                                    &t->model->network, t->routes, FAL_MODE_TRAIN,
                                    t->options.batch, t->loss, FAL_RING_SLOTS,
                                    keeps_deltas(t));
    return status;
}

static fal_status list_layer(fal_trainer *t, size_t index)
{
    const fal_layer *layer = &t->model->network.layers[index];
    fal_tensor delta = {.arena = &t->workspace.arena,
                        .slot = t->workspace.deltas[index]};
    fal_status status = FAL_OK;
    fal_tensor_like_output(&delta, layer, t->workspace.rows);
    if (keeps_gradients(t))
        status = fal_tensor_add_layer(&t->gradient_tensors, &t->gradients, layer,
                                      ".gradient");
    if (layer->number && t->workspace.keeps && !status)
        status = fal_tensor_add(&t->delta_tensors, delta, layer->name, "delta");
    return status;
}

/* Muon's matrices have no squares: their place there is room for a step. */
static fal_status list_optimizer(fal_trainer *t, fal_layer layer)
{
    fal_tensor_list *list = &t->optimizer_tensors;
    fal_status status = FAL_OK;
    if (t->moments.count)
        status = fal_tensor_add_layer(list, &t->moments, &layer, ".moment");
    layer.has_weight = !fal_trainer_is_muons(t, &layer);
    if (t->squares.count && !status)
        status = fal_tensor_add_layer(list, &t->squares, &layer, ".square");
    return status;
}

/* Frozen layers have neither gradient nor delta. */
static fal_status list_tensors(fal_trainer *t)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < t->model->network.count && !status; i++) {
        if (!fal_trainer_learns(t, &t->model->network.layers[i]))
            continue;
        status = list_layer(t, i);
        if (!status)
            status = list_optimizer(t, t->model->network.layers[i]);
    }
    return status;
}

fal_status fal_trainer_create(fal_trainer **created, fal_model *model,
                              const fal_trainer_options *given)
{
    fal_trainer_options options;
    fal_status status = fal_options_read(&options, sizeof options, &defaults, given,
                                         "fal_trainer_options");
    if (!status && (!created || !model))
        status = fal_fail(FAL_ERROR_ARGUMENT, "fal_trainer_create: needs a model");
    fal_trainer *t = status ? NULL : fal_allocate(1, sizeof *t);
    if (!t)
        return status ? status : FAL_ERROR_MEMORY;
    t->model = model;
    t->options = options;
    t->fixed_rate = -1;
    t->schedule_length = options.steps;
    status = resolve(t);
    if (!status)
        status = fal_trainer_make_decays(t);
    if (!status)
        status = fal_trainer_make_feedback(t);
    if (!status)
        status = fal_trainer_find_mirror(t);
    if (!status)
        status = make_arenas(t);
    if (!status)
        status = make_update(t);
    if (!status)
        status = fal_trainer_make_mirror(t);
    if (!status)
        status = list_tensors(t);
    if (!status)
        status = fal_ring_open(&t->ring, &t->workspace);
    if (status)
        fal_trainer_destroy(t);
    else
        *created = t;
    return status;
}

void fal_trainer_destroy(fal_trainer *t)
{
    if (!t)
        return;
    fal_ring_close(&t->ring);
    fal_measurer_destroy(t->measurer);
    if (t->has_step_feed)
        fal_feed_close(&t->step_feed);
    for (size_t i = 0; i < FAL_PLAN_SIZES; i++)
        fal_plan_release(&t->plans[i]);
    fal_launches_release(&t->clipping);
    fal_launches_release(&t->update);
    fal_launches_release(&t->muon);
    fal_launches_release(&t->mirror);
    fal_workspace_release(&t->workspace);
    fal_arena_release(&t->gradients);
    fal_arena_release(&t->feedback);
    fal_arena_release(&t->carriers);
    fal_arena_release(&t->moments);
    fal_arena_release(&t->squares);
    fal_arena_release(&t->norm);
    fal_arena_release(&t->muon_room);
    fal_arena_release(&t->mirror_room);
    fal_arena_release(&t->statistics);
    fal_schedule_release(&t->schedule);
    fal_tensor_list_release(&t->feedback_tensors);
    fal_tensor_list_release(&t->gradient_tensors);
    fal_tensor_list_release(&t->delta_tensors);
    fal_tensor_list_release(&t->optimizer_tensors);
    fal_trainer_leave_fit(t);
    fal_release(t->decays);
    fal_release(t->routes);
    fal_release(t->feedback_slots);
    fal_release(t->carrier_slots);
    fal_release(t);
}

fal_status fal_trainer_learning_rate(fal_trainer *trainer, double rate)
{
    if (!trainer || !isfinite(rate) || rate < 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_learning_rate: %g must be a number from 0",
                        rate);
    trainer->fixed_rate = rate;
    return FAL_OK;
}

fal_status fal_trainer_footprint(fal_trainer *t, fal_footprint *footprint)
{
    if (!t || !footprint)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_footprint: needs a trainer and a footprint");
    fal_footprint found = {
        .size = sizeof found,
        .parameters = (size_t)fal_network_parameters(&t->model->network),
        .parameter_bytes = fal_arena_bytes(&t->model->parameters) +
                           fal_arena_bytes(&t->model->state),
        .gradient_bytes = fal_arena_bytes(&t->gradients),
        .optimizer_bytes = fal_arena_bytes(&t->moments) +
                           fal_arena_bytes(&t->squares) +
                           fal_arena_bytes(&t->muon_room),
        .feedback_bytes = fal_arena_bytes(&t->feedback),
        .feedback_bytes_saved = fal_trainer_saved_bytes(t),
        .activation_bytes = fal_arena_bytes(&t->workspace.arena) +
                            fal_arena_bytes(&t->mirror_room) +
                            fal_arena_bytes(&t->statistics),
    };
    fal_status status = fal_trainer_launches(t, &found.launches);
    return status ? status
                  : fal_options_write(footprint, &found, sizeof found,
                                      "fal_footprint");
}
