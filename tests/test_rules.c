/* Gradients, feedback rules and optimizers against double precision. Independent of
 * the library: host/reference/network.c (forward, losses, deltas, gradients,
 * updates, written from science §1), the numerical derivatives of its loss, and the
 * random numbers of tests/learning.h. What both sides share is only what is read
 * from the library through its public tensors: weights and feedback before a step.
 */
#include "twin.h"
#include "train/trainer.h"

static fal_trainer_options plain(const char *rule, const char *optimizer)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.optimizer = optimizer;
    options.keep_gradients = 1;
    return options;
}

/* ---- gradient check ------------------------------------------------------ */

static size_t all_parameters(const twin *t)
{
    size_t all = 0;
    for (size_t l = 0; l < t->net.count; l++)
        all += fal_reference_parameters(&t->net.layers[l]);
    return all;
}

/* The trainer's gradient, laid out as the reference's parameters, layer after layer.
 */
static double *gradient_of(twin *t)
{
    double *g = room(all_parameters(t), sizeof *g), *at = g;
    for (size_t l = 0; l < t->net.count; l++) {
        piece list[4];
        size_t count = pieces_of(&t->net, l, list), n;
        for (size_t i = 0; i < count; i++) {
            char name[80];
            snprintf(name, sizeof name, "%.63s.gradient", list[i].name);
            float *w = trainer_floats(t->trainer, name, &n);
            put(w, list[i].rows, list[i].columns, list[i].turned, at + list[i].at);
            fal_release(w);
        }
        at += fal_reference_parameters(&t->net.layers[l]);
    }
    return g;
}

static double *random_direction(size_t count)
{
    double *d = room(count, sizeof *d);
    for (size_t i = 0; i < count; i++)
        d[i] = uniform();
    double length = norm(d, count);
    for (size_t i = 0; i < count; i++)
        d[i] /= length;
    return d;
}

/* W <- W + far·d, in the reference. */
static void move(twin *t, const double *d, double far)
{
    for (size_t l = 0; l < t->net.count; l++) {
        fal_reference_layer *own = &t->net.layers[l];
        size_t n = fal_reference_parameters(own);
        for (size_t i = 0; i < n; i++)
            own->weight[i] += far * d[i];
        d += n;
    }
}

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

static double difference_in_double(twin *t, const double *d, double far)
{
    move(t, d, far);
    double above = fal_reference_network_forward(&t->net, &t->batch);
    move(t, d, -2 * far);
    double below = fal_reference_network_forward(&t->net, &t->batch);
    move(t, d, far);
    return (above - below) / (2 * far);
}

static void check_in_double(twin *t, const double *g)
{
    size_t n = all_parameters(t);
    for (int i = 0; i < 3; i++) {
        double *d = random_direction(n);
        double expected = difference_in_double(t, d, 1e-6);
        double error = fabs(dot(g, d, n) - expected);
        fal_release(d);
        if (!(error <= 5e-6 * norm(g, n) + 1e-9))
            fail_msg("%s: slope %g is %g off, gradient %g",
                     fal_model_network(t->model), expected, error, norm(g, n));
    }
}

static double evaluate_at(twin *t, const double *d, double far)
{
    fal_evaluation found = {.size = sizeof found};
    fal_dataset *data = dataset_of(&t->arrays);
    const char *loss = t->batch.loss == FAL_SQUARED_ERROR ? "mse" : "cross-entropy";
    move(t, d, far);
    give_weights(t);
    must(fal_model_evaluate(t->model, data, loss, &found));
    move(t, d, -far);
    fal_dataset_destroy(data);
    return found.loss;
}

/* The library's own float loss: steps must be long, so the direction is half random
 * and half the gradient, and the bound is wide. */
static void check_in_float(twin *t, const double *g)
{
    size_t n = all_parameters(t);
    double *d = random_direction(n), length = norm(g, n);
    for (size_t i = 0; i < n; i++)
        d[i] += g[i] / length;
    double expected = (evaluate_at(t, d, 3e-3) - evaluate_at(t, d, -3e-3)) / 6e-3;
    double error = fabs(dot(g, d, n) - expected);
    fal_release(d);
    if (!(error <= 5e-3 * length + 1e-4))
        fail_msg("%s: slope of evaluate %g is %g off, gradient %g",
                 fal_model_network(t->model), expected, error, length);
}

