/* kp: feedback takes the weights' steps and their decay, so that after t steps
 * W - B = (W - B)_0 times the product of 1 - rate_s * decay, whatever the optimizer makes
 * of the gradient. That is the closed form here, with the two ratios of science, section
 * 7; single steps against double precision are test_rules.c's, checkpoints
 * test_checkpoint.c's.
 *
 * Tried: with the decay of W alone, with B's step of the other sign, with coupled decay,
 * and with B updated before it has carried the error down, tests here or in test_rules.c
 * and test_waves.c fail. */
#include "learning.h"
#include "train/trainer.h"

enum { SAMPLES = 40, WIDTH = 20, CLASSES = 5, BATCH = 8, STEPS = 936 };

static const char network[] =
    "input 20, dense 18, norm, tanh, dense 16 nobias, relu, dense 5";

static fal_arrays arrays;

static int open_all(void **state)
{
    open_device(state);
    arrays = random_arrays(SAMPLES, WIDTH, CLASSES, 0);
    return 0;
}

static int close_all(void **state)
{
    free_arrays(&arrays);
    return close_device(state);
}

/* What one run is trained by. */
typedef struct way {
    const char *optimizer;
    double rate, decay; /* of weights */
    double rest;        /* muon: the rate of what it leaves to adamw */
    const char *schedule;
    double momentum, clip;
    int nesterov, keep_gradients;
    double ratio; /* of the distance at the end by science; 0: not said */
} way;

static const way ways[] = {
    {"sgd", .05, .02, 0, "constant", 0, 0, 0, 0, .392010},
    {"sgd", .01, .02, 0, "constant", .9, 0, 0, 0, .829262},
    {"sgd", .01, .1, 0, "cosine", .9, 0, 1, 1, 0},
    {"sgd", .02, .1, 0, "cosine", .9, .05, 0, 0, 0},
    {"adam", .002, .5, 0, "constant", -1, 0, 0, 0, .392010},
    {"adam", .002, .5, 0, "cosine", -1, .1, 0, 0, 0},
    {"adamw", .002, .5, 0, "constant", -1, 0, 0, 1, .392010},
    {"adamw", .002, .5, 0, "cosine", -1, 0, 0, 0, 0},
    {"muon", .02, .05, .02, "constant", .95, 0, 0, 0, .392010},
    {"muon", .02, .05, .001, "cosine", .9, .1, 0, 1, 0},
};

static fal_trainer_options options_of(const way *w)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = "kp";
    options.optimizer = w->optimizer;
    options.schedule = w->schedule;
    options.learning_rate = w->rate;
    options.learning_rate_adamw = w->rest;
    options.weight_decay = w->decay;
    options.momentum = w->momentum;
    options.nesterov = w->nesterov;
    options.clip = w->clip;
    options.keep_gradients = w->keep_gradients;
    options.batch = BATCH;
    options.steps = STEPS;
    return options;
}

/* W - B of layer `number`. */
static double *distance(fal_model *model, fal_trainer *t, size_t number, size_t *n)
{
    float *w = model_floats(model, tensor_name(number, "weight"), n);
    float *b = trainer_floats(t, tensor_name(number, "feedback"), n);
    double *gap = room(*n, sizeof *gap);
    for (size_t i = 0; i < *n; i++)
        gap[i] = (double)w[i] - (double)b[i];
    fal_release(w);
    fal_release(b);
    return gap;
}

/* The product over all steps, in float32's factors none. */
static double kept(const way *w, int by_adamw)
{
    const double pi = 3.14159265358979323846;
    double base = by_adamw ? w->rest : w->rate, product = 1;
    for (int s = 0; s < STEPS; s++) {
        double rate = strcmp(w->schedule, "cosine") == 0
                          ? base / 2 * (1 + cos(pi * s / STEPS))
                          : base;
        product *= 1 - rate * w->decay;
    }
    return product;
}

static double norm(const double *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i] * values[i];
    return sqrt(sum);
}

static void expect_ratio(const way *w, size_t number, const double *before,
                         const double *after, size_t n)
{
    int by_adamw = strcmp(w->optimizer, "muon") == 0 && number == 3;
    double ratio = kept(w, by_adamw), *gap = room(n, sizeof *gap);
    for (size_t i = 0; i < n; i++)
        gap[i] = after[i] - ratio * before[i];
    if (!(norm(gap, n) <= 3e-5 * ratio * norm(before, n)))
        fail_msg("%s %s, layer %zu: %g off a ratio of %g", w->optimizer,
                 w->schedule, number, norm(gap, n) / norm(before, n), ratio);
    if (w->ratio > 0)
        assert_true(fabs(norm(after, n) / norm(before, n) - w->ratio) <= 3e-5);
    fal_release(gap);
}

static void run(fal_trainer *t, int steps)
{
    for (int s = 0; s < steps; s++) {
        fal_arrays part = rows_of(&arrays, (size_t)s * BATCH % SAMPLES, BATCH);
        must(fal_trainer_step(t, &part, NULL));
    }
}

