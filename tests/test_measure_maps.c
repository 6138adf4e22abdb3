/* Metrics of convolutions and of a residual block: every value against double, from the
 * network's definition, by loops, with singular values of the matrices themselves; and
 * what is told of which layer.
 *
 * Tried: updates without the last sample, one update for both, a row of delta for each
 * sample where positions are meant, dead units a tensor too far, tensors in the order in
 * which they lie, and random numbers of maps drawn in that order, tests here fail. */
#include "map_net.h"
#include "values.h"

enum { HIDDEN = DENSE };

/* The network with what a measurement is made of. */
typedef struct map_net {
    fal_model *model;
    fal_trainer *trainer;
    fal_arrays arrays;
    double *w[LAYERS], *bias[LAYERS], *carrier[LAYERS]; /* NULL: none */
    int direct, spreads;
    double *x, *t1, *p, *h2, *r, *e; /* inputs of layers; t1 before the pool */
    double *carried[LAYERS], *delta[LAYERS], *update[LAYERS];
} map_net;

static const double *input_of(const map_net *net, size_t l)
{
    const double *const inputs[LAYERS] = {net->x, net->p, net->h2, net->p, net->r};
    return inputs[l];
}

/* ---- forward ------------------------------------------------------------- */

static double *forward(const map_net *net, size_t l)
{
    return map_forward(l, BATCH, input_of(net, l), net->w[l], net->bias[l]);
}

/* Where the largest of each window of 2 x 2 is, the first of equal ones. */
static size_t place_of(const map_net *net, size_t i)
{
    const map_shape to = map_layers[CONV2].in;
    size_t column = i % to.width, row = i / to.width % to.height;
    size_t first = i / to.width / to.height * HEIGHT * WIDTH, best = 0;
    for (size_t k = 0; k < 4; k++) {
        size_t at = first + (2 * row + k / 2) * WIDTH + 2 * column + k % 2;
        if (k == 0 || net->t1[at] > net->t1[best])
            best = at;
    }
    return best;
}

static void go_forward(map_net *net)
{
    size_t pooled = BATCH * size_of_map(map_layers[CONV2].in);
    net->t1 = forward(net, CONV1);
    bend_all(net->t1, BATCH * size_of_map(map_layers[CONV1].out));
    net->p = doubles(pooled);
    for (size_t i = 0; i < pooled; i++)
        net->p[i] = net->t1[place_of(net, i)];
    net->h2 = forward(net, CONV2);
    bend_all(net->h2, BATCH * size_of_map(map_layers[CONV2].out));
    net->r = forward(net, CONV3);
    double *other = forward(net, PROJECTION);
    size_t joined = BATCH * size_of_map(map_layers[CONV3].out);
    for (size_t i = 0; i < joined; i++)
        net->r[i] = tanh(net->r[i] + other[i]);
    fal_release(other);
    net->e = forward(net, DENSE);
}

/* e <- (softmax - one-hot)/n */
static void find_error(map_net *net)
{
    for (size_t n = 0; n < BATCH; n++) {
        double *row = net->e + n * CLASSES, sum = 0;
        for (size_t c = 0; c < CLASSES; c++)
            sum += exp(row[c]);
        for (size_t c = 0; c < CLASSES; c++)
            row[c] = (exp(row[c]) / sum -
                      ((size_t)net->arrays.labels[n] == c ? 1 : 0)) /
                     BATCH;
    }
}

/* ---- backward ------------------------------------------------------------ */

/* e B, for each unit or for each channel of a map */
static double *direct_signal(const map_net *net, size_t l)
{
    const map_shape s = map_layers[l].out;
    size_t size = size_of_map(s), pixels = s.height * s.width;
    double *signal = doubles(BATCH * size);
    for (size_t i = 0; i < BATCH * size; i++)
        for (size_t c = 0; c < CLASSES; c++) {
            size_t unit = i % size;
            const double *b = net->carrier[l] +
                              (net->spreads ? c * s.channels + unit / pixels
                                            : c * size + unit);
            signal[i] += net->e[i / size * CLASSES + c] * *b;
        }
    return signal;
}

static void add_carried(const map_net *net, size_t l, const double *delta,
                        const double *carrier, double *to)
{
    map_pass pass = {.out = delta, .weight = carrier, .to = to};
    (void)net;
    visit_terms(l, BATCH, add_data, &pass);
}

/* What a layer hands to its input, by its carrier. */
static double *handed(const map_net *net, size_t l)
{
    double *signal = doubles(BATCH * size_of_map(map_layers[l].in));
    add_carried(net, l, net->delta[l], net->carrier[l], signal);
    return signal;
}

