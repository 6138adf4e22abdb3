/* When measurements are made, on which batch, and what they leave as it is. Oracles:
 * training without measuring, which must give the same bits, and measuring by hand
 * before each step. */
#include "learning.h"
#include "data/random.h"
#include "values.h"

/* ---- within a fit -------------------------------------------------------- */

enum { SAMPLES = 205, BATCH = 48, BATCHES = 5 }; /* the last has 13 rows */

static const char *const network =
    "input 20, dense 24, norm, sigmoid, dense 30, norm, "
    "tanh, dense 5";

static fal_trainer_options short_run(const char *rule, const char *optimizer)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.optimizer = optimizer;
    options.batch = BATCH;
    options.log_steps = 4;
    return options;
}

/* A fit, and what it told. */
typedef struct run {
    fal_model *model;
    fal_trainer *trainer;
    values metrics;
    fal_progress seen[128];
    size_t count;
} run;

static int note(const fal_progress *progress, void *user)
{
    run *r = user;
    assert_true(r->count < 128);
    r->seen[r->count++] = *progress;
    return 0;
}

static void run_open(run *r, const fal_trainer_options *options)
{
    *r = (run){.model = model_of(network, 1)};
    r->trainer = trainer_of(r->model, options);
    must(fal_trainer_on_metric(r->trainer, collect, &r->metrics));
}

static void run_close(run *r)
{
    fal_trainer_destroy(r->trainer);
    fal_model_destroy(r->model);
}

static void expect_equal_losses(const run *a, const run *b)
{
    size_t i = 0, j = 0;
    for (; i < a->count && j < b->count; i++) {
        const fal_progress *p = &a->seen[i], *q = &b->seen[j];
        if (p->event == FAL_LOG && isnan(p->train_loss))
            continue; /* there is a measurement to tell of, no losses */
        assert_int_equal(p->event, q->event);
        assert_int_equal(p->step, q->step);
        assert_memory_equal(&p->train_loss, &q->train_loss, 4 * sizeof(double));
        j++;
    }
    assert_int_equal(j, b->count);
}

static void expect_equal_trainers(run *a, run *b, const char *name)
{
    size_t n, m;
    float *x = trainer_floats(a->trainer, name, &n);
    float *y = trainer_floats(b->trainer, name, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n * sizeof *x);
    fal_release(x);
    fal_release(y);
}

/* Weights, running statistics, losses, deltas and gradients of a run that measures often
 * and of one that does not. */
static void check_bits(const fal_arrays *arrays, fal_trainer_options options)
{
    fal_dataset *data = dataset_of(arrays);
    run with, without;
    run_open(&without, &options);
    must(fal_trainer_fit(without.trainer, data, data, 2, note, &without));
    assert_int_equal(without.metrics.count, 0);
    options.measure_steps = 3;
    options.measure_epochs = 1;
    run_open(&with, &options);
    must(fal_trainer_fit(with.trainer, data, data, 2, note, &with));
    assert_true(with.metrics.count > 0);
    expect_equal_models(with.model, without.model);
    expect_equal_losses(&with, &without);
    expect_equal_trainers(&with, &without, "dense3.delta");
    if (options.keep_gradients)
        expect_equal_trainers(&with, &without, "dense3.weight.gradient");
    run_close(&with);
    run_close(&without);
    fal_dataset_destroy(data);
}

static void training_bits_stay_as_they_are(void **state)
{
    static const char *const optimizers[] = {"adam", "muon", "sgd"};
    fal_arrays arrays = random_arrays(SAMPLES, 20, 5, 0);
    uint64_t limit = device->resident_limit;
    (void)state;
    for (size_t r = 0; r < RULES; r++)
        for (size_t o = 0; o < 3; o++) {
            fal_trainer_options options = short_run(rules[r], optimizers[o]);
            options.keep_gradients = o == 1;
            options.no_shuffle = r == 1;
            device->resident_limit = r == 2 ? 0 : limit;
            check_bits(&arrays, options);
        }
    device->resident_limit = limit;
    free_arrays(&arrays);
}

/* Rows in the order of an epoch. */
static fal_arrays shuffled(const fal_arrays *arrays, uint32_t epoch)
{
    fal_arrays to = *arrays;
    size_t n = arrays->count, width = arrays->channels;
    uint32_t *order = room(n, sizeof *order);
    float *inputs = room(n * width, sizeof *inputs);
    int32_t *labels = room(n, sizeof *labels);
    fal_shuffle(1, FAL_PURPOSE_ORDER, epoch, order, n);
    for (size_t i = 0; i < n; i++) {
        memcpy(inputs + i * width, (const float *)arrays->inputs + order[i] * width,
               width * sizeof *inputs);
        labels[i] = arrays->labels[order[i]];
    }
    fal_release(order);
    to.inputs = inputs;
    to.labels = labels;
    return to;
}