static int is_smooth(fal_phi phi)
{
    return phi != FAL_RELU && phi != FAL_LEAKY;
}

static fal_phi at_layer(fal_phi phi, int is_output)
{
    return is_output && phi != FAL_SCALE ? FAL_LINEAR : phi;
}

/* `depth` layers of odd widths, every second without bias in networks of even
 * depth; labels, one-hot or real targets. A scale follows the output layer too. */
static void check_gradient(size_t depth, fal_phi first, fal_phi second, int real,
                           const char *loss, fal_reference_norm_kind norm)
{
    static const size_t widths[] = {11, 13, 7, 17, 9};
    fal_reference_layer layers[5];
    size_t in = 6;
    for (size_t l = 0; l < depth; l++) {
        int last = l + 1 == depth;
        layers[l] = layer(in, last ? 4 : widths[l], at_layer(first, last),
                          at_layer(second, last));
        layers[l].has_bias = depth % 2 || l % 2;
        layers[l].norm = last ? FAL_REFERENCE_NO_NORM : norm;
        layers[l].plain = l % 3 == 2;
        in = layers[l].out;
    }
    fal_trainer_options options = plain("bp", "sgd");
    options.loss = loss;
    twin t = twin_open(layers, depth, options, random_arrays(21, 6, 4, real));
    must(fal_trainer_learning_rate(t.trainer, 0));
    step(&t);
    double *g = gradient_of(&t);
    check_in_double(&t, g);
    /* evaluation takes running statistics */
    if (is_smooth(first) && is_smooth(second) && norm != FAL_REFERENCE_BATCH)
        check_in_float(&t, g);
    fal_release(g);
    twin_close(&t);
}

static void check_depths(fal_reference_norm_kind norm)
{
    static const fal_phi phis[] = {FAL_RELU,    FAL_LEAKY,  FAL_TANH,
                                   FAL_SIGMOID, FAL_LINEAR, FAL_SCALE};
    for (size_t depth = 1; depth <= 5; depth++)
        for (size_t i = 0; i < 6; i++) {
            check_gradient(depth, phis[i], FAL_LINEAR, 0, "cross-entropy", norm);
            check_gradient(depth, phis[i], FAL_LINEAR, 1, "mse", norm);
        }
}

static void check_pairs(fal_reference_norm_kind norm)
{
    check_gradient(3, FAL_TANH, FAL_SIGMOID, 0, "cross-entropy", norm);
    check_gradient(3, FAL_SIGMOID, FAL_TANH, 1, "mse", norm);
    check_gradient(4, FAL_TANH, FAL_RELU, 0, "cross-entropy", norm);
    check_gradient(2, FAL_LEAKY, FAL_LEAKY, 0, "mse", norm);
    check_gradient(3, FAL_TANH, FAL_LINEAR, 0, "mse", norm);
    check_gradient(3, FAL_TANH, FAL_SCALE, 0, "cross-entropy", norm);
    check_gradient(2, FAL_SCALE, FAL_SIGMOID, 1, "mse", norm);
    check_gradient(2, FAL_SCALE, FAL_SCALE, 0, "mse", norm);
}

static void gradients_of_every_depth_and_activation(void **state)
{
    (void)state;
    check_depths(FAL_REFERENCE_NO_NORM);
}

static void gradients_through_two_activations_and_onehot_squares(void **state)
{
    (void)state;
    check_pairs(FAL_REFERENCE_NO_NORM);
}

static void gradients_through_norms(void **state)
{
    (void)state;
    check_depths(FAL_REFERENCE_BATCH);
    check_pairs(FAL_REFERENCE_BATCH);
    check_depths(FAL_REFERENCE_LAYER);
    check_pairs(FAL_REFERENCE_LAYER);
}

/* ---- feedback rules ------------------------------------------------------ */

static const fal_reference_layer odd[] = {
    {.in = 33, .out = 37, .has_bias = 1, .activations = {{FAL_TANH, 0}}},
    {.in = 37, .out = 19, .has_bias = 1, .activations = {{FAL_LEAKY, .25f}}},
    {.in = 19, .out = 5, .has_bias = 1}};

