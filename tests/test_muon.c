/* Muon as an optimizer: what it takes and what it leaves to adamw, its launches, its
 * memory, steps that do not count, and learning. Its numbers stand against double in
 * test_rules.c, its iteration in test_newton_schulz.c. */
#include "learning.h"
#include "train/trainer.h"

static const char network[] = "input 20, dense 30, tanh, dense 40 nobias, norm, "
                              "relu, dense 30, tanh, dense 4";

static fal_trainer_options muon(const char *rule)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.optimizer = "muon";
    options.schedule = "constant";
    options.batch = 16;
    return options;
}

static void one_step(fal_trainer *trainer, const fal_arrays *arrays)
{
    double loss;
    must(fal_trainer_step(trainer, arrays, &loss));
}

/* ---- whose is what -------------------------------------------------------- */

/* The rates of both parts; one that is next to nothing leaves its own as they are. */
static void hidden_matrices_are_muons(void **state)
{
    static const char *const names[] = {
        "dense1.weight", "dense1.bias",   "dense2.weight", "norm1.weight",
        "norm1.bias",    "dense4.weight", "dense4.bias"};
    fal_arrays arrays = random_arrays(16, 20, 4, 0);
    (void)state;
    for (int adamw = 0; adamw < 2; adamw++) {
        fal_model *model = model_of(network, 1);
        fal_trainer_options options = muon("bp");
        options.learning_rate = adamw ? 1e-30 : .02;
        options.learning_rate_adamw = adamw ? .02 : 1e-30;
        fal_trainer *trainer = trainer_of(model, &options);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            size_t n;
            int is_muons = i == 0 || i == 2;
            float *before = model_floats(model, names[i], &n);
            one_step(trainer, &arrays);
            float *after = model_floats(model, names[i], &n);
            int same = 1;
            for (size_t j = 0; j < n; j++)
                same = same && fabsf(after[j] - before[j]) < 1e-20f;
            if (same != (is_muons == adamw))
                fail_msg("%s, adamw's rate %d", names[i], adamw);
            fal_release(before);
            fal_release(after);
        }
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
    }
    free_arrays(&arrays);
}

/* Whatever rule and shape, no number of a step is lost: shallow has no matrix, a
 * network of one layer neither. */
static void networks_without_matrices(void **state)
{
    static const char *const networks[] = {network, "input 20, dense 4"};
    fal_arrays arrays = random_arrays(16, 20, 4, 0);
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        fal_model *model = model_of(networks[i], 1);
        fal_trainer_options options = muon(i ? "bp" : "shallow");
        options.clip = 1;
        fal_trainer *trainer = trainer_of(model, &options);
        assert_int_equal(trainer->muon.count, 0);
        one_step(trainer, &arrays);
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
    }
    free_arrays(&arrays);
}

/* ---- launches and memory -------------------------------------------------- */

/* Norm, scale and update of each matrix; 15 products or, for long ones, 17, all
 * matrices together. */
static void matrices_share_their_launches(void **state)
{
    (void)state;
    for (size_t depth = 1; depth < 6; depth++) {
        char text[256] = "input 40";
        for (size_t l = 0; l < depth; l++)
            strcat(text, l % 2 ? ", dense 40, relu" : ", dense 90, relu");
        strcat(text, ", dense 4");
        fal_model *model = model_of(text, 1);
        fal_trainer_options options = muon("bp");
        fal_trainer *trainer = trainer_of(model, &options);
        assert_int_equal(trainer->muon.count, 3 * depth + 17);
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
    }
}

static void footprint_counts_its_room(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        fal_footprint f = {.size = sizeof f};
        fal_model *model = model_of(network, 1);
        fal_trainer_options options = muon("bp");
        options.keep_gradients = keep;
        uint64_t before = device->allocated;
        fal_trainer *trainer = trainer_of(model, &options);
        uint64_t made = device->allocated - before;
        must(fal_trainer_footprint(trainer, &f));
        /* beside them: tables of launches, the ring, a statistic or two */
        uint64_t told = f.gradient_bytes + f.optimizer_bytes + f.activation_bytes;
        assert_true(told <= made && made <= told + 60000);
        assert_true(f.optimizer_bytes >= 2 * f.parameter_bytes);
        fal_trainer_destroy(trainer);
        assert_int_equal(device->allocated, before);
        fal_model_destroy(model);
    }
}

