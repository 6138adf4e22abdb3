/* What plans read and write, for networks and mixtures of rules drawn at random:
 * products of one launch leave each other's operands alone, and whatever is read is
 * complete, or in the case of weights still old. fal_gemm_add and its like are
 * wrapped by the linker, so that each says what it will touch. Then what updates in
 * products must share with updates behind them. */
#include "learning.h"
#include "ops/gemm.h"
#include "ops/loss.h"
#include "ops/normalize.h"
#include "train/trainer.h"

/* ---- what launches touch ------------------------------------------------- */

enum { MOST = 4096, ONES_FEEDBACK = 42 * 40, FEEDBACK = 8 * ONES_FEEDBACK };

/* `length` floats of a buffer, by product number `product` of a launch */
typedef struct span {
    size_t launch, product;
    int writes;
    fal_view at;
    uint64_t length;
    const char *what;
} span;

static span spans[MOST];
static size_t span_count, launch, backward_launches;
static int recording;

static void touch(size_t product, int writes, fal_view at, uint64_t length,
                  const char *what)
{
    if (!at.buffer || !recording)
        return;
    assert_true(span_count < MOST);
    spans[span_count++] = (span){launch, product, writes, at, length, what};
}

static uint64_t extent(size_t rows, size_t columns, size_t pitch)
{
    return rows ? (uint64_t)(rows - 1) * pitch + columns : 0;
}

static void touch_product(size_t i, const fal_product *p)
{
    size_t of_a = p->a.source == FAL_SOURCE_COLUMNS_ONES ? p->m - 1 : p->m;
    uint64_t c = extent(p->m, p->n, p->pitch);
    touch(i, 0, p->a.data,
          p->a.source == FAL_SOURCE_ROWS ? extent(p->m, p->k, p->a.pitch)
                                         : extent(p->k, of_a, p->a.pitch),
          "A");
    touch(i, 0, p->b.data,
          p->b.source == FAL_SOURCE_ROWS ? extent(p->k, p->n, p->b.pitch)
                                         : extent(p->n, p->k, p->b.pitch),
          "B");
    touch(i, 0, p->values.magnitude, extent(p->n, p->k, p->b.pitch), "magnitude");
    touch(i, 0, p->bias, p->n, "bias");
    touch(i, 0, p->output, c, "output");
    touch(i, 1, p->c, c, "C");
    if (p->update) {
        touch(i, 1, p->update->moment, c, "moment");
        touch(i, 1, p->update->squares, c, "squares");
        touch(i, 1, p->update->feedback, c, "feedback");
        touch(i, 0, p->update->halted, 1, "halted");
    }
}

fal_status __real_fal_gemm_add(fal_launches *list, const fal_product *products,
                               size_t count);
fal_status __wrap_fal_gemm_add(fal_launches *list, const fal_product *products,
                               size_t count);
fal_status __wrap_fal_gemm_add(fal_launches *list, const fal_product *products,
                               size_t count)
{
    for (size_t i = 0; i < count; i++)
        touch_product(i, &products[i]);
    launch++;
    backward_launches += strcmp(products[0].work, "forward") != 0;
    return __real_fal_gemm_add(list, products, count);
}

fal_status __real_fal_activate_add(fal_launches *list, fal_activation activation,
                                   fal_view a, fal_view h, size_t count);
fal_status __wrap_fal_activate_add(fal_launches *list, fal_activation activation,
                                   fal_view a, fal_view h, size_t count);
fal_status __wrap_fal_activate_add(fal_launches *list, fal_activation activation,
                                   fal_view a, fal_view h, size_t count)
{
    touch(0, 0, a, count, "a");
    touch(0, 1, h, count, "h");
    launch++;
    return __real_fal_activate_add(list, activation, a, h, count);
}

fal_status __real_fal_derive_add(fal_launches *list, fal_activation activation,
                                 fal_view delta, fal_view h, size_t count);
fal_status __wrap_fal_derive_add(fal_launches *list, fal_activation activation,
                                 fal_view delta, fal_view h, size_t count);
fal_status __wrap_fal_derive_add(fal_launches *list, fal_activation activation,
                                 fal_view delta, fal_view h, size_t count)
{
    touch(0, 1, delta, count, "delta");
    touch(0, 0, h, count, "h");
    launch++;
    return __real_fal_derive_add(list, activation, delta, h, count);
}

fal_status __real_fal_loss_add(fal_launches *list, const fal_loss_work *work,
                               unsigned *slot);
