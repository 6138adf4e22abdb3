/* The weight mirror on convolutions: what a step makes of feedback, against double from
 * the definition of the noise, of a projection too; and how few rows it refuses.
 *
 * Tried: with the rate and the means of the batch alone, without the tanh behind the
 * join, and with the mean left on the noise, the first test fails. */
#include "map_net.h"
#include "data/random.h"

static const double RATE = .5, DECAY = .125;
static const uint64_t SEED = 0x123456789abcdef;

static fal_trainer_options mirrored(size_t batch)
{
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.rule = "wm";
    options.optimizer = "sgd";
    options.schedule = "constant";
    options.batch = batch;
    options.mirror_rate = RATE;
    options.mirror_decay = DECAY;
    options.noise_seed = SEED;
    return options;
}

/* Its number in the noise counts rows, positions and then channels. */
static double *noise_of(size_t l, size_t rows, uint32_t step)
{
    const map_shape s = map_layers[l].in;
    size_t size = size_of_map(s), pixels = s.height * s.width;
    double *xi = doubles(rows * size);
    for (size_t i = 0; i < rows * size; i++) {
        size_t n = i / size, place = i % size;
        size_t stored = n * size + place % pixels * s.channels + place / pixels;
        xi[i] = (double)fal_random_gaussian(SEED, FAL_PURPOSE_MIRROR,
                                            (uint32_t)l + 1, step, stored, 1);
    }
    return xi;
}

/* Off each channel, over rows and positions */
static void take_means(map_shape s, size_t rows, double *y)
{
    size_t pixels = s.height * s.width;
    for (size_t c = 0; c < s.channels; c++) {
        double mean = 0;
        for (size_t n = 0; n < rows; n++)
            for (size_t p = 0; p < pixels; p++)
                mean += y[(n * s.channels + c) * pixels + p];
        mean /= (double)(rows * pixels);
        for (size_t n = 0; n < rows; n++)
            for (size_t p = 0; p < pixels; p++)
                y[(n * s.channels + c) * pixels + p] -= mean;
    }
}

static void mirror_layer(fal_model *model, size_t l, size_t rows, uint32_t step,
                         double *feedback)
{
    const map_shape out = map_layers[l].out;
    size_t pixels = out.height * out.width, count = weights_of(l);
    double *w = map_tensor(model, NULL, l, "weight", NULL);
    double *xi = noise_of(l, rows, step), *gradient = doubles(count);
    double *y = map_forward(l, rows, xi, w, NULL);
    if (l != DENSE)
        bend_all(y, rows * size_of_map(out));
    take_means(out, rows, y);
    take_means(map_layers[l].in, rows, xi);
    map_pass pass = {.out = y, .in = xi, .to = gradient};
    visit_terms(l, rows, add_weight, &pass);
    for (size_t i = 0; i < count; i++)
        feedback[i] = (1 - DECAY) * feedback[i] +
                      RATE / (double)(rows * pixels) * gradient[i];
    fal_release(w);
    fal_release(xi);
    fal_release(y);
    fal_release(gradient);
}

static void check_steps(size_t batch)
{
    const fal_trainer_options options = mirrored(batch);
    fal_model *model = model_of(map_network, 3);
    fal_trainer *trainer = trainer_of(model, &options);
    double *expected[LAYERS] = {NULL};
    for (size_t l = CONV2; l < LAYERS; l++)
        expected[l] = map_tensor(model, trainer, l, "feedback", NULL);
    for (uint32_t step = 0; step < 2; step++) {
        must(fal_trainer_mirror(trainer, 1));
        for (size_t l = CONV2; l < LAYERS; l++) {
            mirror_layer(model, l, batch, step, expected[l]);
            double *got = map_tensor(model, trainer, l, "feedback", NULL);
            for (size_t i = 0; i < weights_of(l); i++)
                if (!(fabs(got[i] - expected[l][i]) <= 2e-6))
                    fail_msg("batch %zu, step %u, %s, number %zu: %.9g, not %.9g",
                             batch, step, map_names[l], i, got[i], expected[l][i]);
            fal_release(got);
        }
    }
    for (size_t l = CONV2; l < LAYERS; l++)
        fal_release(expected[l]);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

static void steps_are_what_they_should_be(void **state)
{
    (void)state;
    check_steps(2);
    check_steps(23);
    check_steps(300);
}

/* The first layer, and one that reads the input beside it, have none. */
static void who_has_a_mirror(void **state)
{
    static const char text[] =
        "input 9x7x2, norm plain, block(conv 3 3, tanh, conv 3 3; "
        "shortcut=projection), tanh, conv 4 3, tanh, dense 4";
    const fal_trainer_options options = mirrored(8);
    fal_model *model = model_of(text, 1);
    fal_trainer *trainer = trainer_of(model, &options);
    size_t shape[4], dimensions;
    (void)state;
    expect_error(fal_trainer_tensor_shape(trainer, "block1.conv1.feedback", shape,
                                          &dimensions),
                 FAL_ERROR_ARGUMENT, "block1.conv1.feedback");
    expect_error(fal_trainer_tensor_shape(trainer, "block1.downsample.0.feedback",
                                          shape, &dimensions),
                 FAL_ERROR_ARGUMENT, "block1.downsample.0.feedback");
    must(fal_trainer_tensor_shape(trainer, "block1.conv2.feedback", shape,
                                  &dimensions));
    assert_int_equal(dimensions, 4);
    must(fal_trainer_tensor_shape(trainer, "conv1.feedback", shape, &dimensions));
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
}

/* A batch of one has many positions; but a dense layer makes one row of it. */
static void one_map_is_enough(void **state)
{
    const fal_trainer_options options = mirrored(1);
    fal_model *model = model_of(
        "input 9x7x2, conv 3 3, relu, conv 4 3, relu, dense 4 rule=bp", 1);
    fal_trainer *trainer = trainer_of(model, &options);
    (void)state;
    must(fal_trainer_mirror(trainer, 1));
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    model = model_of("input 9x7x2, conv 3 3, relu, conv 4 3, relu, dense 4", 1);
    expect_error(fal_trainer_create(&trainer, model, &options), FAL_ERROR_ARGUMENT,
                 "batch 1: the rule wm");
    fal_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_what_they_should_be),
        cmocka_unit_test(who_has_a_mirror),
        cmocka_unit_test(one_map_is_enough),
    };
    return cmocka_run_group_tests_name("mirror_maps", tests, open_device,
                                       close_device);
}
