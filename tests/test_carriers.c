/* What stands in for the weights: the angles it starts at, the matrix it is, signs that
 * follow the weights, magnitudes that are drawn anew, and feedback that lies nowhere.
 * Deltas and gradients are test_rules.c's, the products' operands test_gemm.c's. */
#include "learning.h"
#include "data/random.h"
#include "train/trainer.h"

#include <unistd.h>

static const char network[] = "input 20, dense 41, relu, dense 32, tanh, dense 5";

static fal_trainer_options short_run(const char *rule, const char *feedback)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.feedback = feedback;
    options.optimizer = "sgd";
    options.schedule = "constant";
    options.batch = 32;
    return options;
}

static float *matrix_at(fal_view view, size_t count)
{
    float *values = room(count, sizeof *values);
    assert_non_null(view.buffer);
    must(fal_read(device, view.buffer, view.offset * sizeof *values,
                  count * sizeof *values, values));
    return values;
}

/* The carrier of layer `number`, turned to PyTorch's order [out][in]. */
static float *carrier_of(fal_trainer *t, unsigned number, size_t *count)
{
    const fal_layer *layer = fal_network_weight_layer(&t->model->network, number);
    size_t in = layer->inputs, out = layer->outputs;
    fal_view view;
    must(fal_trainer_carrier(t, number, &view));
    float *stored = matrix_at(view, in * out),
          *turned = room(in * out, sizeof *turned);
    for (size_t i = 0; i < in; i++)
        for (size_t j = 0; j < out; j++)
            turned[j * in + i] = stored[i * out + j];
    fal_release(stored);
    *count = in * out;
    return turned;
}

/* ---- angles -------------------------------------------------------------- */

static double angle(const float *a, const float *b, size_t n)
{
    double aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) {
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
        ab += (double)a[i] * (double)b[i];
    }
    return acos(ab / sqrt(aa * bb)) * 57.29577951308232;
}

/* Mean, and standard deviation times the root of n (science, section 1) */
typedef struct start {
    const char *rule, *law;
    double mean, deviation;
} start;

static const start starts[] = {{"fa", "fan-in", 90, 57.3},
                               {"usf", "fan-in", 30, 18.1},
                               {"brsf", "fan-in", 41.41, 27.4},
                               {"frsf", "fan-in", 41.41, 27.4},
                               {"fa", "xavier-normal", 90, 57.3},
                               {"usf", "xavier-normal", 37.07, 20.2},
                               {"brsf", "xavier-normal", 50.46, 32.3},
                               {"frsf", "xavier-normal", 50.46, 32.3}};

static void check_start(const start *s, uint64_t seed)
{
    fal_model_options shape = FAL_MODEL_OPTIONS;
    fal_trainer_options options = short_run(s->rule, NULL);
    fal_model *model = NULL;
    shape.weight_law = s->law;
    shape.seed = options.feedback_seed = seed;
    must(fal_model_create(&model, device,
                          "input 30, dense 200, relu, dense 310, relu, dense 50",
                          &shape));
    fal_trainer *t = trainer_of(model, &options);
    for (unsigned l = 2; l <= 3; l++) {
        size_t n;
        float *c = carrier_of(t, l, &n);
        float *w = model_floats(model, tensor_name(l, "weight"), &n);
        double found = angle(w, c, n);
        if (!(fabs(found - s->mean) <= 4 * s->deviation / sqrt((double)n)))
            fail_msg("%s of law %s, layer %u: %g degrees of %zu numbers", s->rule,
                     s->law, l, found, n);
        fal_release(w);
        fal_release(c);
    }
    fal_trainer_destroy(t);
    fal_model_destroy(model);
}

static void carriers_start_at_their_angles(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        for (uint64_t seed = 1; seed <= 3; seed++)
            check_start(&starts[i], seed);
}

/* ---- matrices ------------------------------------------------------------ */

static float sign_times(float w, float m)
{
    return w > 0 ? fabsf(m) : w < 0 ? -fabsf(m) : 0;
}