static const fal_reference_layer thin[] = {
    {.in = 3, .out = 127, .has_bias = 0, .activations = {{FAL_RELU, 0}}},
    {.in = 127, .out = 1, .has_bias = 1, .activations = {{FAL_SIGMOID, 0}}},
    {.in = 1, .out = 3, .has_bias = 1, .activations = {{FAL_TANH, 0}}},
    {.in = 3, .out = 127, .has_bias = 1}};

/* Both norms, with and without gain; a bias below batch norm would only drift, and
 * in so many steps something comes too near a kink. */
static const fal_reference_layer normed[] = {
    {.in = 33,
     .out = 37,
     .norm = FAL_REFERENCE_BATCH,
     .activations = {{FAL_SIGMOID, 0}}},
    {.in = 37,
     .out = 70,
     .has_bias = 1,
     .norm = FAL_REFERENCE_LAYER,
     .activations = {{FAL_SIGMOID, 0}, {FAL_TANH, 0}}},
    {.in = 70, .out = 19, .norm = FAL_REFERENCE_BATCH, .plain = 1},
    {.in = 19,
     .out = 13,
     .has_bias = 1,
     .norm = FAL_REFERENCE_LAYER,
     .plain = 1,
     .activations = {{FAL_TANH, 0}}},
    {.in = 13, .out = 5, .has_bias = 1}};

static const char *const rules[] = {"bp",   "fa", "dfa", "usf",    "brsf",
                                    "frsf", "kp", "wm",  "shallow"};
enum { RULES = sizeof rules / sizeof *rules, LEARNING = RULES - 1 };

static void deltas_and_gradients_of_every_rule(void **state)
{
    (void)state;
    for (size_t r = 0; r < RULES; r++) {
        twin t = twin_open(odd, 3, plain(rules[r], "sgd"),
                           random_arrays(23, 33, 5, 0));
        step(&t);
        expect_same_step(&t, 5e-6);
        twin_close(&t);
    }
}

static void deltas_and_gradients_through_norms(void **state)
{
    (void)state;
    for (size_t r = 0; r < 2 * RULES; r++) {
        fal_trainer_options options = plain(rules[r / 2], "sgd");
        options.keep_gradients = 1;
        twin t = twin_open(normed, 5, options,
                           random_arrays(r % 2 ? 23 : 300, 33, 5, 0));
        step(&t);
        expect_same_step(&t, 2e-5);
        twin_close(&t);
    }
}

static void deltas_and_gradients_of_thin_and_single(void **state)
{
    (void)state;
    noise = 1; /* with others what comes to the single unit may cancel */
    for (size_t r = 0; r < RULES; r++) {
        fal_trainer_options options = plain(rules[r], "adam");
        options.loss = "mse";
        twin t = twin_open(thin, 4, options, random_arrays(127, 3, 127, 1));
        step(&t);
        expect_same_step(&t, 5e-6);
        twin_close(&t);
        size_t single = strcmp(rules[r], "wm") == 0 ? 2
                                                    : 1; /* a mirror needs two */
        t = twin_open(thin, 4, plain(rules[r], "sgd"),
                      random_arrays(single, 3, 127, 0));
        step(&t);
        expect_same_step(&t, 5e-6);
        twin_close(&t);
    }
}

/* With two activations in a row the direct signal enters after the second. */
static void feedback_enters_after_all_activations(void **state)
{
    fal_reference_layer layers[] = {layer(9, 21, FAL_TANH, FAL_SIGMOID),
                                    layer(21, 15, FAL_RELU, FAL_TANH),
                                    layer(15, 7, FAL_LINEAR, FAL_LINEAR)};
    (void)state;
    for (size_t r = 0; r < LEARNING; r++) {
        twin t = twin_open(layers, 3, plain(rules[r], "sgd"),
                           random_arrays(17, 9, 7, 0));
        step(&t);
        expect_same_step(&t, 5e-6);
        twin_close(&t);
    }
}

