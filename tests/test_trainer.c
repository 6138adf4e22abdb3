/* The trainer: same seeds, partial batches, order, streaming, saved starts, events.
 * Bits must be equal wherever two ways should be the same. */
#include "twin.h"
#include "data/random.h"

#include <unistd.h>

static const char *const network = "input 20, dense 40, relu, dense 30, tanh, "
                                   "dense 5";

static fal_trainer_options short_run(const char *rule)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.batch = 64;
    return options;
}

/* A model trained for two epochs. */
static fal_model *fitted(const fal_arrays *arrays,
                         const fal_trainer_options *options)
{
    fal_model *model = model_of(network, 1);
    fal_trainer *trainer = trainer_of(model, options);
    fal_dataset *data = dataset_of(arrays);
    must(fal_trainer_fit(trainer, data, NULL, 2, NULL, NULL));
    fal_trainer_destroy(trainer);
    fal_dataset_destroy(data);
    return model;
}

static int differ(fal_model *a, fal_model *b)
{
    size_t n, m;
    float *x = all_weights(a, &n), *y = all_weights(b, &m);
    int differs = memcmp(x, y, n * sizeof *x) != 0;
    assert_int_equal(n, m);
    fal_release(x);
    fal_release(y);
    return differs;
}

/* ---- repeatability ------------------------------------------------------- */

static void same_seeds_give_the_same_bits(void **state)
{
    static const char *const rules[] = {"bp",   "usf",  "shallow", "fa", "dfa",
                                        "brsf", "frsf", "kp",      "wm"};
    fal_arrays arrays = random_arrays(333, 20, 5, 0);
    (void)state;
    for (size_t r = 0; r < 9; r++) {
        fal_trainer_options options = short_run(rules[r]);
        fal_model *a = fitted(&arrays, &options), *b = fitted(&arrays, &options);
        expect_equal_models(a, b);
        fal_model_destroy(b);
        options.data_seed = 2;
        b = fitted(&arrays, &options);
        assert_true(differ(a, b));
        fal_model_destroy(b);
        options.data_seed = 1;
        options.feedback_seed = 2;
        b = fitted(&arrays, &options);
        assert_int_equal(differ(a, b), r >= 3);
        fal_model_destroy(a);
        fal_model_destroy(b);
    }
    free_arrays(&arrays);
}

