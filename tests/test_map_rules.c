/* What rules and optimizers make of convolutions: shape, law and order of their random
 * feedback; which of them are Muon's matrices, and as what; Kolen and Pollack's
 * distance; what is refused. Against the definitions of the contract and of science,
 * sections 1 and 2.
 *
 * Tried: laws whose fans leave out the kernel, units that are channels, B drawn in the
 * order in which it lies, the first convolution as Muon's, and a scale from [out][in],
 * tests here fail. */
#include "map_net.h"
#include "data/random.h"
#include "reference/newton_schulz.h"

static const uint64_t SEED = 77;

static fal_trainer_options plain(const char *rule)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.optimizer = "sgd";
    options.schedule = "constant";
    options.batch = BATCH;
    options.feedback_seed = SEED;
    return options;
}

static fal_arrays make_batch(void)
{
    fal_arrays arrays = random_arrays(BATCH, HEIGHT * WIDTH * INPUTS, CLASSES, 0);
    arrays.height = HEIGHT;
    arrays.width = WIDTH;
    arrays.channels = INPUTS;
    return arrays;
}

/* ---- feedback ------------------------------------------------------------ */

/* Its numbers are the stream's, one after the other in PyTorch's order. */
static void expect_drawn(fal_trainer *trainer, size_t l, const size_t shape[4],
                         size_t dimensions, double bound)
{
    size_t got[4], count, found;
    char name[64];
    snprintf(name, sizeof name, "%s.feedback", map_names[l]);
    must(fal_trainer_tensor_shape(trainer, name, got, &found));
    assert_int_equal(found, dimensions);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(got[i], shape[i]);
    float *values = trainer_floats(trainer, name, &count);
    for (size_t i = 0; i < count; i++)
        assert_true(values[i] == fal_random_uniform(SEED, FAL_PURPOSE_FEEDBACK,
                                                    (uint32_t)l + 1, 0, i,
                                                    (float)bound));
    fal_release(values);
}

static void expect_none(fal_trainer *trainer, size_t l)
{
    size_t shape[4], dimensions;
    char name[64];
    snprintf(name, sizeof name, "%s.feedback", map_names[l]);
    expect_error(fal_trainer_tensor_shape(trainer, name, shape, &dimensions),
                 FAL_ERROR_ARGUMENT, name);
}