/* Feedback that was set is the feedback that is used. */
static void feedback_can_be_set(void **state)
{
    (void)state;
    twin t = twin_open(odd, 3, plain("dfa", "sgd"), random_arrays(23, 33, 5, 0));
    float *b = random_floats(5 * 37, 2);
    must(fal_trainer_tensor_set(t.trainer, "dense1.feedback", b, 5 * 37));
    put(b, 5, 37, 0, t.net.layers[0].feedback);
    step(&t);
    expect_same_step(&t, 5e-6);
    fal_release(b);
    twin_close(&t);
}

static void shallow_leaves_hidden_weights(void **state)
{
    static const char *const held[] = {"dense1.weight", "dense1.bias",
                                       "dense2.weight", "dense2.bias"};
    float *before[4], *after;
    size_t n;
    (void)state;
    fal_trainer_options options = plain("shallow", "adamw");
    options.weight_decay = .1; /* would show */
    twin t = twin_open(odd, 3, options, random_arrays(23, 33, 5, 0));
    for (size_t i = 0; i < 4; i++)
        before[i] = model_floats(t.model, held[i], &n);
    float *output = model_floats(t.model, "dense3.weight", &n);
    for (int i = 0; i < 3; i++)
        must(fal_trainer_step(t.trainer, &t.arrays, NULL));
    after = model_floats(t.model, "dense3.weight", &n);
    for (size_t i = 0; i < n; i++)
        assert_true(output[i] != after[i]);
    fal_release(output);
    fal_release(after);
    for (size_t i = 0; i < 4; i++) {
        after = model_floats(t.model, held[i], &n);
        assert_memory_equal(before[i], after, n * sizeof *after);
        fal_release(before[i]);
        fal_release(after);
    }
    twin_close(&t);
}

/* ---- twenty recorded states ---------------------------------------------- */

typedef struct way {
    const char *optimizer;
    double momentum, weight_decay, rate, bound;
    int nesterov;
    double clip;
} way;

static const way ways[] = {
    {"sgd", 0, 0, .05, 1e-5, 0, 0},       {"sgd", .9, 0, .02, 1e-5, 0, 0},
    {"sgd", .9, 1e-2, .02, 1e-5, 1, 0},   {"adam", -1, 0, 2e-3, 1e-4, 0, 0},
    {"adam", -1, 1e-2, 2e-3, 1e-4, 0, 0}, {"adamw", -1, 1e-1, 2e-3, 1e-4, 0, 0}};

/* The gradients' norms are about 1: of these limits one always acts, one never. */
static const way clipped[] = {{"sgd", 0, 0, .5, 1e-5, 0, .01},
                              {"sgd", .9, 1e-2, .2, 1e-5, 1, .1},
                              {"sgd", .9, 0, .02, 1e-5, 0, 1e6},
                              {"adam", -1, 1e-2, 2e-3, 1e-4, 0, .1},
                              {"adamw", -1, 1e-1, 2e-3, 1e-4, 0, .1}};

static const way muons[] = {{"muon", .95, 0, .02, 1e-3, 0, 0},
                            {"muon", .9, 1e-1, .02, 1e-3, 0, 0},
                            {"muon", .95, 1e-2, .02, 1e-3, 0, .01}};
static const double rate_of_muons_rest = 2e-3;

static fal_reference_settings settings_of(const way *w)
{
    fal_reference_settings s = {.rate = w->rate,
                                .momentum = w->momentum < 0 ? 0 : w->momentum,
                                .weight_decay = w->weight_decay,
                                .nesterov = w->nesterov,
                                .clip = w->clip,
                                .rate_adamw = rate_of_muons_rest};
    static const char *const names[] = {"sgd", "adam", "adamw", "muon"};
    for (int i = 0; i < 4; i++)
        if (strcmp(w->optimizer, names[i]) == 0)
            s.optimizer = (fal_update_rule)i;
    return s;
}

/* The state both start the step from: the double run's weights, as float32 holds
 * them. */
static void round_weights(twin *t)
{
    for (size_t l = 0; l < t->net.count; l++) {
        fal_reference_layer *own = &t->net.layers[l];
        for (size_t i = 0; i < fal_reference_parameters(own); i++)
            own->weight[i] = (double)(float)own->weight[i];
    }
}

