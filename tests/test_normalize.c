/* Norms: kernels against double precision over shapes, families and vector widths;
 * what trainers and models make of them. The gradients of whole networks stand in
 * test_rules.c. */
#include "reference/check.h"
#include "reference/checker.h"
#include "twin.h"

#include <unistd.h>

/* ---- kernels ------------------------------------------------------------- */

enum { FAMILIES = 4 };
static fal_device *families[FAMILIES];
static size_t family_count;

static int open_all(void **state)
{
    open_device(state);
    int is_cpu = device->facts.type & CL_DEVICE_TYPE_CPU &&
                 device->facts.float_width >= 4;
    for (int vector = 2; vector <= 16 && (vector == 2 || is_cpu); vector *= 2) {
        fal_device_options options = FAL_DEVICE_OPTIONS;
        options.kernels = vector == 2 ? "gpu" : "cpu";
        options.vector = vector == 2 ? 0 : vector;
        must(fal_device_open(&families[family_count++], &options));
    }
    return 0;
}

static int close_all(void **state)
{
    for (size_t i = 0; i < family_count; i++)
        fal_device_destroy(families[i]);
    return close_device(state);
}

static void judge(const fal_device *on, uint64_t allocated, double worst,
                  const char *what, const fal_check_norm_shape *s)
{
    if (!(worst <= 1))
        fail_msg("%s of %zu x %zu x %zu, by_sample %d, plain %d, updates %d, %s "
                 "kernels, vectors of %d: error %g of its bound",
                 what, s->rows, s->positions, s->channels, s->by_sample, s->plain,
                 s->updates, on->facts.family ? "gpu" : "cpu", on->facts.vector,
                 worst);
    assert_int_equal(on->allocated, allocated);
}

static void check_shape(fal_device *on, const fal_check_norm_shape *shape)
{
    uint64_t before = on->allocated;
    double worst = 0;
    for (int wild = 0; wild < 2; wild++)
        must(fal_check_norm(on, shape, wild, &worst));
    judge(on, before, worst, "forward", shape);
    if (!shape->by_sample)
        must(fal_check_norm_fixed(on, shape, &worst));
    judge(on, before, worst, "given statistics", shape);
    must(fal_check_norm_backward(on, shape, 0, &worst));
    judge(on, before, worst, "backward", shape);
    if (shape->updates)
        must(fal_check_norm_backward(on, shape, 1, &worst));
    judge(on, before, worst, "halted", shape);
}

static void norms_agree(void **state)
{
    /* Rows, positions, channels: about every edge of vectors, strips and groups */
    static const size_t shapes[][3] = {
        {2, 1, 1},    {2, 1, 3},    {3, 1, 15},   {5, 1, 16},   {7, 1, 17},
        {127, 1, 63}, {129, 1, 64}, {128, 1, 65}, {33, 1, 129}, {300, 1, 257},
        {1, 2, 5},    {3, 25, 7},   {4, 9, 64},   {2, 49, 33},  {9000, 1, 3}};
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes * 6; i++) {
            const size_t *s = shapes[i / 6];
            const fal_check_norm_shape shape = {
                .rows = s[0],
                .positions = s[1],
                .channels = s[2],
                .by_sample = i % 2,
                .plain = i % 6 >= 4,
                .updates = i % 6 / 2 == 1,
                .beside = i / 6 % 2 == i % 2,
                .activation = {(fal_phi)((i + i / 6) % FAL_PHIS), .01f}};
            check_shape(families[d], &shape);
        }
}

/* Means a thousand deviations away, where E[x²] − E[x]² has nothing left. */
static void far_means_keep_their_variance(void **state)
{
    enum { ROWS = 128, CHANNELS = 19 };
    (void)state;
    for (size_t d = 0; d < family_count; d++) {
        double worst = 0;
        fal_checker c;
        fal_checker_begin(&c, families[d], &worst);
        float *x = fal_checker_floats(&c, ROWS * CHANNELS, -1, 1);
        for (size_t i = 0; i < ROWS * CHANNELS; i++)
            x[i] = 1000 + (float)(i / CHANNELS % 2);
        fal_norm norm = {.rows = ROWS, .positions = 1, .channels = CHANNELS};
        norm.input = fal_checker_put(&c, ROWS * CHANNELS, x);
        norm.output = fal_checker_put(&c, ROWS * CHANNELS, NULL);
        norm.mean = fal_checker_put(&c, CHANNELS, NULL);
        norm.variance = fal_checker_put(&c, CHANNELS, NULL);
        fal_checker_run(&c, fal_batch_norm_add(&c.launches, &norm));
        const float *variance = fal_checker_get(&c, norm.variance);
        must(c.status);
        for (size_t i = 0; i < CHANNELS; i++)
            assert_true(fabs((double)variance[i] - 32. / 127) < 1e-6);
        must(fal_checker_end(&c));
    }
}

