/* Models: evaluation and prediction against each other and against double, files,
 * tensors by name, sizes that do not fit. */
#include "data/random.h"
#include "train/model.h"
#include "twin.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static const fal_reference_layer layers[] = {
    {.in = 13, .out = 22, .has_bias = 1, .activations = {{FAL_RELU, 0}}},
    {.in = 22, .out = 9, .has_bias = 0, .activations = {{FAL_SIGMOID, 0}}},
    {.in = 9, .out = 4, .has_bias = 1}};

static twin open_twin(const char *loss, fal_arrays arrays)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = "bp";
    options.loss = loss;
    return twin_open(layers, 3, options, arrays);
}

/* ---- evaluation ---------------------------------------------------------- */

static size_t largest(const float *a, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        best = a[i] > a[best] ? i : best;
    return best;
}

/* Sets below, at and above the evaluator's batch of 256. */
static void evaluation_of_any_size(void **state)
{
    static const size_t counts[] = {1, 17, 255, 256, 257, 512, 600};
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int real = 0; real < 2; real++) {
            size_t n = counts[i], hits = 0;
            twin t = open_twin(real ? "mse" : NULL, random_arrays(n, 13, 4, real));
            fal_dataset *data = dataset_of(&t.arrays);
            fal_evaluation found = {.size = sizeof found};
            float *outputs = room(n * 4, sizeof *outputs);
            must(fal_model_evaluate(t.model, data, real ? "mse" : NULL, &found));
            must(fal_model_predict(t.model, t.arrays.inputs, FAL_FLOATS, n,
                                   outputs));
            double loss = fal_reference_network_forward(&t.net, &t.batch);
            double *got = doubles_of(outputs, n * 4);
            expect_close("outputs", got,
                         t.net.layers[2].values[FAL_REFERENCE_STAGES], n * 4, 2e-6,
                         0);
            for (size_t r = 0; r < n && !real; r++)
                hits += largest(outputs + 4 * r, 4) == (size_t)t.arrays.labels[r];
            assert_true(fabs(found.loss - loss) <= 2e-6 * loss);
            assert_int_equal(found.samples, n);
            assert_int_equal(found.correct, hits);
            assert_true(found.accuracy == (double)hits / (double)n);
            fal_release(got);
            fal_release(outputs);
            fal_dataset_destroy(data);
            twin_close(&t);
        }
}

/* Bytes count as value/255, and standardisation is the model's. */
static void bytes_and_standardisation(void **state)
{
    enum { N = 40 };
    unsigned char bytes[N * 13];
    float floats[N * 13], a[N * 4], b[N * 4];
    (void)state;
    fal_model *model = model_of("input 13, dense 22, tanh, dense 4", 1);
    for (size_t i = 0; i < N * 13; i++) {
        bytes[i] = (unsigned char)(127 * (uniform() + 1));
        floats[i] = (float)bytes[i] / 255;
    }
    fal_arrays arrays = random_arrays(N, 13, 4, 0);
    fal_release((void *)arrays.inputs);
    arrays.inputs = floats;
    fal_dataset *data = dataset_of(&arrays);
    for (int standardized = 0; standardized < 2; standardized++) {
        must(fal_model_predict(model, bytes, FAL_BYTES, N, a));
        must(fal_model_predict(model, floats, FAL_FLOATS, N, b));
        for (size_t i = 0; i < N * 4; i++)
            assert_true(fabsf(a[i] - b[i]) < 1e-5f);
        must(fal_model_standardize(model, data, "channel"));
    }
    arrays.inputs = NULL;
    free_arrays(&arrays);
    fal_dataset_destroy(data);
    fal_model_destroy(model);
}

static int expect_no_accuracy(const fal_progress *p, void *seen)
{
    assert_true(isnan(p->train_accuracy) && isnan(p->test_accuracy));
    *(size_t *)seen += p->event == FAL_EPOCH && isfinite(p->test_loss) &&
                       isfinite(p->train_loss);
    return 0;
}

