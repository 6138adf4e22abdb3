/* Networks with blocks: what shares memory changes nothing, each way of a block gets its
 * own signal, and gradients are those of finite differences in the loss, which
 * knows nothing of how they were made. `test_residual EVERY` takes only every so manieth
 * pair of a small network and a rule, and one network's gradients, for devices on which
 * launches and products take long. */
#include "learning.h"
#include "net/packing.h"
#include "train/trainer.h"

enum { ROWS = 6, HEIGHT = 7, WIDTH = 5, CHANNELS = 2, CLASSES = 3, NETWORKS = 17 };
enum { INPUTS = HEIGHT * WIDTH * CHANNELS, SMALL_NETWORKS = 13 };

/* Blocks one behind the other, in each other, that begin or end with anything; and maps so
 * large that they are made again for the backward pass: by a norm in pieces of the whole
 * batch, at once of half of it. */
static const char *const networks[NETWORKS] = {
    "conv 4 3, tanh, "
    "block(conv 4 3, tanh, conv 4 3; shortcut=identity), tanh, "
    "block(conv 4 3, tanh, conv 4 3; shortcut=identity), tanh, "
    "dense 3",
    "conv 4 3 nobias, norm, tanh, "
    "block(conv 4 3 nobias, norm, tanh, conv 4 3 nobias, norm; shortcut=identity), "
    "tanh, "
    "block(conv 6 3 stride 2 nobias, norm, tanh, conv 6 3 nobias, norm; "
    "shortcut=projection), "
    "tanh, "
    "block(conv 9 3 stride 2, tanh, conv 9 1; shortcut=zeropad), tanh, "
    "pool global, dense 3",
    "conv 4 3, "
    "block(norm layer, tanh, conv 4 3; shortcut=identity), "
    "block(tanh, conv 4 3, sigmoid; shortcut=identity), "
    "pool average 2, dense 5, tanh, dense 3",
    "conv 3 3, tanh, "
    "block(conv 3 3, block(conv 3 3, tanh, conv 3 3; shortcut=identity), tanh, "
    "conv 5 3 stride 2; shortcut=projection), "
    "tanh, pool average 2 stride 1, "
    "block(conv 5 3, tanh; shortcut=identity), flatten, dense 3",
    "block(conv 2 3, tanh, conv 2 3; shortcut=identity), tanh, "
    "block(pool average 2 stride 1, conv 2 2 pad 1; shortcut=projection), tanh, "
    "dense 3",
    "dense 6, tanh, "
    "block(dense 6, tanh, dense 6; shortcut=identity), tanh, "
    "block(dense 4, norm layer; shortcut=projection), tanh, "
    "dense 3",
    "conv 4 3, tanh, block(block(conv 4 3, tanh, conv 4 3; shortcut=identity); "
    "shortcut=identity), dense 3",
    "conv 4 3, tanh, block(conv 5 3 stride 2, block(conv 5 3, norm layer; "
    "shortcut=identity); shortcut=projection), dense 3",
    "conv 4 3, tanh, block(tanh, block(tanh, conv 4 3; shortcut=identity), tanh; "
    "shortcut=identity), dense 3",
    "conv 4 3, tanh, block(norm layer; shortcut=identity), tanh, dense 3",
    "conv 4 3, block(block(conv 6 3 stride 2, norm layer; shortcut=zeropad); "
    "shortcut=projection), dense 3",
    "conv 4 3, block(conv 4 3; shortcut=identity), block(block(tanh; "
    "shortcut=identity), block(conv 4 3; shortcut=identity); shortcut=identity), "
    "block(conv 4 3, tanh; shortcut=projection), dense 3",
    "conv 4 3, norm layer, block(block(sigmoid; shortcut=projection), "
    "block(norm layer, tanh; shortcut=projection); shortcut=projection), dense 3",
    "conv 64 3 nobias, norm, tanh, "
    "block(conv 256 3 nobias, norm, tanh, conv 64 3 nobias, norm; "
    "shortcut=identity), tanh, "
    "block(conv 64 3 stride 2 nobias, norm, tanh, conv 64 3 nobias, norm, tanh; "
    "shortcut=projection), pool global, dense 3",
    "conv 256 3, tanh, "
    "block(norm, tanh, conv 256 3, norm, tanh, conv 256 3; shortcut=identity), "
    "block(norm, tanh, conv 256 3, norm, tanh, conv 256 3; shortcut=identity), "
    "pool global, dense 3",
    "conv 256 3 nobias, norm, conv 256 3, tanh, pool global, dense 3",
    "conv 256 3, norm, tanh, norm, tanh, block(conv 256 3, conv 256 3; "
    "shortcut=projection), pool global, dense 3"};

/* One whose norm passes nothing on, so that its input is wanted no more */
static const char frozen[] =
    "conv 256 3 nobias rule=shallow, norm, tanh, conv 256 3, "
    "tanh, pool global, dense 3";

static size_t every = 1;

static float inputs[ROWS * INPUTS];
static int32_t labels[ROWS];