/* ΔW of a tensor of the model against the reference's; `before` and `after` are
 * both in [in][out]. Adam moves a parameter by its gradient's sign, so those whose
 * gradient `g` is 0 up to rounding are left out; also those where it is 0, if
 * `cancels`: then it is a sum that vanishes. */
static void expect_change(const char *name, const double *before,
                          const double *after, const double *expected,
                          const double *g, size_t count, double bound, int cancels)
{
    double *got = room(2 * count, sizeof *got), *wanted = got + count;
    double tiny = 1e-3 * norm(g, count) / sqrt((double)count);
    for (size_t i = 0; i < count; i++) {
        int known = (g[i] == 0 && !cancels) || fabs(g[i]) > tiny;
        got[i] = known ? after[i] - before[i] : 0;
        wanted[i] = known ? expected[i] - before[i] : 0;
    }
    expect_close(name, got, wanted, count, bound,
                 ldexp(1, -23) * norm(before, count));
    fal_release(got);
}

static double *doubled(const double *values, size_t count)
{
    double *copy = room(count, sizeof *copy);
    memcpy(copy, values, count * sizeof *copy);
    return copy;
}

/* A unit of usf whose signs are all the same sums up e, and that is 0. */
static void expect_changes(twin *t, const way *w, double *const *before)
{
    for (size_t l = 0; l < t->net.count; l++) {
        piece list[4];
        size_t count = pieces_of(&t->net, l, list), n;
        for (size_t i = 0; i < count; i++) {
            float *values = model_floats(t->model, list[i].name, &n);
            double *after = room(n, sizeof *after);
            put(values, list[i].rows, list[i].columns, list[i].turned, after);
            const fal_reference_layer *own = &t->net.layers[l];
            expect_change(list[i].name, before[l] + list[i].at, after,
                          own->weight + list[i].at,
                          own->weight_gradient + list[i].at, n, w->bound,
                          own->rule == FAL_REFERENCE_USF);
            fal_release(values);
            fal_release(after);
        }
    }
}

/* Of rules that change feedback, that of the trainer is where both start from. */
static void begin_feedback(twin *t, double *before[8])
{
    fal_reference_rule rule = t->net.layers[0].rule;
    if (rule == FAL_REFERENCE_KP || rule == FAL_REFERENCE_WM)
        take_feedback(t);
    for (size_t l = 0; l < t->net.count; l++) {
        const fal_reference_layer *own = &t->net.layers[l];
        before[l] = doubled(own->feedback, own->in * own->out);
    }
}

/* Of kp; what mirror steps make is test_mirror.c's. */
static void expect_feedback_changes(twin *t, const way *w, double *const *before)
{
    for (size_t l = 1; l < t->net.count; l++) {
        const fal_reference_layer *own = &t->net.layers[l];
        const char *name = tensor_name(l + 1, "feedback");
        size_t n;
        if (own->rule != FAL_REFERENCE_KP)
            return;
        float *values = trainer_floats(t->trainer, name, &n);
        double *after = room(n, sizeof *after);
        put(values, own->out, own->in, 1, after);
        expect_change(name, before[l], after, own->feedback, own->weight_gradient,
                      n, w->bound, 0);
        fal_release(values);
        fal_release(after);
    }
}

/* Running statistics of both go their own ways from the first step on. */
static void expect_running(twin *t)
{
    for (size_t l = 0; l < t->net.count; l++) {
        const fal_reference_layer *own = &t->net.layers[l];
        const double *expected[] = {own->running_mean, own->running_variance};
        for (int i = 0; i < 2 && own->norm == FAL_REFERENCE_BATCH; i++) {
            size_t n;
            const char *name = norm_name(&t->net, l,
                                         i ? "running_var" : "running_mean");
            float *values = model_floats(t->model, name, &n);
            double *got = room(n, sizeof *got);
            put(values, 1, n, 0, got);
            expect_close(name, got, expected[i], n, 2e-6, 1e-7);
            fal_release(values);
            fal_release(got);
        }
    }
}

