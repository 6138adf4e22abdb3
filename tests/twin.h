/* For tests: a model with its trainer on the device, and the same network in double
 * (host/reference/network.c), which takes over the model's weights and feedback.
 * Everything is compared in our storage order, [in][out]. */
#ifndef FAL_TEST_TWIN_H
#define FAL_TEST_TWIN_H

#include "learning.h"
#include "reference/network.h"

typedef struct twin {
    fal_model *model;
    fal_trainer *trainer;
    fal_reference_network net;
    fal_arrays arrays; /* what both see */
    double *inputs, *targets;
    fal_reference_batch batch;
    int keeps_gradients;
} twin;

static const char *const phi_names[] = {"linear", "relu",    "leaky 0.25",
                                        "tanh",   "sigmoid", "scale 0.25"};

/* A layer as the reference wants it; leaky has the slope .25, scale the factor. */
static inline fal_reference_layer layer(size_t in, size_t out, fal_phi first,
                                        fal_phi second)
{
    fal_reference_layer made = {.in = in, .out = out, .has_bias = 1};
    made.activations[0] = (fal_activation){first, .25f};
    made.activations[1] = (fal_activation){second, .25f};
    return made;
}

/* `rules` of the layers, NULL where they have none of their own; or NULL. */
static inline void write_network(const fal_reference_layer *layers,
                                 const char *const *rules, size_t count, char *text,
                                 size_t size)
{
    int used = snprintf(text, size, "input %zu", layers[0].in);
    for (size_t l = 0; l < count; l++) {
        used += snprintf(text + used, size - (size_t)used, ", dense %zu%s",
                         layers[l].out, layers[l].has_bias ? "" : " nobias");
        if (rules && rules[l])
            used += snprintf(text + used, size - (size_t)used, " rule=%s",
                             rules[l]);
        if (layers[l].norm)
            used += snprintf(text + used, size - (size_t)used, ", norm%s%s",
                             layers[l].norm == FAL_REFERENCE_LAYER ? " layer" : "",
                             layers[l].plain ? " plain" : "");
        for (size_t s = 0; s < FAL_REFERENCE_STAGES; s++)
            if (layers[l].activations[s].phi != FAL_LINEAR || (s == 0 && l % 2))
                used += snprintf(text + used, size - (size_t)used, ", %s",
                                 phi_names[layers[l].activations[s].phi]);
    }
}

/* to[c][r] = from[r][c], or as it is. */
static inline void put(const float *from, size_t rows, size_t columns, int turned,
                       double *to)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            to[turned ? c * rows + r : r * columns + c] =
                (double)from[r * columns + c];
}

/* Of the tensors of a layer that are trained: the name in the model, and where the
 * reference has it, from layer->weight on. */
typedef struct piece {
    char name[64];
    int turned; /* [rows][columns] in the model, turned in the reference */
    size_t rows, columns, at;
} piece;

/* norm<number>.<what> of the norm of layer l */
static inline const char *norm_name(const fal_reference_network *net, size_t l,
                                    const char *what)
{
    static char name[64];
    size_t number = 0;
    for (size_t i = 0; i <= l; i++)
        number += net->layers[i].norm != FAL_REFERENCE_NO_NORM;
    snprintf(name, sizeof name, "norm%zu.%s", number, what);
    return name;
}

static inline size_t pieces_of(const fal_reference_network *net, size_t l,
                               piece list[4])
{
    const fal_reference_layer *own = &net->layers[l];
    size_t in = own->in, out = own->out, count = 0;
    list[count++] = (piece){.turned = 1, .rows = out, .columns = in};
    strcpy(list[0].name, tensor_name(l + 1, "weight"));
    if (own->has_bias) {
        list[count] = (piece){.rows = 1, .columns = out, .at = in * out};
        strcpy(list[count++].name, tensor_name(l + 1, "bias"));
    }
    for (size_t i = 1; i <= 2 && own->norm && !own->plain; i++) {
        list[count] = (piece){.rows = 1, .columns = out, .at = (in + i) * out};
        strcpy(list[count++].name, norm_name(net, l, i == 1 ? "weight" : "bias"));
    }
    return count;
}

static inline void take_weights(twin *t)
{
    for (size_t l = 0; l < t->net.count; l++) {
        piece list[4];
        size_t count = pieces_of(&t->net, l, list), n;
        for (size_t i = 0; i < count; i++) {
            float *w = model_floats(t->model, list[i].name, &n);
            assert_int_equal(n, list[i].rows * list[i].columns);
            put(w, list[i].rows, list[i].columns, list[i].turned,
                t->net.layers[l].weight + list[i].at);
            fal_release(w);
        }
    }
}