/* delta from the signal behind the tanh that made h */
static void take_signal(map_net *net, size_t l, const double *signal,
                        const double *h)
{
    size_t count = BATCH * size_of_map(map_layers[l].out);
    net->carried[l] = doubles(count);
    net->delta[l] = doubles(count);
    for (size_t i = 0; i < count; i++) {
        net->carried[l][i] = signal[i];
        net->delta[l][i] = signal[i] * (1 - h[i] * h[i]);
    }
}

/* The pool's output gets what both ways of the block hand down. */
static double *into_conv1(const map_net *net)
{
    size_t pooled = BATCH * size_of_map(map_layers[CONV2].in);
    double *signal = doubles(BATCH * size_of_map(map_layers[CONV1].out));
    double *at_pool = handed(net, CONV2), *other = handed(net, PROJECTION);
    for (size_t i = 0; i < pooled; i++)
        signal[place_of(net, i)] += at_pool[i] + other[i];
    fal_release(at_pool);
    fal_release(other);
    return signal;
}

static void find_updates(map_net *net)
{
    for (size_t l = 0; l < LAYERS; l++) {
        net->update[l] = doubles(weights_of(l));
        map_pass pass = {
            .out = net->delta[l], .in = input_of(net, l), .to = net->update[l]};
        visit_terms(l, BATCH, add_weight, &pass);
    }
}

static void go_backward(map_net *net)
{
    double *signal;
    net->delta[DENSE] = doubles(BATCH * CLASSES);
    memcpy(net->delta[DENSE], net->e, BATCH * CLASSES * sizeof *net->e);
    signal = net->direct ? direct_signal(net, CONV3) : handed(net, DENSE);
    take_signal(net, CONV3, signal, net->r);
    take_signal(net, PROJECTION, signal, net->r);
    fal_release(signal);
    signal = net->direct ? direct_signal(net, CONV2) : handed(net, CONV3);
    take_signal(net, CONV2, signal, net->h2);
    fal_release(signal);
    signal = net->direct ? direct_signal(net, CONV1) : into_conv1(net);
    take_signal(net, CONV1, signal, net->t1);
    fal_release(signal);
    find_updates(net);
}

/* ---- making -------------------------------------------------------------- */

/* What stands in for the weights under a rule: see science, section 1. */
static double *carrier_of(const map_net *net, const char *rule, size_t l)
{
    size_t count = weights_of(l);
    double *b, fan_in = (double)(count / map_layers[l].out.channels);
    if (strcmp(rule, "bp") == 0 || strcmp(rule, "usf") == 0) {
        b = doubles(count);
        for (size_t i = 0; i < count; i++)
            b[i] = strcmp(rule, "bp") == 0
                       ? net->w[l][i]
                       : copysign(1, net->w[l][i]) / sqrt(3 * fan_in);
        return b;
    }
    b = map_tensor(net->model, net->trainer, l, "feedback", &count);
    for (size_t i = 0; i < count && strcmp(rule + 1, "rsf") == 0; i++)
        b[i] = copysign(b[i], net->w[l][i]);
    return b;
}

static int has_carrier(const map_net *net, size_t l)
{
    return net->direct ? l < PROJECTION : l > CONV1;
}

static void open_batch(map_net *net)
{
    net->arrays = random_arrays(BATCH, HEIGHT * WIDTH * INPUTS, CLASSES, 0);
    net->arrays.height = HEIGHT;
    net->arrays.width = WIDTH;
    net->arrays.channels = INPUTS;
    net->x = doubles(BATCH * HEIGHT * WIDTH * INPUTS);
    const float *from = net->arrays.inputs;
    for (size_t i = 0; i < BATCH * HEIGHT * WIDTH * INPUTS; i++) {
        size_t pixels = HEIGHT * WIDTH, n = i / INPUTS / pixels;
        size_t to = (n * INPUTS + i % INPUTS) * pixels + i / INPUTS % pixels;
        net->x[to] = (double)from[i];
    }
}

