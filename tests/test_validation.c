/* Samples that are split off, and what a fit says of them. */
#include "learning.h"

#include "data/dataset.h"
#include "data/random.h"
#include "train/model.h"

#include <float.h>

/* ---- splitting ----------------------------------------------------------- */

/* Sample i of `count`: two bytes and label or targets that name it. */
static fal_arrays numbered(size_t count, int real)
{
    fal_arrays arrays = FAL_ARRAYS;
    uint8_t *inputs = room(count, 2);
    int32_t *labels = room(count, sizeof *labels);
    float *targets = room(3 * count, sizeof *targets);
    for (size_t i = 0; i < count; i++) {
        inputs[2 * i] = (uint8_t)i;
        inputs[2 * i + 1] = (uint8_t)(i / 256);
        labels[i] = (int32_t)i;
        for (size_t k = 0; k < 3; k++)
            targets[3 * i + k] = (float)(3 * i + k);
    }
    arrays.count = count;
    arrays.channels = 2;
    arrays.type = FAL_BYTES;
    arrays.inputs = inputs;
    arrays.labels = real ? NULL : labels;
    arrays.classes = real ? 0 : count;
    arrays.targets = real ? targets : NULL;
    arrays.outputs = real ? 3 : 0;
    fal_release(real ? (void *)labels : (void *)targets);
    return arrays;
}

/* Row `row` is sample `sample`. */
static void assert_sample(const fal_arrays *arrays, size_t row, size_t sample)
{
    const uint8_t *inputs = arrays->inputs;
    assert_int_equal(inputs[2 * row] + 256 * inputs[2 * row + 1], sample);
    if (arrays->labels)
        assert_int_equal(arrays->labels[row], sample);
    for (size_t k = 0; arrays->targets && k < 3; k++)
        assert_true(arrays->targets[3 * row + k] == (float)(3 * sample + k));
}

/* `part` holds those that the shuffle puts first, `rest` the others; both in order.
 */
static void assert_split(const fal_dataset *rest, const fal_dataset *part,
                         size_t count, size_t expected, uint64_t seed)
{
    uint32_t *order = room(count, sizeof *order);
    char *is_part = room(count, 1);
    size_t rows[2] = {0, 0};
    fal_shuffle(seed, FAL_PURPOSE_VALIDATION, 0, order, count);
    for (size_t i = 0; i < expected; i++)
        is_part[order[i]] = 1;
    assert_int_equal(part->arrays.count, expected);
    assert_int_equal(rest->arrays.count, count - expected);
    for (size_t i = 0; i < count; i++) {
        const fal_dataset *in = is_part[i] ? part : rest;
        assert_sample(&in->arrays, rows[(int)is_part[i]]++, i);
    }
    fal_release(order);
    fal_release(is_part);
}

static void the_shuffle_says_who_is_split_off(void **state)
{
    static const struct {
        size_t count;
        double share;
        size_t part;
        uint64_t seed;
    } cases[] = {{2, .5, 1, 1},
                 {10, .1, 1, 1},
                 {10, .25, 3, 1},
                 {10, .94, 9, 1},
                 {1000, .2, 200, 1},
                 {1000, .2, 200, 2},
                 {777, 1. / 3, 259, 1u << 31},
                 {1000, .9994, 999, UINT64_MAX}};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        size_t c = i / 2, count = cases[c].count;
        fal_arrays arrays = numbered(count, i % 2);
        fal_dataset *all, *rest, *part;
        arrays.borrow = 1;
        all = dataset_of(&arrays);
        must(fal_dataset_split(&rest, &part, all, cases[c].share, cases[c].seed));
        /* Both live without what they come from. */
        fal_dataset_destroy(all);
        memset((void *)arrays.inputs, 0, 2 * count);
        free_arrays(&arrays);
        assert_split(rest, part, count, cases[c].part, cases[c].seed);
        assert_int_equal(rest->arrays.classes, i % 2 ? 0 : count);
        assert_int_equal(part->arrays.outputs, i % 2 ? 3 : 0);
        assert_int_equal(part->arrays.borrow, 0);
        fal_dataset_destroy(rest);
        fal_dataset_destroy(part);
    }
}

static void names_go_with_both(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    fal_arrays arrays = numbered(4, 0);
    fal_dataset *all, *rest, *part;
    (void)state;
    arrays.class_names = names;
    all = dataset_of(&arrays);
    must(fal_dataset_split(&rest, &part, all, .5, 1));
    fal_dataset_destroy(all);
    assert_string_equal(rest->arrays.class_names[3], "d");
    assert_string_equal(part->arrays.class_names[0], "a");
    fal_dataset_destroy(rest);
    fal_dataset_destroy(part);
    free_arrays(&arrays);
}

