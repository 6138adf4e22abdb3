/* Gradients of backpropagation beside differences of the loss: through convolutions,
 * pools, norms, dropout's absence and residual blocks of every shortcut, at sizes that
 * nothing divides. Differences know nothing of backward passes. `test_derivatives EVERY`
 * takes only every so manieth network, and all its tensors at once, for devices on which
 * launches take long. */
#include "learning.h"

enum { ROWS = 6, CLASSES = 3, PLACES = 4, MOST_TENSORS = 64 };

typedef struct problem {
    const char *network;
    size_t height, width, channels;
    double
        loosely; /* of a gradient's norm: more where kinks of a maximum are near */
} problem;

static const problem problems[] = {
    /* strides, pads and kernels, even ones too; biases and none */
    {"conv 4 3, tanh, conv 5 3 stride 2 pad 0 nobias, tanh, conv 3 2 pad 1, "
     "sigmoid, "
     "dense 3",
     9, 8, 2, 3e-4},
    {"conv 3 5 stride 3 pad 2, tanh, conv 4 1 stride 2, tanh, dense 3", 13, 10, 3,
     3e-4},
    /* pools: windows apart, overlapping, with gaps, all of the map */
    {"conv 4 3, tanh, pool max 2, conv 5 3, tanh, pool average 2, dense 3", 11, 9,
     2, 1e-2},
    {"conv 4 3, tanh, pool max 3 stride 2, conv 5 3, tanh, pool average 3 stride "
     "2, "
     "flatten, dense 4, tanh, dense 3",
     13, 12, 1, 1e-2},
    {"conv 4 3, pool average 2 stride 3, tanh, conv 5 3, pool global, tanh, dense "
     "3",
     10, 11, 2, 3e-4},
    {"conv 5 3, norm, tanh, pool max 2, conv 4 3, norm, sigmoid, pool global, "
     "dense 3",
     8, 9, 3, 1e-2},
    /* norms: plain ones, over samples, of a layer with a bias */
    {"conv 5 3 nobias, norm plain, tanh, conv 4 3 stride 2, norm layer, tanh, "
     "dense 5, "
     "norm, tanh, dense 3",
     7, 9, 2, 3e-4},
    /* shortcuts, with activations, norms and biases beside them and without */
    {"conv 5 3, tanh, block(conv 4 3, tanh, conv 5 3; shortcut=identity), tanh, "
     "pool global, dense 3",
     7, 8, 2, 3e-4},
    {"conv 4 3 nobias, norm, tanh, block(conv 7 3 stride 2 nobias, norm, tanh, "
     "conv 7 3 nobias, norm; shortcut=zeropad), tanh, dense 3",
     9, 7, 3, 3e-4},
    {"conv 4 3 nobias, norm, tanh, block(conv 6 3 stride 2 nobias, norm, tanh, "
     "conv 6 3 nobias, norm; shortcut=projection), tanh, "
     "block(conv 6 3 nobias, norm, tanh, conv 6 3 nobias, norm; "
     "shortcut=identity), "
     "tanh, pool global, dense 3",
     11, 9, 2, 3e-4},
    {"conv 4 3, block(tanh, conv 4 3; shortcut=identity), "
     "block(conv 6 1, tanh; shortcut=projection), pool average 2, "
     "block(conv 6 3, tanh, conv 6 3, tanh; shortcut=identity), dense 3",
     8, 6, 2, 3e-4},
    /* blocks in each other, of pools, of dense layers */
    {"conv 4 3, tanh, block(conv 4 3, tanh, block(conv 4 3, norm; "
     "shortcut=identity), "
     "tanh, conv 4 3; shortcut=identity), tanh, dense 6, tanh, "
     "block(dense 6, tanh, dense 6; shortcut=identity), tanh, dense 3",
     6, 7, 2, 3e-4},
    /* blocks that end in blocks, and begin with what is no matrix */
    {"conv 4 3, block(conv 4 3, block(conv 4 3; shortcut=identity); "
     "shortcut=identity), block(conv 5 3 stride 2, norm, block(conv 5 1, tanh, "
     "block(conv 6 3; shortcut=zeropad); shortcut=zeropad); shortcut=projection), "
     "block(tanh, conv 6 3, block(conv 6 1; shortcut=projection); "
     "shortcut=projection), pool global, dense 3",
     8, 7, 2, 3e-4},
};
enum { PROBLEMS = sizeof problems / sizeof *problems };
static size_t every = 1;

