/* wm: what a mirror step makes of feedback, against double precision from the definition
 * of the noise; the cosine that many of them come to, against its closed form and
 * science, section 7; when they are made. Checkpoints are test_checkpoint.c's.
 *
 * Tried: without the means taken off, with the noise of another layer or draw, with
 * rate for rate/n, with twice the decay, and with
 * mirror steps before the training step in place of behind it, tests here fail. */
#include "twin.h"
#include "train/trainer.h"

static fal_trainer_options plain(void)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = "wm";
    options.optimizer = "sgd";
    options.schedule = "constant";
    return options;
}

/* ---- one step against double --------------------------------------------- */

/* B of every layer from the second on, of the trainer against the reference. */
static void expect_same_feedback(twin *t, double bound)
{
    for (size_t l = 1; l < t->net.count; l++) {
        const fal_reference_layer *own = &t->net.layers[l];
        expect_tensor(t, tensor_name(l + 1, "feedback"), 1, own->feedback, own->out,
                      own->in, bound, 0);
    }
}

static const fal_reference_layer bent[] = {
    {.in = 9, .out = 33, .has_bias = 1, .activations = {{FAL_RELU, 0}}},
    {.in = 33,
     .out = 17,
     .has_bias = 1,
     .norm = FAL_REFERENCE_BATCH,
     .activations = {{FAL_SIGMOID, 0}}},
    {.in = 17,
     .out = 70,
     .norm = FAL_REFERENCE_LAYER,
     .activations = {{FAL_LEAKY, .25f}, {FAL_TANH, 0}}},
    {.in = 70, .out = 41, .has_bias = 1},
    {.in = 41, .out = 5, .has_bias = 1, .activations = {{FAL_SCALE, .25f}}}};

/* A large rate, so that a step shows. */
static void check_steps(size_t batch, size_t steps)
{
    fal_trainer_options options = plain();
    options.mirror_rate = .5;
    options.mirror_decay = .125;
    options.noise_seed = 0x123456789abcdef;
    twin t = twin_open(bent, 5, options, random_arrays(batch, 9, 5, 0));
    size_t n;
    float *before = all_weights(t.model, &n);
    for (size_t s = 0; s < steps; s++) {
        must(fal_trainer_mirror(t.trainer, 1));
        must(fal_reference_network_mirror(&t.net, .5, .125, options.noise_seed, s,
                                          batch));
        expect_same_feedback(&t, 2e-6);
    }
    float *after = all_weights(t.model, &n);
    assert_memory_equal(before, after, n * sizeof *before);
    fal_release(before);
    fal_release(after);
    twin_close(&t);
}

/* Batches beside the longest sum of a product, too. */
static void mirror_steps_are_what_they_should_be(void **state)
{
    (void)state;
    check_steps(23, 3);
    check_steps(2, 1);
    check_steps(256, 1);
    check_steps(300, 2);
    check_steps(513, 1);
}

/* From the weights that the step made; the training step itself leaves B alone. */
static void training_steps_end_in_a_mirror_step(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        fal_trainer_options options = plain();
        options.keep_gradients = keep;
        options.learning_rate = .1;
        twin t = twin_open(bent, 5, options, random_arrays(23, 9, 5, 0));
        for (size_t s = 0; s < 3; s++) {
            must(fal_trainer_step(t.trainer, &t.arrays, NULL));
            take_weights(&t);
            must(fal_reference_network_mirror(&t.net, .01, .01, 1, s, 23));
            expect_same_feedback(&t, 2e-6);
        }
        twin_close(&t);
    }
}

/* ---- the stationary cosine ----------------------------------------------- */

static double cosine_of(fal_model *model, fal_trainer *t, const char *layer)
{
    char name[64];
    size_t n;
    double ww = 0, bb = 0, wb = 0;
    snprintf(name, sizeof name, "%s.weight", layer);
    float *w = model_floats(model, name, &n);
    snprintf(name, sizeof name, "%s.feedback", layer);
    float *b = trainer_floats(t, name, &n);
    for (size_t i = 0; i < n; i++) {
        ww += (double)w[i] * (double)w[i];
        bb += (double)b[i] * (double)b[i];
        wb += (double)w[i] * (double)b[i];
    }
    fal_release(w);
    fal_release(b);
    return wb / sqrt(ww * bb);
}