/* One step from the state that both now have. */
static void golden_step(twin *t, const way *w, int number)
{
    double bound = t->net.layers[0].norm ? 2e-5 : 5e-6; /* norms cancel */
    double *before[8], *carried[8];
    fal_reference_settings settings = settings_of(w);
    round_weights(t);
    give_weights(t);
    begin_feedback(t, carried);
    for (size_t l = 0; l < t->net.count; l++) {
        size_t n = fal_reference_parameters(&t->net.layers[l]);
        before[l] = room(n, sizeof **before);
        memcpy(before[l], t->net.layers[l].weight, n * sizeof **before);
    }
    step(t);
    must(fal_reference_network_update(&t->net, &settings));
    assert_int_equal(t->net.updates, number + 1);
    expect_same_step(t, bound);
    expect_changes(t, w, before);
    expect_feedback_changes(t, w, carried);
    expect_running(t);
    for (size_t l = 0; l < t->net.count; l++) {
        fal_release(before[l]);
        fal_release(carried[l]);
    }
}

static void golden_run(const fal_reference_layer *layers, size_t count,
                       const char *rule, const way *w, int keep_gradients,
                       int steps)
{
    fal_trainer_options options = plain(rule, w->optimizer);
    options.keep_gradients = keep_gradients;
    options.momentum = w->momentum;
    options.weight_decay = w->weight_decay;
    options.learning_rate = w->rate;
    options.nesterov = w->nesterov;
    options.clip = w->clip;
    if (strcmp(w->optimizer, "muon") == 0)
        options.learning_rate_adamw = rate_of_muons_rest;
    twin t = twin_open(layers, count, options, random_arrays(23, 33, 5, 0));
    for (int s = 0; s < steps; s++) {
        golden_step(&t, w, s);
        twin_data(&t, random_arrays(23, 33, 5, 0));
    }
    twin_close(&t);
}

/* By the update kernel, and in the products of the gradients. */
static void twenty_states_one_step_each(void **state)
{
    (void)state;
    for (size_t r = 0; r < 2 * LEARNING; r++)
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
            golden_run(odd, 3, rules[r / 2], &ways[i], r % 2, 20);
}

static void clipped_steps_of_every_rule(void **state)
{
    (void)state;
    for (size_t r = 0; r < 2 * RULES; r++)
        for (size_t i = 0; i < sizeof clipped / sizeof *clipped; i++)
            golden_run(odd, 3, rules[r / 2], &clipped[i], r % 2, 6);
}

/* Gain and bias are parameters as others are; running statistics move under every
 * rule, shallow too. */
static void normed_steps_of_every_rule(void **state)
{
    (void)state;
    noise = 7; /* with others a gradient and its decay may cancel */
    for (size_t r = 0; r < 2 * RULES; r++)
        for (size_t i = 0; i < 9; i++) {
            way w = i < 6 ? ways[i] : clipped[2 * (i - 6)];
            w.bound *= 10; /* as gradients through norms do */
            golden_run(normed, 5, rules[r / 2], &w, r % 2, 6);
        }
}

/* Wide, tall and single-row matrices, without biases, and beside norms; what Muon
 * leaves to adamw too. */
static void twenty_states_of_muon(void **state)
{
    static const fal_reference_layer shapes[] = {
        {.in = 33, .out = 80, .has_bias = 1, .activations = {{FAL_TANH, 0}}},
        {.in = 80, .out = 9, .has_bias = 1, .activations = {{FAL_TANH, 0}}},
        {.in = 9, .out = 1, .has_bias = 0, .activations = {{FAL_SIGMOID, 0}}},
        {.in = 1, .out = 30, .has_bias = 1, .activations = {{FAL_TANH, 0}}},
        {.in = 30, .out = 5, .has_bias = 1}};
    (void)state;
    for (size_t r = 0; r < 2 * RULES; r++)
        for (size_t i = 0; i < 3; i++) {
            golden_run(odd, 3, rules[r / 2], &muons[i], r % 2, 20);
            golden_run(shapes, 5, rules[r / 2], &muons[i], r % 2, 20);
            golden_run(normed, 5, rules[r / 2], &muons[i], r % 2, 20);
        }
}

/* ---- all seeds equal ----------------------------------------------------- */