/* The weights of layer `number` with some zeros; freed by the caller. */
static float *with_zeros(fal_model *model, unsigned number, size_t *n)
{
    float *w = model_floats(model, tensor_name(number, "weight"), n);
    for (size_t i = 0; i < *n; i += 7)
        w[i] = i % 2 ? 0.f : -0.f;
    must(fal_model_tensor_set(model, tensor_name(number, "weight"), w, *n));
    return w;
}

static void expect_carrier(fal_trainer *t, unsigned number, float magnitude)
{
    size_t n, m;
    float *w = with_zeros(t->model, number, &n);
    float *got = carrier_of(t, number, &m);
    float *r = magnitude != 0
                   ? NULL
                   : trainer_floats(t, tensor_name(number, "feedback"), &m);
    assert_int_equal(m, n);
    for (size_t i = 0; i < n; i++)
        if (got[i] != sign_times(w[i], r ? r[i] : magnitude))
            fail_msg("layer %u, float %zu: %g of weight %g", number, i,
                     (double)got[i], (double)w[i]);
    fal_release(w);
    fal_release(got);
    fal_release(r);
}

/* Standard deviation of U(±1/√fan_in), the bound rounded to float */
static float usual(double fan_in)
{
    return (float)((double)(float)(1 / sqrt(fan_in)) / sqrt(3));
}

/* Of signs: the weights' own, with the tensor that is read, or with s. */
static void carriers_are_signs_of_the_weights(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        fal_trainer_options options = short_run(i ? "frsf" : "brsf",
                                                i == 2 ? "regenerated" : "stored");
        fal_model *model = model_of(network, 3);
        fal_trainer *t = trainer_of(model, &options);
        for (unsigned l = 2; l <= 3; l++)
            expect_carrier(t, l, 0);
        fal_trainer_destroy(t);
        fal_model_destroy(model);
    }
    fal_trainer_options options = short_run("usf", NULL);
    fal_model *model = model_of(network, 3);
    fal_trainer *t = trainer_of(model, &options);
    expect_carrier(t, 2, usual(41));
    expect_carrier(t, 3, usual(32));
    fal_trainer_destroy(t);
    fal_model_destroy(model);
}

/* W or B itself where that is what carries, and nothing where nothing does. */
static void carriers_of_the_other_rules(void **state)
{
    static const char *const rules[] = {"bp", "fa", "fa", "dfa", "shallow"};
    (void)state;
    for (int i = 0; i < 5; i++) {
        fal_trainer_options options = short_run(rules[i],
                                                i == 2 ? "regenerated" : NULL);
        fal_model *model = model_of(network, 3);
        fal_trainer *t = trainer_of(model, &options);
        fal_view view = {NULL, 1};
        must(fal_trainer_carrier(t, 1, &view));
        assert_null(view.buffer);
        must(fal_trainer_carrier(t, 2, &view));
        assert_int_equal(view.buffer == NULL, i >= 3);
        for (unsigned l = 2; l <= 3 && i < 3; l++) {
            size_t n, m;
            float *got = carrier_of(t, l, &n);
            float *expected = i ? trainer_floats(t, tensor_name(l, "feedback"), &m)
                                : model_floats(model, tensor_name(l, "weight"), &m);
            assert_int_equal(n, m);
            assert_memory_equal(got, expected, n * sizeof *got);
            fal_release(got);
            fal_release(expected);
        }
        fal_trainer_destroy(t);
        fal_model_destroy(model);
    }
}

/* ---- draws --------------------------------------------------------------- */

static float *steps_then_read(uint64_t steps, const char *name, size_t *n)
{
    fal_arrays arrays = random_arrays(32, 20, 5, 0);
    fal_trainer_options options = short_run("brsf", NULL);
    fal_model *model = model_of(network, 3);
    fal_trainer *t = trainer_of(model, &options);
    for (uint64_t i = 0; i < steps; i++)
        must(fal_trainer_step(t, &arrays, NULL));
    float *values = trainer_floats(t, name, n);
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    free_arrays(&arrays);
    return values;
}

