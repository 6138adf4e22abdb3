/* What goes wrong in training: losses that explode, wrong options, networks that
 * are too big, memory in small pieces, and every allocation and OpenCL call failing
 * once. */
#include "learning.h"
#include "train/trainer.h"

static const char *const network = "input 20, dense 40, norm, relu, "
                                   "second=dense 30, norm layer, tanh, "
                                   "out=dense 5";

static fal_trainer_options constant(const char *optimizer)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.optimizer = optimizer;
    options.schedule = "constant";
    options.batch = 32;
    return options;
}

static void expect_finite(fal_model *model)
{
    size_t n;
    float *w = all_weights(model, &n);
    for (size_t i = 0; i < n; i++)
        assert_true(isfinite(w[i]));
    fal_release(w);
}

/* ---- divergence ---------------------------------------------------------- */

/* Through relu a huge weight makes a huge loss at once; a bounded activation would
 * let the loss stay finite while the next update overflows. */
static void a_rate_too_high_is_named(void **state)
{
    fal_arrays arrays = random_arrays(200, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = constant("sgd");
    (void)state;
    options.learning_rate = 1e20;
    fal_model *model = model_of("input 20, dense 30, relu, dense 30, relu, dense 5",
                                1);
    fal_trainer *trainer = trainer_of(model, &options);
    expect_error(fal_trainer_fit(trainer, data, NULL, 5, NULL, NULL),
                 FAL_ERROR_DIVERGED, "training, step 2, layer ");
    expect_message("the loss is no longer finite");
    assert_null(strstr(fal_error_message(), "layer input"));
    expect_finite(model);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* Sample 150 has a NaN: epoch 1 in file order meets it in step 5. */
static void not_a_number_in_the_input_is_named(void **state)
{
    fal_arrays arrays = random_arrays(200, 20, 5, 0);
    ((float *)arrays.inputs)[150 * 20 + 7] = NAN;
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = constant("adam");
    uint64_t limit = device->resident_limit;
    (void)state;
    options.no_shuffle = 1;
    options.standardize = "none";
    for (int streamed = 0; streamed < 2; streamed++) {
        device->resident_limit = streamed ? 0 : limit;
        fal_model *model = model_of(network, 1), *before = model_of(network, 1);
        fal_trainer *t = trainer_of(model, &options),
                    *u = trainer_of(before, &options);
        expect_error(fal_trainer_fit(t, data, NULL, 5, NULL, NULL),
                     FAL_ERROR_DIVERGED, "step 5, layer input");
        /* the weights are those of four steps */
        for (size_t i = 0; i < 4; i++) {
            fal_arrays rows = rows_of(&arrays, i * 32, 32);
            must(fal_trainer_step(u, &rows, NULL));
        }
        expect_equal_models(model, before);
        /* and training can go on where it stopped, step by step */
        fal_arrays rows = rows_of(&arrays, 0, 32);
        double loss, other;
        must(fal_trainer_step(t, &rows, &loss));
        must(fal_trainer_step(u, &rows, &other));
        assert_true(loss == other);
        expect_equal_models(model, before);
        fal_trainer_destroy(t);
        fal_trainer_destroy(u);
        fal_model_destroy(model);
        fal_model_destroy(before);
    }
    device->resident_limit = limit;
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* Memory of maps is used again while the batch runs, by what comes of the culprit too. */
static void a_layer_is_named_though_its_place_is_used_again(void **state)
{
    const char *const names[] = {"conv2", "conv3"};
    fal_arrays arrays = random_arrays(32, 36, 5, 0);
    (void)state;
    arrays.height = arrays.width = 6;
    arrays.channels = 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char weight[32], message[64];
        double loss;
        size_t n;
        fal_trainer_options options = constant("sgd");
        fal_model *model = model_of(
            "input 6x6x1, conv 256 3, norm, relu, conv 256 3, "
            "norm, relu, conv 256 3, norm, relu, dense 5",
            1);
        fal_trainer *trainer = trainer_of(model, &options);
        snprintf(weight, sizeof weight, "%s.weight", names[i]);
        snprintf(message, sizeof message, "step 1, layer %s: ", names[i]);
        float *values = model_floats(model, weight, &n);
        values[n / 2] = NAN;
        must(fal_model_tensor_set(model, weight, values, n));
        expect_error(fal_trainer_step(trainer, &arrays, &loss), FAL_ERROR_DIVERGED,
                     message);
        fal_release(values);
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
    }
    free_arrays(&arrays);
}

static int keep_epoch(const fal_progress *progress, void *user)
{
    if (progress->event == FAL_EPOCH)
        *(uint64_t *)user = progress->epoch;
    return 0;
}

static void calm(fal_model *model)
{
    for (size_t i = 0; i < fal_model_tensor_count(model); i++) {
        const char *name = fal_model_tensor_name(model, i);
        size_t n;
        float *values = model_floats(model, name, &n);
        for (size_t j = 0; j < n; j++)
            values[j] = .01f;
        must(fal_model_tensor_set(model, name, values, n));
        fal_release(values);
    }
}

/* Epochs of one batch are not waited for where nobody asks for their losses: the step
 * is found when the ring of losses is full, and training goes on behind it. */
static void an_epoch_of_one_batch_is_named(void **state)
{
    fal_arrays arrays = random_arrays(32, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = constant("sgd");
    uint64_t epoch = 0;
    (void)state;
    options.learning_rate = 1e20;
    options.log_steps = 10000;
    fal_model *model = model_of("input 20, dense 30, relu, dense 30, relu, dense 5",
                                1);
    fal_trainer *trainer = trainer_of(model, &options);
    expect_error(fal_trainer_fit(trainer, data, NULL, 3000, NULL, NULL),
                 FAL_ERROR_DIVERGED, "training, step 2, layer ");
    assert_null(strstr(fal_error_message(), "layer input"));
    expect_finite(model);
    calm(model);
    must(fal_trainer_fit(trainer, data, NULL, 1, keep_epoch, &epoch));
    assert_int_equal(epoch, 2);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

static fal_arrays spoiled(const fal_arrays *good, size_t value)
{
    fal_arrays bad = *good;
    size_t n = good->count * good->channels;
    float *inputs = room(n, sizeof *inputs);
    memcpy(inputs, good->inputs, n * sizeof *inputs);
    inputs[value] = NAN;
    bad.inputs = inputs;
    return bad;
}

/* A loss that nobody asked for halts all the same; the next call that waits says
 * which step it was. */
static void divergence_without_a_loss_is_found_later(void **state)
{
    fal_arrays good = random_arrays(32, 20, 5, 0), bad = spoiled(&good, 3);
    fal_trainer_options options = constant("adam");
    fal_dataset *data = dataset_of(&good);
    double loss = 7;
    (void)state;
    fal_model *model = model_of(network, 1);
    fal_trainer *t = trainer_of(model, &options);
    expect_error(fal_trainer_step(t, &bad, &loss), FAL_ERROR_DIVERGED,
                 "step 1, layer input");
    assert_true(loss == 7);
    must(fal_trainer_step(t, &good, NULL));
    must(fal_trainer_step(t, &bad, NULL));
    must(fal_trainer_step(t, &good, NULL));
    expect_error(fal_trainer_step(t, &good, &loss), FAL_ERROR_DIVERGED, "step 2: ");
    must(fal_trainer_step(t, &bad, NULL));
    expect_error(fal_trainer_fit(t, data, NULL, 1, NULL, NULL), FAL_ERROR_DIVERGED,
                 "step 2: ");
    must(fal_trainer_fit(t, data, NULL, 1, NULL, NULL));
    /* at the latest when the ring of losses is full */
    must(fal_trainer_step(t, &bad, NULL));
    fal_status status = FAL_OK;
    for (int i = 0; i < 2 * FAL_RING_SLOTS && !status; i++)
        status = fal_trainer_step(t, &good, NULL);
    expect_error(status, FAL_ERROR_DIVERGED, "step 3: ");
    must(fal_trainer_step(t, &good, &loss));
    assert_true(isfinite(loss));
    expect_finite(model);
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    fal_release((void *)bad.inputs);
    free_arrays(&good);
}

static int stop_at_step(const fal_progress *progress, void *user)
{
    return progress->event == FAL_STEP && progress->step == *(uint64_t *)user;
}

static void divergence_wins_over_a_stop(void **state)
{
    fal_arrays arrays = random_arrays(200, 20, 5, 0);
    ((float *)arrays.inputs)[40 * 20] = INFINITY;
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = constant("adam");
    uint64_t stop = 3;
    (void)state;
    options.no_shuffle = 1;
    options.standardize = "none";
    fal_model *model = model_of(network, 1);
    fal_trainer *t = trainer_of(model, &options);
    expect_error(fal_trainer_fit(t, data, NULL, 1, stop_at_step, &stop),
                 FAL_ERROR_DIVERGED, "step 2, layer input");
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* ---- options ------------------------------------------------------------- */

static void refuse(fal_model *model, const fal_trainer_options *options,
                   const char *part)
{
    fal_trainer *trainer = NULL;
    uint64_t before = device->allocated;
    expect_error(fal_trainer_create(&trainer, model, options), FAL_ERROR_ARGUMENT,
                 part);
    assert_null(trainer);
    assert_int_equal(device->allocated, before);
}

static void bad_options_are_refused(void **state)
{
    const fal_trainer_options good = FAL_TRAINER_OPTIONS;
    fal_trainer_options o;
    fal_model *model = model_of(network, 1);
    (void)state;
#define REFUSE(field, value, part)                                                 \
    o = good;                                                                      \
    o.field = value;                                                               \
    refuse(model, &o, part)
    REFUSE(
        rule, "dfaa",
        "unknown rule 'dfaa'; known: bp, fa, dfa, drtp, usf, brsf, frsf, kp, wm, "
        "shallow; did you mean 'dfa'?");
    REFUSE(optimizer, "sdg",
           "unknown optimizer 'sdg'; known: sgd, adam, adamw, muon");
    REFUSE(loss, "mes", "unknown loss 'mes'");
    REFUSE(schedule, "stepp", "unknown schedule 'stepp'");
    REFUSE(schedule, "step", "needs milestones");
    REFUSE(milestones, "3", "leave them out, or use the schedule step");
    REFUSE(decay, 0, "decay 0");
    REFUSE(clip, -1, "clip -1");
    REFUSE(clip, NAN, "clip");
    REFUSE(feedback_law, "xavier", "the rule bp has no random feedback");
    REFUSE(learning_rate, -1, "learning rate -1");
    REFUSE(learning_rate, NAN, "learning rate");
    REFUSE(momentum, .5, "belongs to sgd and muon");
    REFUSE(nesterov, 1, "belongs to sgd");
    REFUSE(learning_rate_adamw, .1, "belongs to muon");
    REFUSE(learning_rate_adamw, -1, "muon's adamw -1");
    REFUSE(weight_decay, -1, "weight decay -1");
    REFUSE(weight_decay, INFINITY, "weight decay inf");
    REFUSE(batch, 0, "batch 0");
    REFUSE(batch, (size_t)1 << 31, "batch 2147483648");
    REFUSE(log_steps, 0, "log_steps");
    REFUSE(size, 4, "size field says 4 bytes");
    REFUSE(size, sizeof o + 8, "this library knows");
#undef REFUSE
    o = good;
    o.rule = "fa";
    o.feedback_law = "units";
    refuse(model, &o, "feedback law 'units'");
    o.rule = "dfa";
    o.feedback_law = "weights";
    refuse(model, &o, "feedback law 'weights'");
    o.feedback_law = "normal:-1";
    refuse(model, &o, "'normal:-1': a number above 0");
    o.feedback_law = "gauss";
    refuse(model, &o, "unknown feedback law 'gauss'");
    fal_model_destroy(model);
}

/* A struct of an older header ends earlier: the rest are defaults. */
static void smaller_structs_are_older_headers(void **state)
{
    (void)state;
    fal_trainer_options o = FAL_TRAINER_OPTIONS;
    o.size = offsetof(fal_trainer_options, learning_rate);
    o.rule = "fa";
    o.optimizer = "sgd";
    o.batch = 0; /* not seen */
    fal_model_options m = FAL_MODEL_OPTIONS;
    m.size = offsetof(fal_model_options, weight_law);
    m.seed = 5;
    m.weight_law = "nonsense"; /* not seen */
    fal_model *model = NULL;
    must(fal_model_create(&model, device, network, &m));
    fal_trainer *t = trainer_of(model, &o);
    assert_int_equal(t->options.batch, 128);
    assert_true(t->options.learning_rate == .01 && t->options.momentum == .9);
    struct {
        size_t size, parameters;
        uint64_t guard;
    } footprint = {2 * sizeof(size_t), 0, 42};
    must(fal_trainer_footprint(t, (fal_footprint *)&footprint));
    assert_int_equal(footprint.parameters,
                     21 * 40 + 2 * 40 + 41 * 30 + 2 * 30 + 31 * 5);
    assert_int_equal(footprint.guard, 42);
    fal_trainer_destroy(t);
    fal_model_destroy(model);
}

static void steps_that_cannot_be_are_refused(void **state)
{
    fal_arrays arrays = random_arrays(33, 20, 5, 0), none;
    fal_trainer_options options = constant("adam");
    (void)state;
    fal_model *model = model_of(network, 1);
    fal_trainer *t = trainer_of(model, &options);
    expect_error(fal_trainer_step(t, &arrays, NULL), FAL_ERROR_ARGUMENT,
                 "33 rows are more than the trainer's batch of 32");
    none = arrays;
    none.count = 0;
    expect_error(fal_trainer_step(t, &none, NULL), FAL_ERROR_ARGUMENT,
                 "count is 0");
    expect_error(fal_trainer_step(t, NULL, NULL), FAL_ERROR_ARGUMENT, "arrays");
    expect_error(fal_trainer_step(NULL, &arrays, NULL), FAL_ERROR_ARGUMENT,
                 "trainer");
    expect_error(fal_trainer_learning_rate(t, -1), FAL_ERROR_ARGUMENT, "-1");
    expect_error(fal_trainer_learning_rate(t, NAN), FAL_ERROR_ARGUMENT, "number");
    fal_trainer_destroy(t);
    options.schedule = "cosine";
    t = trainer_of(model, &options);
    arrays.count = 3;
    expect_error(fal_trainer_step(t, &arrays, NULL), FAL_ERROR_ARGUMENT,
                 "a schedule needs options.steps");
    fal_trainer_destroy(t);
    fal_model_destroy(model);
    free_arrays(&arrays);
}

/* ---- memory -------------------------------------------------------------- */

static void too_big_networks_name_their_bytes(void **state)
{
    fal_model *model = NULL;
    uint64_t before = device->allocated;
    (void)state;
    /* 4 · 2147483647 · 2147483648 bytes: a weight with its bias, larger than any buffer */
    expect_error(fal_model_create(&model, device,
                                  "input 2147483647, dense 2147483647", NULL),
                 FAL_ERROR_DEVICE_MEMORY, "18446744065119617024 bytes");
    expect_message("weights and biases");
    /* 4 · 10¹⁰ bytes each: whether one fits depends on the device, a hundred of
     * them fit none */
    char text[1024] = "input 100000";
    for (int i = 0; i < 50; i++)
        strcat(text, ", dense 100000");
    expect_error(fal_model_create(&model, device, text, NULL),
                 FAL_ERROR_DEVICE_MEMORY, "bytes");
    assert_null(model);
    assert_int_equal(device->allocated, before);
    /* the batch is what is too large */
    model = model_of(network, 1);
    fal_trainer_options options = constant("adam");
    options.batch = 2147483647;
    fal_trainer *trainer = NULL;
    before = device->allocated;
    expect_error(fal_trainer_create(&trainer, model, &options),
                 FAL_ERROR_DEVICE_MEMORY, "activations");
    assert_null(trainer);
    assert_int_equal(device->allocated, before);
    fal_model_destroy(model);
}

/* One epoch from one start; *buffers is those of the activations and weights. */
static fal_model *trained(const fal_dataset *data, const char *rule,
                          size_t *buffers)
{
    fal_trainer_options options = constant("adam");
    options.rule = rule;
    options.keep_gradients = 1;
    fal_model *model = model_of(network, 1);
    fal_trainer *t = trainer_of(model, &options);
    must(fal_trainer_fit(t, data, data, 1, NULL, NULL));
    *buffers = t->workspace.arena.count + model->parameters.count;
    assert_int_equal(t->gradients.count, model->parameters.count);
    fal_trainer_destroy(t);
    return model;
}

/* A device whose largest buffer is small splits every arena. */
static void arenas_of_several_buffers(void **state)
{
    static const char *const rules[] = {"bp", "fa", "dfa",    "frsf",
                                        "kp", "wm", "shallow"};
    fal_arrays arrays = random_arrays(100, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    uint64_t largest = device->facts.allocation;
    (void)state;
    for (size_t r = 0; r < 7; r++) {
        size_t whole, parts;
        fal_model *a = trained(data, rules[r], &whole);
        device->facts.allocation = 128 + 4 * 4096;
        fal_model *b = trained(data, rules[r], &parts);
        device->facts.allocation = 128 + 4 * 1280; /* about one tensor each */
        size_t more;
        fal_model *c = model_of(network, 1);
        assert_true(c->parameters.count >= 2);
        more = c->parameters.count;
        fal_model_destroy(c);
        device->facts.allocation = largest;
        assert_int_equal(whole, 2);
        assert_true(parts > 2 && more > 1);
        expect_equal_models(a, b);
        fal_model_destroy(a);
        fal_model_destroy(b);
    }
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* ---- every call failing once --------------------------------------------- */

/* Everything from nothing to a trained, evaluated model. */
static fal_status whole_life(const fal_arrays *arrays)
{
    fal_trainer_options options = constant("adam");
    fal_dataset *data = NULL;
    fal_model *model = NULL;
    fal_trainer *trainer = NULL;
    fal_evaluation found = {.size = sizeof found};
    options.rule = "fa";
    fal_status status = fal_dataset_create(&data, arrays);
    if (!status)
        status = fal_model_create(&model, device, network, NULL);
    if (!status)
        status = fal_trainer_create(&trainer, model, &options);
    if (!status)
        status = fal_trainer_fit(trainer, data, data, 1, NULL, NULL);
    if (!status)
        status = fal_model_evaluate(model, data, NULL, &found);
    fal_arrays rows = rows_of(arrays, 0, 7);
    if (!status)
        status = fal_trainer_step(trainer, &rows, &found.loss);
    if (!status)
        status = fal_trainer_measure(trainer, &rows, NULL, NULL);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    return status;
}

/* The n-th call fails for n = 1, 2, … until `whole_life` gets through. */
static void fail_each(const fal_arrays *arrays, void (*fail_at)(long),
                      fal_status expected)
{
    uint64_t before = device->allocated;
    for (long n = 1;; n++) {
        fail_at(n);
        fal_status status = whole_life(arrays);
        fail_at(0);
        if (device->allocated != before)
            fail_msg("call %ld: %llu bytes are left", n,
                     (unsigned long long)(device->allocated - before));
        if (status == FAL_OK)
            break;
        if (status != expected || strlen(fal_error_message()) < 10)
            fail_msg("call %ld: status %d, %s", n, status, fal_error_message());
        assert_true(n < 100000);
    }
    must(whole_life(arrays));
}

static void every_failure_is_clean(void **state)
{
    fal_arrays arrays = random_arrays(70, 20, 5, 0);
    uint64_t limit = device->resident_limit;
    (void)state;
    must(whole_life(&arrays)); /* scratch and kernels are there from now on */
    for (int streamed = 0; streamed < 2; streamed++) {
        device->resident_limit = streamed ? 0 : limit;
        fail_each(&arrays, fal_memory_fail_at, FAL_ERROR_MEMORY);
        fail_each(&arrays, fal_cl_fail_at, FAL_ERROR_DEVICE);
    }
    device->resident_limit = limit;
    free_arrays(&arrays);
}

/* A trainer whose fit failed can be used again. */
static void a_failed_fit_leaves_a_usable_trainer(void **state)
{
    fal_arrays arrays = random_arrays(70, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = constant("adam");
    uint64_t before = device->allocated;
    (void)state;
    fal_model *model = model_of(network, 1);
    fal_trainer *trainer = trainer_of(model, &options);
    for (long n = 1; n < 400; n += 7) {
        fal_cl_fail_at(n);
        fal_status status = fal_trainer_fit(trainer, data, NULL, 1, NULL, NULL);
        fal_cl_fail_at(0);
        assert_true(status == FAL_OK || status == FAL_ERROR_DEVICE);
    }
    must(fal_trainer_fit(trainer, data, data, 1, NULL, NULL));
    expect_finite(model);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    assert_int_equal(device->allocated, before);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_too_high_is_named),
        cmocka_unit_test(not_a_number_in_the_input_is_named),
        cmocka_unit_test(an_epoch_of_one_batch_is_named),
        cmocka_unit_test(a_layer_is_named_though_its_place_is_used_again),
        cmocka_unit_test(divergence_without_a_loss_is_found_later),
        cmocka_unit_test(divergence_wins_over_a_stop),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(smaller_structs_are_older_headers),
        cmocka_unit_test(steps_that_cannot_be_are_refused),
        cmocka_unit_test(too_big_networks_name_their_bytes),
        cmocka_unit_test(arenas_of_several_buffers),
        cmocka_unit_test(every_failure_is_clean),
        cmocka_unit_test(a_failed_fit_leaves_a_usable_trainer),
    };
    return cmocka_run_group_tests_name("failures", tests, open_device,
                                       close_device);
}
