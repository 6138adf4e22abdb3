/* The network item `scale` and --loss-reduction. Independent of the library: closed
 * forms (powers of two, which float32 multiplies by exactly), and the network in double
 * of host/reference/network.c. The derivative of scale by differences of the loss stands
 * in tests/test_rules.c, with those of the activations.
 *
 * Seen to fail: without the factor in `derive` (cl/common.cl), without the pass from
 * the loss to the output layer (host/net/plan.c: add_tail), with the loss taken before
 * the scale, and with SUMMED ignored in cl/loss.cl. */
#include "folder.h"
#include "twin.h"

static const char *const rules[] = {"bp", "fa", "dfa", "usf", "brsf", "frsf"};
enum { RULES = sizeof rules / sizeof *rules };

static fal_trainer_options options_of(const char *rule, const char *reduction)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.optimizer = "sgd";
    options.momentum = .5;
    options.schedule = "constant";
    options.keep_gradients = 1;
    options.loss_reduction = reduction;
    return options;
}

/* ---- scale: values ------------------------------------------------------- */

/* outputs[count][width] of a network with the weights of seed 3. */
static float *predict(const char *network, const fal_arrays *arrays, size_t width)
{
    fal_model *model = model_of(network, 3);
    float *outputs = room(arrays->count * width, sizeof *outputs);
    must(fal_model_predict(model, arrays->inputs, FAL_FLOATS, arrays->count,
                           outputs));
    fal_model_destroy(model);
    return outputs;
}

static void expect_factor(const char *scaled, const char *plain, float factor)
{
    fal_arrays arrays = random_arrays(19, 6, 5, 0);
    float *got = predict(scaled, &arrays, 5), *base = predict(plain, &arrays, 5);
    for (size_t i = 0; i < 19 * 5; i++)
        if (got[i] != factor * base[i])
            fail_msg("%s: output %zu is %g, not %g times %g", scaled, i,
                     (double)got[i], (double)factor, (double)base[i]);
    fal_release(got);
    fal_release(base);
    free_arrays(&arrays);
}

static void outputs_are_multiplied(void **state)
{
    (void)state;
    expect_factor("input 6, dense 7, tanh, dense 5, scale 0.25",
                  "input 6, dense 7, tanh, dense 5", .25f);
    expect_factor("input 6, dense 7, tanh, dense 5, linear, scale -4",
                  "input 6, dense 7, tanh, dense 5", -4);
    expect_factor("input 6, dense 7, tanh, dense 5, scale 8, scale 0.5",
                  "input 6, dense 7, tanh, dense 5", 4);
    expect_factor(
        "input 6, scale 2, dense 7 nobias, scale 0.5, relu, dense 5 nobias",
        "input 6, dense 7 nobias, relu, dense 5 nobias", 1);
    expect_factor("input 6, dense 7, tanh, scale 2, dense 5 nobias",
                  "input 6, dense 7, tanh, dense 5 nobias", 2);
}

/* ---- scale: deltas ------------------------------------------------------- */

/* The output layer's delta is S(S a − t)/n, a from a network without the scale. */
static void the_output_delta_has_the_factor(void **state)
{
    const double s = .0316;
    (void)state;
    fal_arrays arrays = random_arrays(23, 6, 3, 1);
    float *a = predict("input 6, dense 9 nobias, tanh, dense 3 nobias", &arrays, 3);
    fal_model *model = model_of(
        "input 6, dense 9 nobias, tanh, dense 3 nobias, scale 0.0316", 3);
    fal_trainer_options options = options_of("fa", "mean");
    options.loss = "mse";
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_step(trainer, &arrays, NULL));
    size_t n;
    float *delta = trainer_floats(trainer, "dense2.delta", &n);
    for (size_t i = 0; i < n; i++) {
        double expected = s * (s * (double)a[i] - (double)arrays.targets[i]) / 23;
        if (!(fabs((double)delta[i] - expected) <= 1e-6 * fabs(expected) + 1e-10))
            fail_msg("delta %zu is %g, not %g", i, (double)delta[i], expected);
    }
    fal_release(delta);
    fal_release(a);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    free_arrays(&arrays);
}