fal_status __wrap_fal_loss_add(fal_launches *list, const fal_loss_work *work,
                               unsigned *slot);
fal_status __wrap_fal_loss_add(fal_launches *list, const fal_loss_work *work,
                               unsigned *slot)
{
    touch(0, 0, work->a, work->rows * work->outputs, "outputs");
    touch(0, 1, work->delta, work->rows * work->outputs, "delta");
    touch(0, 1, work->halted, 1, "halted");
    touch(0, 1, work->signal, work->rows * work->outputs, "signal");
    launch++;
    return __real_fal_loss_add(list, work, slot);
}

static void touch_norm(const fal_norm *n, int backward)
{
    uint64_t all = n->rows * n->positions * n->channels;
    touch(0, 0, n->input, all, "x");
    touch(0, backward ? 0 : !n->fixed, n->mean, n->channels, "mean");
    touch(0, backward ? 0 : !n->fixed, n->variance, n->channels, "variance");
    touch(0, backward, backward ? n->signal : n->input, all, "signal");
    if (!backward)
        touch(0, 1, n->output, all, "y");
    touch(0, n->update != NULL, n->weights, 2 * n->channels, "gain");
    if (n->update)
        touch(0, 1, n->update->moment, 2 * n->channels, "moment");
    else if (backward)
        touch(0, 1, n->gradient, 2 * n->channels, "gradient");
    launch++;
}

#define WRAP_NORM(name, backward)                                                  \
    fal_status __real_##name(fal_launches *list, const fal_norm *norm);            \
    fal_status __wrap_##name(fal_launches *list, const fal_norm *norm);            \
    fal_status __wrap_##name(fal_launches *list, const fal_norm *norm)             \
    {                                                                              \
        touch_norm(norm, backward);                                                \
        return __real_##name(list, norm);                                          \
    }
WRAP_NORM(fal_batch_norm_add, 0)
WRAP_NORM(fal_layer_norm_add, 0)
WRAP_NORM(fal_batch_norm_backward_add, 1)
WRAP_NORM(fal_layer_norm_backward_add, 1)

/* ---- what they may touch ------------------------------------------------- */

static int overlap(const span *x, const span *y)
{
    return x->at.buffer == y->at.buffer &&
           x->at.offset < y->at.offset + y->length &&
           y->at.offset < x->at.offset + x->length;
}

static int lies_in(const span *s, const fal_arena *arena)
{
    for (size_t i = 0; i < arena->count; i++)
        if (s->at.buffer == arena->buffers[i])
            return 1;
    return 0;
}

static void complain(const span *x, const span *y, const char *network,
                     const char *why)
{
    fail_msg("%s: %s of product %zu of launch %zu %s%s%s of product %zu of launch "
             "%zu",
             network, x->what, x->product, x->launch, why, y ? " " : "",
             y ? y->what : "", y ? y->product : 0, y ? y->launch : 0);
}

static void expect_independent(const char *network)
{
    for (size_t i = 0; i < span_count; i++)
        for (size_t j = 0; j < span_count; j++)
            if (i != j && spans[i].launch == spans[j].launch && spans[i].writes &&
                overlap(&spans[i], &spans[j]))
                complain(&spans[i], &spans[j], network, "is written beside");
}

/* Weights and feedback are read before they are updated, all else after its last
 * change. */
static void expect_order(const fal_trainer *t, const char *network)
{
    const fal_workspace *w = &t->workspace;
    const span inputs = {.at = fal_arena_view(&w->arena, w->inputs),
                         .length = w->inputs.count};
    for (size_t i = 0; i < span_count; i++) {
        const span *x = &spans[i];
        int is_weight = lies_in(x, &t->model->parameters) ||
                        x->at.buffer == t->routes[0].feedback.buffer;
        int written = 0;
        if (x->writes)
            continue;
        for (size_t j = 0; j < span_count; j++) {
            const span *y = &spans[j];
            if (!y->writes || !overlap(x, y))
                continue;
            if (is_weight ? y->launch < x->launch : y->launch > x->launch)
                complain(x, y, network, "is read at the wrong time, see");
            written = 1;
        }
        if (lies_in(x, &w->arena) && !written && !overlap(x, &inputs))
            complain(x, NULL, network, "was never made");
    }
}