static void centering_agrees(void **state)
{
    /* Rows, columns: about every edge of vectors, strips and groups */
    static const size_t shapes[][2] = {{1, 1},    {2, 3},     {3, 15},   {5, 16},
                                       {7, 17},   {127, 63},  {129, 64}, {128, 65},
                                       {33, 129}, {300, 257}, {9000, 3}};
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < 2 * sizeof shapes / sizeof *shapes; i++) {
            double worst = 0;
            const size_t *s = shapes[i / 2];
            must(fal_check_center(families[d], s[0], s[1], i % 2, &worst));
            if (!(worst <= 1))
                fail_msg("centering %zu x %zu: error %g of its bound", s[0], s[1],
                         worst);
        }
}

static void running_statistics_agree(void **state)
{
    static const size_t counts[] = {1, 3, 16, 17, 1000, 40009};
    (void)state;
    for (size_t d = 0; d < family_count; d++)
        for (size_t i = 0; i < 12; i++) {
            double worst = 0;
            must(fal_check_running(families[d], counts[i / 2], i % 2, &worst));
            assert_true(worst <= 1);
        }
}

/* Whatever the number of compute units, the same bits. */
static void forward_by_units(fal_device *on, unsigned units, int by_sample,
                             float *into)
{
    enum { ROWS = 200, CHANNELS = 1003 };
    unsigned own = on->facts.units;
    double worst = 0;
    fal_checker c;
    fal_checker_begin(&c, on, &worst);
    on->facts.units = units;
    float *x = fal_checker_floats(&c, ROWS * CHANNELS, -1, 1);
    fal_norm norm = {.rows = ROWS, .positions = 1, .channels = CHANNELS};
    norm.input = fal_checker_put(&c, ROWS * CHANNELS, x);
    norm.output = fal_checker_put(&c, ROWS * CHANNELS, NULL);
    norm.mean = fal_checker_put(&c, CHANNELS, NULL);
    norm.variance = fal_checker_put(&c, CHANNELS, NULL);
    fal_checker_run(&c, by_sample ? fal_layer_norm_add(&c.launches, &norm)
                                  : fal_batch_norm_add(&c.launches, &norm));
    on->facts.units = own;
    const float *y = fal_checker_get(&c, norm.output);
    must(c.status);
    memcpy(into, y, ROWS * CHANNELS * sizeof *y);
    must(fal_checker_end(&c));
}

static void norms_do_not_depend_on_units(void **state)
{
    static float results[2][200 * 1003];
    (void)state;
    for (size_t i = 0; i < 2 * family_count; i++) {
        forward_by_units(families[i / 2], 1, i % 2, results[0]);
        forward_by_units(families[i / 2], 37, i % 2, results[1]);
        assert_memory_equal(results[0], results[1], sizeof results[0]);
    }
}

static void impossible_norms_are_refused(void **state)
{
    fal_launches list = {.device = device};
    fal_norm norm = {.rows = 1, .positions = 1, .channels = 5};
    const fal_update adam = {.rule = FAL_ADAM};
    (void)state;
    expect_error(fal_batch_norm_add(&list, &norm), FAL_ERROR_ARGUMENT,
                 "two values a channel");
    norm.rows = 0;
    expect_error(fal_layer_norm_add(&list, &norm), FAL_ERROR_ARGUMENT,
                 "at least 1");
    norm.rows = 2;
    norm.update = &adam;
    expect_error(fal_batch_norm_backward_add(&list, &norm), FAL_ERROR_ARGUMENT,
                 "room for moments");
    assert_int_equal(list.count, 0);
    fal_launches_release(&list);
}

/* ---- models -------------------------------------------------------------- */

static const char *const batch_net = "input 20, dense 40, norm, relu, dense 30, "
                                     "norm plain, tanh, dense 5";

static fal_trainer_options short_run(size_t batch)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.batch = batch;
    return options;
}

static void expect_constant(fal_model *model, const char *name, float value)
{
    size_t n;
    float *values = model_floats(model, name, &n);
    for (size_t i = 0; i < n; i++)
        assert_true(values[i] == value);
    fal_release(values);
}