typedef struct trial {
    const problem *p;
    fal_arrays arrays;
    fal_model *model;
    fal_trainer *trainer;
} trial;

static void begin(trial *t, const problem *p)
{
    char text[512];
    fal_model_options shape = FAL_MODEL_OPTIONS;
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    noise = 1;
    *t = (trial){.p = p};
    t->arrays = random_arrays(ROWS, p->height * p->width * p->channels, CLASSES, 0);
    t->arrays.height = p->height;
    t->arrays.width = p->width;
    t->arrays.channels = p->channels;
    snprintf(text, sizeof text, "input %zux%zux%zu, %s", p->height, p->width,
             p->channels, p->network);
    shape.weight_law = "xavier"; /* gradients are larger than with fan-in */
    must(fal_model_create(&t->model, device, text, &shape));
    options.optimizer = "sgd";
    options.schedule = "constant";
    options.batch = ROWS;
    options.keep_gradients = 1;
    t->trainer = trainer_of(t->model, &options);
    must(fal_trainer_learning_rate(t->trainer, 0));
}

static void end(trial *t)
{
    fal_trainer_destroy(t->trainer);
    fal_model_destroy(t->model);
    free_arrays(&t->arrays);
}

/* With weights that stay, for the rate is 0. */
static double loss_of(const trial *t)
{
    double loss;
    must(fal_trainer_step(t->trainer, &t->arrays, &loss));
    return loss;
}

static void move(const trial *t, const char *name, const float *weights,
                 const double *direction, size_t n, double far)
{
    float *moved = room(n, sizeof *moved);
    for (size_t i = 0; i < n; i++)
        moved[i] = (float)((double)weights[i] + far * direction[i]);
    must(fal_model_tensor_set(t->model, name, moved, n));
    fal_release(moved);
}

/* Where a tensor is `far` along `direction`. */
static double loss_at(const trial *t, const char *name, const float *weights,
                      const double *direction, size_t n, double far)
{
    move(t, name, weights, direction, n, far);
    return loss_of(t);
}

/* Differences are by five points, so that they may lie far enough apart for float32. */
static const double places[PLACES] = {-2, -1, 1, 2};
static const double shares[PLACES] = {1, -8, 8, -1};

static double difference(const trial *t, const char *name, const double *direction,
                         size_t n, double step)
{
    size_t count;
    double sum = 0;
    float *start = model_floats(t->model, name, &count);
    assert_int_equal(count, n);
    for (int i = 0; i < PLACES; i++)
        sum += shares[i] * loss_at(t, name, start, direction, n, places[i] * step);
    must(fal_model_tensor_set(t->model, name, start, n));
    fal_release(start);
    return sum / (12 * step);
}

static double normalize(double *direction, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += direction[i] * direction[i];
    for (size_t i = 0; i < n && sum > 0; i++)
        direction[i] /= sqrt(sum);
    return sqrt(sum);
}

static void expect_derivative(const trial *t, const char *name,
                              const float *gradient, const double *direction,
                              size_t n, double size)
{
    double expected = difference(t, name, direction, n, .01), found = 0;
    for (size_t i = 0; i < n; i++)
        found += direction[i] * (double)gradient[i];
    double limit = t->p->loosely * size + 3e-5;
    if (!(fabs(found - expected) <= limit))
        fail_msg("%s: %s, norm %g: derivative %g, by differences %g, %g off, %g "
                 "allowed",
                 t->p->network, name, size, found, expected, fabs(found - expected),
                 limit);
}