/* The fit of two epochs, by hand: measure, then step, and measure once more. */
static void measure_by_hand(run *r, const fal_arrays *arrays)
{
    for (uint32_t epoch = 0; epoch <= 2; epoch++) {
        fal_arrays order = shuffled(arrays, epoch);
        for (size_t b = 0; b < (epoch < 2 ? BATCHES : 1); b++) {
            size_t left = SAMPLES - b * BATCH;
            fal_arrays batch = rows_of(&order, b * BATCH,
                                       left < BATCH ? left : BATCH);
            must(fal_trainer_measure(r->trainer, &batch, collect, &r->metrics));
            if (epoch < 2)
                must(fal_trainer_step(r->trainer, &batch, NULL));
        }
        free_arrays(&order);
    }
}

/* Those of `some` are those of `all` at the same step. */
static void expect_measured_at(const values *some, const values *all,
                               const uint64_t *steps, size_t count)
{
    size_t seen = 0, each = all->count / (2 * BATCHES + 1);
    assert_int_equal(some->count, count * each);
    for (size_t s = 0; s < count; s++)
        for (size_t i = 0; i < all->count; i++)
            if (all->items[i].step == steps[s]) {
                const fal_metric *one = &some->items[seen++],
                                 *other = &all->items[i];
                assert_int_equal(one->step, other->step);
                assert_string_equal(one->name, other->name);
                assert_string_equal(one->layer, other->layer);
                if (memcmp(&one->value, &other->value, sizeof one->value) != 0)
                    fail_msg("step %llu, %s of %s: %.17g, not %.17g",
                             (unsigned long long)one->step, one->name, one->layer,
                             one->value, other->value);
            }
    assert_int_equal(seen, some->count);
}

/* An epoch has 5 steps; a measurement is made before its step, on that step's batch and,
 * under brsf, with that step's R. */
static void check_fit(const char *rule, const fal_arrays *arrays)
{
    static const uint64_t by_4[] = {0, 4, 8, 10}, by_5[] = {0, 5, 10};
    fal_dataset *data = dataset_of(arrays);
    fal_trainer_options options = short_run(rule, "adam");
    run hand, fit;
    options.steps = 2 * BATCHES;
    run_open(&hand, &options);
    must(fal_model_standardize(hand.model, data, NULL));
    measure_by_hand(&hand, arrays);
    for (int by_epoch = 0; by_epoch < 2; by_epoch++) {
        options.measure_steps = by_epoch ? 0 : 4;
        options.measure_epochs = by_epoch;
        run_open(&fit, &options);
        must(fal_trainer_fit(fit.trainer, data, data, 2, note, &fit));
        expect_measured_at(&fit.metrics, &hand.metrics, by_epoch ? by_5 : by_4,
                           by_epoch ? 3 : 4);
        expect_equal_models(fit.model, hand.model);
        run_close(&fit);
    }
    run_close(&hand);
    fal_dataset_destroy(data);
}

static void a_fit_measures_what_comes_next(void **state)
{
    fal_arrays arrays = random_arrays(SAMPLES, 20, 5, 0);
    (void)state;
    check_fit("dfa", &arrays);
    check_fit("brsf", &arrays);
    free_arrays(&arrays);
}

/* One letter an event, as in test_trainer.c; l: FAL_LOG without losses. */
static void expect_events(const run *r, const char *letters)
{
    static const char names[] = ".LE^";
    char text[129] = "";
    for (size_t i = 0; i < r->count; i++) {
        const fal_progress *p = &r->seen[i];
        int bare = p->event == FAL_LOG && isnan(p->train_loss);
        text[i] = bare ? 'l' : names[p->event];
        assert_true(i == 0 || p->measuring_seconds >= p[-1].measuring_seconds);
    }
    assert_string_equal(text, letters);
}

/* Logs every 4 steps, measurements every 3 and after the last; a second fit does not
 * measure again where the first one ended. */