static fal_arrays make_batch(void)
{
    fal_arrays batch = FAL_ARRAYS;
    for (size_t i = 0; i < ROWS * INPUTS; i++)
        inputs[i] = (float)(2 * uniform());
    for (size_t i = 0; i < ROWS; i++)
        labels[i] = (int32_t)(i % CLASSES);
    batch.count = ROWS;
    batch.height = HEIGHT;
    batch.width = WIDTH;
    batch.channels = CHANNELS;
    batch.type = FAL_FLOATS;
    batch.inputs = inputs;
    batch.labels = labels;
    batch.classes = CLASSES;
    return batch;
}

static fal_model *make_model(const char *layers)
{
    char text[1024];
    fal_model *model = NULL;
    const fal_model_options options = FAL_MODEL_OPTIONS;
    snprintf(text, sizeof text, "input %dx%dx%d, %s", HEIGHT, WIDTH, CHANNELS,
             layers);
    must(fal_model_create(&model, device, text, &options));
    return model;
}

static fal_trainer *make_trainer(fal_model *model, const char *rule, int keep)
{
    fal_trainer *trainer = NULL;
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.optimizer = "sgd";
    options.schedule = "constant";
    options.learning_rate = .05;
    options.batch = ROWS;
    options.keep_gradients = keep;
    must(fal_trainer_create(&trainer, model, &options));
    return trainer;
}

static float *read_model(const fal_model *model, size_t *floats)
{
    float *all = NULL;
    *floats = 0;
    for (size_t i = 0; i < model->tensors.count; i++) {
        size_t count = fal_tensor_floats(&model->tensors.items[i]);
        all = fal_resize(all, *floats + count, sizeof *all);
        must(fal_tensor_read(&model->tensors.items[i], all + *floats, count));
        *floats += count;
    }
    return all;
}

static void expect_same_bits(const char *layers, const char *rule)
{
    float *weights[2];
    size_t floats = 0;
    for (int keep = 0; keep < 2; keep++) {
        fal_arrays batch = make_batch();
        fal_model *model = make_model(layers);
        fal_trainer *trainer = make_trainer(model, rule, keep);
        for (int step = 0; step < 3; step++) {
            batch.count = step == 1 ? ROWS / 2 : ROWS;
            must(fal_trainer_step(trainer, &batch, NULL));
        }
        weights[keep] = read_model(model, &floats);
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
        noise = 7;
    }
    for (size_t i = 0; i < floats; i++)
        if (fabs((double)weights[0][i] - (double)weights[1][i]) >
            1e-6 + 1e-5 * fabs((double)weights[1][i]))
            fail_msg("%s, %s: number %zu is %g, with all deltas kept %g", rule,
                     layers, i, (double)weights[0][i], (double)weights[1][i]);
    fal_release(weights[0]);
    fal_release(weights[1]);
}

static void shared_memory_changes_nothing(void **state)
{
    enum { RULES = 5, SHORTCUTS = 3 };
    static const char *const shortcuts[SHORTCUTS] = {"=identity", "=projection",
                                                     "=zeropad"};
    static const char *const rules[RULES] = {"bp", "fa", "dfa", "kp", "brsf"};
    unsigned seen = 0;
    (void)state;
    const size_t count = every > 1 ? SMALL_NETWORKS : NETWORKS + 1;
    for (size_t i = 0; i < RULES * count; i += every) {
        const size_t n = i / RULES;
        noise = 7;
        expect_same_bits(n < NETWORKS ? networks[n] : frozen, rules[i % RULES]);
        seen |= 1u << i % RULES;
        for (size_t s = 0; s < SHORTCUTS && n < NETWORKS; s++)
            seen |= strstr(networks[n], shortcuts[s]) ? 1u << (RULES + s) : 0;
    }
    assert_int_equal(seen, (1u << (RULES + SHORTCUTS)) - 1);
}

static void what_is_packed_never_meets(void **state)
{
    enum { ITEMS = 40, TURNS = 200 };
    (void)state;
    for (int turn = 0; turn < TURNS; turn++) {
        fal_packed items[ITEMS];
        uint64_t floats = 0, busiest = 0;
        for (size_t i = 0; i < ITEMS; i++) {
            size_t first = (size_t)(50 * (uniform() + 1));
            items[i] = (fal_packed){.floats = 1 + (uint64_t)(500 * (uniform() + 1)),
                                    .first = first,
                                    .last = first + (size_t)(9 * (uniform() + 1))};
        }
        must(fal_pack(items, ITEMS, &floats));
        for (size_t time = 0; time < 120; time++) {
            uint64_t busy = 0;
            for (size_t i = 0; i < ITEMS; i++) {
                const fal_packed *a = &items[i];
                int lives = a->first <= time && time <= a->last;
                busy += lives ? a->floats : 0;
                for (size_t j = 0; j < i && lives; j++) {
                    const fal_packed *b = &items[j];
                    if (b->first <= time && time <= b->last &&
                        a->offset < b->offset + b->floats &&
                        b->offset < a->offset + a->floats)
                        fail_msg("things %zu and %zu meet at %zu", i, j, time);
                }
                assert_true(a->offset % 16 == 0 && a->offset + a->floats <= floats);
            }
            busiest = busy > busiest ? busy : busiest;
        }
        if (floats > busiest * 3 / 2 + 16 * ITEMS)
            fail_msg("%zu floats for at most %zu at a time", (size_t)floats,
                     (size_t)busiest);
    }
}