/* How often [weight; bias] of a layer is written in an arena, nothing else of it. */
static size_t times_written(const fal_arena *arena, const fal_layer *layer)
{
    size_t times = 0;
    fal_view view = fal_arena_view(arena, layer->weight);
    uint64_t length = layer->weight.count + layer->bias.count;
    for (size_t i = 0; i < span_count; i++)
        times += spans[i].writes && spans[i].at.buffer == view.buffer &&
                 spans[i].at.offset == view.offset && spans[i].length == length;
    return times;
}

static void expect_each_gradient_once(const fal_trainer *t)
{
    const fal_network *network = &t->model->network;
    const fal_arena *into = t->options.keep_gradients ? &t->gradients
                                                      : &t->model->parameters;
    size_t layers = 0, writes = 0;
    for (size_t i = 0; i < network->count; i++) {
        const fal_layer *layer = &network->layers[i];
        int learns = layer->has_weight && !t->routes[layer->block - 1].frozen;
        if (!layer->has_weight)
            continue;
        assert_int_equal(times_written(into, layer), learns);
        if (into != &t->gradients && t->moments.count)
            assert_int_equal(times_written(&t->moments, layer), learns);
        layers += (size_t)learns;
    }
    for (size_t i = 0; i < span_count; i++)
        writes += spans[i].writes && (lies_in(&spans[i], &t->model->parameters) ||
                                      lies_in(&spans[i], &t->gradients));
    assert_int_equal(writes, layers);
}

/* ---- networks and rules -------------------------------------------------- */

enum { INPUTS = 9, OUTPUTS = 5 };

static size_t below(size_t limit)
{
    return (size_t)((uniform() + 1) / 2 * (double)limit);
}

/* Of the first `most` kinds: norms learn nothing below the first dense layer. */
static size_t add_between(char *text, size_t most)
{
    static const char *const kinds[] = {"relu",       "tanh", "linear",
                                        "leaky 0.25", "relu", "sigmoid",
                                        "norm layer", "norm"};
    size_t used = 0;
    for (size_t i = below(4); i > 0; i--)
        used += (size_t)sprintf(text + used, ", %s", kinds[below(most)]);
    return used;
}

static void draw_network(char text[1024])
{
    size_t used = (size_t)sprintf(text, "input %d", INPUTS);
    if (below(4) == 0)
        used += add_between(text + used, 6);
    for (size_t i = below(6); i > 0; i--) {
        used += (size_t)sprintf(text + used, ", dense %zu%s", 1 + below(40),
                                below(3) ? "" : " nobias");
        used += add_between(text + used, 8);
    }
    sprintf(text + used, ", dense %d%s", OUTPUTS, below(3) ? "" : " nobias");
}

static const char *const rules[] = {"bp",   "fa",      "dfa",  "usf", "brsf",
                                    "frsf", "shallow", "drtp", "kp",  "wm"};
enum { SHALLOW = 6, KP = 8, RULES = sizeof rules / sizeof *rules };

/* What two trainers must share to do the same. */
struct mixture {
    char network[1024];
    unsigned char rules[8];
    fal_view feedback;
};

/* What freezes and what learns with the weights only where trainers may know of it when
 * they are made. */
static void draw_mixture(struct mixture *m, int all)
{
    draw_network(m->network);
    for (size_t i = 0; i < sizeof m->rules; i++)
        m->rules[i] = (unsigned char)(all && !below(8)   ? SHALLOW
                                      : all && !below(4) ? KP
                                                         : below(SHALLOW));
}

static void mix(fal_trainer *t, const struct mixture *m)
{
    size_t count = t->model->network.weights;
    for (size_t i = 0; i < count; i++) {
        must(fal_rule_find(rules[m->rules[i]], &t->routes[i].rule));
        t->routes[i].feedback = m->feedback;
        t->routes[i].feedback.offset = i * ONES_FEEDBACK;
        t->routes[i].magnitude = .2f;
        t->routes[i].random = (fal_random){FAL_UNIFORM, .2f, 1, 2, 1, 0, 1};
    }
    fal_routes_freeze(t->routes, &t->model->network);
}

static fal_view random_feedback(void)
{
    fal_view view = {NULL, 0};
    float *values = random_floats(FEEDBACK, .3);
    must(fal_buffer_create(device, FEEDBACK * 4, "test", &view.buffer));
    must(fal_write(device, view.buffer, 0, FEEDBACK * 4, values));
    fal_release(values);
    return view;
}

static fal_trainer_options constant(const char *optimizer, size_t batch, int keep)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.optimizer = optimizer;
    options.schedule = "constant";
    options.batch = batch;
    options.keep_gradients = keep;
    options.learning_rate = .01;
    return options;
}

