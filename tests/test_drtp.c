/* drtp: what a target alone says to the hidden layers. Independent of the library:
 * host/reference/network.c in double, written from science §1; and what the formula
 * says of itself, that neither outputs nor weights above have a part in it. */
#include "twin.h"
#include "train/trainer.h"

static fal_trainer_options drtp(const char *optimizer, const char *loss)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = "drtp";
    options.optimizer = optimizer;
    options.loss = loss;
    options.keep_gradients = 1;
    return options;
}

/* ---- deltas and gradients ------------------------------------------------ */

static const fal_reference_layer odd[] = {
    {.in = 33, .out = 37, .has_bias = 1, .activations = {{FAL_TANH, 0}}},
    {.in = 37,
     .out = 19,
     .has_bias = 1,
     .activations = {{FAL_SIGMOID, 0}, {FAL_LEAKY, .25f}}},
    {.in = 19, .out = 21, .activations = {{FAL_RELU, 0}, {FAL_TANH, 0}}},
    {.in = 21, .out = 5, .has_bias = 1}};

static const fal_reference_layer normed[] = {{.in = 33,
                                              .out = 40,
                                              .norm = FAL_REFERENCE_BATCH,
                                              .activations = {{FAL_SIGMOID, 0}}},
                                             {.in = 40,
                                              .out = 17,
                                              .has_bias = 1,
                                              .norm = FAL_REFERENCE_LAYER,
                                              .plain = 1,
                                              .activations = {{FAL_TANH, 0}}},
                                             {.in = 17, .out = 5, .has_bias = 1}};

static const fal_reference_layer single[] = {
    {.in = 33, .out = 1, .activations = {{FAL_TANH, 0}}}, {.in = 1, .out = 5}};

static const struct net {
    const fal_reference_layer *layers;
    size_t count;
    double bound;
} nets[] = {{odd, 4, 5e-6}, {normed, 3, 2e-5}, {single, 2, 5e-6}};

/* The batch mean's 1/n is in the signal, whatever the rows of the batch; a sum has none. */
static void check_steps(const struct net *net, const char *loss, size_t rows,
                        int real, const char *reduction)
{
    fal_trainer_options options = drtp("sgd", loss);
    options.loss_reduction = reduction;
    options.learning_rate = reduction ? .01 / (double)rows : .01;
    twin t = twin_open(net->layers, net->count, options,
                       random_arrays(rows, 33, 5, real));
    for (int i = 0; i < 3; i++) {
        take_weights(&t);
        step(&t);
        expect_same_step(&t, net->bound);
    }
    twin_close(&t);
}

static void deltas_and_gradients_are_those_in_double(void **state)
{
    static const size_t rows[] = {7, 23, 300};
    (void)state;
    for (size_t n = 0; n < sizeof nets / sizeof *nets; n++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            check_steps(&nets[n], NULL, rows[i], 0, NULL);
            check_steps(&nets[n], "mse", rows[i], 0, NULL);
            check_steps(&nets[n], "mse", rows[i], 1, NULL);
            check_steps(&nets[n], NULL, rows[i], 0, "sum");
            check_steps(&nets[n], "mse", rows[i], 1, "sum");
        }
}

/* −1/n of B's row of the label, under a unit slope: no outputs, no weights. */
static void the_signal_is_a_row_of_the_feedback(void **state)
{
    static const int32_t labels[] = {2, 0, 2, 1};
    fal_arrays arrays = random_arrays(4, 6, 3, 0);
    fal_trainer_options options = drtp("sgd", NULL);
    fal_model *model = model_of("input 6, dense 7, tanh, dense 3", 1);
    size_t n;
    (void)state;
    options.schedule = "constant";
    fal_trainer *t = trainer_of(model, &options);
    memcpy((void *)arrays.labels, labels, sizeof labels);
    memset((void *)arrays.inputs, 0, 4 * 6 * sizeof(float));
    float *zeros = room(7 * 6, sizeof *zeros);
    must(fal_model_tensor_set(model, "dense1.bias", zeros, 7)); /* tanh'(0) = 1 */
    float *b = trainer_floats(t, "dense1.feedback", &n);
    must(fal_trainer_step(t, &arrays, NULL));
    float *delta = trainer_floats(t, "dense1.delta", &n);
    for (size_t r = 0; r < 4; r++)
        for (size_t i = 0; i < 7; i++)
            assert_true(delta[r * 7 + i] == b[(size_t)labels[r] * 7 + i] * -.25f);
    fal_release(zeros);
    fal_release(b);
    fal_release(delta);
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    free_arrays(&arrays);
}

/* Deltas of hidden layers stay bit for bit where the weights above are others. */
static void nothing_above_has_a_part_in_it(void **state)
{
    (void)state;
    twin t = twin_open(odd, 4, drtp("sgd", NULL), random_arrays(23, 33, 5, 0));
    size_t n;
    must(fal_trainer_learning_rate(t.trainer, 0));
    must(fal_trainer_step(t.trainer, &t.arrays, NULL));
    float *before = trainer_floats(t.trainer, "dense2.delta", &n);
    float *w = random_floats(19 * 21, 1), *v = random_floats(21 * 5, 1);
    must(fal_model_tensor_set(t.model, "dense3.weight", w, 19 * 21));
    must(fal_model_tensor_set(t.model, "dense4.weight", v, 21 * 5));
    must(fal_trainer_step(t.trainer, &t.arrays, NULL));
    float *after = trainer_floats(t.trainer, "dense2.delta", &n);
    assert_memory_equal(before, after, n * sizeof *after);
    fal_release(before);
    fal_release(after);
    fal_release(w);
    fal_release(v);
    twin_close(&t);
}