static void norms_start_as_nothing(void **state)
{
    size_t shape[4], dimensions;
    (void)state;
    fal_model *model = model_of(batch_net, 1);
    expect_constant(model, "norm1.weight", 1);
    expect_constant(model, "norm1.bias", 0);
    expect_constant(model, "norm1.running_mean", 0);
    expect_constant(model, "norm1.running_var", 1);
    expect_constant(model, "norm2.running_var", 1);
    must(fal_model_tensor_shape(model, "norm1.weight", shape, &dimensions));
    assert_int_equal(dimensions, 1);
    assert_int_equal(shape[0], 40);
    expect_error(fal_model_tensor_shape(model, "norm2.weight", shape, &dimensions),
                 FAL_ERROR_ARGUMENT, "norm2.weight");
    fal_model_destroy(model);
    model = model_of("input 20, dense 40, norm layer, relu, dense 5", 1);
    assert_int_equal(fal_model_tensor_count(model), 6);
    fal_model_destroy(model);
}

/* Evaluation by running statistics, and the same again from a file. */
static void a_saved_model_evaluates_alike(void **state)
{
    char file[] = "/tmp/falign-norm-XXXXXX";
    const fal_reference_layer layers[] = {{.in = 20,
                                           .out = 40,
                                           .norm = FAL_REFERENCE_BATCH,
                                           .activations = {{FAL_TANH, 0}}},
                                          {.in = 40,
                                           .out = 30,
                                           .has_bias = 1,
                                           .norm = FAL_REFERENCE_LAYER,
                                           .activations = {{FAL_SIGMOID, 0}}},
                                          {.in = 30, .out = 5, .has_bias = 1}};
    fal_trainer_options options = short_run(64);
    fal_reference_settings sgd = {.rate = .01};
    fal_evaluation found = {.size = sizeof found}, again = found;
    (void)state;
    close(mkstemp(file));
    options.rule = "bp";
    options.optimizer = "sgd";
    options.momentum = 0;
    twin t = twin_open(layers, 3, options, random_arrays(64, 20, 5, 0));
    for (int s = 0; s < 8; s++) {
        step(&t);
        must(fal_reference_network_update(&t.net, &sgd));
    }
    fal_dataset *data = dataset_of(&t.arrays);
    must(fal_model_evaluate(t.model, data, NULL, &found));
    double expected = fal_reference_network_evaluate(&t.net, &t.batch);
    assert_true(fabs(found.loss - expected) < 1e-5 * expected);
    must(fal_model_save(t.model, file));
    fal_model *loaded = NULL;
    must(fal_model_load(&loaded, device, file));
    expect_equal_models(t.model, loaded);
    must(fal_model_evaluate(loaded, data, NULL, &again));
    assert_true(again.loss == found.loss && again.correct == found.correct);
    unlink(file);
    fal_model_destroy(loaded);
    fal_dataset_destroy(data);
    twin_close(&t);
}

/* ---- batches of one ------------------------------------------------------ */

static void expect_no_fit(size_t samples, size_t batch, const char *part)
{
    fal_arrays arrays = random_arrays(samples, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_model *model = model_of(batch_net, 1), *same = model_of(batch_net, 1);
    fal_trainer_options options = short_run(batch);
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_model_standardize(same, data, NULL));
    expect_error(fal_trainer_fit(trainer, data, NULL, 1, NULL, NULL),
                 FAL_ERROR_ARGUMENT, part);
    expect_message("norm1");
    expect_message("--samples");
    expect_message("--batch");
    expect_equal_models(model, same);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_model_destroy(same);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

static void single_rows_are_refused(void **state)
{
    fal_arrays arrays = random_arrays(129, 20, 5, 0);
    fal_arrays one = rows_of(&arrays, 0, 1), two = rows_of(&arrays, 0, 2);
    fal_trainer_options options = short_run(64);
    (void)state;
    expect_no_fit(129, 64, "129 samples in batches of 64");
    expect_no_fit(1, 64, "1 samples");
    expect_no_fit(64, 1, "batches of 1:");
    options.schedule = "constant";
    fal_model *model = model_of(batch_net, 1);
    fal_trainer *trainer = trainer_of(model, &options);
    expect_error(fal_trainer_step(trainer, &one, NULL), FAL_ERROR_ARGUMENT,
                 "norm1");
    must(fal_trainer_step(trainer, &two, NULL));
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    /* layer norm does not mind; nor does a run that does not come so far */
    model = model_of("input 20, dense 40, norm layer, relu, dense 5", 1);
    trainer = trainer_of(model, &options);
    must(fal_trainer_step(trainer, &one, NULL));
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    options.steps = 2;
    model = model_of(batch_net, 1);
    trainer = trainer_of(model, &options);
    fal_dataset *data = dataset_of(&arrays);
    must(fal_trainer_fit(trainer, data, NULL, 1, NULL, NULL));
    fal_dataset_destroy(data);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    free_arrays(&arrays);
}

/* ---- trainers ------------------------------------------------------------ */

/* A step whose loss is not finite leaves running statistics as they were. */
static void a_diverged_step_moves_nothing(void **state)
{
    fal_arrays arrays = random_arrays(64, 20, 5, 0),
               wild = random_arrays(64, 20, 5, 0);
    fal_trainer_options options = short_run(64);
    size_t n;
    double loss;
    (void)state;
    options.schedule = "constant";
    ((float *)wild.inputs)[20] = INFINITY;
    fal_model *model = model_of(batch_net, 1);
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_step(trainer, &arrays, &loss));
    float *before = all_weights(model, &n);
    assert_int_equal(fal_trainer_step(trainer, &wild, &loss), FAL_ERROR_DIVERGED);
    float *after = all_weights(model, &n);
    assert_memory_equal(before, after, n * sizeof *after);
    must(fal_trainer_step(trainer, &arrays, &loss));
    fal_release(before);
    fal_release(after);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    free_arrays(&arrays);
    free_arrays(&wild);
}