static void shares_that_leave_nothing_are_refused(void **state)
{
    static const struct {
        double share;
        const char *message;
    } cases[] = {
        {0, "its share 0 must be above 0 and below 1"},
        {1, "its share 1 must be above 0"},
        {-.1, "its share -0.1 must be"},
        {NAN, "must be above 0"},
        {INFINITY, "its share inf"},
        {.004, "a share of 0.004 of 100 samples is none of them; give a larger"},
        {.996, "a share of 0.996 of 100 samples is all of them; give a smaller"},
    };
    fal_arrays arrays = numbered(100, 0);
    fal_dataset *all = dataset_of(&arrays), *rest = NULL, *part = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_error(fal_dataset_split(&rest, &part, all, cases[i].share, 1),
                     FAL_ERROR_ARGUMENT, cases[i].message);
    expect_error(fal_dataset_split(NULL, &part, all, .5, 1), FAL_ERROR_ARGUMENT,
                 "rest is NULL");
    expect_error(fal_dataset_split(&rest, NULL, all, .5, 1), FAL_ERROR_ARGUMENT,
                 "part is NULL");
    expect_error(fal_dataset_split(&rest, &part, NULL, .5, 1), FAL_ERROR_ARGUMENT,
                 "dataset is NULL");
    assert_null(rest);
    assert_null(part);
    fal_dataset_destroy(all);
    free_arrays(&arrays);
}

static void memory_may_fail(void **state)
{
    for (int real = 0; real < 2; real++) {
        fal_arrays arrays = numbered(10, real);
        fal_dataset *all = dataset_of(&arrays), *rest = NULL, *part = NULL;
        fal_status status = FAL_ERROR_MEMORY;
        long n = 0;
        (void)state;
        while (status == FAL_ERROR_MEMORY && n < 100) {
            assert_null(rest);
            assert_null(part);
            fal_memory_fail_at(++n);
            status = fal_dataset_split(&rest, &part, all, .3, 1);
            fal_memory_fail_at(0);
        }
        assert_int_equal(status, FAL_OK);
        assert_int_equal(n, 9); /* 2 to draw, 3 for each side */
        assert_split(rest, part, 10, 3, 1);
        fal_dataset_destroy(all);
        fal_dataset_destroy(rest);
        fal_dataset_destroy(part);
        free_arrays(&arrays);
    }
}

/* ---- fitting ------------------------------------------------------------- */

enum { EVENTS = 256 };

struct story {
    fal_progress items[EVENTS];
    size_t count;
};

static int note(const fal_progress *progress, void *user)
{
    struct story *s = user;
    assert_int_equal(progress->size, sizeof *progress);
    assert_true(s->count < EVENTS);
    s->items[s->count++] = *progress;
    return 0;
}

static const char network[] = "input 5, dense 7, tanh, dense 3";

/* A trainer on a new model, which is to be released too. */
static fal_trainer *new_trainer(fal_model **model, const char *loss)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    *model = model_of(network, 3);
    options.batch = 16;
    options.log_steps = 2;
    options.loss = loss;
    return trainer_of(*model, &options);
}

