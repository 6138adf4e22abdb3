/* Feedback that the user gives, starts from zero and from the user's own numbers, and
 * samples in file order. Independent of the library: the network in double of
 * host/reference/network.c, which takes the same numbers, and batches that the test cuts
 * itself.
 *
 * Seen to fail: with the matrix written turned, with the write left out, and with
 * no_shuffle ignored in host/train/fit.c. */
#include "twin.h"

enum { ROWS = 23 };

static const fal_reference_layer layers[] = {
    {.in = 11, .out = 9, .has_bias = 1, .activations = {{FAL_TANH, 0}}},
    {.in = 9, .out = 7, .has_bias = 1, .activations = {{FAL_TANH, 0}}},
    {.in = 7, .out = 5, .has_bias = 1}};

static fal_trainer_options options_of(const char *rule)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.optimizer = "sgd";
    options.schedule = "constant";
    options.keep_gradients = 1;
    return options;
}

/* ---- what it does -------------------------------------------------------- */

/* Numbers for each layer that has some, into the trainer and, as they are, into the
 * reference. */
static void give_feedback(twin *t, int direct)
{
    for (size_t l = direct ? 0 : 1; l < (direct ? 2u : 3u); l++) {
        char name[32];
        fal_reference_layer *own = &t->net.layers[l];
        size_t rows = direct ? layers[2].out : own->in, n = rows * own->out;
        float *b = random_floats(n, 1);
        snprintf(name, sizeof name, "dense%zu", l + 1);
        must(fal_trainer_set_feedback(t->trainer, name, b, n));
        put(b, rows, own->out, 0, own->feedback);
        fal_release(b);
    }
}

static void steps_go_by_the_feedback_given(void **state)
{
    static const char *const rules[] = {"fa", "frsf", "dfa"};
    (void)state;
    for (int r = 0; r < 3; r++) {
        twin t = twin_open(layers, 3, options_of(rules[r]),
                           random_arrays(ROWS, 11, 5, 0));
        give_feedback(&t, r == 2);
        step(&t);
        expect_same_step(&t, 5e-6);
        twin_close(&t);
    }
}

/* fal_trainer_tensor has it as files do, [out][in]. */
static void tensors_show_it(void **state)
{
    size_t n;
    float b[9 * 7];
    (void)state;
    for (int i = 0; i < 9 * 7; i++)
        b[i] = (float)i;
    fal_model *model = model_of("input 11, dense 9, tanh, dense 7, tanh, dense 5",
                                3);
    fal_trainer_options options = options_of("fa");
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_set_feedback(trainer, "dense2", b, 9 * 7));
    float *shown = trainer_floats(trainer, "dense2.feedback", &n);
    for (size_t in = 0; in < 9; in++)
        for (size_t out = 0; out < 7; out++)
            assert_true(shown[out * 9 + in] == b[in * 7 + out]);
    fal_release(shown);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

/* A checkpoint of the one makes the other's feedback the same. */
static void checkpoints_keep_it(void **state)
{
    static char bytes[1 << 16];
    size_t needed;
    fal_model *models[2];
    (void)state;
    twin t = twin_open(layers, 3, options_of("dfa"), random_arrays(ROWS, 11, 5, 0));
    give_feedback(&t, 1);
    models[0] = t.model;
    models[1] = model_of(fal_model_network(t.model), 9);
    fal_trainer_options options = options_of("dfa");
    options.batch = ROWS;
    fal_trainer *other = trainer_of(models[1], &options);
    must(fal_trainer_checkpoint_bytes(t.trainer, bytes, sizeof bytes, &needed));
    must(fal_trainer_resume_bytes(other, bytes, needed));
    for (int s = 0; s < 3; s++) {
        must(fal_trainer_step(t.trainer, &t.arrays, NULL));
        must(fal_trainer_step(other, &t.arrays, NULL));
    }
    expect_equal_models(models[0], models[1]);
    fal_trainer_destroy(other);
    fal_model_destroy(models[1]);
    twin_close(&t);
}

/* ---- what is refused ----------------------------------------------------- */