/* Muon works where gradients were, unless they are to be kept. */
static void gradients_are_kept_on_request(void **state)
{
    fal_arrays arrays = random_arrays(16, 20, 4, 0);
    fal_model *models[2];
    float *found[2] = {room(600, sizeof(float)), room(600, sizeof(float))};
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        models[keep] = model_of(network, 1);
        fal_trainer_options options = muon("fa");
        options.keep_gradients = keep;
        fal_trainer *trainer = trainer_of(models[keep], &options);
        for (int i = 0; i < 3; i++)
            one_step(trainer, &arrays);
        fal_status status = fal_trainer_tensor(trainer, "dense1.weight.gradient",
                                               found[keep], 600);
        if (keep)
            must(status);
        else
            expect_error(status, FAL_ERROR_ARGUMENT, "keep_gradients");
        fal_trainer_destroy(trainer);
    }
    expect_equal_models(models[0], models[1]);
    double sum = 0;
    for (size_t i = 0; i < 600; i++)
        sum += fabs((double)found[1][i]);
    assert_true(sum > 0 && isfinite(sum));
    for (int i = 0; i < 2; i++) {
        fal_model_destroy(models[i]);
        fal_release(found[i]);
    }
    free_arrays(&arrays);
}

/* ---- steps that do not count ---------------------------------------------- */

/* A diverged step leaves weights, momentum and squares: the next is as if it had
 * never been. */
static void a_diverged_step_leaves_no_trace(void **state)
{
    fal_arrays good[2] = {random_arrays(16, 20, 4, 0), random_arrays(16, 20, 4, 0)};
    fal_arrays bad = random_arrays(16, 20, 4, 0);
    fal_model *models[2];
    (void)state;
    ((float *)(uintptr_t)bad.inputs)[77] = NAN;
    for (int diverges = 0; diverges < 2; diverges++) {
        double loss;
        /* without a norm, whose running statistics go on */
        models[diverges] = model_of("input 20, dense 30, relu, dense 9, relu, "
                                    "dense 4",
                                    1);
        fal_trainer_options options = muon("bp");
        options.clip = 1;
        fal_trainer *trainer = trainer_of(models[diverges], &options);
        one_step(trainer, &good[0]);
        if (diverges)
            expect_error(fal_trainer_step(trainer, &bad, &loss), FAL_ERROR_DIVERGED,
                         "no longer finite");
        one_step(trainer, &good[1]);
        fal_trainer_destroy(trainer);
    }
    expect_equal_models(models[0], models[1]);
    fal_model_destroy(models[0]);
    fal_model_destroy(models[1]);
    free_arrays(&good[0]);
    free_arrays(&good[1]);
    free_arrays(&bad);
}

/* No gradient at all: nothing but decay moves. */
static void zero_gradients_move_nothing(void **state)
{
    fal_arrays arrays = random_arrays(16, 20, 4, 0);
    size_t n;
    (void)state;
    memset((void *)(uintptr_t)arrays.inputs, 0, 16 * 20 * sizeof(float));
    fal_model *model = model_of("input 20, dense 30 nobias, relu, dense 4", 1);
    fal_trainer_options options = muon("bp");
    fal_trainer *trainer = trainer_of(model, &options);
    float *before = model_floats(model, "dense1.weight", &n);
    for (int i = 0; i < 3; i++)
        one_step(trainer, &arrays);
    float *after = model_floats(model, "dense1.weight", &n);
    assert_memory_equal(before, after, n * sizeof *after);
    fal_release(before);
    fal_release(after);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    free_arrays(&arrays);
}