/* Compiles the plan of a full batch. */
static void record(fal_trainer *t)
{
    fal_footprint footprint = {.size = sizeof footprint};
    span_count = launch = backward_launches = 0;
    recording = 1;
    must(fal_trainer_footprint(t, &footprint));
    recording = 0;
    assert_true(span_count > 0);
}

static void check_mixture(const struct mixture *m, const char *optimizer, int keep)
{
    fal_trainer_options options = constant(optimizer, 2 + below(40), keep);
    fal_model *model = model_of(m->network, 1);
    fal_trainer *t = trainer_of(model, &options);
    mix(t, m);
    record(t);
    expect_independent(m->network);
    expect_order(t, m->network);
    expect_each_gradient_once(t);
    fal_trainer_destroy(t);
    fal_model_destroy(model);
}

/* ---- tests --------------------------------------------------------------- */

/* In arenas of one buffer and of many. */
static void products_of_a_launch_are_independent(void **state)
{
    static const char *const optimizers[] = {"sgd", "adam"};
    uint64_t largest = device->facts.allocation;
    struct mixture m = {.feedback = random_feedback()};
    (void)state;
    for (int i = 0; i < 120; i++) {
        draw_mixture(&m, 1);
        check_mixture(&m, optimizers[i % 2], i / 2 % 2);
        device->facts.allocation = 128 + 4 * 4096;
        check_mixture(&m, optimizers[i % 2], i / 2 % 2);
        device->facts.allocation = largest;
    }
    fal_buffer_destroy(device, m.feedback.buffer);
}

/* Of a network of 5 layers: bp's wait for each other, dfa's only for the output. */
static void pure_rules_take_few_launches(void **state)
{
    static const size_t expected[RULES] = {5, 5, 2, 5, 5, 5, 1, 2, 5, 5};
    (void)state;
    for (size_t r = 0; r < RULES; r++)
        for (int keep = 0; keep < 2; keep++) {
            fal_trainer_options options = constant("adam", 20, keep);
            options.rule = rules[r];
            fal_model *model = model_of("input 9, dense 8, tanh, dense 8, tanh, "
                                        "dense 8, tanh, dense 8, tanh, dense 5",
                                        1);
            fal_trainer *t = trainer_of(model, &options);
            record(t);
            assert_int_equal(backward_launches, expected[r]);
            fal_trainer_destroy(t);
            fal_model_destroy(model);
        }
}

/* ---- updates in products and behind them --------------------------------- */

/* A few steps of different numbers of rows; returns the weights. A trainer that was
 * made before its rules were mixed does not know what those freeze. */
static float *after_steps(const struct mixture *m, fal_trainer_options options,
                          const fal_arrays *arrays, size_t *count)
{
    static const size_t rows[] = {40, 40, 17, 9, 40};
    fal_model *model = model_of(m->network, 1);
    fal_trainer *t = trainer_of(model, &options);
    mix(t, m);
    for (size_t i = 0; i < 5; i++) {
        fal_arrays part = rows_of(arrays, 0, rows[i]);
        must(fal_trainer_step(t, &part, NULL));
    }
    float *weights = all_weights(model, count);
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    return weights;
}

static void expect_near(const float *got, const float *expected, size_t count,
                        const struct mixture *m, const char *what)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - expected[i]) <= 2e-6f * (1 + fabsf(expected[i]))))
            fail_msg("%s: %s, weight %zu: %.9g, not %.9g", m->network, what, i,
                     (double)got[i], (double)expected[i]);
}

/* Gradients kept for the caller, or too long a sum for one piece, change nothing;
 * arenas of several buffers, more than a launch takes, no bit. */
static void updates_agree_wherever_they_are_made(void **state)
{
    struct mixture m = {.feedback = random_feedback()};
    fal_arrays arrays = random_arrays(40, INPUTS, OUTPUTS, 0);
    uint64_t largest = device->facts.allocation;
    (void)state;
    for (int i = 0; i < 24; i++) {
        fal_trainer_options options = constant("sgd", 40, 0);
        size_t n, kept_n, long_n, apart_n;
        draw_mixture(&m, 0);
        options.nesterov = i % 2;
        options.weight_decay = i % 3 ? .1 : 0;
        float *fused = after_steps(&m, options, &arrays, &n);
        options.keep_gradients = 1;
        float *kept = after_steps(&m, options, &arrays, &kept_n);
        options.keep_gradients = 0;
        options.batch = FAL_GEMM_DEPTH + 1;
        float *separate = after_steps(&m, options, &arrays, &long_n);
        options.batch = 40;
        device->facts.allocation = 128 + 4 * 4096;
        float *apart = after_steps(&m, options, &arrays, &apart_n);
        device->facts.allocation = largest;
        assert_true(n == kept_n && n == long_n && n == apart_n);
        assert_memory_equal(apart, fused, n * sizeof *fused);
        expect_near(kept, fused, n, &m, "gradients kept");
        expect_near(separate, fused, n, &m, "long batch");
        fal_release(fused);
        fal_release(kept);
        fal_release(separate);
        fal_release(apart);
    }
    free_arrays(&arrays);
    fal_buffer_destroy(device, m.feedback.buffer);
}