/* Between, before and behind layers, and behind norms; fused and not. */
static void scaled_steps_of_every_rule(void **state)
{
    const fal_reference_layer layers[] = {
        {.in = 33,
         .out = 37,
         .has_bias = 1,
         .activations = {{FAL_TANH, 0}, {FAL_SCALE, .25f}}},
        {.in = 37,
         .out = 19,
         .has_bias = 1,
         .norm = FAL_REFERENCE_BATCH,
         .activations = {{FAL_SCALE, .25f}, {FAL_SIGMOID, 0}}},
        {.in = 19,
         .out = 5,
         .has_bias = 1,
         .activations = {{FAL_SCALE, .25f}, {FAL_SCALE, .25f}}}};
    (void)state;
    for (size_t r = 0; r < 2 * RULES; r++) {
        fal_trainer_options options = options_of(rules[r / 2],
                                                 r % 2 ? "sum" : "mean");
        twin t = twin_open(layers, 3, options, random_arrays(23, 33, 5, 0));
        step(&t);
        expect_same_step(&t, 2e-5);
        twin_close(&t);
    }
}

static int keep_bad(const fal_metric *metric, void *user)
{
    double *worst = user;
    if (strcmp(metric->name, "gradient_alignment") == 0)
        *worst = fmax(*worst, fabs(metric->value - 1));
    return 0;
}

static void backpropagation_is_aligned_with_itself(void **state)
{
    double worst = 0;
    (void)state;
    fal_arrays arrays = random_arrays(16, 6, 5, 0);
    fal_model *model = model_of(
        "input 6, dense 7, tanh, scale 0.1, dense 7, relu, dense 5, scale 3", 3);
    fal_trainer_options options = options_of("bp", "sum");
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_measure(trainer, &arrays, keep_bad, &worst));
    assert_true(worst < 1e-6);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    free_arrays(&arrays);
}

/* ---- scale: text --------------------------------------------------------- */

static void files_keep_it(void **state)
{
    const char text[] = "input 6, dense1=dense 5, scale1=scale 0.0316227749";
    fal_model *loaded;
    (void)state;
    fal_model *model = model_of("input 6, dense 5, scale 0.03162277660168379", 3);
    assert_string_equal(fal_model_network(model), text);
    must(fal_model_save(model, path));
    must(fal_model_load(&loaded, device, path));
    assert_string_equal(fal_model_network(loaded), text);
    fal_model_destroy(loaded);
    fal_model_destroy(model);
}

static void refuse(const char *network, const char *part)
{
    fal_model *model = NULL;
    expect_error(fal_model_create(&model, device, network, NULL),
                 FAL_ERROR_ARGUMENT, part);
}

static void what_is_no_factor_is_refused(void **state)
{
    (void)state;
    refuse("input 6, dense 5, scale", "'scale S'");
    refuse("input 6, dense 5, scale 0", "other than 0");
    refuse("input 6, dense 5, scale x", "'scale S'");
    refuse("input 6, dense 5, scale 1e-60", "other than 0");
    refuse("input 6, dense 5, scale 1e60", "float32");
    refuse("input 6, dense 5, scale nan", "'scale S'");
    refuse("input 6, dense 5, scale 1 2", "'scale S'");
    refuse("input 6, dense 5, scale 2, tanh", "nothing but 'linear' and 'scale'");
}

/* ---- loss reduction ------------------------------------------------------ */

/* Both after one step on the same batch: gradients of the sum are `rows` times those
 * of the mean; to the bit where that is a power of two. */