static void refuse(const char *rule, const char *feedback, const char *layer,
                   size_t count, float value, const char *part)
{
    float b[99] = {value};
    fal_model *model = model_of("input 11, dense 9, tanh, dense 7, tanh, dense 5",
                                3);
    fal_trainer_options options = options_of(rule);
    options.feedback = feedback;
    fal_trainer *trainer = trainer_of(model, &options);
    expect_error(fal_trainer_set_feedback(trainer, layer, b, count),
                 FAL_ERROR_ARGUMENT, part);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

static void what_cannot_be_set_is_refused(void **state)
{
    (void)state;
    refuse("bp", NULL, "dense2", 63, 0, "the rule bp has no random feedback");
    refuse("usf", NULL, "dense2", 63, 0, "the rule usf has no random feedback");
    refuse("shallow", NULL, "dense2", 63, 0, "the rule shallow has no");
    refuse("brsf", NULL, "dense2", 63, 0, "that is the rule");
    refuse("fa", "regenerated", "dense2", 63, 0, "train with --feedback stored");
    refuse("fa", NULL, "dense1", 99, 0, "only to dense2, dense3");
    refuse("dfa", NULL, "dense3", 35, 0, "only to dense1, dense2");
    refuse("fa", NULL, "dense4", 63, 0, "known: dense1, dense2, dense3");
    refuse("fa", NULL, "tanh1", 63, 0, "'tanh1'");
    refuse("fa", NULL, "dense2", 62, 0, "63 numbers, not 62: [9][7]");
    refuse("dfa", NULL, "dense2", 36, 0, "35 numbers, not 36: [5][7]");
    refuse("fa", NULL, "dense2", 63, NAN, "number 0: nan is not finite");
    refuse("fa", NULL, NULL, 63, 0, "needs a trainer");
}

/* ---- starts -------------------------------------------------------------- */

static void starts_from_zero(void **state)
{
    size_t n;
    (void)state;
    fal_model *model = NULL;
    fal_model_options shape = FAL_MODEL_OPTIONS;
    shape.weight_law = "zero";
    must(fal_model_create(&model, device, "input 11, dense 9, dense 7, dense 5",
                          &shape));
    float *all = all_weights(model, &n);
    for (size_t i = 0; i < n; i++)
        assert_true(all[i] == 0);
    fal_release(all);
    /* From zero bp moves the biases of the output alone; fa with feedback of its own
     * moves the first weights at once, the second when the first have moved. */
    fal_arrays arrays = random_arrays(ROWS, 11, 5, 0);
    fal_trainer_options options = options_of("fa");
    options.feedback_law = "xavier";
    fal_trainer *trainer = trainer_of(model, &options);
    for (size_t s = 1; s <= 3; s++) {
        must(fal_trainer_step(trainer, &arrays, NULL));
        for (size_t l = 1; l <= 3; l++) {
            float *w = model_floats(model, tensor_name(l, "weight"), &n);
            float *b = model_floats(model, tensor_name(l, "bias"), &n);
            int moved = w[0] != 0;
            assert_int_equal(moved, l == 1 || s > 1);
            fal_release(w);
            fal_release(b);
        }
    }
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    free_arrays(&arrays);
}

/* ---- file order ---------------------------------------------------------- */

/* Two epochs of a fit without shuffling are steps on the same batches by hand. */
static void samples_stay_in_file_order(void **state)
{
    enum { COUNT = 70, BATCH = 32 };
    fal_model *models[2];
    (void)state;
    fal_arrays arrays = random_arrays(COUNT, 11, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = options_of("fa");
    options.batch = BATCH;
    options.no_shuffle = 1;
    options.standardize = "none";
    for (int i = 0; i < 2; i++)
        models[i] = model_of("input 11, dense 9, tanh, dense 5", 3);
    fal_trainer *fitted = trainer_of(models[0], &options);
    fal_trainer *stepped = trainer_of(models[1], &options);
    must(fal_trainer_fit(fitted, data, NULL, 2, NULL, NULL));
    for (int epoch = 0; epoch < 2; epoch++)
        for (size_t first = 0; first < COUNT; first += BATCH) {
            size_t left = COUNT - first;
            fal_arrays batch = rows_of(&arrays, first, left < BATCH ? left : BATCH);
            must(fal_trainer_step(stepped, &batch, NULL));
        }
    expect_equal_models(models[0], models[1]);
    fal_trainer_destroy(fitted);
    fal_trainer_destroy(stepped);
    for (int i = 0; i < 2; i++)
        fal_model_destroy(models[i]);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_go_by_the_feedback_given),
        cmocka_unit_test(tensors_show_it),
        cmocka_unit_test(checkpoints_keep_it),
        cmocka_unit_test(what_cannot_be_set_is_refused),
        cmocka_unit_test(starts_from_zero),
        cmocka_unit_test(samples_stay_in_file_order),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