/* Behind a pool, which no direct signal enters, nobody waits for an error: what would
 * carry one there, behind a convolution that writes turned weights, is left out. */
static void direct_rules_carry_nothing_in_vain(void **state)
{
    static const char *const rules[] = {"bp", "dfa"};
    (void)state;
    for (size_t r = 0; r < 2; r++) {
        const fal_arrays batch = make_batch();
        size_t carried = 0;
        fal_model *model = make_model(
            "conv 4 3, tanh, pool max 2, conv 4 3, tanh, pool max 2, dense 3");
        fal_trainer *trainer = make_trainer(model, rules[r], 0);
        must(fal_trainer_step(trainer, &batch, NULL));
        const fal_launches *launches = &trainer->plans[0].launches;
        for (size_t i = 0; i < launches->count; i++)
            carried += strcmp(launches->items[i].name, "turn_weights") == 0;
        assert_int_equal(carried, r == 0);
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
    }
}

/* ---- finite differences -------------------------------------------------- */

static const double STEP = .002;

/* With a rate of 0 a step changes nothing but what batch norms remember. */
static double loss_of(fal_trainer *trainer, const fal_arrays *batch)
{
    double loss = 0;
    must(fal_trainer_step(trainer, batch, &loss));
    return loss;
}

/* The loss where a tensor is `by` further in a direction. */
static double loss_at(fal_trainer *trainer, const fal_arrays *batch,
                      const fal_tensor *tensor, const float *values,
                      const float *direction, double by)
{
    size_t count = fal_tensor_floats(tensor);
    float *moved = room(count, sizeof *moved);
    for (size_t i = 0; i < count; i++)
        moved[i] = (float)((double)values[i] + by * (double)direction[i]);
    must(fal_tensor_write(tensor, moved, count));
    fal_release(moved);
    return loss_of(trainer, batch);
}

static double length_of(const float *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

/* Along the gradient the loss grows by its length; along a random way by its share. */
static void check_tensor(fal_trainer *trainer, const fal_arrays *batch,
                         const fal_tensor *tensor, const char *network)
{
    char name[128];
    size_t count = fal_tensor_floats(tensor);
    float *values = room(count, sizeof *values),
          *gradient = room(count, sizeof *values);
    snprintf(name, sizeof name, "%s.gradient", tensor->name);
    loss_of(trainer, batch);
    must(fal_tensor_read(tensor, values, count));
    must(fal_trainer_tensor(trainer, name, gradient, count));
    for (int i = 0; i < 2; i++) {
        float *direction = i ? random_floats(count, 1) : gradient;
        double length = length_of(direction, count), by = STEP / length, along = 0;
        for (size_t j = 0; j < count; j++)
            along += (double)gradient[j] * (double)direction[j] / length;
        double above = loss_at(trainer, batch, tensor, values, direction, by);
        double below = loss_at(trainer, batch, tensor, values, direction, -by);
        if (fabs((above - below) / (2 * STEP) - along) > 3e-4 + 4e-3 * fabs(along))
            fail_msg("%s, %s: the loss changes by %g, the gradient says %g", name,
                     network, (above - below) / (2 * STEP), along);
        if (i)
            fal_release(direction);
    }
    must(fal_tensor_write(tensor, values, count));
    fal_release(values);
    fal_release(gradient);
}

static void gradients_are_those_of_the_loss(void **state)
{
    (void)state;
    const size_t first = every > 1 ? 4 : 0, end = every > 1 ? 5 : NETWORKS;
    for (size_t n = first; n < end; n++) {
        noise = 11 + n;
        const fal_arrays batch = make_batch();
        fal_model *model = make_model(networks[n]);
        fal_trainer *trainer = make_trainer(model, "bp", 1);
        must(fal_trainer_learning_rate(trainer, 0));
        for (size_t i = 0; i < model->tensors.count; i++) {
            const fal_tensor *tensor = &model->tensors.items[i];
            if (!strstr(tensor->name, "running") && fal_tensor_floats(tensor) > 1)
                check_tensor(trainer, &batch, tensor, networks[n]);
        }
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_memory_changes_nothing),
        cmocka_unit_test(what_is_packed_never_meets),
        cmocka_unit_test(direct_rules_carry_nothing_in_vain),
        cmocka_unit_test(gradients_are_those_of_the_loss),
    };
    every = argc > 1 ? (size_t)atoi(argv[1]) : 1;
    return cmocka_run_group_tests_name("residual", tests, open_device,
                                       close_device);
}
