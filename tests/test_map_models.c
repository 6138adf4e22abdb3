/* Models of convolutions and residual blocks as a whole: what they predict and how they
 * are evaluated, their files, and training that goes on from a checkpoint in memory. */
#include "learning.h"

#include <unistd.h>

enum { ROWS = 9, SAMPLES = 40, CLASSES = 4, HEIGHT = 11, WIDTH = 10, CHANNELS = 3 };

/* All shortcuts, pools and norms, dropout, a map that is flattened. */
static const char *const networks[] = {
    "input 11x10x3, conv 5 3 nobias, norm, relu, dropout .2, "
    "block(conv 7 3 stride 2 nobias, norm, relu, conv 7 3 nobias, norm; "
    "shortcut=projection), relu, block(conv 7 3 nobias, norm, relu, conv 7 3 "
    "nobias, "
    "norm; shortcut=identity), relu, pool average 2, dense 6, relu, dropout .4, "
    "dense 4",
    "input 11x10x3, conv 5 4 pad 2, leaky, pool max 3 stride 2, "
    "block(conv 8 3 stride 2, norm layer, tanh, conv 8 1; shortcut=zeropad), tanh, "
    "pool global, dense 4",
};
enum { NETWORKS = sizeof networks / sizeof *networks };

static fal_arrays samples(void)
{
    noise = 5;
    fal_arrays arrays = random_arrays(SAMPLES, HEIGHT * WIDTH * CHANNELS, CLASSES,
                                      0);
    arrays.height = HEIGHT;
    arrays.width = WIDTH;
    arrays.channels = CHANNELS;
    return arrays;
}

/* With running statistics that are no longer those of the start. */
static fal_trainer *trained(fal_model *model, const fal_arrays *arrays,
                            const char *rule, size_t steps)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = rule;
    options.schedule = "constant";
    options.batch = ROWS;
    fal_trainer *trainer = trainer_of(model, &options);
    for (size_t i = 0; i < steps; i++) {
        fal_arrays batch = rows_of(arrays, i * ROWS % (SAMPLES - ROWS), ROWS);
        must(fal_trainer_step(trainer, &batch, NULL));
    }
    return trainer;
}

static float *predict(fal_model *model, const fal_arrays *arrays)
{
    float *outputs = room(arrays->count * CLASSES, sizeof *outputs);
    must(fal_model_predict(model, arrays->inputs, FAL_FLOATS, arrays->count,
                           outputs));
    return outputs;
}

static fal_evaluation evaluate(fal_model *model, const fal_arrays *arrays)
{
    fal_evaluation result = {.size = sizeof result};
    fal_dataset *data = dataset_of(arrays);
    must(fal_model_evaluate(model, data, NULL, &result));
    fal_dataset_destroy(data);
    return result;
}

/* ---- predictions --------------------------------------------------------- */

/* Of one row: the loss, and whether the label is the largest. */
static double loss_of(const float *outputs, int32_t label, int *correct)
{
    double largest = outputs[0], sum = 0;
    for (int i = 1; i < CLASSES; i++)
        largest = fmax(largest, (double)outputs[i]);
    for (int i = 0; i < CLASSES; i++)
        sum += exp((double)outputs[i] - largest);
    *correct = (double)outputs[label] >= largest;
    return log(sum) + largest - (double)outputs[label];
}

static void evaluation_is_of_predictions(void **state)
{
    (void)state;
    for (size_t i = 0; i < NETWORKS; i++) {
        fal_arrays arrays = samples();
        fal_model *model = model_of(networks[i], 1);
        fal_trainer *trainer = trained(model, &arrays, "bp", 5);
        float *outputs = predict(model, &arrays);
        fal_evaluation result = evaluate(model, &arrays);
        double loss = 0;
        size_t all = 0;
        for (size_t r = 0; r < SAMPLES; r++) {
            int correct;
            loss += loss_of(outputs + r * CLASSES, arrays.labels[r], &correct) /
                    SAMPLES;
            all += (size_t)correct;
        }
        assert_int_equal(result.samples, SAMPLES);
        assert_int_equal(result.correct, all);
        assert_true(fabs(result.loss - loss) <= 1e-5 * loss);
        fal_release(outputs);
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
        free_arrays(&arrays);
    }
}

/* A sample's outputs do not hang on those beside it, for evaluation takes no statistics
 * of a batch and draws no masks. */
static void samples_are_independent(void **state)
{
    (void)state;
    for (size_t i = 0; i < NETWORKS; i++) {
        fal_arrays arrays = samples();
        fal_model *model = model_of(networks[i], 1);
        fal_trainer *trainer = trained(model, &arrays, "bp", 5);
        float *together = predict(model, &arrays);
        for (size_t r = 0; r < SAMPLES; r += 13) {
            fal_arrays one = rows_of(&arrays, r, 1);
            float *alone = predict(model, &one);
            for (size_t c = 0; c < CLASSES; c++)
                assert_true(fabsf(alone[c] - together[r * CLASSES + c]) <=
                            1e-5f * (1 + fabsf(alone[c])));
            fal_release(alone);
        }
        fal_release(together);
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
        free_arrays(&arrays);
    }
}

