/* The weight mirror (Akrout et al. 2019). Between the training steps each layer that
 * hands errors down is shown noise xi [n][in], and what it makes of that, y = phi(xi W)
 * [n][out] without bias and norm, teaches B [in][out]:
 *
 *     B <- (1 - decay) B + (rate/n) xi^T (y - mean of y over the rows)
 *
 * A convolution is shown maps; its rows are the positions of what it makes of n of them,
 * its xi^T y the weight gradient, and n counts the positions too.
 *
 * On the average xi^T y is W times a number. The mean of xi need not be taken off too:
 * the columns of what is left of y add up to 0, so that it would change nothing; except
 * where a convolution's padding stands beside xi, which a mean would be a step to. W
 * stays as it is; training steps in turn do not change B. */
#include "data/random.h"
#include "device/memory.h"
#include "net/flow.h"
#include "net/layer.h"
#include "ops/normalize.h"
#include "train/trainer.h"

#include <math.h>

/* Of a queue that many steps would fill. */
enum { STEPS_AT_ONCE = 64 };

/* ---- options ------------------------------------------------------------- */

static int learns_by_mirror(const fal_trainer *t)
{
    for (size_t i = 0; i < t->model->network.weights; i++)
        if (t->routes[i].rule->learning == FAL_LEARNS_MIRROR)
            return 1;
    return 0;
}

static int has_mirror(const fal_trainer *t, unsigned number)
{
    return t->routes[number - 1].rule->learning == FAL_LEARNS_MIRROR &&
           fal_trainer_has_law(t, number);
}

/* Rows of what a layer makes of its noise, over which means are taken. */
static size_t rows_of(const fal_trainer *t, const fal_layer *layer)
{
    return t->options.batch * (fal_layer_units(layer) / layer->outputs);
}

/* Of the layers that have a mirror: the fewest rows, or, `most`, the most; 0: none. */
static size_t find_rows(const fal_trainer *t, int most)
{
    size_t found = 0;
    for (unsigned l = 1; l <= t->model->network.weights; l++) {
        const fal_layer *layer = fal_network_weight_layer(&t->model->network, l);
        size_t rows = has_mirror(t, l) ? rows_of(t, layer) : 0;
        if (rows > 0 && (found == 0 || (rows > found) == (most != 0)))
            found = rows;
    }
    return found;
}

static fal_status check(const fal_trainer *t)
{
    const fal_trainer_options *o = &t->options;
    size_t most = find_rows(t, 1);
    int has = learns_by_mirror(t);
    if (!has && (o->mirror_rate != 0 || o->mirror_decay != 0))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "%s: the rule %s has no mirror; leave it out, or use the "
                        "rule wm",
                        o->mirror_rate != 0 ? "mirror rate" : "mirror decay",
                        t->rule->name);
    if (o->mirror_rate != 0 &&
        (o->mirror_rate < 0 ||
         !isnormal((float)(o->mirror_rate / (double)(most ? most : o->batch)))))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "mirror rate %g must be above 0, and a float32 number when "
                        "divided by the batch and the positions of a map (0: the "
                        "default)",
                        o->mirror_rate);
    if (!(o->mirror_decay >= 0 && o->mirror_decay <= 1))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "mirror decay %g must be above 0 and at most 1 (0: the "
                        "default)",
                        o->mirror_decay);
    if (find_rows(t, 0) == 1)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "batch 1: the rule wm shows its mirror as many rows, of "
                        "which one is its own mean, so that nothing is left to "
                        "learn from; use a batch of 2 or more");
    return FAL_OK;
}

fal_status fal_trainer_find_mirror(fal_trainer *t)
{
    fal_trainer_options *o = &t->options;
    fal_status status = check(t);
    if (status || !learns_by_mirror(t))
        return status;
    if (o->mirror_rate == 0)
        o->mirror_rate = .01;
    if (o->mirror_decay == 0)
        o->mirror_decay = .01;
    return FAL_OK;
}

/* ---- places -------------------------------------------------------------- */