/* The reference's weights, rounded, into the model. */
static inline void give_weights(twin *t)
{
    for (size_t l = 0; l < t->net.count; l++) {
        piece list[4];
        size_t count = pieces_of(&t->net, l, list);
        for (size_t i = 0; i < count; i++) {
            const double *from = t->net.layers[l].weight + list[i].at;
            size_t rows = list[i].rows, columns = list[i].columns;
            float *w = room(rows * columns, sizeof *w);
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < columns; c++)
                    w[r * columns + c] = (float)
                        from[list[i].turned ? c * rows + r : r * columns + c];
            must(fal_model_tensor_set(t->model, list[i].name, w, rows * columns));
            fal_release(w);
        }
    }
}

/* fa, kp and wm have B, brsf and frsf R of layers 2 … L, [out][in]; dfa and drtp B of
 * 1 … L − 1, [outputs][units]; usf has one number for each of layers 2 … L, here by the law
 * xavier. Of brsf it is the R of the next step. A layer that hands nothing to the one
 * below, which has its error directly or none, has no B or R. */
static inline int is_direct(fal_reference_rule rule)
{
    return rule == FAL_REFERENCE_DFA || rule == FAL_REFERENCE_DRTP;
}

static inline int has_feedback(const fal_reference_network *net, size_t l)
{
    fal_reference_rule rule = net->layers[l].rule;
    int is_layered = rule == FAL_REFERENCE_FA || rule == FAL_REFERENCE_BRSF ||
                     rule == FAL_REFERENCE_FRSF || rule == FAL_REFERENCE_KP ||
                     rule == FAL_REFERENCE_WM;
    if (is_direct(rule))
        return l + 1 < net->count;
    return is_layered && l > 0 && !is_direct(net->layers[l - 1].rule) &&
           net->layers[l - 1].rule != FAL_REFERENCE_SHALLOW;
}

static inline void take_feedback(twin *t)
{
    size_t outputs = t->net.layers[t->net.count - 1].out, shape[4], dimensions;
    for (size_t l = 0; l < t->net.count; l++) {
        fal_reference_layer *own = &t->net.layers[l];
        const char *name = tensor_name(l + 1, "feedback");
        size_t n;
        own->magnitude = sqrt(2. / (double)(own->in + own->out));
        if (!has_feedback(&t->net, l)) {
            assert_int_equal(
                fal_trainer_tensor_shape(t->trainer, name, shape, &dimensions),
                FAL_ERROR_ARGUMENT);
            continue;
        }
        must(fal_trainer_tensor_shape(t->trainer, name, shape, &dimensions));
        assert_int_equal(dimensions, 2);
        int direct = is_direct(own->rule);
        assert_int_equal(shape[0], direct ? outputs : own->out);
        assert_int_equal(shape[1], direct ? own->out : own->in);
        float *b = trainer_floats(t->trainer, name, &n);
        put(b, shape[0], shape[1], !direct, own->feedback);
        fal_release(b);
    }
}

static inline double *doubles_of(const float *values, size_t count)
{
    double *copy = room(count, sizeof *copy);
    put(values, 1, count, 0, copy);
    return copy;
}

/* Other numbers for both; the arrays stay the twin's. */
static inline void twin_data(twin *t, fal_arrays arrays)
{
    free_arrays(&t->arrays);
    fal_release(t->inputs);
    fal_release(t->targets);
    t->arrays = arrays;
    t->inputs = doubles_of(arrays.inputs, arrays.count * arrays.channels);
    t->targets = arrays.targets
                     ? doubles_of(arrays.targets, arrays.count * arrays.outputs)
                     : NULL;
    t->batch.rows = arrays.count;
    t->batch.inputs = t->inputs;
    t->batch.labels = arrays.labels;
    t->batch.targets = t->targets;
}

/* A weight law wide enough that activations bend; biases by it are 0 and gains are 1,
 * so they are drawn here. */
static inline void draw_vectors(twin *t)
{
    for (size_t l = 0; l < t->net.count; l++) {
        piece list[4];
        size_t count = pieces_of(&t->net, l, list);
        for (size_t i = 1; i < count; i++) {
            size_t n = list[i].columns;
            float *b = random_floats(n, .3);
            for (size_t c = 0; c < n && strstr(list[i].name, "weight"); c++)
                b[c] += 1;
            must(fal_model_tensor_set(t->model, list[i].name, b, n));
            fal_release(b);
        }
    }
}