/* Rows in the order of an epoch. */
static fal_arrays shuffled(const fal_arrays *arrays, uint64_t seed, uint32_t epoch)
{
    fal_arrays to = *arrays;
    size_t n = arrays->count, width = arrays->channels;
    uint32_t *order = room(n, sizeof *order);
    float *inputs = room(n * width, sizeof *inputs);
    int32_t *labels = room(n, sizeof *labels);
    fal_shuffle(seed, FAL_PURPOSE_ORDER, epoch, order, n);
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

static void steps_by_hand_are_a_fit(void **state)
{
    enum { SAMPLES = 333, BATCHES = 6 };
    fal_arrays arrays = random_arrays(SAMPLES, 20, 5, 0);
    fal_trainer_options options = short_run("dfa");
    (void)state;
    fal_model *fit = fitted(&arrays, &options), *hand = model_of(network, 1);
    fal_dataset *data = dataset_of(&arrays);
    must(fal_model_standardize(hand, data, "channel"));
    options.steps = 2 * BATCHES; /* the cosine's length */
    fal_trainer *trainer = trainer_of(hand, &options);
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        fal_arrays order = shuffled(&arrays, 1, epoch);
        for (size_t start = 0; start < SAMPLES; start += 64) {
            size_t rows = SAMPLES - start < 64 ? SAMPLES - start : 64;
            fal_arrays batch = rows_of(&order, start, rows);
            double loss;
            must(fal_trainer_step(trainer, &batch, start % 128 ? &loss : NULL));
        }
        free_arrays(&order);
    }
    expect_equal_models(fit, hand);
    fal_trainer_destroy(trainer);
    fal_model_destroy(fit);
    fal_model_destroy(hand);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

static int watch(const fal_progress *progress, void *user)
{
    *(size_t *)user += progress->event == FAL_EPOCH;
    return 0;
}

/* Full batches, more of them than the ring of losses has room for: whether somebody
 * watches or not. */
static void epochs_of_one_batch_are_the_same_unwatched(void **state)
{
    enum { EPOCHS = 300 };
    fal_arrays arrays = random_arrays(50, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_model *models[2];
    size_t seen = 0;
    (void)state;
    for (int watched = 0; watched < 2; watched++) {
        fal_trainer_options options = short_run("fa");
        options.log_steps = 1000;
        models[watched] = model_of(network, 1);
        fal_trainer *trainer = trainer_of(models[watched], &options);
        must(fal_trainer_fit(trainer, data, NULL, EPOCHS, watched ? watch : NULL,
                             &seen));
        fal_trainer_destroy(trainer);
    }
    assert_int_equal(seen, EPOCHS);
    expect_equal_models(models[0], models[1]);
    fal_model_destroy(models[0]);
    fal_model_destroy(models[1]);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* The same run from the device's memory and sent batch by batch. */
static void check_streaming(const fal_arrays *arrays, const char *loss)
{
    fal_trainer_options options = short_run("fa");
    uint64_t limit = device->resident_limit;
    options.loss = loss;
    for (int unshuffled = 0; unshuffled < 2; unshuffled++) {
        options.no_shuffle = unshuffled;
        fal_model *resident = fitted(arrays, &options);
        device->resident_limit = 0;
        fal_model *streamed = fitted(arrays, &options);
        device->resident_limit = limit;
        expect_equal_models(resident, streamed);
        fal_model_destroy(resident);
        fal_model_destroy(streamed);
    }
}

static void streaming_gives_the_same_bits(void **state)
{
    fal_arrays arrays = random_arrays(333, 20, 5, 0), bytes, real;
    (void)state;
    check_streaming(&arrays, NULL);
    real = random_arrays(333, 20, 5, 1);
    check_streaming(&real, "mse");
    bytes = arrays;
    unsigned char *stored = room(333 * 20, 1);
    for (size_t i = 0; i < 333 * 20; i++)
        stored[i] = (unsigned char)(127 * (uniform() + 1));
    bytes.inputs = stored;
    bytes.type = FAL_BYTES;
    check_streaming(&bytes, NULL);
    fal_release(stored);
    free_arrays(&arrays);
    free_arrays(&real);
}

/* ---- partial batches ----------------------------------------------------- */

static void a_partial_batch_has_its_own_mean(void **state)
{
    const fal_reference_layer layers[] = {layer(20, 17, FAL_TANH, FAL_LINEAR),
                                          layer(17, 5, FAL_LINEAR, FAL_LINEAR)};
    static const size_t rows[] = {5, 1, 127, 128};
    (void)state;
    for (int real = 0; real < 2; real++) {
        fal_trainer_options options = FAL_TRAINER_OPTIONS;
        options.rule = "fa";
        options.loss = real ? "mse" : NULL;
        options.optimizer = "sgd";
        twin t = twin_open(layers, 2, options, random_arrays(128, 20, 5, real));
        must(fal_trainer_step(t.trainer, &t.arrays, NULL));
        for (size_t i = 0; i < 4; i++) {
            double loss;
            twin_data(&t, random_arrays(rows[i], 20, 5, real));
            take_weights(&t);
            double expected = fal_reference_network_forward(&t.net, &t.batch);
            must(fal_trainer_step(t.trainer, &t.arrays, &loss));
            fal_reference_network_backward(&t.net, &t.batch);
            assert_true(fabs(loss - expected) <= 2e-6 * expected + 1e-7);
            expect_same_step(&t, 5e-6);
        }
        twin_close(&t);
    }
}

typedef struct seen {
    size_t count, stop_at;
    fal_progress items[256];
} seen;

static int note(const fal_progress *progress, void *user)
{
    seen *s = user;
    assert_int_equal(progress->size, sizeof *progress);
    assert_true(s->count < 256);
    s->items[s->count++] = *progress;
    return s->count == s->stop_at;
}

/* With a rate of 0 the training loss is the loss of the whole set, each sample
 * counted once. */
static void an_epoch_is_the_mean_over_samples(void **state)
{
    fal_arrays arrays = random_arrays(133, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_model *model = model_of(network, 3);
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    fal_evaluation found = {.size = sizeof found};
    seen s = {0};
    (void)state;
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_learning_rate(trainer, 0));
    must(fal_trainer_fit(trainer, data, data, 1, note, &s));
    must(fal_model_evaluate(model, data, NULL, &found));
    const fal_progress *last = &s.items[s.count - 1];
    assert_int_equal(last->event, FAL_EPOCH);
    assert_true(fabs(last->train_loss - found.loss) < 1e-6 * found.loss);
    assert_true(fabs(last->train_accuracy - found.accuracy) < 1e-12);
    assert_true(last->test_loss == found.loss);
    assert_true(last->test_accuracy == found.accuracy);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* ---- saved starts -------------------------------------------------------- */

static void a_saved_start_repeats_the_run(void **state)
{
    static const char *const rules[] = {"fa", "dfa", "frsf"};
    char file[] = "/tmp/falign-start-XXXXXX";
    fal_arrays arrays = random_arrays(333, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    (void)state;
    close(mkstemp(file));
    for (size_t r = 0; r < 3; r++) {
        fal_trainer_options options = short_run(rules[r]);
        fal_model *first = model_of(network, 5), *again = NULL;
        fal_trainer *a = trainer_of(first, &options);
        must(fal_model_standardize(first, data, NULL));
        must(fal_trainer_save(a, file));
        must(fal_trainer_fit(a, data, NULL, 2, NULL, NULL));
        must(fal_model_load(&again, device, file));
        options.feedback_seed = 99;
        fal_trainer *b = trainer_of(again, &options);
        must(fal_trainer_load_feedback(b, file));
        must(fal_trainer_fit(b, data, NULL, 2, NULL, NULL));
        expect_equal_models(first, again);
        fal_trainer_destroy(a);
        fal_trainer_destroy(b);
        fal_model_destroy(first);
        fal_model_destroy(again);
    }
    unlink(file);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

static void feedback_of_another_shape_is_refused(void **state)
{
    char file[] = "/tmp/falign-start-XXXXXX";
    fal_trainer_options options = short_run("fa");
    (void)state;
    close(mkstemp(file));
    fal_model *model = model_of(network, 5), *wide = model_of("input 20, dense 41, "
                                                              "relu, dense 5",
                                                              5);
    fal_trainer *t = trainer_of(model, &options), *w = trainer_of(wide, &options);
    must(fal_trainer_save(t, file));
    expect_error(fal_trainer_load_feedback(w, file), FAL_ERROR_FORMAT,
                 "dense2.feedback");
    expect_error(fal_trainer_load_feedback(w, "/nowhere/x"), FAL_ERROR_FILE,
                 "/nowhere/x");
    fal_trainer_destroy(t);
    fal_trainer_destroy(w);
    fal_model_destroy(model);
    fal_model_destroy(wide);
    unlink(file);
}

/* ---- events -------------------------------------------------------------- */

/* One letter an event: ^ start, . step, L log, E epoch. */
static void expect_events(const seen *s, const char *letters)
{
    static const char names[] = ".LE^";
    char text[257] = "";
    for (size_t i = 0; i < s->count; i++)
        text[i] = names[s->items[i].event];
    assert_string_equal(text, letters);
}

static void check_numbers(const seen *s)
{
    uint64_t step = 0;
    for (size_t i = 0; i < s->count; i++) {
        const fal_progress *p = &s->items[i];
        int has_means = p->event == FAL_LOG || p->event == FAL_EPOCH;
        assert_true(p->step >= step);
        step = p->step;
        assert_int_equal(p->steps, 10);
        assert_int_equal(p->epochs, 2);
        assert_int_equal(!isnan(p->train_loss), has_means);
        assert_int_equal(!isnan(p->train_accuracy), has_means);
        assert_int_equal(!isnan(p->test_loss), p->event == FAL_EPOCH);
        assert_true(p->seconds >= 0);
    }
    assert_int_equal(step, 10);
}

static void events_come_in_order(void **state)
{
    fal_arrays arrays = random_arrays(300, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_model *model = model_of(network, 1);
    fal_trainer_options options = short_run("bp");
    seen s = {0};
    (void)state;
    options.log_steps = 3;
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_fit(trainer, data, data, 2, note, &s));
    /* 5 batches an epoch; the log of step 3 comes before its FAL_STEP */
    expect_events(&s, "^..L...EL...L..E");
    check_numbers(&s);
    assert_int_equal(s.items[7].epoch, 1);
    assert_int_equal(s.items[7].step, 5);
    assert_int_equal(s.items[15].epoch, 2);
    s.count = 0;
    must(fal_trainer_fit(trainer, data, NULL, 1, note, &s));
    /* logs at steps 12 and 15 of the trainer's life */
    expect_events(&s, "^.L...L.E");
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* `steps` ends a run within an epoch, which is reported all the same. */
static void steps_end_a_run(void **state)
{
    fal_arrays arrays = random_arrays(300, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_model *model = model_of(network, 1);
    fal_trainer_options options = short_run("bp");
    seen s = {0};
    (void)state;
    options.steps = 7;
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_fit(trainer, data, NULL, 0, note, &s));
    expect_events(&s, "^.....E..E");
    assert_int_equal(s.items[9].step, 7);
    assert_int_equal(s.items[9].epoch, 1);
    assert_int_equal(s.items[9].epochs, 0);
    s.count = 0;
    must(fal_trainer_fit(trainer, data, NULL, 1, note, &s));
    expect_events(&s, "^.....E");
    assert_int_equal(s.items[6].step, 12);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

static void a_callback_stops(void **state)
{
    fal_arrays arrays = random_arrays(300, 20, 5, 0);
    fal_dataset *data = dataset_of(&arrays);
    fal_model *model = model_of(network, 1);
    fal_trainer_options options = short_run("bp");
    fal_trainer *trainer = trainer_of(model, &options);
    seen s = {.stop_at = 4};
    (void)state;
    expect_error(fal_trainer_fit(trainer, data, NULL, 2, note, &s), FAL_STOPPED,
                 "step 3");
    expect_events(&s, "^...");
    s = (seen){.stop_at = 1};
    expect_error(fal_trainer_fit(trainer, data, NULL, 2, note, &s), FAL_STOPPED,
                 "step 3");
    expect_events(&s, "^");
    s = (seen){.stop_at = 7}; /* at the epoch's end */
    expect_error(fal_trainer_fit(trainer, data, NULL, 2, note, &s), FAL_STOPPED,
                 "step 8");
    expect_events(&s, "^.....E");
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

/* ---- launches ------------------------------------------------------------ */

static size_t launches_of(const char *text, const fal_trainer_options *options)
{
    fal_footprint found = {.size = sizeof found};
    fal_model *model = model_of(text, 1);
    fal_trainer *trainer = trainer_of(model, options);
    must(fal_trainer_footprint(trainer, &found));
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    return found.launches;
}

/* Norm and factor; every further launch of a step would cost its 30 µs too. */
static void a_step_takes_few_launches(void **state)
{
    static const char *const mlp = "input 784, dense 64, relu, dense 64, relu, "
                                   "dense 10";
    fal_trainer_options options = short_run("bp");
    (void)state;
    assert_in_range(launches_of(mlp, &options), 1, 14);
    options.keep_gradients = 1;
    size_t plain = launches_of(mlp, &options);
    options.clip = 1;
    assert_int_equal(launches_of(mlp, &options), plain + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seeds_give_the_same_bits),
        cmocka_unit_test(steps_by_hand_are_a_fit),
        cmocka_unit_test(epochs_of_one_batch_are_the_same_unwatched),
        cmocka_unit_test(streaming_gives_the_same_bits),
        cmocka_unit_test(a_partial_batch_has_its_own_mean),
        cmocka_unit_test(an_epoch_is_the_mean_over_samples),
        cmocka_unit_test(a_saved_start_repeats_the_run),
        cmocka_unit_test(feedback_of_another_shape_is_refused),
        cmocka_unit_test(events_come_in_order),
        cmocka_unit_test(steps_end_a_run),
        cmocka_unit_test(a_callback_stops),
        cmocka_unit_test(a_step_takes_few_launches),
    };
    return cmocka_run_group_tests_name("trainer", tests, open_device, close_device);
}