static size_t launches_of(const char *text, size_t batch)
{
    fal_footprint found = {.size = sizeof found};
    fal_trainer_options options = short_run(batch);
    fal_model *model = model_of(text, 1);
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_footprint(trainer, &found));
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    return found.launches;
}

/* One forward, one backward, and one for all running statistics. */
static void norms_cost_few_launches(void **state)
{
    (void)state;
    size_t none = launches_of("input 20, dense 9, relu, dense 9, relu, dense 5",
                              64);
    assert_int_equal(launches_of("input 20, dense 9, norm, relu, dense 9, norm, "
                                 "relu, dense 5",
                                 64),
                     none + 5);
    assert_int_equal(launches_of("input 20, dense 9, norm layer plain, relu, dense "
                                 "9, norm layer, relu, dense 5",
                                 64),
                     none + 5);
}

/* ---- learning ------------------------------------------------------------ */

static double accuracy_of(const fal_dataset *train, const fal_dataset *test,
                          const char *rule, const char *norm)
{
    fal_model *model = NULL;
    fal_model_options shape = FAL_MODEL_OPTIONS;
    fal_trainer_options options = short_run(32);
    fal_evaluation found = {.size = sizeof found};
    shape.data = train;
    shape.norm = norm;
    options.rule = rule;
    must(fal_model_create(&model, device, "mlp-2x64", &shape));
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_fit(trainer, train, NULL, 10, NULL, NULL));
    must(fal_model_evaluate(model, test, NULL, &found));
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    return found.accuracy;
}

/* Measured: bp .84, fa and dfa .82 to .83; without norms .83, .80, .79. */
static void networks_with_norms_learn(void **state)
{
    static const char *const rules[] = {"bp", "fa", "dfa"};
    static const char *const norms[] = {"batch", "layer"};
    const char *folder = getenv("FALIGN_TEST_DATA");
    fal_dataset *train = NULL, *test = NULL;
    (void)state;
    must(fal_dataset_open(&train, folder, FAL_SPLIT_TRAIN));
    must(fal_dataset_open(&test, folder, FAL_SPLIT_TEST));
    for (size_t i = 0; i < 6; i++) {
        double accuracy = accuracy_of(train, test, rules[i / 2], norms[i % 2]);
        if (accuracy < .79)
            fail_msg("%s with %s norm: accuracy %g", rules[i / 2], norms[i % 2],
                     accuracy);
    }
    fal_dataset_destroy(train);
    fal_dataset_destroy(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_agree),
        cmocka_unit_test(far_means_keep_their_variance),
        cmocka_unit_test(centering_agrees),
        cmocka_unit_test(running_statistics_agree),
        cmocka_unit_test(norms_do_not_depend_on_units),
        cmocka_unit_test(impossible_norms_are_refused),
        cmocka_unit_test(norms_start_as_nothing),
        cmocka_unit_test(a_saved_model_evaluates_alike),
        cmocka_unit_test(single_rows_are_refused),
        cmocka_unit_test(a_diverged_step_moves_nothing),
        cmocka_unit_test(norms_cost_few_launches),
        cmocka_unit_test(networks_with_norms_learn),
    };
    return cmocka_run_group_tests_name("normalize", tests, open_all, close_all);
}