/* ---- a loss that is not finite ------------------------------------------- */

static float *all_of(const fal_arena *arena, size_t *count)
{
    float *values = room(*count = fal_arena_bytes(arena) / 4, sizeof *values);
    for (size_t i = 0, at = 0; i < arena->count; at += arena->sizes[i++])
        must(fal_arena_read(arena, (fal_slot){i, 0, arena->sizes[i]}, values + at));
    return values;
}

/* Neither weights nor what the optimizer keeps change, in no job of any launch. */
static void halted_steps_change_nothing(void **state)
{
    struct mixture m = {.feedback = random_feedback()};
    fal_arrays good = random_arrays(40, INPUTS, OUTPUTS, 0);
    fal_arrays bad = random_arrays(40, INPUTS, OUTPUTS, 0);
    (void)state;
    ((float *)bad.inputs)[39 * INPUTS] = NAN;
    for (int i = 0; i < 32; i++) {
        fal_trainer_options options = constant(i % 2 ? "adam" : "sgd", 40,
                                               i / 2 % 2);
        double loss;
        draw_mixture(&m, 0);
        fal_model *model = model_of(m.network, 1);
        fal_trainer *t = trainer_of(model, &options);
        const fal_arena *const arenas[] = {&model->parameters, &model->state,
                                           &t->moments, &t->squares};
        float *before[4];
        size_t n[4];
        mix(t, &m);
        must(fal_trainer_step(t, &good, NULL));
        for (size_t k = 0; k < 4; k++)
            before[k] = all_of(arenas[k], &n[k]);
        must(fal_trainer_step(t, &bad, NULL));
        must(fal_trainer_step(t, &good, NULL));
        expect_error(fal_trainer_step(t, &good, &loss), FAL_ERROR_DIVERGED,
                     "step 2");
        for (size_t k = 0; k < 4; k++) {
            float *after = all_of(arenas[k], &n[k]);
            assert_memory_equal(before[k], after, n[k] * sizeof *after);
            fal_release(before[k]);
            fal_release(after);
        }
        fal_trainer_destroy(t);
        fal_model_destroy(model);
    }
    free_arrays(&good);
    free_arrays(&bad);
    fal_buffer_destroy(device, m.feedback.buffer);
}

/* ---- compute units ------------------------------------------------------- */

static void units_change_no_bit(void **state)
{
    static const unsigned units[] = {13, 1, 2, 3};
    fal_device *const usual = device;
    fal_arrays arrays = random_arrays(40, INPUTS, OUTPUTS, 0);
    struct mixture m = {.network = "input 9, dense 70, norm, relu, dense 50, tanh, "
                                   "dense 33, relu, dense 5",
                        .rules = {2, 0, 1, 1}};
    float *first = NULL;
    (void)state;
    must(fal_device_open(&device, NULL)); /* its scratch is for the first's units */
    for (size_t u = 0; u < 4; u++) {
        size_t n;
        noise = 1;
        device->facts.units = units[u];
        m.feedback = random_feedback();
        float *weights = after_steps(&m, constant("adam", 40, 0), &arrays, &n);
        if (u == 0)
            first = weights;
        assert_memory_equal(weights, first, n * sizeof *weights);
        if (u > 0)
            fal_release(weights);
        fal_buffer_destroy(device, m.feedback.buffer);
    }
    fal_release(first);
    fal_device_destroy(device);
    device = usual;
    free_arrays(&arrays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_of_a_launch_are_independent),
        cmocka_unit_test(pure_rules_take_few_launches),
        cmocka_unit_test(updates_agree_wherever_they_are_made),
        cmocka_unit_test(halted_steps_change_nothing),
        cmocka_unit_test(units_change_no_bit),
    };
    return cmocka_run_group_tests_name("waves", tests, open_device, close_device);
}