/* in = 200, n = 64, y = a, 2,000 steps; the mean over 10,000 weights has a deviation
 * of 1e-4. */
static void mirrors_come_to_their_cosine(void **state)
{
    static const double decays[] = {.01, .05}, expected[] = {.992, .962};
    (void)state;
    for (int i = 0; i < 2; i++) {
        double in = 200, n = 64;
        fal_trainer_options options = plain();
        options.batch = 64;
        options.mirror_rate = options.mirror_decay = decays[i];
        fal_model *model = model_of("input 3, dense 200, dense 50", 1);
        fal_trainer *t = trainer_of(model, &options);
        must(fal_trainer_mirror(t, 2000));
        double got = cosine_of(model, t, "dense2");
        double closed = 1 / sqrt(1 + decays[i] * (in + 1) / ((2 - decays[i]) * n));
        if (!(fabs(got - expected[i]) <= .002 && fabs(got - closed) <= .002))
            fail_msg("decay %g: cosine %.5f, not %.3f or %.5f", decays[i], got,
                     expected[i], closed);
        fal_trainer_destroy(t);
        fal_model_destroy(model);
    }
}

/* ---- when they are made -------------------------------------------------- */

enum { SAMPLES = 50, BATCH = 8, BATCHES = 7 };

static const char network[] = "input 6, dense 9, relu, dense 7, tanh, dense 4";

static fal_trainer_options small(void)
{
    fal_trainer_options options = plain();
    options.batch = BATCH;
    options.no_shuffle = 1;
    options.standardize = "none";
    return options;
}

/* Weights and feedback of both. */
static void expect_same_trainers(fal_model *a, fal_trainer *t, fal_model *b,
                                 fal_trainer *u)
{
    expect_equal_models(a, b);
    for (size_t l = 2; l <= 3; l++) {
        size_t n;
        const char *name = tensor_name(l, "feedback");
        float *x = trainer_floats(t, name, &n), *y = trainer_floats(u, name, &n);
        assert_memory_equal(x, y, n * sizeof *x);
        fal_release(x);
        fal_release(y);
    }
}

/* Steps by hand that a fit of `epochs` epochs makes, the first one's. */
static void by_hand(fal_trainer *t, const fal_arrays *arrays, uint64_t first,
                    size_t epochs)
{
    must(fal_trainer_mirror(t, first));
    for (size_t i = 0; i < epochs * BATCHES; i++) {
        size_t start = i % BATCHES * BATCH, left = SAMPLES - start;
        fal_arrays part = rows_of(arrays, start, left < BATCH ? left : BATCH);
        must(fal_trainer_step(t, &part, NULL));
    }
}

/* ⌊50/8⌋ mirror steps come before the first step of all, and none before those of
 * another fit or after steps by hand. */