static void open_net(map_net *net, const char *rule, const char *dfa_conv,
                     int regenerated)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    *net = (map_net){0};
    options.rule = rule;
    options.dfa_conv = dfa_conv;
    options.feedback = regenerated ? "regenerated" : NULL;
    options.batch = BATCH;
    net->direct = strcmp(rule, "dfa") == 0 || strcmp(rule, "drtp") == 0;
    net->spreads = dfa_conv && strcmp(dfa_conv, "channel") == 0;
    net->model = model_of(map_network, 3);
    net->trainer = trainer_of(net->model, &options);
    open_batch(net);
    for (size_t l = 0; l < LAYERS; l++) {
        net->w[l] = map_tensor(net->model, NULL, l, "weight", NULL);
        net->bias[l] = map_tensor(net->model, NULL, l, "bias", NULL);
        if (has_carrier(net, l))
            net->carrier[l] = carrier_of(net, rule, l);
    }
    go_forward(net);
    find_error(net);
    go_backward(net);
}

static void close_net(map_net *net)
{
    double *const all[] = {net->x, net->t1, net->p, net->h2, net->r, net->e};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        fal_release(all[i]);
    for (size_t l = 0; l < LAYERS; l++) {
        fal_release(net->w[l]);
        fal_release(net->bias[l]);
        fal_release(net->carrier[l]);
        fal_release(net->carried[l]);
        fal_release(net->delta[l]);
        fal_release(net->update[l]);
    }
    free_arrays(&net->arrays);
    fal_trainer_destroy(net->trainer);
    fal_model_destroy(net->model);
}

/* ---- values -------------------------------------------------------------- */

typedef struct sums {
    double ab, aa, bb;
} sums;

static void add_products(sums *to, const double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to->ab += a[i] * b[i];
        to->aa += a[i] * a[i];
        to->bb += b[i] * b[i];
    }
}

static double cosine(sums s)
{
    return s.ab / sqrt(s.aa * s.bb);
}

/* Squared singular values of a [rows][columns] by rotations of its columns until these
 * are orthogonal (Hestenes); a is lost. Fewer columns than rows. */
static void singular_squares(double *a, size_t rows, size_t columns,
                             double *squares)
{
    for (int sweep = 0; sweep < 60; sweep++)
        for (size_t p = 0; p + 1 < columns; p++)
            for (size_t q = p + 1; q < columns; q++) {
                sums s = {0, 0, 0};
                for (size_t r = 0; r < rows; r++)
                    add_products(&s, &a[r * columns + p], &a[r * columns + q], 1);
                if (fabs(s.ab) <= 1e-17 * sqrt(s.aa * s.bb))
                    continue;
                double z = (s.bb - s.aa) / (2 * s.ab);
                double t = copysign(1, z) / (fabs(z) + sqrt(1 + z * z));
                double c = 1 / sqrt(1 + t * t);
                for (size_t r = 0; r < rows; r++) {
                    double x = a[r * columns + p], y = a[r * columns + q];
                    a[r * columns + p] = c * (x - t * y);
                    a[r * columns + q] = c * (t * x + y);
                }
            }
    for (size_t p = 0; p < columns; p++) {
        sums s = {0, 0, 0};
        for (size_t r = 0; r < rows; r++)
            add_products(&s, &a[r * columns + p], &a[r * columns + p], 1);
        squares[p] = s.aa;
    }
}

/* ranks[0 … 2]: effective rank, participation ratio, stable rank */
static void find_ranks(const double *matrix, size_t rows, size_t columns,
                       double ranks[3])
{
    size_t side = rows < columns ? rows : columns;
    double *a = doubles(rows * columns), *squares = doubles(side);
    for (size_t i = 0; i < rows * columns; i++)
        a[rows < columns ? i % columns * rows + i / columns : i] = matrix[i];
    singular_squares(a, rows < columns ? columns : rows, side, squares);
    double roots = 0, sum = 0, fourth = 0, largest = 0, entropy = 0;
    for (size_t i = 0; i < side; i++) {
        roots += sqrt(squares[i]);
        sum += squares[i];
        fourth += squares[i] * squares[i];
        largest = fmax(largest, squares[i]);
    }
    for (size_t i = 0; i < side; i++) {
        double p = sqrt(squares[i]) / roots;
        entropy -= p > 0 ? p * log(p) : 0;
    }
    ranks[0] = exp(entropy);
    ranks[1] = sum * sum / fourth;
    ranks[2] = sum / largest;
    fal_release(a);
    fal_release(squares);
}

static void expect_near(const values *v, const char *name, const char *layer,
                        double expected, double bound)
{
    double got = value_at(v, 0, name, layer);
    if (!(fabs(got - expected) <= bound))
        fail_msg("%s of %s is %.9g, not %.9g", name, layer, got, expected);
}