/* y = x A is learned by a network without hidden layers. */
static void real_targets_are_learned(void **state)
{
    enum { N = 512 };
    (void)state;
    fal_arrays arrays = random_arrays(N, 7, 3, 1);
    float *a = random_floats(21, 1), *y = (float *)arrays.targets;
    const float *x = arrays.inputs;
    for (size_t r = 0; r < N; r++)
        for (size_t o = 0; o < 3; o++) {
            y[r * 3 + o] = .5f; /* a bias */
            for (size_t i = 0; i < 7; i++)
                y[r * 3 + o] += x[r * 7 + i] * a[i * 3 + o];
        }
    fal_dataset *data = dataset_of(&arrays);
    fal_model *model = model_of("input 7, dense 3", 1);
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.loss = "mse";
    options.optimizer = "sgd";
    options.learning_rate = .05;
    fal_trainer *trainer = trainer_of(model, &options);
    size_t epochs = 0;
    must(fal_trainer_fit(trainer, data, data, 60, expect_no_accuracy, &epochs));
    assert_int_equal(epochs, 60);
    fal_evaluation found = {.size = sizeof found};
    must(fal_model_evaluate(model, data, "mse", &found));
    assert_true(found.loss < 1e-5);
    assert_true(found.accuracy == 0 && found.correct == 0);
    fal_release(a);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* ---- files --------------------------------------------------------------- */

static void models_survive_files(void **state)
{
    char folder[] = "/tmp/falign-model-XXXXXX", file[64];
    float a[40], b[40];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/model.safetensors", folder);
    fal_arrays arrays = random_arrays(10, 13, 4, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_model *model = model_of("input 13, first=dense 6 nobias, leaky .1, dense 4",
                                9);
    must(fal_model_standardize(model, data, "channel"));
    must(fal_model_save(model, file));
    for (int i = 0; i < 2; i++) {
        fal_model *loaded = NULL;
        must(fal_model_load(&loaded, device, i ? folder : file));
        assert_string_equal(fal_model_network(loaded), fal_model_network(model));
        expect_equal_models(model, loaded);
        must(fal_model_predict(model, arrays.inputs, FAL_FLOATS, 10, a));
        must(fal_model_predict(loaded, arrays.inputs, FAL_FLOATS, 10, b));
        assert_memory_equal(a, b, sizeof a);
        fal_model_destroy(loaded);
    }
    fal_model *none = NULL;
    assert_int_equal(truncate(file, 300), 0);
    expect_error(fal_model_load(&none, device, file), FAL_ERROR_FORMAT, file);
    assert_int_equal(truncate(file, 0), 0);
    expect_error(fal_model_load(&none, device, folder), FAL_ERROR_FORMAT, file);
    unlink(file);
    expect_error(fal_model_load(&none, device, file), FAL_ERROR_FILE, file);
    assert_null(none);
    assert_int_equal(rmdir(folder), 0);
    expect_error(fal_model_save(model, file), FAL_ERROR_FILE, file);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* ---- tensors by name ----------------------------------------------------- */

static void tensors_have_names_and_shapes(void **state)
{
    size_t shape[4], dimensions;
    float values[200];
    (void)state;
    fal_model *model = model_of("input 13, a=dense 6 nobias, relu, dense 4", 1);
    assert_int_equal(fal_model_tensor_count(model), 3);
    assert_string_equal(fal_model_tensor_name(model, 0), "a.weight");
    assert_string_equal(fal_model_tensor_name(model, 1), "dense2.weight");
    assert_string_equal(fal_model_tensor_name(model, 2), "dense2.bias");
    assert_null(fal_model_tensor_name(model, 3));
    must(fal_model_tensor_shape(model, "a.weight", shape, &dimensions));
    assert_int_equal(dimensions, 2);
    assert_int_equal(shape[0], 6);
    assert_int_equal(shape[1], 13);
    expect_error(fal_model_tensor_shape(model, "b.weight", shape, &dimensions),
                 FAL_ERROR_ARGUMENT,
                 "unknown tensor 'b.weight'; known: a.weight, dense2.weight, "
                 "dense2.bias; did you mean 'a.weight'?");
    expect_error(fal_model_tensor(model, "a.weight", values, 77),
                 FAL_ERROR_ARGUMENT, "a.weight has 78 numbers, not 77");
    expect_error(fal_model_tensor_set(model, "a.weight", values, 79),
                 FAL_ERROR_ARGUMENT, "a.weight has 78 numbers, not 79");
    expect_error(fal_model_tensor(model, "", values, 1), FAL_ERROR_ARGUMENT,
                 "unknown tensor ''");
    fal_model_destroy(model);
}

/* What is written is read, and PyTorch's [out][in] is meant. */
static void tensors_are_in_pytorchs_order(void **state)
{
    static const float w[] = {1, 2, 3, 4, 5, 6}, b[] = {.5f, -.5f};
    static const float x[] = {1, 10, 100};
    float got[6], y[2];
    (void)state;
    fal_model *model = model_of("input 3, dense 2", 1);
    must(fal_model_tensor_set(model, "dense1.weight", w, 6));
    must(fal_model_tensor_set(model, "dense1.bias", b, 2));
    must(fal_model_tensor(model, "dense1.weight", got, 6));
    assert_memory_equal(got, w, sizeof w);
    must(fal_model_predict(model, x, FAL_FLOATS, 1, y));
    assert_true(y[0] == 321.5f && y[1] == 653.5f);
    fal_model_destroy(model);
}

static void tensors_of_a_trainer(void **state)
{
    size_t shape[4], dimensions;
    float values[8] = {0};
    (void)state;
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = "dfa";
    fal_arrays arrays = random_arrays(3, 2, 2, 0);
    options.schedule = "constant";
    fal_model *model = model_of("input 2, dense 4, relu, dense 2", 1);
    fal_trainer *t = trainer_of(model, &options);
    expect_error(fal_trainer_tensor(t, "dense1.delta", values, 8),
                 FAL_ERROR_ARGUMENT, "dense1.delta: there was no step yet");
    must(fal_trainer_step(t, &arrays, NULL));
    expect_error(fal_trainer_tensor(t, "dense1.weight.gradient", values, 8),
                 FAL_ERROR_ARGUMENT, "options.keep_gradients = 1");
    fal_trainer_destroy(t);
    options.keep_gradients = 1;
    t = trainer_of(model, &options);
    must(fal_trainer_step(t, &arrays, NULL));
    must(fal_trainer_tensor_shape(t, "dense1.delta", shape, &dimensions));
    assert_int_equal(shape[0], 3); /* rows of the last batch */
    assert_int_equal(shape[1], 4);
    expect_error(fal_trainer_tensor_set(t, "dense1.weight.gradient", values, 8),
                 FAL_ERROR_ARGUMENT, "only feedback can be set");
    must(fal_trainer_tensor_set(t, "dense1.feedback", values, 8));
    expect_error(fal_trainer_tensor(t, "dense2.feedback", values, 8),
                 FAL_ERROR_ARGUMENT, "known: dense1.feedback");
    expect_error(fal_trainer_tensor(t, "dense3.weight.gradient", values, 8),
                 FAL_ERROR_ARGUMENT, "unknown tensor 'dense3.weight.gradient'");
    expect_error(fal_trainer_tensor(t, "dense1.weight", values, 8),
                 FAL_ERROR_ARGUMENT, "unknown tensor 'dense1.weight'");
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    free_arrays(&arrays);
}

/* ---- what does not fit --------------------------------------------------- */

/* Every way in refuses the data with the same words. */
static void refuse_data(fal_model *model, fal_trainer *trainer, fal_arrays *arrays,
                        const char *loss, const char *part)
{
    fal_evaluation found = {.size = sizeof found};
    fal_dataset *data = dataset_of(arrays);
    expect_error(fal_trainer_fit(trainer, data, NULL, 1, NULL, NULL),
                 FAL_ERROR_ARGUMENT, part);
    expect_error(fal_trainer_step(trainer, arrays, NULL), FAL_ERROR_ARGUMENT, part);
    expect_error(fal_model_evaluate(model, data, loss, &found), FAL_ERROR_ARGUMENT,
                 part);
    fal_dataset_destroy(data);
    free_arrays(arrays);
}

static void data_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    fal_trainer_options options = FAL_TRAINER_OPTIONS, mse = FAL_TRAINER_OPTIONS;
    options.steps = mse.steps = 10;
    mse.loss = "mse";
    fal_model *model = model_of("input 2x3x1, dense 4", 1);
    fal_trainer *t = trainer_of(model, &options), *m = trainer_of(model, &mse);
    fal_arrays arrays = random_arrays(9, 5, 4, 0);
    refuse_data(model, t, &arrays, NULL,
                "samples have the size 5, the network's input has 2x3x1");
    arrays = random_arrays(9, 6, 4, 0);
    arrays.channels = 1, arrays.height = 3, arrays.width = 2;
    refuse_data(model, t, &arrays, NULL, "size 3x2x1");
    arrays = random_arrays(9, 6, 5, 0);
    refuse_data(model, t, &arrays, NULL, "5 classes, the network only 4 outputs");
    arrays = random_arrays(9, 6, 4, 1);
    refuse_data(model, t, &arrays, NULL, "cross-entropy needs labels");
    arrays = random_arrays(9, 6, 3, 1);
    refuse_data(model, m, &arrays, "mse",
                "3 numbers a sample, the network 4 outputs");
    fal_trainer_destroy(t);
    fal_trainer_destroy(m);
    fal_model_destroy(model);
}

static void test_data_is_checked_too(void **state)
{
    fal_arrays good = random_arrays(9, 6, 4, 0), bad = random_arrays(9, 7, 4, 0);
    (void)state;
    fal_dataset *train = dataset_of(&good), *test = dataset_of(&bad);
    fal_model *model = model_of("input 6, dense 4", 1);
    fal_trainer *t = trainer_of(model, NULL);
    expect_error(fal_trainer_fit(t, train, test, 1, NULL, NULL), FAL_ERROR_ARGUMENT,
                 "test: data set: its samples have the size 7");
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    fal_dataset_destroy(train);
    fal_dataset_destroy(test);
    free_arrays(&good);
    free_arrays(&bad);
}

/* The shape and the classes come from the data set, if the text is silent. */
static void data_fills_the_text(void **state)
{
    fal_arrays arrays = random_arrays(9, 12, 7, 0);
    (void)state;
    arrays.height = 2, arrays.width = 3, arrays.channels = 2;
    fal_model_options options = FAL_MODEL_OPTIONS;
    fal_dataset *data = dataset_of(&arrays);
    fal_model *model = NULL;
    options.data = data;
    options.activation = "tanh";
    options.no_bias = 1;
    must(fal_model_create(&model, device, "mlp-1x5", &options));
    assert_string_equal(fal_model_network(model),
                        "input 2x3x2, dense1=dense 5 nobias, tanh1=tanh, "
                        "dense2=dense 7 nobias");
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* Images are stored [height][width][channels]; names, numbers and random draws are
 * PyTorch's [channels][height][width]. */
static void columns_are_in_pytorchs_order(void **state)
{
    enum { H = 2, W = 3, C = 4, OUT = 5, IN = H * W * C };
    (void)state;
    fal_model *model = model_of("input 2x3x4, dense 5 nobias", 7);
    float weight[OUT * IN], image[IN], found[OUT];
    float bound = (float)(1 / sqrt(IN));
    must(fal_model_tensor(model, "dense1.weight", weight, OUT * IN));
    for (size_t i = 0; i < OUT * IN; i++)
        assert_true(weight[i] ==
                    fal_random_uniform(7, FAL_PURPOSE_WEIGHT, 1, 0, i, bound));
    for (size_t p = 0; p < H * W; p++)
        for (size_t c = 0; c < C; c++) {
            memset(image, 0, sizeof image);
            image[p * C + c] = 1;
            must(fal_model_predict(model, image, FAL_FLOATS, 1, found));
            for (size_t o = 0; o < OUT; o++)
                assert_true(found[o] == weight[o * IN + c * H * W + p]);
        }
    must(fal_model_tensor_set(model, "dense1.weight", weight, OUT * IN));
    must(fal_model_predict(model, image, FAL_FLOATS, 1, found));
    assert_true(found[0] == weight[IN - 1]);
    fal_model_destroy(model);
}

/* Saved before any fit, a model is standardised by the first fit after loading. */
static void an_unfitted_model_stays_so(void **state)
{
    char path[] = "/tmp/falign-model-XXXXXX";
    (void)state;
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    fal_model *model = model_of("input 6, dense 4", 1), *loaded = NULL;
    must(fal_model_save(model, path));
    must(fal_model_load(&loaded, device, path));
    assert_int_equal(loaded->standardized, 0);
    fal_arrays arrays = random_arrays(9, 6, 4, 0);
    fal_dataset *data = dataset_of(&arrays);
    must(fal_model_standardize(loaded, data, "none"));
    must(fal_model_save(loaded, path));
    fal_model_destroy(loaded);
    must(fal_model_load(&loaded, device, path));
    assert_int_equal(loaded->standardized, 1);
    fal_model_destroy(loaded);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluation_of_any_size),
        cmocka_unit_test(bytes_and_standardisation),
        cmocka_unit_test(real_targets_are_learned),
        cmocka_unit_test(models_survive_files),
        cmocka_unit_test(tensors_have_names_and_shapes),
        cmocka_unit_test(tensors_are_in_pytorchs_order),
        cmocka_unit_test(tensors_of_a_trainer),
        cmocka_unit_test(data_that_does_not_fit_is_refused),
        cmocka_unit_test(test_data_is_checked_too),
        cmocka_unit_test(data_fills_the_text),
        cmocka_unit_test(columns_are_in_pytorchs_order),
        cmocka_unit_test(an_unfitted_model_stays_so),
    };
    return cmocka_run_group_tests_name("model", tests, open_device, close_device);
}