static fal_random feedback_of_layer_2(uint32_t step)
{
    return (fal_random){.distribution = FAL_UNIFORM,
                        .scale = (float)(1 / sqrt(41.)),
                        .seed = 1,
                        .purpose = FAL_PURPOSE_FEEDBACK,
                        .layer = 2,
                        .draw = step};
}

/* R is what the counter says with the steps done as draw; frsf's is that of step 0. */
static void r_is_a_function_of_the_steps_done(void **state)
{
    (void)state;
    for (uint32_t steps = 0; steps < 4; steps++) {
        size_t n;
        float *r = steps_then_read(steps, "dense2.feedback", &n);
        assert_int_equal(n, 32 * 41);
        for (size_t i = 0; i < n; i++) {
            const fal_random random = feedback_of_layer_2(steps);
            assert_true(r[i] == fal_random_uniform(random.seed, random.purpose,
                                                   random.layer, random.draw, i,
                                                   random.scale));
        }
        fal_release(r);
    }
}

/* The file before the first step has R_0, and of usf no feedback at all. */
static void starts_hold_the_first_draw(void **state)
{
    static const char *const rules[] = {"frsf", "brsf", "usf"};
    char file[] = "/tmp/falign-carriers-XXXXXX";
    size_t n;
    (void)state;
    close(mkstemp(file));
    float *expected = steps_then_read(0, "dense2.feedback", &n);
    for (int i = 0; i < 3; i++) {
        fal_trainer_options options = short_run(rules[i], NULL);
        fal_trainer_options other = short_run("fa", NULL);
        other.feedback_seed = 99;
        fal_model *model = model_of(network, 3);
        fal_trainer *t = trainer_of(model, &options),
                    *u = trainer_of(model, &other);
        must(fal_trainer_save(t, file));
        must(fal_trainer_load_feedback(u, file));
        float *got = trainer_floats(u, "dense2.feedback", &n);
        assert_int_equal(memcmp(got, expected, n * sizeof *got) == 0, i < 2);
        fal_release(got);
        fal_trainer_destroy(t);
        fal_trainer_destroy(u);
        fal_model_destroy(model);
    }
    fal_release(expected);
    unlink(file);
}

/* ---- regenerated --------------------------------------------------------- */

static float *fitted(const char *text, const char *rule, const char *feedback,
                     const fal_arrays *arrays, size_t *n)
{
    fal_trainer_options options = short_run(rule, feedback);
    fal_dataset *data = dataset_of(arrays);
    fal_model *model = model_of(text, 5);
    fal_trainer *t = trainer_of(model, &options);
    must(fal_trainer_fit(t, data, NULL, 3, NULL, NULL));
    float *weights = all_weights(model, n);
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    return weights;
}

/* Whole runs, of widths that 4 divides, of others, and of more than a panel, with
 * partial batches. */
static void regenerated_feedback_makes_the_same_run(void **state)
{
    static const char *const rules[] = {"fa", "dfa", "frsf", "brsf"};
    static const char *const networks[] = {
        network, "input 20, dense 64, tanh, dense 128, relu, dense 5",
        "input 20, dense 33, relu, dense 37, sigmoid, dense 19, norm, relu, dense "
        "5",
        "input 20, dense 300, relu, dense 270, relu, dense 5"};
    fal_arrays arrays = random_arrays(150, 20, 5, 0);
    (void)state;
    for (size_t i = 0; i < 4 * 4; i++) {
        size_t n, m;
        float *a = fitted(networks[i / 4], rules[i % 4], "stored", &arrays, &n);
        float *b = fitted(networks[i / 4], rules[i % 4], "regenerated", &arrays,
                          &m);
        assert_int_equal(n, m);
        for (size_t f = 0; f < n; f++)
            if (memcmp(&a[f], &b[f], sizeof *a) != 0)
                fail_msg("%s, %s: float %zu is %.9g, not %.9g", rules[i % 4],
                         networks[i / 4], f, (double)b[f], (double)a[f]);
        fal_release(a);
        fal_release(b);
    }
    free_arrays(&arrays);
}

