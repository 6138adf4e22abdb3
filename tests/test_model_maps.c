/* Models of convolutions and blocks: random numbers and tensors in PyTorch's order, what
 * the layers make against loops in double over those tensors, and files. */
#include "data/random.h"
#include "train/model.h"
#include "twin.h"

#include <math.h>
#include <unistd.h>

/* ---- order --------------------------------------------------------------- */

static void expect_shape(fal_model *model, const char *name, size_t dimensions,
                         size_t a, size_t b, size_t c, size_t d)
{
    const size_t expected[4] = {a, b, c, d};
    size_t shape[4], found;
    must(fal_model_tensor_shape(model, name, shape, &found));
    assert_int_equal(found, dimensions);
    assert_memory_equal(shape, expected, dimensions * sizeof *shape);
}

/* Element i of [out][in][K][K] is element i of the layer's stream, 1, 2, … with a
 * projection behind its body; ±1/√(in K K). */
static void draws_are_in_pytorchs_order(void **state)
{
    static const struct {
        const char *name;
        unsigned layer;
        size_t out, in, kernel;
    } weights[] = {{"conv1", 1, 6, 5, 2},
                   {"r.conv1", 2, 7, 6, 3},
                   {"r.downsample.0", 3, 7, 6, 1},
                   {"conv2", 4, 4, 7, 3}};
    float values[512], bias[16];
    (void)state;
    fal_model *model = model_of("input 8x9x5, conv 6 2, r=block(conv 7 3 stride 2; "
                                "shortcut=projection), conv 4 3, dense 3",
                                11);
    for (size_t w = 0; w < sizeof weights / sizeof *weights; w++) {
        char name[64];
        size_t k = weights[w].kernel, fan_in = weights[w].in * k * k;
        size_t count = weights[w].out * fan_in;
        float bound = (float)(1 / sqrt((double)fan_in));
        snprintf(name, sizeof name, "%s.weight", weights[w].name);
        expect_shape(model, name, 4, weights[w].out, weights[w].in, k, k);
        must(fal_model_tensor(model, name, values, count));
        for (size_t i = 0; i < count; i++)
            if (values[i] != fal_random_uniform(11, FAL_PURPOSE_WEIGHT,
                                                weights[w].layer, 0, i, bound))
                fail_msg("%s, number %zu", name, i);
        snprintf(name, sizeof name, "%s.bias", weights[w].name);
        must(fal_model_tensor(model, name, bias, weights[w].out));
        for (size_t i = 0; i < weights[w].out; i++)
            assert_true(bias[i] == fal_random_uniform(11, FAL_PURPOSE_BIAS,
                                                      weights[w].layer, 0, i,
                                                      bound));
    }
    fal_model_destroy(model);
}

static void fans_count_the_kernel(void **state)
{
    float values[54];
    fal_model *model = NULL;
    fal_model_options options = FAL_MODEL_OPTIONS;
    (void)state;
    options.weight_law = "xavier";
    must(fal_model_create(&model, device, "input 4x4x2, conv 3 3, dense 3",
                          &options));
    must(fal_model_tensor(model, "conv1.weight", values, 54));
    float bound = (float)sqrt(6. / (9 * 2 + 9 * 3));
    for (size_t i = 0; i < 54; i++)
        assert_true(values[i] ==
                    fal_random_uniform(1, FAL_PURPOSE_WEIGHT, 1, 0, i, bound));
    fal_model_destroy(model);
}

/* What is written is read, and reordered in between. */
static void tensors_are_written_in_pytorchs_order(void **state)
{
    float values[24], got[24];
    (void)state;
    fal_model *model = model_of("input 2x3x2, conv 3 2 pad 1 nobias, dense 1", 1);
    for (size_t i = 0; i < 24; i++)
        values[i] = (float)i - 11.5f;
    must(fal_model_tensor_set(model, "conv1.weight", values, 24));
    must(fal_model_tensor(model, "conv1.weight", got, 24));
    assert_memory_equal(values, got, sizeof values);
    fal_slot all = model->network.layers[0].weight;
    must(fal_arena_read(&model->parameters, all, got));
    for (size_t o = 0; o < 3; o++) /* stored [y][x][in][out] */
        for (size_t c = 0; c < 2; c++)
            for (size_t p = 0; p < 4; p++)
                assert_true(got[(p * 2 + c) * 3 + o] ==
                            values[(o * 2 + c) * 4 + p]);
    fal_model_destroy(model);
}