static double correlation(const float *a, const float *b, size_t n)
{
    double x = 0, y = 0, xx = 0, yy = 0, xy = 0, m = (double)n;
    for (size_t i = 0; i < n; i++) {
        x += (double)a[i];
        y += (double)b[i];
    }
    for (size_t i = 0; i < n; i++) {
        double u = (double)a[i] - x / m, v = (double)b[i] - y / m;
        xx += u * u, yy += v * v, xy += u * v;
    }
    return xy / sqrt(xx * yy);
}

/* 4 standard deviations around 90°; 57.3°/√n is one. */
static void expect_right_angle(const float *w, const float *b, size_t n)
{
    double ww = 0, bb = 0, wb = 0;
    for (size_t i = 0; i < n; i++) {
        ww += (double)w[i] * (double)w[i];
        bb += (double)b[i] * (double)b[i];
        wb += (double)w[i] * (double)b[i];
    }
    double angle = acos(wb / sqrt(ww * bb)) * 57.29577951308232;
    if (!(fabs(angle - 90) <= 4 * 57.3 / sqrt((double)n)))
        fail_msg("fa starts at %g degrees of %zu numbers", angle, n);
}

static void equal_seeds_give_unrelated_tensors(void **state)
{
    enum { LAYERS = 4, TENSORS = 14 };
    float *tensors[TENSORS];
    size_t counts[TENSORS], n = 0, m;
    (void)state;
    fal_model *model = model_of("input 200, dense 150, relu, dense 170, tanh, "
                                "dense 160, relu, dense 90",
                                7);
    fal_trainer_options fa = plain("fa", "sgd"), dfa = plain("dfa", "sgd");
    fa.feedback_seed = dfa.feedback_seed = fa.data_seed = dfa.data_seed = 7;
    fa.noise_seed = dfa.noise_seed = 7;
    fal_trainer *t = trainer_of(model, &fa), *d = trainer_of(model, &dfa);
    for (size_t l = 1; l <= LAYERS; l++, n++)
        tensors[n] = model_floats(model, tensor_name(l, "weight"), &counts[n]);
    for (size_t l = 2; l <= LAYERS; l++, n++) {
        tensors[n] = trainer_floats(t, tensor_name(l, "feedback"), &counts[n]);
        assert_int_equal(counts[n], counts[l - 1]);
        expect_right_angle(tensors[l - 1], tensors[n], counts[n]);
    }
    for (size_t l = 1; l < LAYERS; l++, n++)
        tensors[n] = trainer_floats(d, tensor_name(l, "feedback"), &counts[n]);
    for (size_t l = 1; l <= LAYERS; l++, n++)
        tensors[n] = model_floats(model, tensor_name(l, "bias"), &counts[n]);
    assert_int_equal(n, TENSORS);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            m = counts[i] < counts[j] ? counts[i] : counts[j];
            /* dfa and fa are two trainers of one seed and purpose: the same B, each
             * used by a rule of its own */
            if (i >= 4 && i < 7 && j >= 7 && j < 10 && i - 3 == j - 7)
                continue;
            double r = correlation(tensors[i], tensors[j], m);
            if (!(fabs(r) <= 4 / sqrt((double)m)))
                fail_msg("tensors %zu and %zu: correlation %g of %zu", i, j, r, m);
        }
    for (size_t i = 0; i < n; i++)
        fal_release(tensors[i]);
    fal_trainer_destroy(t);
    fal_trainer_destroy(d);
    fal_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_every_depth_and_activation),
        cmocka_unit_test(gradients_through_two_activations_and_onehot_squares),
        cmocka_unit_test(deltas_and_gradients_of_every_rule),
        cmocka_unit_test(deltas_and_gradients_of_thin_and_single),
        cmocka_unit_test(feedback_enters_after_all_activations),
        cmocka_unit_test(feedback_can_be_set),
        cmocka_unit_test(shallow_leaves_hidden_weights),
        cmocka_unit_test(twenty_states_one_step_each),
        cmocka_unit_test(clipped_steps_of_every_rule),
        cmocka_unit_test(equal_seeds_give_unrelated_tensors),
        cmocka_unit_test(gradients_through_norms),
        cmocka_unit_test(deltas_and_gradients_through_norms),
        cmocka_unit_test(normed_steps_of_every_rule),
        cmocka_unit_test(twenty_states_of_muon),
    };
    return cmocka_run_group_tests_name("rules", tests, open_device, close_device);
}