static void check_way(const way *w)
{
    fal_trainer_options options = options_of(w);
    fal_model *model = model_of(network, 1);
    fal_trainer *t = trainer_of(model, &options);
    double *before[2], *after;
    size_t n;
    for (size_t l = 0; l < 2; l++)
        before[l] = distance(model, t, l + 2, &n);
    run(t, STEPS);
    for (size_t l = 0; l < 2; l++) {
        after = distance(model, t, l + 2, &n);
        expect_ratio(w, l + 2, before[l], after, n);
        fal_release(before[l]);
        fal_release(after);
    }
    fal_trainer_destroy(t);
    fal_model_destroy(model);
}

static void distances_shrink_by_the_decay_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        check_way(&ways[i]);
}

/* Without decay they stay, and without a decay to decouple sgd and adam are what they
 * are under fa as long as B has not moved: for one step. */
static void first_steps_are_fas(void **state)
{
    static const char *const optimizers[] = {"sgd", "adam", "adamw", "muon"};
    (void)state;
    for (size_t o = 0; o < 4; o++) {
        fal_model *models[2];
        for (int i = 0; i < 2; i++) {
            fal_trainer_options options = FAL_TRAINER_OPTIONS;
            options.rule = i ? "kp" : "fa";
            options.optimizer = optimizers[o];
            options.schedule = "constant";
            options.batch = BATCH;
            models[i] = model_of(network, 1);
            fal_trainer *t = trainer_of(models[i], &options);
            run(t, 1);
            fal_trainer_destroy(t);
        }
        expect_equal_models(models[0], models[1]);
        fal_model_destroy(models[0]);
        fal_model_destroy(models[1]);
    }
}

/* A loss that is not finite changes neither. */
static void nothing_moves_after_a_bad_loss(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        fal_trainer_options options = FAL_TRAINER_OPTIONS;
        options.rule = "kp";
        options.schedule = "constant";
        options.batch = BATCH;
        options.weight_decay = .1;
        options.keep_gradients = keep;
        fal_model *model = model_of(network, 1);
        fal_trainer *t = trainer_of(model, &options);
        run(t, 2);
        size_t n;
        float *before = trainer_floats(t, "dense2.feedback", &n);
        fal_arrays bad = random_arrays(BATCH, WIDTH, CLASSES, 0);
        ((float *)bad.inputs)[3] = INFINITY;
        double loss;
        expect_error(fal_trainer_step(t, &bad, &loss), FAL_ERROR_DIVERGED,
                     "no longer finite");
        float *after = trainer_floats(t, "dense2.feedback", &n);
        assert_memory_equal(before, after, n * sizeof *before);
        fal_release(before);
        fal_release(after);
        free_arrays(&bad);
        fal_trainer_destroy(t);
        fal_model_destroy(model);
    }
}

/* ---- the warning --------------------------------------------------------- */

static char said[1024];

static void note(const char *line, void *user)
{
    (void)user;
    snprintf(said, sizeof said, "%s", line);
}

/* What a fit of one epoch, 5 steps, says. */
static const char *said_of(const char *rule, const char *optimizer, double rate,
                           double decay)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.optimizer = optimizer;
    options.schedule = "constant";
    options.learning_rate = rate;
    options.weight_decay = decay;
    options.batch = BATCH;
    fal_model *model = model_of(network, 1);
    fal_trainer *t = trainer_of(model, &options);
    fal_dataset *data = dataset_of(&arrays);
    said[0] = 0;
    device->log = note;
    must(fal_trainer_fit(t, data, NULL, 1, NULL, NULL));
    device->log = NULL;
    fal_dataset_destroy(data);
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    return said;
}

static void too_little_decay_is_said(void **state)
{
    (void)state;
    assert_string_equal(
        said_of("kp", "adam", .001, .1),
        "rule kp, layer dense2: learning rate times weight decay adds up to 0.0005 "
        "over this run, which leaves 100 % of the distance from feedback to "
        "weights; a sum of 3 leaves 5 %: give a weight decay of 600, or train 6000 "
        "times as long");
    assert_string_equal(said_of("kp", "sgd", .1, 0),
                        "rule kp, layer dense2: its weight decay is 0, so that "
                        "feedback and weights "
                        "never approach; a weight decay of 6 leaves 5 % of their "
                        "distance, and so does "
                        "one of 0.6 in 10 times as many epochs");
    assert_non_null(strstr(said_of("kp", "adam", .0007, 0), "decay of 857 leaves"));
    assert_string_equal(said_of("kp", "adam", .0007, 857), "");
    assert_string_equal(said_of("kp", "sgd", .1, 5.96), "");
    assert_non_null(strstr(said_of("kp", "sgd", .1, 5.9), "adds up to 2.95 over"));
    assert_string_equal(said_of("kp", "sgd", .1, 6), "");
    assert_string_equal(said_of("fa", "sgd", .1, 0), "");
    /* adamw's rate, 3e-4, is that of the output layer */
    assert_non_null(
        strstr(said_of("kp", "muon", .1, 6),
               "layer dense3: learning rate times weight decay adds up to "
               "0.009 over"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_shrink_by_the_decay_alone),
        cmocka_unit_test(first_steps_are_fas),
        cmocka_unit_test(nothing_moves_after_a_bad_loss),
        cmocka_unit_test(too_little_decay_is_said),
    };
    return cmocka_run_group_tests_name("kolen_pollack", tests, open_all, close_all);
}