static void fits_begin_with_mirror_steps(void **state)
{
    fal_arrays arrays = random_arrays(SAMPLES, 6, 4, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = small();
    fal_model *a = model_of(network, 1), *b = model_of(network, 1);
    fal_trainer *t = trainer_of(a, &options), *u = trainer_of(b, &options);
    (void)state;
    must(fal_trainer_fit(t, data, NULL, 2, NULL, NULL));
    by_hand(u, &arrays, SAMPLES / BATCH, 2);
    expect_same_trainers(a, t, b, u);
    must(fal_trainer_fit(t, data, NULL, 1, NULL, NULL));
    must(fal_trainer_fit(u, data, NULL, 1, NULL, NULL));
    expect_same_trainers(a, t, b, u);
    assert_int_equal(t->mirror_steps, SAMPLES / BATCH + 3 * BATCHES);
    fal_trainer_destroy(t);
    fal_trainer_destroy(u);
    fal_model_destroy(a);
    fal_model_destroy(b);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

struct watch {
    fal_trainer *trainer;
    float *start;
    size_t count;
    uint64_t steps_at_start;
};

static int on_progress(const fal_progress *progress, void *user)
{
    struct watch *w = user;
    if (progress->event == FAL_START) {
        w->start = trainer_floats(w->trainer, "dense2.feedback", &w->count);
        w->steps_at_start = w->trainer->mirror_steps;
        expect_error(fal_trainer_mirror(w->trainer, 1), FAL_ERROR_ARGUMENT,
                     "a fit is running");
    }
    return 0;
}

/* FAL_START is where start.safetensors is written. A fit without steps makes none. */
static void starts_hold_the_first_feedback(void **state)
{
    fal_arrays arrays = random_arrays(SAMPLES, 6, 4, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = small();
    fal_model *model = model_of(network, 1);
    fal_trainer *t = trainer_of(model, &options);
    struct watch w = {.trainer = t};
    size_t n;
    float *drawn = trainer_floats(t, "dense2.feedback", &n);
    (void)state;
    must(fal_trainer_fit(t, data, NULL, 0, NULL, NULL));
    assert_int_equal(t->mirror_steps, 0);
    must(fal_trainer_fit(t, data, NULL, 1, on_progress, &w));
    assert_int_equal(w.steps_at_start, 0);
    assert_memory_equal(drawn, w.start, n * sizeof *drawn);
    fal_release(drawn);
    fal_release(w.start);
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* A step that diverges, and what follows before that is known, count for nothing. */
static void bad_steps_change_no_feedback(void **state)
{
    fal_arrays good = random_arrays(BATCH, 6, 4, 0);
    fal_arrays bad = random_arrays(BATCH, 6, 4, 0);
    fal_trainer_options options = small();
    fal_model *a = model_of(network, 1), *b = model_of(network, 1);
    fal_trainer *t = trainer_of(a, &options), *u = trainer_of(b, &options);
    double loss;
    (void)state;
    ((float *)bad.inputs)[3] = INFINITY;
    must(fal_trainer_step(t, &good, NULL));
    must(fal_trainer_step(t, &bad, NULL));
    must(fal_trainer_step(t, &good, NULL));
    expect_error(fal_trainer_mirror(t, 3), FAL_ERROR_DIVERGED, "step 2");
    must(fal_trainer_step(t, &good, &loss));
    for (int i = 0; i < 2; i++)
        must(fal_trainer_step(u, &good, &loss));
    expect_same_trainers(a, t, b, u);
    assert_int_equal(t->mirror_steps, u->mirror_steps);
    fal_trainer_destroy(t);
    fal_trainer_destroy(u);
    fal_model_destroy(a);
    fal_model_destroy(b);
    free_arrays(&good);
    free_arrays(&bad);
}

/* ---- options ------------------------------------------------------------- */

static void refuse(const char *rule, double rate, double decay, const char *part)
{
    fal_trainer_options options = small();
    fal_model *model = model_of(network, 1);
    fal_trainer *t = NULL;
    options.rule = rule;
    options.mirror_rate = rate;
    options.mirror_decay = decay;
    expect_error(fal_trainer_create(&t, model, &options), FAL_ERROR_ARGUMENT, part);
    assert_null(t);
    fal_model_destroy(model);
}

static void options_that_cannot_be_are_refused(void **state)
{
    (void)state;
    refuse("fa", .01, 0, "mirror rate: the rule fa has no mirror");
    refuse("kp", 0, .01, "mirror decay: the rule kp has no mirror");
    refuse("wm", -1, 0, "mirror rate -1 must be above 0");
    refuse("wm", NAN, 0, "mirror rate");
    refuse("wm", 1e-50, 0, "mirror rate 1e-50 must be above 0, and a float32");
    refuse("wm", 1e50, 0, "mirror rate");
    refuse("wm", 0, -.1, "mirror decay -0.1 must be above 0 and at most 1");
    refuse("wm", 0, 1.5, "mirror decay 1.5");
    refuse("wm", 0, NAN, "mirror decay");
    fal_trainer_options options = small();
    options.rule = "fa";
    fal_model *model = model_of(network, 1);
    fal_trainer *t = trainer_of(model, &options);
    expect_error(fal_trainer_mirror(t, 1), FAL_ERROR_ARGUMENT, "use the rule wm");
    expect_error(fal_trainer_mirror(NULL, 1), FAL_ERROR_ARGUMENT,
                 "needs a trainer");
    fal_trainer_destroy(t);
    fal_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mirror_steps_are_what_they_should_be),
        cmocka_unit_test(training_steps_end_in_a_mirror_step),
        cmocka_unit_test(mirrors_come_to_their_cosine),
        cmocka_unit_test(fits_begin_with_mirror_steps),
        cmocka_unit_test(starts_hold_the_first_feedback),
        cmocka_unit_test(bad_steps_change_no_feedback),
        cmocka_unit_test(options_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests_name("mirror", tests, open_device, close_device);
}