static void compare_gradients(const char *rule, const char *loss, size_t rows,
                              double bound)
{
    static const char *const names[] = {"dense1.weight.gradient",
                                        "dense1.bias.gradient",
                                        "dense2.weight.gradient", "dense2.delta"};
    float *values[2][4];
    double losses[2];
    size_t n[4];
    fal_arrays arrays = random_arrays(rows, 6, 5, strcmp(loss, "mse") == 0);
    for (int i = 0; i < 2; i++) {
        fal_trainer_options options = options_of(rule, i ? "sum" : NULL);
        options.loss = loss;
        fal_model *model = model_of("input 6, dense 7, tanh, dense 5", 3);
        fal_trainer *trainer = trainer_of(model, &options);
        must(fal_trainer_step(trainer, &arrays, &losses[i]));
        for (int k = 0; k < 4; k++)
            values[i][k] = trainer_floats(trainer, names[k], &n[k]);
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
    }
    assert_true(losses[0] == losses[1]);
    for (int k = 0; k < 4; k++) {
        for (size_t i = 0; i < n[k]; i++) {
            double expected = (double)rows * (double)values[0][k][i];
            if (!(fabs((double)values[1][k][i] - expected) <=
                  bound * (1 + fabs(expected))))
                fail_msg("%s, %s, %zu rows: %s %zu is %g, not %g", rule, loss, rows,
                         names[k], i, (double)values[1][k][i], expected);
        }
        fal_release(values[0][k]);
        fal_release(values[1][k]);
    }
    free_arrays(&arrays);
}

static void sums_are_rows_times_means(void **state)
{
    (void)state;
    for (size_t r = 0; r < RULES; r++) {
        compare_gradients(rules[r], "cross-entropy", 16, 0);
        compare_gradients(rules[r], "mse", 64, 0);
        compare_gradients(rules[r], "cross-entropy", 23, 1e-5);
        compare_gradients(rules[r], "mse", 37, 1e-5);
    }
}

/* So SGD with the rate r on sums is SGD with batch · r on means. */
static void rates_make_up_for_it(void **state)
{
    fal_model *models[2];
    (void)state;
    fal_arrays arrays = random_arrays(16, 6, 5, 0);
    for (int i = 0; i < 2; i++) {
        fal_trainer_options options = options_of("fa", i ? "sum" : "mean");
        options.learning_rate = i ? 1. / 128 : 1. / 8;
        options.keep_gradients = 0;
        options.batch = 16;
        models[i] = model_of("input 6, dense 7, tanh, dense 5", 3);
        fal_trainer *trainer = trainer_of(models[i], &options);
        for (int s = 0; s < 20; s++)
            must(fal_trainer_step(trainer, &arrays, NULL));
        fal_trainer_destroy(trainer);
    }
    expect_equal_models(models[0], models[1]);
    fal_model_destroy(models[0]);
    fal_model_destroy(models[1]);
    free_arrays(&arrays);
}

static void other_reductions_are_refused(void **state)
{
    fal_trainer *trainer = NULL;
    (void)state;
    fal_model *model = model_of("input 6, dense 5", 3);
    fal_trainer_options options = options_of("bp", "meen");
    expect_error(fal_trainer_create(&trainer, model, &options), FAL_ERROR_ARGUMENT,
                 "did you mean 'mean'?");
    fal_model_destroy(model);
}

/* A checkpoint belongs to one of them. */
static void checkpoints_know_the_reduction(void **state)
{
    char bytes[1 << 16];
    size_t needed;
    (void)state;
    fal_model *model = model_of("input 6, dense 5", 3);
    fal_trainer_options options = options_of("bp", "sum");
    fal_trainer *summed = trainer_of(model, &options);
    options.loss_reduction = "mean";
    fal_trainer *mean = trainer_of(model, &options);
    must(fal_trainer_checkpoint_bytes(summed, bytes, sizeof bytes, &needed));
    expect_error(fal_trainer_resume_bytes(mean, bytes, needed), FAL_ERROR_ARGUMENT,
                 "loss_reduction: the checkpoint has sum, this run mean");
    must(fal_trainer_resume_bytes(summed, bytes, needed));
    fal_trainer_destroy(summed);
    fal_trainer_destroy(mean);
    fal_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_multiplied),
        cmocka_unit_test(the_output_delta_has_the_factor),
        cmocka_unit_test(scaled_steps_of_every_rule),
        cmocka_unit_test(backpropagation_is_aligned_with_itself),
        TEST(files_keep_it),
        cmocka_unit_test(what_is_no_factor_is_refused),
        cmocka_unit_test(sums_are_rows_times_means),
        cmocka_unit_test(rates_make_up_for_it),
        cmocka_unit_test(other_reductions_are_refused),
        cmocka_unit_test(checkpoints_know_the_reduction),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