static void release(fal_trainer *trainer, fal_model *model)
{
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

/* What `fit` says is what evaluating the model at its end gives. */
static void assert_last(const struct story *s, fal_model *model,
                        const fal_dataset *part, const char *loss, int real)
{
    fal_evaluation e = {.size = sizeof e};
    const fal_progress *last = &s->items[s->count - 1];
    must(fal_model_evaluate(model, part, loss, &e));
    assert_int_equal(last->event, FAL_EPOCH);
    assert_true(fabs(last->validation_loss - e.loss) <= 1e-9 * e.loss);
    if (real)
        assert_true(isnan(last->validation_accuracy));
    else
        assert_true(last->validation_accuracy == e.accuracy);
}

static void epochs_tell_of_it(void **state)
{
    static const char *const losses[] = {"cross-entropy", "mse"};
    (void)state;
    for (int real = 0; real < 2; real++) {
        fal_arrays arrays = random_arrays(70, 5, 3, real);
        fal_dataset *all = dataset_of(&arrays), *rest, *part;
        fal_model *model;
        fal_trainer *trainer = new_trainer(&model, losses[real]);
        struct story s = {.count = 0};
        must(fal_dataset_split(&rest, &part, all, .3, 5));
        must(fal_trainer_validation(trainer, part));
        must(fal_trainer_fit(trainer, rest, NULL, 2, note, &s));
        assert_last(&s, model, part, losses[real], real);
        for (size_t i = 0; i < s.count; i++) {
            int epoch = s.items[i].event == FAL_EPOCH;
            assert_int_equal(!isnan(s.items[i].validation_loss), epoch);
            assert_true(isnan(s.items[i].test_loss));
        }
        /* Beside a test set, and no more. */
        must(fal_trainer_fit(trainer, rest, all, 1, note, &s));
        assert_last(&s, model, part, losses[real], real);
        assert_true(s.items[s.count - 1].test_loss !=
                    s.items[s.count - 1].validation_loss);
        must(fal_trainer_validation(trainer, NULL));
        must(fal_trainer_fit(trainer, rest, all, 1, note, &s));
        assert_true(isnan(s.items[s.count - 1].validation_loss));
        assert_false(isnan(s.items[s.count - 1].test_loss));
        release(trainer, model);
        fal_dataset_destroy(all);
        fal_dataset_destroy(rest);
        fal_dataset_destroy(part);
        free_arrays(&arrays);
    }
}

/* Neither weights nor standardisation know of it. */
static void looking_changes_nothing(void **state)
{
    fal_arrays arrays = random_arrays(70, 5, 3, 0);
    fal_dataset *all = dataset_of(&arrays), *rest, *part;
    fal_model *one, *other, *whole;
    fal_trainer *a = new_trainer(&one, NULL), *b = new_trainer(&other, NULL),
                *c = new_trainer(&whole, NULL);
    (void)state;
    must(fal_dataset_split(&rest, &part, all, .3, 5));
    must(fal_trainer_validation(a, part));
    must(fal_trainer_fit(a, rest, NULL, 2, NULL, NULL));
    must(fal_trainer_fit(b, rest, NULL, 2, NULL, NULL));
    must(fal_trainer_fit(c, all, NULL, 2, NULL, NULL));
    expect_equal_models(one, other);
    assert_memory_equal(one->mean, other->mean, 5 * sizeof *one->mean);
    assert_memory_not_equal(one->mean, whole->mean, 5 * sizeof *one->mean);
    release(a, one);
    release(b, other);
    release(c, whole);
    fal_dataset_destroy(all);
    fal_dataset_destroy(rest);
    fal_dataset_destroy(part);
    free_arrays(&arrays);
}

static void other_data_are_refused(void **state)
{
    fal_arrays good = random_arrays(40, 5, 3, 0), wide = random_arrays(9, 6, 3, 0),
               real = random_arrays(9, 5, 3, 1);
    fal_dataset *train = dataset_of(&good), *other = dataset_of(&wide),
                *targets = dataset_of(&real);
    fal_model *model;
    fal_trainer *trainer = new_trainer(&model, NULL);
    struct story s = {.count = 0};
    (void)state;
    expect_error(fal_trainer_validation(NULL, train), FAL_ERROR_ARGUMENT,
                 "needs a trainer");
    must(fal_trainer_validation(trainer, train));
    expect_error(fal_trainer_validation(trainer, other), FAL_ERROR_ARGUMENT,
                 "validation: data set");
    expect_error(fal_trainer_validation(trainer, targets), FAL_ERROR_ARGUMENT,
                 "cross-entropy needs labels");
    /* What was set before stays. */
    must(fal_trainer_fit(trainer, train, NULL, 1, note, &s));
    assert_last(&s, model, train, NULL, 0);
    release(trainer, model);
    fal_dataset_destroy(train);
    fal_dataset_destroy(other);
    fal_dataset_destroy(targets);
    free_arrays(&good);
    free_arrays(&wide);
    free_arrays(&real);
}

/* A last update that breaks the weights shows on what is evaluated alone. */
static void a_broken_last_step_is_seen(void **state)
{
    fal_arrays arrays = random_arrays(16, 5, 3, 0);
    fal_dataset *train = dataset_of(&arrays);
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    fal_model *model = model_of(network, 3);
    (void)state;
    options.optimizer = "sgd";
    options.learning_rate = FLT_MAX;
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_validation(trainer, train));
    expect_error(fal_trainer_fit(trainer, train, NULL, 1, NULL, NULL),
                 FAL_ERROR_DIVERGED,
                 "step 1: the loss on the validation set is no longer finite");
    release(trainer, model);
    fal_dataset_destroy(train);
    free_arrays(&arrays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shuffle_says_who_is_split_off),
        cmocka_unit_test(names_go_with_both),
        cmocka_unit_test(shares_that_leave_nothing_are_refused),
        cmocka_unit_test(memory_may_fail),
        cmocka_unit_test(epochs_tell_of_it),
        cmocka_unit_test(looking_changes_nothing),
        cmocka_unit_test(other_data_are_refused),
        cmocka_unit_test(a_broken_last_step_is_seen),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