/* A layer with noise and what it makes of that. */
struct place {
    const fal_layer *layer;
    fal_slot noise, response;
};

static fal_conv conv_of(const fal_trainer *t, const fal_layer *layer)
{
    return fal_layer_conv(layer, t->options.batch);
}

/* Floats for the launches of a convolution's passes */
static uint64_t room_of(const fal_trainer *t, const fal_layer *layer)
{
    const fal_device *device = t->model->device;
    if (!layer->kernel)
        return 0;
    const fal_conv conv = conv_of(t, layer);
    uint64_t forward = fal_conv_room(device, &conv, FAL_CONV_FORWARD);
    uint64_t weight = fal_conv_room(device, &conv, FAL_CONV_WEIGHT);
    return forward > weight ? forward : weight;
}

static fal_status place(fal_trainer *t, const fal_layer *layer, struct place *p)
{
    uint64_t rows = t->options.batch;
    p->layer = layer;
    fal_status status = fal_arena_place(
        &t->mirror_room, rows * fal_shape_size(layer->in), &p->noise);
    return status ? status
                  : fal_arena_place(&t->mirror_room, rows * fal_layer_units(layer),
                                    &p->response);
}

static fal_status place_all(fal_trainer *t, struct place *places)
{
    const fal_network *network = &t->model->network;
    uint64_t room = 0;
    fal_status status = FAL_OK;
    fal_arena_begin(&t->mirror_room, t->model->device, "mirror");
    for (unsigned l = 1; l <= network->weights && !status; l++) {
        const fal_layer *layer = fal_network_weight_layer(network, l);
        if (!has_mirror(t, l))
            continue;
        status = place(t, layer, &places[t->mirrors++]);
        if (room_of(t, layer) > room)
            room = room_of(t, layer);
    }
    if (!status)
        status = fal_arena_place(&t->mirror_room, room, &t->mirror_work);
    return status ? status : fal_arena_make(&t->mirror_room);
}

static fal_view noise_of(const fal_trainer *t, const struct place *p)
{
    return fal_arena_view(&t->mirror_room, p->noise);
}

static fal_view response_of(const fal_trainer *t, const struct place *p)
{
    return fal_arena_view(&t->mirror_room, p->response);
}

/* ---- launches ------------------------------------------------------------ */

static fal_random noise(const fal_trainer *t, unsigned number)
{
    return (fal_random){.distribution = FAL_NORMAL,
                        .scale = 1,
                        .seed = t->options.noise_seed,
                        .purpose = FAL_PURPOSE_MIRROR,
                        .layer = number,
                        .draw = (uint32_t)t->mirror_steps};
}

static fal_status draw_noise(fal_trainer *t, const struct place *p)
{
    const fal_random random = noise(t, p->layer->number);
    t->mirror.layer = p->layer->name;
    return fal_random_add(&t->mirror, &random, noise_of(t, p), t->options.batch,
                          fal_shape_size(p->layer->in), 0);
}

static fal_product response(const fal_trainer *t, const struct place *p)
{
    const fal_layer *layer = p->layer;
    return (fal_product){.m = t->options.batch,
                         .n = layer->outputs,
                         .k = layer->inputs,
                         .a = {FAL_SOURCE_ROWS, noise_of(t, p), layer->inputs},
                         .b = {FAL_SOURCE_ROWS,
                               fal_arena_view(&t->model->parameters, layer->weight),
                               layer->outputs},
                         .c = response_of(t, p),
                         .pitch = layer->outputs,
                         .layer = layer->name,
                         .work = "mirror"};
}

static fal_status add_conv_response(fal_trainer *t, const struct place *p)
{
    const fal_conv conv = conv_of(t, p->layer);
    const fal_conv_forward pass = {
        .input = noise_of(t, p),
        .weight = fal_arena_view(&t->model->parameters, p->layer->weight),
        .output = response_of(t, p),
        .room = fal_arena_view(&t->mirror_room, t->mirror_work),
        .layer = p->layer->name,
        .work = "mirror"};
    return fal_conv_forward_add(&t->mirror, &conv, &pass);
}