/* Its values can be read and saved all the same. */
static void regenerated_feedback_can_be_read(void **state)
{
    static const char *const rules[] = {"fa", "dfa", "frsf"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        fal_trainer_options options = short_run(rules[i], "stored");
        fal_model *model = model_of(network, 3);
        fal_trainer *t = trainer_of(model, &options);
        options.feedback = "regenerated";
        fal_trainer *u = trainer_of(model, &options);
        for (size_t l = i == 1 ? 1 : 2; l <= (i == 1 ? 2 : 3); l++) {
            size_t n, m;
            const char *name = tensor_name(l, "feedback");
            float *a = trainer_floats(t, name, &n),
                  *b = trainer_floats(u, name, &m);
            assert_int_equal(n, m);
            assert_memory_equal(a, b, n * sizeof *a);
            fal_view view;
            must(fal_trainer_feedback(u, (unsigned)l, &view));
            assert_non_null(view.buffer);
            fal_release(a);
            fal_release(b);
        }
        fal_trainer_destroy(t);
        fal_trainer_destroy(u);
        fal_model_destroy(model);
    }
}

static fal_footprint footprint_of(const char *rule, const char *feedback)
{
    fal_footprint footprint = {.size = sizeof footprint};
    fal_trainer_options options = short_run(rule, feedback);
    fal_model *model = model_of(network, 3);
    fal_trainer *t = trainer_of(model, &options);
    must(fal_trainer_footprint(t, &footprint));
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    return footprint;
}

static void regenerated_feedback_takes_no_memory(void **state)
{
    static const struct {
        const char *rule;
        uint64_t floats;
    } rules[] = {{"fa", 41 * 32 + 32 * 5},
                 {"dfa", 5 * 41 + 5 * 32},
                 {"frsf", 41 * 32 + 32 * 5},
                 {"brsf", 41 * 32 + 32 * 5}};
    (void)state;
    for (int i = 0; i < 4; i++) {
        fal_footprint stored = footprint_of(rules[i].rule, "stored");
        fal_footprint drawn = footprint_of(rules[i].rule, "regenerated");
        int keeps = strcmp(rules[i].rule, "brsf") != 0;
        assert_int_equal(drawn.feedback_bytes, 0);
        assert_int_equal(drawn.feedback_bytes_saved, 4 * rules[i].floats);
        assert_int_equal(stored.feedback_bytes > 0, keeps);
        assert_int_equal(stored.feedback_bytes_saved > 0, !keeps);
        assert_int_equal(stored.launches, drawn.launches);
    }
    assert_int_equal(footprint_of("usf", NULL).feedback_bytes, 0);
    assert_int_equal(footprint_of("usf", NULL).feedback_bytes_saved, 0);
}

/* ---- refusals ------------------------------------------------------------ */

static void refuse(const char *rule, const char *feedback, const char *law,
                   const char *part)
{
    fal_trainer_options options = short_run(rule, feedback);
    fal_model *model = model_of(network, 3);
    fal_trainer *t = NULL;
    options.feedback_law = law;
    expect_error(fal_trainer_create(&t, model, &options), FAL_ERROR_ARGUMENT, part);
    assert_null(t);
    fal_model_destroy(model);
}