/* ---- whole runs ---------------------------------------------------------- */

static const char network[] =
    "input 20, dense 33, tanh, dense 37, norm, sigmoid, dense 5";

static float *fitted(const char *feedback, int keep, const fal_arrays *arrays,
                     size_t *n)
{
    fal_trainer_options options = drtp("adam", NULL);
    options.feedback = feedback;
    options.keep_gradients = keep;
    options.batch = 32;
    fal_dataset *data = dataset_of(arrays);
    fal_model *model = model_of(network, 5);
    fal_trainer *t = trainer_of(model, &options);
    must(fal_trainer_fit(t, data, NULL, 3, NULL, NULL));
    float *weights = all_weights(model, n);
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    return weights;
}

static void regenerated_feedback_makes_the_same_run(void **state)
{
    fal_arrays arrays = random_arrays(150, 20, 5, 0);
    size_t n, m;
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        float *a = fitted("stored", keep, &arrays, &n);
        float *b = fitted("regenerated", keep, &arrays, &m);
        assert_int_equal(n, m);
        assert_memory_equal(a, b, n * sizeof *a);
        fal_release(a);
        fal_release(b);
    }
    free_arrays(&arrays);
}

static fal_footprint footprint_of(const char *rule)
{
    fal_footprint footprint = {.size = sizeof footprint};
    fal_trainer_options options = drtp("adam", NULL);
    options.rule = rule;
    options.keep_gradients = 0;
    options.batch = 32;
    fal_model *model = model_of(network, 5);
    fal_trainer *t = trainer_of(model, &options);
    must(fal_trainer_footprint(t, &footprint));
    assert_int_equal(t->workspace.signal.count > 0, strcmp(rule, "drtp") == 0);
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    return footprint;
}

/* Its layers share launches as dfa's do, and the loss's makes the signal. */
static void it_takes_the_launches_of_dfa(void **state)
{
    (void)state;
    fal_footprint own = footprint_of("drtp"), other = footprint_of("dfa");
    assert_int_equal(own.launches, other.launches);
    assert_int_equal(own.feedback_bytes, other.feedback_bytes);
}

/* ---- networks ------------------------------------------------------------ */

static fal_status create(const char *text)
{
    fal_trainer_options options = drtp("sgd", NULL);
    fal_model *model = model_of(text, 1);
    fal_trainer *t = NULL;
    fal_status status = fal_trainer_create(&t, model, &options);
    assert_int_equal(t == NULL, status != FAL_OK);
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    return status;
}

static void unbounded_units_are_refused(void **state)
{
    static const char *const lines[][2] = {
        {"dense 4, relu, dense 3", "rule drtp, layer dense1: relu1 (relu) does"},
        {"dense 4, tanh, dense 4, leaky, dense 3", "layer dense2: leaky1 (leaky)"},
        {"a=dense 4, linear, dense 3", "layer a: linear1 (linear) does not keep"},
        {"dense 4, dense 3", "layer dense1: no activation keeps its units"},
        {"dense 4, norm, dense 3", "layer dense1: norm1 (norm) does not keep"},
        {"dense 4, norm, relu, dense 3", "layer dense1: relu1 (relu) does not"},
        {"dense 4, tanh, norm, dense 3", "layer dense1: norm1 (norm) does not"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[128];
        snprintf(text, sizeof text, "input 5, %s", lines[i][0]);
        expect_error(create(text), FAL_ERROR_ARGUMENT, lines[i][1]);
        expect_message("use --activation tanh, or write tanh or sigmoid");
    }
}

static void bounded_units_are_taken(void **state)
{
    static const char *const texts[] = {
        "input 5, dense 3", /* no hidden layer at all */
        "input 5, relu, dense 3",
        "input 5, dense 4, tanh, dense 3",
        "input 5, dense 4, norm, sigmoid, dense 3",
        "input 5, dense 4, tanh, relu, dense 3",
        "input 5, dense 4, relu, tanh, dense 3, linear",
        "input 5, dense 4, tanh, linear, dense 4, tanh, norm plain, dense 3"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        must(create(texts[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deltas_and_gradients_are_those_in_double),
        cmocka_unit_test(the_signal_is_a_row_of_the_feedback),
        cmocka_unit_test(nothing_above_has_a_part_in_it),
        cmocka_unit_test(regenerated_feedback_makes_the_same_run),
        cmocka_unit_test(it_takes_the_launches_of_dfa),
        cmocka_unit_test(unbounded_units_are_refused),
        cmocka_unit_test(bounded_units_are_taken),
    };
    return cmocka_run_group_tests_name("drtp", tests, open_device, close_device);
}