static void check_direct(const char *dfa_conv, const char *feedback, int dimensions)
{
    fal_model *model = model_of(map_network, 1);
    fal_trainer_options options = plain("dfa");
    options.dfa_conv = dfa_conv;
    options.feedback = feedback;
    fal_trainer *trainer = trainer_of(model, &options);
    for (size_t l = CONV1; l < PROJECTION; l++) {
        const map_shape s = map_layers[l].out;
        const size_t map[4] = {CLASSES, s.channels, s.height, s.width},
                     channels[4] = {CLASSES, s.channels, 1, 1};
        expect_drawn(trainer, l, dimensions == 4 ? map : channels,
                     (size_t)dimensions, 1 / sqrt((double)size_of_map(s)));
    }
    expect_none(trainer, PROJECTION);
    expect_none(trainer, DENSE);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

static void direct_feedback_is_that_of_maps(void **state)
{
    (void)state;
    check_direct(NULL, NULL, 4);
    check_direct("map", "regenerated", 4);
    check_direct("channel", NULL, 2);
    check_direct("channel", "regenerated", 2);
}

static void check_layered(const char *law, const char *feedback)
{
    fal_model *model = model_of(map_network, 1);
    fal_trainer_options options = plain("fa");
    options.feedback_law = law;
    options.feedback = feedback;
    fal_trainer *trainer = trainer_of(model, &options);
    expect_none(trainer, CONV1);
    for (size_t l = CONV2; l < DENSE; l++) {
        const map_layer *y = &map_layers[l];
        double kernel = (double)(y->kernel * y->kernel);
        double in = (double)y->in.channels * kernel;
        double out = (double)y->out.channels * kernel;
        const size_t shape[4] = {y->out.channels, y->in.channels, y->kernel,
                                 y->kernel};
        expect_drawn(trainer, l, shape, 4,
                     law ? sqrt(6 / (in + out)) : 1 / sqrt(in));
    }
    expect_drawn(trainer, DENSE, (const size_t[4]){CLASSES, 24, 1, 1}, 2,
                 law ? sqrt(6. / (24 + CLASSES)) : 1 / sqrt(24));
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

static void layered_feedback_is_that_of_kernels(void **state)
{
    (void)state;
    check_layered(NULL, NULL);
    check_layered("xavier", NULL);
    check_layered("xavier", "regenerated");
}

/* In formulas maps are [row][column][channel], in files [channel][row][column]. */
static void feedback_of_ones_own(void **state)
{
    const map_shape s = map_layers[CONV1].out;
    size_t size = size_of_map(s), pixels = s.height * s.width, count;
    fal_model *model = model_of(map_network, 1);
    const fal_trainer_options options = plain("dfa");
    fal_trainer *trainer = trainer_of(model, &options);
    float *values = random_floats(CLASSES * size, 1);
    (void)state;
    must(fal_trainer_set_feedback(trainer, "conv1", values, CLASSES * size));
    double *got = map_tensor(model, trainer, CONV1, "feedback", &count);
    assert_int_equal(count, CLASSES * size);
    for (size_t i = 0; i < count; i++) {
        size_t place = i % size % pixels * s.channels + i % size / pixels;
        assert_true(got[i] == (double)values[i / size * size + place]);
    }
    expect_error(fal_trainer_set_feedback(trainer, "conv1", values, 20),
                 FAL_ERROR_ARGUMENT, "1260 numbers, not 20: [4][315]");
    fal_release(got);
    fal_release(values);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

static void refuse(const char *network, const char *rule, const char *dfa_conv,
                   const char *part)
{
    fal_model *model = model_of(network, 1);
    fal_trainer_options options = plain(rule);
    fal_trainer *trainer = NULL;
    options.dfa_conv = dfa_conv;
    expect_error(fal_trainer_create(&trainer, model, &options), FAL_ERROR_ARGUMENT,
                 part);
    fal_model_destroy(model);
}

static void the_form_needs_a_direct_convolution(void **state)
{
    (void)state;
    refuse(map_network, "fa", "channel", "dfa_conv 'channel': no convolution");
    refuse("input 5, dense 6, tanh, dense 4", "dfa", "channel",
           "dfa_conv 'channel': no convolution");
    refuse(map_network, "dfa", "maps", "dfa_conv 'maps'");
}

static void a_checkpoint_knows_the_form(void **state)
{
    fal_model *model = model_of(map_network, 1);
    fal_trainer_options options = plain("dfa");
    options.dfa_conv = "channel";
    fal_trainer *trainer = trainer_of(model, &options);
    size_t size;
    (void)state;
    must(fal_trainer_checkpoint_bytes(trainer, NULL, 0, &size));
    void *bytes = room(size, 1);
    must(fal_trainer_checkpoint_bytes(trainer, bytes, size, NULL));
    must(fal_trainer_resume_bytes(trainer, bytes, size));
    fal_trainer_destroy(trainer);
    options.dfa_conv = NULL;
    trainer = trainer_of(model, &options);
    expect_error(fal_trainer_resume_bytes(trainer, bytes, size), FAL_ERROR_ARGUMENT,
                 "dfa_conv");
    fal_release(bytes);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

/* ---- optimizers ---------------------------------------------------------- */

/* After one step: u is the gradient times a number, which orthogonalizing forgets. */
static void expect_muon(fal_model *model, fal_trainer *trainer, size_t l,
                        const double *before)
{
    const map_layer *y = &map_layers[l];
    size_t rows = y->out.channels, columns = weights_of(l) / rows;
    double scale = .02 * sqrt(fmax(1, (double)rows / (double)columns));
    double *x = map_tensor(model, trainer, l, "weight.gradient", NULL);
    double *after = map_tensor(model, NULL, l, "weight", NULL);
    for (size_t i = 0; i < rows * columns; i++)
        x[i] *= .05 * 1.95;
    must(fal_reference_newton_schulz(x, rows, columns));
    for (size_t i = 0; i < rows * columns; i++)
        if (!(fabs(after[i] - before[i] + scale * x[i]) <= 2e-6))
            fail_msg("%s, number %zu: a step of %g, not %g", map_names[l], i,
                     after[i] - before[i], -scale * x[i]);
    fal_release(x);
    fal_release(after);
}

/* Its first step is the rate, in the gradient's direction. */
static void expect_adamw(fal_model *model, fal_trainer *trainer, size_t l,
                         const double *before)
{
    double *g = map_tensor(model, trainer, l, "weight.gradient", NULL);
    double *after = map_tensor(model, NULL, l, "weight", NULL);
    for (size_t i = 0; i < weights_of(l); i++)
        if (!(fabs(after[i] - before[i] + 3e-4 * copysign(1, g[i])) <= 1e-6))
            fail_msg("%s, number %zu: a step of %g", map_names[l], i,
                     after[i] - before[i]);
    fal_release(g);
    fal_release(after);
}

static void muon_takes_all_but_the_first_convolution(void **state)
{
    fal_model *model = model_of(map_network, 1);
    fal_trainer_options options = plain("bp");
    fal_arrays batch = make_batch();
    double *before[LAYERS];
    (void)state;
    options.optimizer = "muon";
    options.keep_gradients = 1;
    fal_trainer *trainer = trainer_of(model, &options);
    for (size_t l = 0; l < LAYERS; l++)
        before[l] = map_tensor(model, NULL, l, "weight", NULL);
    must(fal_trainer_step(trainer, &batch, NULL));
    for (size_t l = 0; l < LAYERS; l++) {
        (l == CONV1 || l == DENSE ? expect_adamw : expect_muon)(model, trainer, l,
                                                                before[l]);
        fal_release(before[l]);
    }
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    free_arrays(&batch);
}

/* W - B, of what carries errors down. */
static double *difference(fal_model *model, fal_trainer *trainer, size_t l)
{
    double *w = map_tensor(model, NULL, l, "weight", NULL);
    double *b = map_tensor(model, trainer, l, "feedback", NULL);
    for (size_t i = 0; i < weights_of(l); i++)
        w[i] -= b[i];
    fal_release(b);
    return w;
}

static void check_distance(const char *optimizer, int keep)
{
    enum { STEPS = 6 };
    fal_model *model = model_of(map_network, 1);
    fal_trainer_options options = plain("kp");
    fal_arrays batch = make_batch();
    double *before[LAYERS], rate = .01, decay = 2;
    options.optimizer = optimizer;
    options.learning_rate = rate;
    options.learning_rate_adamw = strcmp(optimizer, "muon") == 0 ? rate : 0;
    options.weight_decay = decay;
    options.keep_gradients = keep;
    fal_trainer *trainer = trainer_of(model, &options);
    for (size_t l = CONV2; l < LAYERS; l++)
        before[l] = difference(model, trainer, l);
    for (int s = 0; s < STEPS; s++)
        must(fal_trainer_step(trainer, &batch, NULL));
    for (size_t l = CONV2; l < LAYERS; l++) {
        double *after = difference(model, trainer, l);
        for (size_t i = 0; i < weights_of(l); i++)
            if (!(fabs(after[i] - pow(1 - rate * decay, STEPS) * before[l][i]) <=
                  1e-6))
                fail_msg("%s, %s, number %zu: %g, which was %g", optimizer,
                         map_names[l], i, after[i], before[l][i]);
        fal_release(before[l]);
        fal_release(after);
    }
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    free_arrays(&batch);
}

static void feedback_of_kp_comes_nearer(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        check_distance("sgd", keep);
        check_distance("adam", keep);
        check_distance("muon", keep);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(direct_feedback_is_that_of_maps),
        cmocka_unit_test(layered_feedback_is_that_of_kernels),
        cmocka_unit_test(feedback_of_ones_own),
        cmocka_unit_test(the_form_needs_a_direct_convolution),
        cmocka_unit_test(a_checkpoint_knows_the_form),
        cmocka_unit_test(muon_takes_all_but_the_first_convolution),
        cmocka_unit_test(feedback_of_kp_comes_nearer),
    };
    return cmocka_run_group_tests_name("map_rules", tests, open_device,
                                       close_device);
}