/* After the response to it */
static fal_status center_noise(fal_trainer *t, const struct place *p)
{
    const fal_shape in = p->layer->in;
    return fal_center_add(&t->mirror, noise_of(t, p),
                          t->options.batch * in.height * in.width, in.channels);
}

/* All activations between a hidden layer and where it ends, none behind the output
 * layer; then the means. */
static fal_status bend(fal_trainer *t, const struct place *p)
{
    const fal_network *network = &t->model->network;
    const fal_layer *layer = p->layer;
    size_t tensor = fal_network_index(network, layer) + 1;
    size_t end = layer->number < network->weights ? layer->end : tensor;
    fal_view y = response_of(t, p);
    fal_status status = FAL_OK;
    t->mirror.layer = layer->name;
    for (size_t i = tensor; i < end && !status; i++) {
        const fal_layer *l = &network->layers[i];
        if (!fal_layer_reads(l, tensor))
            continue;
        if (l->is_activation && l->activation.phi != FAL_LINEAR)
            status = fal_activate_add(&t->mirror, l->activation, y, y,
                                      t->options.batch * fal_layer_units(layer));
        tensor = i + 1;
    }
    if (!status)
        status = fal_center_add(&t->mirror, y, rows_of(t, layer), layer->outputs);
    return status || layer->pad == 0 ? status : center_noise(t, p);
}

/* What `rows` rows from `first` on teach. */
static fal_product lesson(const fal_trainer *t, const struct place *p, size_t first,
                          size_t rows)
{
    const fal_trainer_options *o = &t->options;
    const fal_layer *layer = p->layer;
    fal_view x = noise_of(t, p), y = response_of(t, p);
    fal_view b = t->routes[layer->number - 1].feedback;
    x.offset += first * layer->inputs;
    y.offset += first * layer->outputs;
    return (fal_product){.m = layer->inputs,
                         .n = layer->outputs,
                         .k = rows,
                         .a = {FAL_SOURCE_COLUMNS, x, layer->inputs},
                         .b = {FAL_SOURCE_ROWS, y, layer->outputs},
                         .c = b,
                         .pitch = layer->outputs,
                         .other = b,
                         .alpha = (float)(o->mirror_rate / (double)o->batch),
                         .beta = first ? 1 : (float)(1 - o->mirror_decay),
                         .halted = t->in_products.how.halted,
                         .layer = layer->name,
                         .work = "mirror"};
}

static fal_status add_conv_lesson(fal_trainer *t, const struct place *p)
{
    const fal_trainer_options *o = &t->options;
    const fal_conv conv = conv_of(t, p->layer);
    const fal_conv_weight pass = {
        .input = noise_of(t, p),
        .delta = response_of(t, p),
        .gradient = t->routes[p->layer->number - 1].feedback,
        .alpha = (float)(o->mirror_rate / (double)rows_of(t, p->layer)),
        .beta = (float)(1 - o->mirror_decay),
        .halted = t->in_products.how.halted,
        .room = fal_arena_view(&t->mirror_room, t->mirror_work),
        .layer = p->layer->name,
        .work = "mirror"};
    return fal_conv_weight_add(&t->mirror, &conv, &pass);
}

/* Those of convolutions one by one, those of dense layers in one launch */
static fal_status add_conv_passes(fal_trainer *t, const struct place *places,
                                  fal_status (*add)(fal_trainer *t,
                                                    const struct place *p))
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < t->mirrors && !status; i++)
        if (places[i].layer->kernel)
            status = add(t, &places[i]);
    return status;
}