/* Small singular values, that are rounding in float32, move the effective rank. */
static void expect_ranks(const values *v, const char *ending, size_t l,
                         const double *matrix, size_t rows, size_t columns)
{
    static const char *const names[] = {"effective_rank", "participation_ratio",
                                        "stable_rank"};
    double ranks[3];
    char name[64];
    find_ranks(matrix, rows, columns, ranks);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", names[i], ending);
        expect_near(v, name, map_names[l], ranks[i], 2e-4 * ranks[i]);
    }
}

/* A row for each position */
static double *by_position(size_t l, const double *map)
{
    const map_shape s = map_layers[l].out;
    size_t pixels = s.height * s.width, count = BATCH * size_of_map(s);
    double *to = doubles(count);
    for (size_t i = 0; i < count; i++) {
        size_t n = i / pixels / s.channels, c = i / pixels % s.channels;
        to[(n * pixels + i % pixels) * s.channels + c] = map[i];
    }
    return to;
}

static void check_ranks(const values *v, const map_net *net)
{
    const double *const outputs[] = {net->t1, net->h2, net->r, net->r};
    for (size_t l = 0; l < HIDDEN; l++) {
        const map_layer *y = &map_layers[l];
        size_t units = size_of_map(y->out), pixels = y->out.height * y->out.width;
        double *positions = by_position(l, net->delta[l]);
        expect_ranks(v, "", l, net->delta[l], BATCH, units);
        expect_ranks(v, ".carried", l, net->carried[l], BATCH, units);
        expect_ranks(v, ".activation", l, outputs[l], BATCH, units);
        expect_ranks(v, ".position", l, positions, BATCH * pixels, y->out.channels);
        expect_ranks(v, ".update", l, net->update[l], y->out.channels,
                     weights_of(l) / y->out.channels);
        fal_release(positions);
    }
    assert_false(has_value(v, "effective_rank.position", "dense1"));
}

static void check_alignment(const values *v, const map_net *net,
                            const map_net *truth)
{
    sums samples[BATCH] = {{0, 0, 0}}, updates = {0, 0, 0};
    double squares = 0, total = 0;
    for (size_t l = 0; l < HIDDEN; l++) {
        size_t units = size_of_map(map_layers[l].out);
        sums layer = {0, 0, 0}, update = {0, 0, 0};
        double mean = 0;
        for (size_t n = 0; n < BATCH; n++) {
            sums own = {0, 0, 0};
            add_products(&own, net->delta[l] + n * units,
                         truth->delta[l] + n * units, units);
            mean += cosine(own) / BATCH;
            samples[n].ab += own.ab, samples[n].aa += own.aa;
            samples[n].bb += own.bb, layer.bb += own.bb;
        }
        add_products(&update, net->update[l], truth->update[l], weights_of(l));
        updates.ab += update.ab, updates.aa += update.aa, updates.bb += update.bb;
        squares += layer.bb;
        expect_near(v, "gradient_alignment", map_names[l], mean, 1e-5);
        expect_near(v, "update_alignment", map_names[l], cosine(update), 1e-5);
        expect_near(v, "reference_norm", map_names[l], sqrt(layer.bb), 1e-6);
    }
    for (size_t n = 0; n < BATCH; n++)
        total += cosine(samples[n]) / BATCH;
    expect_near(v, "gradient_alignment", "total", total, 1e-5);
    expect_near(v, "update_alignment", "total", cosine(updates), 1e-5);
    expect_near(v, "reference_norm", "total", sqrt(squares), 1e-6);
}

/* Under direct rules none: all are convolutions, or stand above a map. */
static void check_weights(const values *v, const map_net *net)
{
    sums all = {0, 0, 0};
    assert_false(has_value(v, "weight_alignment", "conv1"));
    for (size_t l = CONV2; l < LAYERS; l++) {
        sums own = {0, 0, 0};
        if (net->direct) {
            assert_true(isnan(value_at(v, 0, "weight_alignment", map_names[l])));
            continue;
        }
        add_products(&own, net->w[l], net->carrier[l], weights_of(l));
        all.ab += own.ab, all.aa += own.aa, all.bb += own.bb;
        expect_near(v, "weight_alignment", map_names[l], cosine(own), 1e-6);
    }
    if (net->direct)
        assert_true(isnan(value_at(v, 0, "weight_alignment", "total")));
    else
        expect_near(v, "weight_alignment", "total", cosine(all), 1e-6);
}