/* ---- rates ---------------------------------------------------------------- */

/* Both parts follow the rate that is set. */
static void set_rates_keep_their_proportion(void **state)
{
    fal_arrays arrays = random_arrays(16, 20, 4, 0);
    fal_model *models[2];
    (void)state;
    for (int set = 0; set < 2; set++) {
        models[set] = model_of(network, 1);
        fal_trainer_options options = muon("dfa");
        options.learning_rate = set ? .25 : .125;
        options.learning_rate_adamw = set ? .5 : .25;
        fal_trainer *trainer = trainer_of(models[set], &options);
        if (set)
            must(fal_trainer_learning_rate(trainer, .125));
        one_step(trainer, &arrays);
        fal_trainer_destroy(trainer);
    }
    expect_equal_models(models[0], models[1]);
    fal_model_destroy(models[0]);
    fal_model_destroy(models[1]);
    free_arrays(&arrays);
}

/* ---- learning ------------------------------------------------------------- */

static fal_dataset *sample(fal_split split)
{
    fal_dataset *data = NULL;
    must(fal_dataset_open(&data, getenv("FALIGN_TEST_DATA"), split));
    return data;
}

static void learns_under_every_rule(void **state)
{
    static const char *const rules[] = {"bp", "fa", "dfa"};
    fal_dataset *train = sample(FAL_SPLIT_TRAIN), *test = sample(FAL_SPLIT_TEST);
    (void)state;
    for (size_t r = 0; r < 3; r++) {
        fal_evaluation result = {.size = sizeof result};
        fal_model *model = model_of(
            "input 28x28x1, dense 64, relu, dense 64, relu, "
            "dense 10",
            1);
        fal_trainer_options options = muon(rules[r]);
        options.schedule = "cosine";
        options.batch = 50;
        options.learning_rate_adamw = .003;
        fal_trainer *trainer = trainer_of(model, &options);
        must(fal_trainer_fit(trainer, train, NULL, 4, NULL, NULL));
        must(fal_model_evaluate(model, test, NULL, &result));
        if (!(result.accuracy > .7))
            fail_msg("%s: %.1f %%", rules[r], 100 * result.accuracy);
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
    }
    fal_dataset_destroy(train);
    fal_dataset_destroy(test);
}

/* As many threads as there may be: the same bits. */
static void units_change_no_bit(void **state)
{
    static const unsigned units[] = {5, 1, 2};
    fal_arrays arrays = random_arrays(16, 20, 4, 0);
    fal_device *own = device;
    size_t n = 0, m;
    float *first = NULL;
    (void)state;
    must(fal_device_open(&device, NULL));
    for (size_t u = 0; u < 3; u++) {
        device->facts.units = units[u];
        fal_model *model = model_of(network, 1);
        fal_trainer_options options = muon("bp");
        options.clip = .5;
        fal_trainer *trainer = trainer_of(model, &options);
        for (int i = 0; i < 3; i++)
            one_step(trainer, &arrays);
        float *found = all_weights(model, &m);
        if (u == 0)
            first = found, n = m;
        if (u > 0) {
            assert_memory_equal(first, found, n * sizeof *found);
            fal_release(found);
        }
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
    }
    fal_release(first);
    fal_device_destroy(device);
    device = own;
    free_arrays(&arrays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hidden_matrices_are_muons),
        cmocka_unit_test(networks_without_matrices),
        cmocka_unit_test(matrices_share_their_launches),
        cmocka_unit_test(footprint_counts_its_room),
        cmocka_unit_test(gradients_are_kept_on_request),
        cmocka_unit_test(a_diverged_step_leaves_no_trace),
        cmocka_unit_test(zero_gradients_move_nothing),
        cmocka_unit_test(set_rates_keep_their_proportion),
        cmocka_unit_test(learns_under_every_rule),
        cmocka_unit_test(units_change_no_bit),
    };
    return cmocka_run_group_tests_name("muon", tests, open_device, close_device);
}