static fal_status add_responses(fal_trainer *t, const struct place *places,
                                fal_product *products)
{
    fal_status status = FAL_OK;
    size_t dense = 0;
    for (size_t i = 0; i < t->mirrors && !status; i++)
        status = draw_noise(t, &places[i]);
    for (size_t i = 0; i < t->mirrors; i++)
        if (!places[i].layer->kernel)
            products[dense++] = response(t, &places[i]);
    if (!status)
        status = fal_gemm_add(&t->mirror, products, dense);
    if (!status)
        status = add_conv_passes(t, places, add_conv_response);
    for (size_t i = 0; i < t->mirrors && !status; i++)
        status = bend(t, &places[i]);
    return status;
}

/* As many rows at a time as a product that also reads its old result may have. */
static fal_status add_lessons(fal_trainer *t, const struct place *places,
                              fal_product *products)
{
    size_t batch = t->options.batch;
    fal_status status = FAL_OK;
    for (size_t first = 0; first < batch && !status; first += FAL_GEMM_DEPTH) {
        size_t left = batch - first, dense = 0;
        for (size_t i = 0; i < t->mirrors; i++)
            if (!places[i].layer->kernel)
                products[dense++] = lesson(t, &places[i], first,
                                           left < FAL_GEMM_DEPTH ? left
                                                                 : FAL_GEMM_DEPTH);
        status = fal_gemm_add(&t->mirror, products, dense);
    }
    return status ? status : add_conv_passes(t, places, add_conv_lesson);
}

fal_status fal_trainer_make_mirror(fal_trainer *t)
{
    size_t layers = t->model->network.weights;
    struct place *places = fal_allocate(layers, sizeof *places);
    fal_product *products = fal_allocate(layers, sizeof *products);
    fal_status status = places && products ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status)
        status = place_all(t, places);
    if (!status && t->mirrors)
        status = add_responses(t, places, products);
    if (!status && t->mirrors)
        status = add_lessons(t, places, products);
    fal_release(places);
    fal_release(products);
    return status;
}

/* ---- steps --------------------------------------------------------------- */

/* The first launches draw noise, those of the first layers first. */
static fal_status run_step(fal_trainer *t)
{
    size_t launch = 0;
    fal_status status = FAL_OK;
    for (unsigned l = 1; l <= t->model->network.weights && !status; l++)
        if (has_mirror(t, l)) {
            const fal_random random = noise(t, l);
            status = fal_random_set(&t->mirror, launch++, &random);
        }
    if (!status)
        status = fal_launches_run(&t->mirror);
    if (!status)
        t->mirror_steps++;
    return status;
}

static fal_status finish(const fal_trainer *t)
{
    return fal_cl(t->model->device, clFinish(t->model->device->queue), "clFinish",
                  "mirror");
}

fal_status fal_trainer_run_mirror(fal_trainer *t, uint64_t steps)
{
    fal_status status = FAL_OK;
    for (uint64_t i = 0; i < steps && t->mirrors && !status; i++) {
        status = run_step(t);
        if (!status && i % STEPS_AT_ONCE == STEPS_AT_ONCE - 1)
            status = finish(t);
    }
    return status;
}

fal_status fal_trainer_begin_mirror(fal_trainer *t, size_t samples)
{
    if (!t->mirrors || t->step > 0 || t->mirror_steps > 0)
        return FAL_OK;
    fal_status status = fal_trainer_run_mirror(t, samples / t->options.batch);
    return status ? status : finish(t);
}

fal_status fal_trainer_mirror(fal_trainer *t, uint64_t steps)
{
    if (!t)
        return fal_fail(FAL_ERROR_ARGUMENT, "fal_trainer_mirror: needs a trainer");
    if (!t->mirrors)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_mirror: nothing here learns by a mirror; use "
                        "the rule wm, in a network of two layers at least");
    if (t->place.data)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_mirror: a fit is running, which makes its own "
                        "mirror steps; call it before or after");
    fal_status status = fal_ring_flush(&t->ring);
    if (!status && t->ring.diverged)
        return fal_trainer_diverged(t, NULL, 0, 0);
    if (!status)
        status = fal_trainer_run_mirror(t, steps);
    if (!status && t->goes_on) /* but not with this feedback */
        fal_trainer_leave_fit(t);
    return status;
}