/* ---- what layers make ---------------------------------------------------- */

enum { ROWS = 3, SIZE = 7, MOST = 4096 };

/* A tensor [channels][size][size] of one sample, as PyTorch has it */
typedef struct map {
    size_t channels, size;
    double values[MOST];
} map;

static void read_tensor(fal_model *model, const char *layer, const char *what,
                        float *values)
{
    char name[96];
    size_t shape[4], dimensions, count = 1;
    snprintf(name, sizeof name, "%s.%s", layer, what);
    must(fal_model_tensor_shape(model, name, shape, &dimensions));
    for (size_t i = 0; i < dimensions; i++)
        count *= shape[i];
    assert_true(count <= MOST);
    must(fal_model_tensor(model, name, values, count));
}

static map convolved(fal_model *model, const char *layer, const map *in,
                     size_t channels, size_t kernel, size_t stride, size_t pad,
                     int has_bias)
{
    static float weight[MOST], bias[64];
    map out = {channels, (in->size + 2 * pad - kernel) / stride + 1, {0}};
    memset(bias, 0, sizeof bias);
    read_tensor(model, layer, "weight", weight);
    if (has_bias)
        read_tensor(model, layer, "bias", bias);
    for (size_t o = 0; o < channels; o++)
        for (size_t q = 0; q < out.size * out.size; q++) {
            double sum = (double)bias[o];
            for (size_t i = 0; i < in->channels * kernel * kernel; i++) {
                size_t c = i / (kernel * kernel), place = i % (kernel * kernel);
                size_t y = q / out.size * stride + place / kernel;
                size_t x = q % out.size * stride + place % kernel;
                if (y >= pad && x >= pad && y - pad < in->size &&
                    x - pad < in->size)
                    sum +=
                        (double)weight[o * in->channels * kernel * kernel + i] *
                        in->values[(c * in->size + y - pad) * in->size + x - pad];
            }
            out.values[o * out.size * out.size + q] = sum;
        }
    return out;
}

static void add(map *to, const map *from)
{
    for (size_t i = 0; i < to->channels * to->size * to->size; i++)
        to->values[i] += from->values[i];
}

static void clip_negative(map *m)
{
    for (size_t i = 0; i < MOST; i++)
        m->values[i] = m->values[i] > 0 ? m->values[i] : 0;
}

/* Every second pixel, half of the missing channels before, half behind */
static map padded(const map *in, size_t channels)
{
    map out = {channels, (in->size + 1) / 2, {0}};
    size_t before = (channels - in->channels) / 2;
    for (size_t c = 0; c < in->channels; c++)
        for (size_t y = 0; y < out.size; y++)
            for (size_t x = 0; x < out.size; x++)
                out.values[((c + before) * out.size + y) * out.size + x] =
                    in->values[(c * in->size + 2 * y) * in->size + 2 * x];
    return out;
}

static map pooled(const map *in, size_t window, size_t stride)
{
    map out = {in->channels, (in->size - window) / stride + 1, {0}};
    for (size_t i = 0; i < out.channels * out.size * out.size; i++) {
        size_t c = i / (out.size * out.size), q = i % (out.size * out.size);
        double most = -INFINITY;
        for (size_t w = 0; w < window * window; w++) {
            size_t y = q / out.size * stride + w / window;
            size_t x = q % out.size * stride + w % window;
            most = fmax(most, in->values[(c * in->size + y) * in->size + x]);
        }
        out.values[i] = most;
    }
    return out;
}

static void expect_outputs(fal_model *model, const map *last, size_t outputs,
                           const float *found)
{
    static float weight[MOST], bias[16];
    size_t inputs = last->channels * last->size * last->size;
    read_tensor(model, "out", "weight", weight);
    read_tensor(model, "out", "bias", bias);
    for (size_t o = 0; o < outputs; o++) {
        double sum = (double)bias[o];
        for (size_t i = 0; i < inputs; i++)
            sum += (double)weight[o * inputs + i] * last->values[i];
        if (!(fabs(sum - (double)found[o]) <= 2e-6 * (1 + fabs(sum))))
            fail_msg("output %zu is %.9g, not %.9g", o, (double)found[o], sum);
    }
}