/* ---- files --------------------------------------------------------------- */

static void expect_same_predictions(fal_model *a, fal_model *b,
                                    const fal_arrays *arrays)
{
    float *x = predict(a, arrays), *y = predict(b, arrays);
    assert_memory_equal(x, y, arrays->count * CLASSES * sizeof *x);
    fal_release(x);
    fal_release(y);
}

static void files_hold_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < NETWORKS; i++) {
        char path[] = "/tmp/falign-maps-XXXXXX";
        close(mkstemp(path));
        fal_arrays arrays = samples();
        fal_model *model = model_of(networks[i], 1), *again = NULL;
        fal_trainer *trainer = trained(model, &arrays, "kp", 5);
        must(fal_trainer_save(trainer, path));
        must(fal_model_load(&again, device, path));
        assert_string_equal(fal_model_network(model), fal_model_network(again));
        expect_equal_models(model, again);
        expect_same_predictions(model, again, &arrays);
        fal_trainer *other = trained(again, &arrays, "kp", 0);
        must(fal_trainer_load_feedback(other, path));
        size_t n, m;
        const char *name = i == 0 ? "block1.downsample.0.feedback"
                                  : "block1.conv1.feedback";
        float *x = trainer_floats(trainer, name, &n);
        float *y = trainer_floats(other, name, &m);
        assert_int_equal(n, m);
        assert_memory_equal(x, y, n * sizeof *x);
        fal_release(x);
        fal_release(y);
        fal_trainer_destroy(other);
        fal_model_destroy(again);
        fal_trainer_destroy(trainer);
        fal_model_destroy(model);
        free_arrays(&arrays);
        unlink(path);
    }
}

static void expect_shape(fal_model *model, const char *name, size_t dimensions,
                         const size_t *expected)
{
    size_t shape[4], found;
    must(fal_model_tensor_shape(model, name, shape, &found));
    assert_int_equal(found, dimensions);
    assert_memory_equal(shape, expected, dimensions * sizeof *shape);
}

/* As PyTorch has them. */
static void tensors_have_their_shapes(void **state)
{
    (void)state;
    fal_model *model = model_of(networks[0], 1);
    expect_shape(model, "conv1.weight", 4, (size_t[]){5, 3, 3, 3});
    expect_shape(model, "block1.conv1.weight", 4, (size_t[]){7, 5, 3, 3});
    expect_shape(model, "block1.downsample.0.weight", 4, (size_t[]){7, 5, 1, 1});
    expect_shape(model, "block1.downsample.1.running_var", 1, (size_t[]){7});
    expect_shape(model, "dense1.weight", 2, (size_t[]){6, 3 * 2 * 7});
    fal_model_destroy(model);
    model = model_of(networks[1], 1);
    expect_shape(model, "conv1.weight", 4, (size_t[]){5, 3, 4, 4});
    expect_shape(model, "conv1.bias", 1, (size_t[]){5});
    fal_model_destroy(model);
}

/* ---- checkpoints --------------------------------------------------------- */

/* A trainer that goes on from another's bytes ends where that one does, masks, mirrors
 * and running statistics included. */
static void checkpoints_go_on(void **state)
{
    static const char *const rules[] = {"bp", "dfa", "kp", "wm"};
    (void)state;
    for (size_t i = 0; i < 4 * NETWORKS; i++) {
        fal_arrays arrays = samples();
        const char *network = networks[i % NETWORKS], *rule = rules[i / NETWORKS];
        fal_model *one = model_of(network, 1), *two = model_of(network, 2);
        fal_trainer *first = trained(one, &arrays, rule, 3);
        fal_trainer *second = trained(two, &arrays, rule, 1);
        size_t size;
        must(fal_trainer_checkpoint_bytes(first, NULL, 0, &size));
        void *bytes = room(size, 1);
        must(fal_trainer_checkpoint_bytes(first, bytes, size, NULL));
        must(fal_trainer_resume_bytes(second, bytes, size));
        fal_arrays batch = rows_of(&arrays, 20, ROWS);
        for (int step = 0; step < 2; step++) {
            must(fal_trainer_step(first, &batch, NULL));
            must(fal_trainer_step(second, &batch, NULL));
        }
        expect_equal_models(one, two);
        fal_release(bytes);
        fal_trainer_destroy(first);
        fal_trainer_destroy(second);
        fal_model_destroy(one);
        fal_model_destroy(two);
        free_arrays(&arrays);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluation_is_of_predictions),
        cmocka_unit_test(samples_are_independent),
        cmocka_unit_test(files_hold_all),
        cmocka_unit_test(tensors_have_their_shapes),
        cmocka_unit_test(checkpoints_go_on),
    };
    return cmocka_run_group_tests_name("map_models", tests, open_device,
                                       close_device);
}