/* Along the gradient, where it says most, and where chance points. */
static void expect_tensor(const trial *t, const char *name)
{
    char full[96];
    size_t n;
    snprintf(full, sizeof full, "%s.gradient", name);
    loss_of(t);
    float *gradient = trainer_floats(t->trainer, full, &n);
    double *direction = room(n, sizeof *direction);
    for (size_t i = 0; i < n; i++)
        direction[i] = (double)gradient[i];
    double size = normalize(direction, n);
    expect_derivative(t, name, gradient, direction, n, size);
    for (size_t i = 0; i < n; i++)
        direction[i] = uniform();
    normalize(direction, n);
    expect_derivative(t, name, gradient, direction, n, size);
    fal_release(direction);
    fal_release(gradient);
}

/* Every tensor so far along its own gradient: where one's length is off by a share, the
 * derivative is by that share of it. */
static void expect_tensors(const trial *t)
{
    float *starts[MOST_TENSORS] = {NULL};
    double *directions[MOST_TENSORS], step = .003, size = 0, expected = 0;
    size_t n[MOST_TENSORS], count = fal_model_tensor_count(t->model);
    assert_in_range(count, 1, MOST_TENSORS);
    loss_of(t);
    for (size_t k = 0; k < count; k++) {
        char full[96];
        const char *name = fal_model_tensor_name(t->model, k);
        if (strstr(name, ".running_"))
            continue;
        snprintf(full, sizeof full, "%s.gradient", name);
        starts[k] = model_floats(t->model, name, &n[k]);
        float *gradient = trainer_floats(t->trainer, full, &n[k]);
        directions[k] = room(n[k], sizeof *directions[k]);
        for (size_t i = 0; i < n[k]; i++)
            directions[k][i] = (double)gradient[i];
        size += normalize(directions[k], n[k]);
        fal_release(gradient);
    }
    for (int i = 0; i < PLACES; i++) {
        for (size_t k = 0; k < count; k++)
            if (starts[k])
                move(t, fal_model_tensor_name(t->model, k), starts[k],
                     directions[k], n[k], places[i] * step);
        expected += shares[i] * loss_of(t) / (12 * step);
    }
    for (size_t k = 0; k < count; k++)
        if (starts[k]) {
            fal_release(starts[k]);
            fal_release(directions[k]);
        }
    double limit = t->p->loosely * size + 3e-5;
    if (!(fabs(size - expected) <= limit))
        fail_msg("%s: derivative %g, by differences %g, %g off, %g allowed",
                 t->p->network, size, expected, fabs(size - expected), limit);
}

static void gradients_are_those_of_differences(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROBLEMS; i += every) {
        trial t;
        begin(&t, &problems[i]);
        if (every > 1)
            expect_tensors(&t);
        for (size_t k = 0; k < fal_model_tensor_count(t.model) && every == 1; k++) {
            const char *name = fal_model_tensor_name(t.model, k);
            if (!strstr(name, ".running_"))
                expect_tensor(&t, name);
        }
        end(&t);
    }
}

/* Every so manieth is a choice too: not one that leaves out a kind of layer. */
static void no_kind_was_left_out(void **state)
{
    static const char *const kinds[] = {
        "stride",      "pad",     "nobias",     "pool max",   "pool average",
        "pool global", "norm, ",  "norm plain", "norm layer", "flatten",
        "identity",    "zeropad", "projection"};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        int seen = 0;
        for (size_t i = 0; i < PROBLEMS; i += every)
            seen |= strstr(problems[i].network, kinds[k]) != NULL;
        if (!seen)
            fail_msg("no network has %s", kinds[k]);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_kind_was_left_out),
        cmocka_unit_test(gradients_are_those_of_differences),
    };
    every = argc > 1 ? (size_t)atoi(argv[1]) : 1;
    return cmocka_run_group_tests_name("derivatives", tests, open_device,
                                       close_device);
}