/* Stem, the three shortcuts, a pool, and what is flattened in PyTorch's order. */
static map run_network(fal_model *model, const map *in)
{
    map h = convolved(model, "stem", in, 4, 3, 1, 1, 1), body, way;
    clip_negative(&h);
    body = convolved(model, "a.conv1", &h, 4, 3, 1, 1, 0);
    add(&body, &h);
    clip_negative(&body);
    h = body;
    body = convolved(model, "b.conv1", &h, 7, 3, 2, 1, 1);
    way = padded(&h, 7);
    add(&body, &way);
    h = body;
    body = convolved(model, "c.conv1", &h, 5, 2, 1, 0, 0);
    clip_negative(&body);
    body = convolved(model, "c.conv2", &body, 6, 2, 1, 1, 0);
    way = convolved(model, "c.downsample.0", &h, 6, 1, 1, 0, 0);
    add(&body, &way);
    return pooled(&body, 2, 1);
}

static void layers_make_what_pytorchs_would(void **state)
{
    static float images[ROWS * SIZE * SIZE * 3];
    float found[ROWS * 5];
    (void)state;
    fal_model *model = model_of(
        "input 7x7x3, stem=conv 4 3, relu, a=block(conv 4 3 nobias; "
        "shortcut=identity), relu, b=block(conv 7 3 stride 2; shortcut=zeropad), "
        "c=block(conv 5 2 pad 0 nobias, relu, conv 6 2 pad 1 nobias; "
        "shortcut=projection), pool max 2 stride 1, flatten, dropout .4, out=dense "
        "5",
        3);
    for (size_t i = 0; i < sizeof images / sizeof *images; i++)
        images[i] = fal_random_uniform(5, 9, 1, 0, i, 1);
    must(fal_model_predict(model, images, FAL_FLOATS, ROWS, found));
    for (size_t r = 0; r < ROWS; r++) {
        map in = {3, SIZE, {0}};
        for (size_t p = 0; p < SIZE * SIZE; p++)
            for (size_t c = 0; c < 3; c++)
                in.values[c * SIZE * SIZE + p] =
                    (double)images[(r * SIZE * SIZE + p) * 3 + c];
        map last = run_network(model, &in);
        expect_outputs(model, &last, 5, found + r * 5);
    }
    fal_model_destroy(model);
}

/* ---- files --------------------------------------------------------------- */

static void models_survive_files(void **state)
{
    char folder[] = "/tmp/falign-maps-XXXXXX", file[64];
    fal_model *loaded = NULL;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/model.safetensors", folder);
    fal_model *model = model_of(
        "input 8x8x3, conv1=conv 4 3 nobias, bn1=norm, relu, layer1.0=block("
        "conv1=conv 6 3 stride 2 nobias, bn1=norm; shortcut=projection), relu, "
        "pool "
        "global, fc=dense 5",
        9);
    must(fal_model_save(model, file));
    must(fal_model_load(&loaded, device, file));
    assert_string_equal(fal_model_network(loaded), fal_model_network(model));
    expect_equal_models(model, loaded);
    expect_shape(loaded, "layer1.0.conv1.weight", 4, 6, 4, 3, 3);
    expect_shape(loaded, "layer1.0.downsample.0.weight", 4, 6, 4, 1, 1);
    expect_shape(loaded, "layer1.0.downsample.1.running_mean", 1, 6, 0, 0, 0);
    expect_shape(loaded, "fc.weight", 2, 5, 6, 0, 0);
    fal_model_destroy(loaded);
    fal_model_destroy(model);
    unlink(file);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_are_in_pytorchs_order),
        cmocka_unit_test(fans_count_the_kernel),
        cmocka_unit_test(tensors_are_written_in_pytorchs_order),
        cmocka_unit_test(layers_make_what_pytorchs_would),
        cmocka_unit_test(models_survive_files),
    };
    return cmocka_run_group_tests_name("model_maps", tests, open_device,
                                       close_device);
}