/* Tensors come in PyTorch's order. */
static void check_tensors(const map_net *net, const map_net *truth)
{
    for (size_t l = 0; l < HIDDEN; l++) {
        const map_shape s = map_layers[l].out;
        size_t shape[4], dimensions, count;
        char name[64];
        snprintf(name, sizeof name, "%s.reference_delta", map_names[l]);
        must(fal_trainer_tensor_shape(net->trainer, name, shape, &dimensions));
        assert_int_equal(dimensions, 4);
        assert_int_equal(shape[0], BATCH);
        assert_int_equal(shape[1], s.channels);
        assert_int_equal(shape[2], s.height);
        assert_int_equal(shape[3], s.width);
        double *got[] = {
            map_tensor(net->model, net->trainer, l, "carried", &count),
            map_tensor(net->model, net->trainer, l, "reference_delta", &count)};
        assert_int_equal(count, BATCH * size_of_map(s));
        for (size_t i = 0; i < count; i++) {
            if (!(fabs(got[0][i] - net->carried[l][i]) <= 1e-6))
                fail_msg("%s, number %zu: carried %g, not %g", map_names[l], i,
                         got[0][i], net->carried[l][i]);
            assert_true(fabs(got[1][i] - truth->delta[l][i]) <= 1e-6);
        }
        fal_release(got[0]);
        fal_release(got[1]);
    }
}

/* ---- tests --------------------------------------------------------------- */

static void check(const char *rule, const char *dfa_conv, int regenerated)
{
    values v = {0};
    map_net net, truth;
    noise = 5;
    open_net(&truth, "bp", NULL, 0);
    noise = 5;
    open_net(&net, rule, dfa_conv, regenerated);
    must(fal_trainer_measure(net.trainer, &net.arrays, collect, &v));
    check_tensors(&net, &truth);
    check_alignment(&v, &net, &truth);
    check_ranks(&v, &net);
    check_weights(&v, &net);
    close_net(&net);
    close_net(&truth);
}

static void values_are_those_in_double(void **state)
{
    static const char *const all[] = {"bp",   "fa", "usf", "brsf",
                                      "frsf", "kp", "wm",  "dfa"};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        check(all[i], NULL, 0);
    check("dfa", "map", 0);
    check("dfa", "channel", 0);
}

static void values_with_regenerated_feedback(void **state)
{
    (void)state;
    check("fa", NULL, 1);
    check("brsf", NULL, 1);
    check("frsf", NULL, 1);
    check("dfa", "map", 1);
    check("dfa", "channel", 1);
}

/* A unit is dead where it is 0 in all samples, counted where a layer ends: biases below
 * what weights can add up to kill channels. Both ways of a block end in the same. */
static void dead_units_are_those_of_maps(void **state)
{
    static const char text[] =
        "input 9x7x2, conv 5 3, relu, pool max 2, block(conv 6 3, relu, conv 8 3; "
        "shortcut=projection), relu, pool global, dense 4";
    enum { DEAD = -1000000000 };
    static const float one[] = {DEAD, DEAD, 9, 9, 9},
                       two[] = {99, 99, 99, DEAD, 99, 99},
                       three[] = {DEAD, 9999, 9999, DEAD, 9999, 9999, 9999, 9999};
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    values v = {0};
    (void)state;
    options.batch = BATCH;
    fal_model *model = model_of(text, 1);
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_model_tensor_set(model, "conv1.bias", one, 5));
    must(fal_model_tensor_set(model, "block1.conv1.bias", two, 6));
    must(fal_model_tensor_set(model, "block1.conv2.bias", three, 8));
    fal_arrays arrays = random_arrays(BATCH, HEIGHT * WIDTH * INPUTS, CLASSES, 0);
    arrays.height = HEIGHT, arrays.width = WIDTH, arrays.channels = INPUTS;
    must(fal_trainer_measure(trainer, &arrays, collect, &v));
    expect_near(&v, "dead_units", "conv1", 2. / 5, 1e-9);
    expect_near(&v, "dead_units", "block1.conv1", 1. / 6, 1e-9);
    expect_near(&v, "dead_units", "block1.conv2", 2. / 8, 1e-9);
    expect_near(&v, "dead_units", "block1.downsample.0", 2. / 8, 1e-9);
    expect_near(&v, "dead_units", "total",
                (2 * 63 + 12 + 2 * 12.) / (5 * 63 + 6 * 12 + 8 * 12), 1e-9);
    free_arrays(&arrays);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_in_double),
        cmocka_unit_test(values_with_regenerated_feedback),
        cmocka_unit_test(dead_units_are_those_of_maps),
    };
    return cmocka_run_group_tests_name("measure_maps", tests, open_device,
                                       close_device);
}