static inline fal_reference_rule rule_number(const char *name)
{
    static const char *const names[] = {"bp",   "fa",      "dfa",  "usf", "brsf",
                                        "frsf", "shallow", "drtp", "kp",  "wm"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (fal_reference_rule)i;
    fail_msg("no rule %s", name);
    return FAL_REFERENCE_BP;
}

/* `options` with a rule, that of layers that `rules` (or NULL) gives none; the batch is
 * arrays.count rows, and the arrays are the twin's from now on. */
static inline twin twin_open_mixed(const fal_reference_layer *layers,
                                   const char *const *rules, size_t count,
                                   fal_trainer_options options, fal_arrays arrays)
{
    twin t = {0};
    char text[512];
    fal_model_options model_options = FAL_MODEL_OPTIONS;
    model_options.weight_law = "xavier";
    write_network(layers, rules, count, text, sizeof text);
    must(fal_model_create(&t.model, device, text, &model_options));
    options.batch = arrays.count;
    options.schedule = "constant";
    t.trainer = trainer_of(t.model, &options);
    t.keeps_gradients = options.keep_gradients;
    must(fal_reference_network_make(&t.net, layers, count, arrays.count));
    for (size_t l = 0; l < count; l++)
        t.net.layers[l].rule = rule_number(rules && rules[l] ? rules[l]
                                                             : options.rule);
    t.batch.loss = options.loss && strcmp(options.loss, "mse") == 0
                       ? FAL_SQUARED_ERROR
                       : FAL_CROSS_ENTROPY;
    t.batch.summed = options.loss_reduction &&
                     strcmp(options.loss_reduction, "sum") == 0;
    twin_data(&t, arrays);
    draw_vectors(&t);
    take_weights(&t);
    take_feedback(&t);
    return t;
}

static inline twin twin_open(const fal_reference_layer *layers, size_t count,
                             fal_trainer_options options, fal_arrays arrays)
{
    return twin_open_mixed(layers, NULL, count, options, arrays);
}

static inline void twin_close(twin *t)
{
    fal_trainer_destroy(t->trainer);
    fal_model_destroy(t->model);
    fal_reference_network_release(&t->net);
    free_arrays(&t->arrays);
    fal_release(t->inputs);
    fal_release(t->targets);
}

static inline double norm(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i] * values[i];
    return sqrt(sum);
}

/* Fails where ‖got − expected‖ > bound·‖expected‖ + floor. */
static inline void expect_close(const char *what, const double *got,
                                const double *expected, size_t count, double bound,
                                double floor)
{
    double *gap = room(count, sizeof *gap);
    for (size_t i = 0; i < count; i++)
        gap[i] = got[i] - expected[i];
    double error = norm(gap, count), limit = bound * norm(expected, count) + floor;
    fal_release(gap);
    if (!(error <= limit))
        fail_msg("%s is %g off, %g allowed, norm %g", what, error, limit,
                 norm(expected, count));
}

/* A trainer's tensor against the reference's; `turned`: [out][in] outside. `floor`:
 * a number that is 0 up to cancellation has nothing to be relative to. */
static inline void expect_tensor(twin *t, const char *name, int turned,
                                 const double *expected, size_t rows,
                                 size_t columns, double bound, double floor)
{
    size_t n;
    float *values = trainer_floats(t->trainer, name, &n);
    assert_int_equal(n, rows * columns);
    double *got = room(n, sizeof *got);
    put(values, rows, columns, turned, got);
    expect_close(name, got, expected, n, bound, floor);
    fal_release(values);
    fal_release(got);
}

static inline void expect_no_delta(twin *t, size_t l)
{
    size_t shape[4], dimensions;
    assert_int_equal(fal_trainer_tensor_shape(t->trainer,
                                              tensor_name(l + 1, "delta"), shape,
                                              &dimensions),
                     FAL_ERROR_ARGUMENT);
}

/* Deltas and gradients of the last step of both; frozen layers have none. A norm's
 * delta adds up to nearly nothing, or to nothing at all below batch norm. */
static inline void expect_same_step(twin *t, double bound)
{
    size_t rows = t->batch.rows;
    for (size_t l = 0; l < t->net.count; l++) {
        fal_reference_layer *own = &t->net.layers[l];
        if (own->frozen) {
            expect_no_delta(t, l);
            continue;
        }
        expect_tensor(t, tensor_name(l + 1, "delta"), 0, own->delta, rows, own->out,
                      bound, 1e-9);
        double vanishing = bound * norm(own->delta, rows * own->out);
        piece list[4];
        size_t count = t->keeps_gradients ? pieces_of(&t->net, l, list) : 0;
        for (size_t i = 0; i < count; i++) {
            char name[80];
            snprintf(name, sizeof name, "%.63s.gradient", list[i].name);
            expect_tensor(t, name, list[i].turned,
                          own->weight_gradient + list[i].at, list[i].rows,
                          list[i].columns, bound,
                          1e-9 + (own->norm || i > 0 ? vanishing : 0));
        }
    }
}

/* One step of both on the twin's numbers; the losses must agree. */
static inline void step(twin *t)
{
    for (size_t l = 0; l < t->net.count; l++)
        if (t->net.layers[l].rule == FAL_REFERENCE_BRSF) {
            take_feedback(t);
            break;
        }
    double loss = 0, expected = fal_reference_network_forward(&t->net, &t->batch);
    must(fal_trainer_step(t->trainer, &t->arrays, &loss));
    fal_reference_network_backward(&t->net, &t->batch);
    if (!(fabs(loss - expected) <= 2e-6 * fabs(expected) + 1e-7))
        fail_msg("loss %.9g, expected %.9g", loss, expected);
}

#endif