static void options_that_cannot_be_are_refused(void **state)
{
    (void)state;
    refuse("usf", NULL, "zero", "'zero': the rule usf takes its deviation");
    refuse("usf", NULL, "units", "feedback law 'units' is not for layer-to-layer");
    refuse("fa", "regenerated", "normal:0.1", "'normal:0.1' is not uniform");
    refuse("dfa", "regenerated", "zero", "--feedback stored");
    refuse("brsf", "regenerated", "xavier-normal", "--feedback stored");
    refuse("bp", "regenerated", NULL, "the rule bp has no random feedback");
    refuse("usf", "regenerated", NULL, "the rule usf has no random feedback");
    refuse("kp", "regenerated", NULL, "the rule kp changes its feedback");
    refuse("wm", "regenerated", NULL, "the rule wm changes its feedback");
    refuse("fa", "forgotten", NULL,
           "unknown feedback 'forgotten'; known: stored, regenerated");
}

static void feedback_that_lies_nowhere_cannot_be_given(void **state)
{
    static const char *const rules[] = {"fa", "brsf"};
    char file[] = "/tmp/falign-carriers-XXXXXX";
    (void)state;
    close(mkstemp(file));
    for (int i = 0; i < 2; i++) {
        fal_trainer_options options = short_run(rules[i], "regenerated");
        fal_model *model = model_of(network, 3);
        fal_trainer *t = trainer_of(model, &options);
        size_t n;
        float *before = trainer_floats(t, "dense2.feedback", &n);
        expect_error(fal_trainer_tensor_set(t, "dense2.feedback", before, n),
                     FAL_ERROR_ARGUMENT,
                     i ? "that is the rule" : "--feedback stored");
        must(fal_trainer_save(t, file));
        expect_error(fal_trainer_load_feedback(t, file), FAL_ERROR_ARGUMENT,
                     "--feedback stored");
        float *after = trainer_floats(t, "dense2.feedback", &n);
        assert_memory_equal(before, after, n * sizeof *after);
        fal_release(before);
        fal_release(after);
        fal_trainer_destroy(t);
        fal_model_destroy(model);
    }
    unlink(file);
}

static void usf_has_no_feedback_to_read(void **state)
{
    float value;
    (void)state;
    fal_trainer_options options = short_run("usf", NULL);
    fal_model *model = model_of(network, 3);
    fal_trainer *t = trainer_of(model, &options);
    expect_error(fal_trainer_tensor(t, "dense2.feedback", &value, 1),
                 FAL_ERROR_ARGUMENT, "the rule usf has no random feedback");
    fal_trainer_destroy(t);
    fal_model_destroy(model);
}

/* Whatever allocation or call fails is handed on, and the next call works. */
static void failures_are_handed_on(void **state)
{
    (void)state;
    for (int memory = 0; memory < 2; memory++) {
        fal_trainer_options options = short_run("frsf", "regenerated");
        fal_model *model = model_of(network, 3);
        fal_trainer *t = trainer_of(model, &options);
        fal_status status = FAL_ERROR_DEVICE;
        for (long n = 1; status; n++) {
            fal_view view;
            assert_true(n < 100);
            memory ? fal_memory_fail_at(n) : fal_cl_fail_at(n);
            status = fal_trainer_carrier(t, 2, &view);
            fal_cl_fail_at(0);
            fal_memory_fail_at(0);
        }
        expect_carrier(t, 2, 0);
        fal_trainer_destroy(t);
        fal_model_destroy(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carriers_start_at_their_angles),
        cmocka_unit_test(carriers_are_signs_of_the_weights),
        cmocka_unit_test(carriers_of_the_other_rules),
        cmocka_unit_test(r_is_a_function_of_the_steps_done),
        cmocka_unit_test(starts_hold_the_first_draw),
        cmocka_unit_test(regenerated_feedback_makes_the_same_run),
        cmocka_unit_test(regenerated_feedback_can_be_read),
        cmocka_unit_test(regenerated_feedback_takes_no_memory),
        cmocka_unit_test(options_that_cannot_be_are_refused),
        cmocka_unit_test(feedback_that_lies_nowhere_cannot_be_given),
        cmocka_unit_test(usf_has_no_feedback_to_read),
        cmocka_unit_test(failures_are_handed_on),
    };
    return cmocka_run_group_tests_name("carriers", tests, open_device,
                                       close_device);
}