static void measurements_come_with_events(void **state)
{
    fal_arrays arrays = random_arrays(SAMPLES, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = short_run("fa", "adam");
    run r;
    (void)state;
    options.measure_steps = 3;
    run_open(&r, &options);
    must(fal_trainer_fit(r.trainer, data, NULL, 2, note, &r));
    expect_events(&r, "^l..l.L..El..L.l.l.E");
    r.count = 0;
    must(fal_trainer_fit(r.trainer, data, NULL, 1, note, &r));
    expect_events(&r, "^.L...l.E");
    r.count = r.metrics.count = 0;
    must(fal_trainer_on_metric(r.trainer, NULL, NULL));
    must(fal_trainer_fit(r.trainer, data, NULL, 1, note, &r));
    expect_events(&r, "^L....L.E");
    assert_int_equal(r.metrics.count, 0);
    run_close(&r);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* Another fit begins with another batch than the one behind a fit's last. */
static void a_fit_after_part_of_an_epoch_measures_anew(void **state)
{
    fal_arrays arrays = random_arrays(SAMPLES, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = short_run("fa", "adam");
    run r;
    (void)state;
    options.measure_steps = 3;
    options.steps = 3;
    run_open(&r, &options);
    must(fal_trainer_fit(r.trainer, data, NULL, 0, note, &r));
    expect_events(&r, "^l..l.E");
    r.count = 0;
    must(fal_trainer_fit(r.trainer, data, NULL, 0, note, &r));
    expect_events(&r, "^lL..l.E");
    run_close(&r);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* Without steps there is one measurement: the start's. */
static void a_fit_without_steps_measures_once(void **state)
{
    fal_arrays arrays = random_arrays(SAMPLES, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = short_run("fa", "adam");
    run r;
    (void)state;
    options.measure_epochs = 1;
    run_open(&r, &options);
    must(fal_trainer_fit(r.trainer, data, NULL, 0, note, &r));
    expect_events(&r, "^l");
    assert_true(r.metrics.count > 0);
    run_close(&r);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

static void a_metric_callback_stops(void **state)
{
    fal_arrays arrays = random_arrays(SAMPLES, 20, 5, 0),
               batch = rows_of(&arrays, 0, 9);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = short_run("fa", "adam");
    run r;
    (void)state;
    options.measure_steps = 2;
    run_open(&r, &options);
    r.metrics.stop_at = 5;
    expect_error(fal_trainer_fit(r.trainer, data, NULL, 2, note, &r), FAL_STOPPED,
                 "training, step 0: stopped by the callback");
    assert_int_equal(r.metrics.count, 5);
    r.metrics = (values){.stop_at = 7};
    expect_error(fal_trainer_measure(r.trainer, &batch, collect, &r.metrics),
                 FAL_STOPPED, "measuring, step 0: stopped by the callback");
    assert_int_equal(r.metrics.count, 7);
    r.metrics = (values){.stop_at = 0};
    must(fal_trainer_fit(r.trainer, data, NULL, 2, note, &r));
    run_close(&r);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* ---- data sets ----------------------------------------------------------- */

/* What a mean over samples is, beside what is one over full batches. */
static int is_of_samples(const char *name)
{
    return strcmp(name, "gradient_alignment") == 0;
}

static double expected_of(const values *batches, size_t count, size_t i)
{
    const fal_metric *first = &batches->items[i];
    size_t each = batches->count / count;
    double sum = 0;
    if (is_of_samples(first->name)) {
        for (size_t b = 0; b < count; b++)
            sum += batches->items[b * each + i].value *
                   (double)(b + 1 < count ? BATCH : SAMPLES % BATCH);
        return sum / SAMPLES;
    }
    for (size_t b = 0; b + 1 < count; b++)
        sum += batches->items[b * each + i].value;
    if (strcmp(first->name, "left_out") == 0)
        return 0;
    return sum / (double)(count - 1);
}

static void a_data_set_goes_by_batches(void **state)
{
    fal_arrays arrays = random_arrays(SAMPLES, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = short_run("dfa", "adam");
    values batches = {0}, all = {0};
    run r;
    (void)state;
    run_open(&r, &options);
    for (size_t b = 0; b < BATCHES; b++) {
        size_t left = SAMPLES - b * BATCH;
        fal_arrays batch = rows_of(&arrays, b * BATCH, left < BATCH ? left : BATCH);
        must(fal_trainer_measure(r.trainer, &batch, collect, &batches));
    }
    must(fal_trainer_measure_dataset(r.trainer, data, collect, &all));
    assert_int_equal(all.count * BATCHES, batches.count);
    for (size_t i = 0; i < all.count; i++) {
        double expected = expected_of(&batches, BATCHES, i);
        if (!(fabs(all.items[i].value - expected) <= 1e-12 * (1 + fabs(expected))))
            fail_msg("%s of %s: %.17g, not %.17g", all.items[i].name,
                     all.items[i].layer, all.items[i].value, expected);
    }
    run_close(&r);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

static void a_small_data_set_is_one_batch(void **state)
{
    fal_arrays arrays = random_arrays(17, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_trainer_options options = short_run("fa", "adam");
    values batch = {0}, all = {0};
    run r;
    (void)state;
    run_open(&r, &options);
    must(fal_trainer_measure(r.trainer, &arrays, collect, &batch));
    must(fal_trainer_measure_dataset(r.trainer, data, collect, &all));
    assert_int_equal(all.count, batch.count);
    for (size_t i = 0; i < all.count; i++)
        assert_memory_equal(&all.items[i].value, &batch.items[i].value,
                            sizeof(double));
    run_close(&r);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* ---- bad input ----------------------------------------------------------- */

static void bad_input_is_refused(void **state)
{
    fal_trainer_options options = short_run("fa", "adam");
    fal_arrays arrays = random_arrays(BATCH + 1, 20, 5, 0), one = arrays;
    fal_arrays wide = random_arrays(7, 21, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    size_t shape[4], dimensions;
    run r;
    (void)state;
    run_open(&r, &options);
    expect_error(
        fal_trainer_tensor_shape(r.trainer, "dense1.carried", shape, &dimensions),
        FAL_ERROR_ARGUMENT, "tensor dense1.carried: nothing was measured yet");
    expect_error(fal_trainer_measure(NULL, &arrays, NULL, NULL), FAL_ERROR_ARGUMENT,
                 "needs a trainer and arrays");
    expect_error(fal_trainer_measure(r.trainer, NULL, NULL, NULL),
                 FAL_ERROR_ARGUMENT, "needs a trainer and arrays");
    expect_error(fal_trainer_measure_dataset(r.trainer, NULL, NULL, NULL),
                 FAL_ERROR_ARGUMENT, "needs a trainer and a data set");
    expect_error(fal_trainer_on_metric(NULL, NULL, NULL), FAL_ERROR_ARGUMENT,
                 "needs a trainer");
    expect_error(fal_trainer_measure(r.trainer, &arrays, NULL, NULL),
                 FAL_ERROR_ARGUMENT,
                 "49 rows are more than the trainer's batch of 48");
    expect_error(fal_trainer_measure(r.trainer, &wide, NULL, NULL),
                 FAL_ERROR_ARGUMENT, "21");
    expect_error(fal_trainer_measure_dataset(r.trainer, data, NULL, NULL),
                 FAL_ERROR_ARGUMENT,
                 "measuring on 49 samples in batches of 48: layer norm1 normalizes "
                 "over the batch");
    one.count = 1;
    expect_error(fal_trainer_measure(r.trainer, &one, NULL, NULL),
                 FAL_ERROR_ARGUMENT, "give another number of samples");
    one.count = 2;
    must(fal_trainer_measure(r.trainer, &one, NULL, NULL));
    must(fal_trainer_tensor_shape(r.trainer, "dense1.carried", shape, &dimensions));
    assert_int_equal(shape[0], 2);
    assert_int_equal(shape[1], 24);
    expect_error(
        fal_trainer_tensor_shape(r.trainer, "dense3.carried", shape, &dimensions),
        FAL_ERROR_ARGUMENT, "unknown tensor 'dense3.carried'; known: ");
    float room_of[48];
    expect_error(fal_trainer_tensor_set(r.trainer, "dense1.carried", room_of, 48),
                 FAL_ERROR_ARGUMENT, "only feedback can be set");
    run_close(&r);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
    free_arrays(&wide);
}

/* 97 samples: the steps end before the batch of one that the last measurement takes. */
static void a_last_batch_too_small_is_refused_before_the_run(void **state)
{
    fal_trainer_options options = short_run("fa", "adam");
    fal_arrays arrays = random_arrays(2 * BATCH + 1, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    run r;
    (void)state;
    options.steps = 2;
    options.measure_epochs = 1;
    run_open(&r, &options);
    expect_error(fal_trainer_fit(r.trainer, data, NULL, 0, note, &r),
                 FAL_ERROR_ARGUMENT, "layer norm1 normalizes over the batch");
    assert_int_equal(r.count, 0);
    must(fal_trainer_on_metric(r.trainer, NULL, NULL));
    must(fal_trainer_fit(r.trainer, data, NULL, 0, note, &r));
    run_close(&r);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_bits_stay_as_they_are),
        cmocka_unit_test(a_fit_measures_what_comes_next),
        cmocka_unit_test(measurements_come_with_events),
        cmocka_unit_test(a_fit_after_part_of_an_epoch_measures_anew),
        cmocka_unit_test(a_fit_without_steps_measures_once),
        cmocka_unit_test(a_metric_callback_stops),
        cmocka_unit_test(a_data_set_goes_by_batches),
        cmocka_unit_test(a_small_data_set_is_one_batch),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(a_last_batch_too_small_is_refused_before_the_run),
    };
    return cmocka_run_group_tests_name("measure", tests, open_device, close_device);
}
