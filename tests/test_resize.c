/* Images in another size. Independent of the library: what Pillow 10.4.0's
 * Image.resize(…, BILINEAR) made of the same numbers, recorded as CRC-32 of all bytes
 * and, of small images, as numbers; and the definition, a mean under a triangle summed
 * in one go over both directions.
 *
 * Seen to fail: with weights that are cut to units of 2^-22 rather than rounded, and
 * without antialiasing. */
#include "files/safetensors.h"
#include "folder.h"
#include "learning.h"
#include "train/model.h"

#include <zlib.h>

/* The numbers that Pillow was given. */
static uint8_t byte_at(size_t i)
{
    return (uint8_t)((i * i * 7 + 13 * i) % 251);
}

typedef struct size {
    size_t height, width, channels, to_height, to_width;
    unsigned crc;
} size;

static fal_arrays images(const size *s, size_t count, fal_type type)
{
    fal_arrays arrays = FAL_ARRAYS;
    size_t n = s->height * s->width * s->channels;
    arrays.count = count;
    arrays.height = s->height;
    arrays.width = s->width;
    arrays.channels = s->channels;
    arrays.type = type;
    arrays.labels = random_labels(count, 3);
    arrays.classes = 3;
    uint8_t *bytes = room(count * n, sizeof(float));
    for (size_t i = 0; i < count * n; i++)
        if (type == FAL_BYTES)
            bytes[i] = byte_at(i);
        else
            ((float *)(void *)bytes)[i] = (float)byte_at(i) / 8 - 10;
    arrays.inputs = bytes;
    return arrays;
}

static fal_dataset *resized(const fal_arrays *arrays, size_t height, size_t width)
{
    fal_dataset *made = NULL, *from = dataset_of(arrays);
    must(fal_dataset_resize(&made, from, height, width));
    fal_dataset_destroy(from);
    return made;
}

/* ---- Pillow -------------------------------------------------------------- */

static void bytes_are_pillows(void **state)
{
    static const size sizes[] = {
        {28, 28, 1, 14, 14, 0x03fa85a4u}, {32, 32, 3, 14, 14, 0xae00a483u},
        {9, 7, 3, 4, 5, 0x4763f9d0u},     {5, 4, 1, 8, 9, 0x9f758f26u},
        {13, 1, 1, 5, 1, 0x59a74f20u},    {6, 6, 1, 6, 3, 0xb099d259u},
        {300, 2, 1, 7, 2, 0xbc687742u},   {3, 5, 3, 3, 5, 0x49499e80u}};
    static const uint8_t expected[] = {70, 92,  106, 73,  101, 137, 100, 138, 158,
                                       89, 123, 175, 207, 192, 174, 162, 86,  13};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size *s = &sizes[i];
        fal_arrays facts = FAL_ARRAYS, arrays = images(s, 1, FAL_BYTES);
        fal_dataset *data = resized(&arrays, s->to_height, s->to_width);
        must(fal_dataset_describe(data, &facts));
        assert_int_equal(facts.height, s->to_height);
        assert_int_equal(facts.width, s->to_width);
        assert_int_equal(facts.channels, s->channels);
        assert_int_equal(facts.type, FAL_BYTES);
        if (crc32(0, facts.inputs,
                  (uInt)(s->to_height * s->to_width * s->channels)) != s->crc)
            fail_msg("%zux%zux%zu to %zux%zu", s->height, s->width, s->channels,
                     s->to_height, s->to_width);
        fal_dataset_destroy(data);
        free_arrays(&arrays);
    }
    const size small = {5, 4, 1, 3, 6, 0};
    fal_arrays facts = FAL_ARRAYS, arrays = images(&small, 1, FAL_BYTES);
    fal_dataset *data = resized(&arrays, 3, 6);
    must(fal_dataset_describe(data, &facts));
    assert_memory_equal(facts.inputs, expected, sizeof expected);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

static void floats_are_pillows(void **state)
{
    static const size sizes[] = {{28, 28, 1, 14, 14, 0x3e2fff10u},
                                 {5, 4, 1, 3, 6, 0xc38fa170u}};
    static const float expected[] = {-0x1.36db6e0000000p+0f, 0x1.8924920000000p+0f,
                                     0x1.a0618a0000000p+1f,  -0x1.c186160000000p-1f,
                                     0x1.4b6db60000000p+1f,  0x1.c5b6dc0000000p+2f};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const size *s = &sizes[i];
        fal_arrays facts = FAL_ARRAYS, arrays = images(s, 1, FAL_FLOATS);
        fal_dataset *data = resized(&arrays, s->to_height, s->to_width);
        must(fal_dataset_describe(data, &facts));
        for (size_t k = 0; i == 1 && k < 6; k++)
            assert_true(((const float *)facts.inputs)[k] == expected[k]);
        assert_int_equal(
            crc32(0, facts.inputs, (uInt)(s->to_height * s->to_width * 4)), s->crc);
        fal_dataset_destroy(data);
        free_arrays(&arrays);
    }
}

/* ---- the definition ------------------------------------------------------ */

/* The weight of input i for output o of one direction, not yet normalized. */
static double weight(size_t from, size_t to, size_t o, size_t i)
{
    double scale = (double)from / (double)to, wide = scale > 1 ? scale : 1;
    double away = fabs(((double)i + .5 - ((double)o + .5) * scale) / wide);
    return away < 1 ? 1 - away : 0;
}

static double defined(const fal_arrays *a, size_t n, size_t y, size_t x, size_t c,
                      const size *s)
{
    double sum = 0, all = 0;
    for (size_t i = 0; i < s->height; i++)
        for (size_t j = 0; j < s->width; j++) {
            double w = weight(s->height, s->to_height, y, i) *
                       weight(s->width, s->to_width, x, j);
            size_t at = ((n * s->height + i) * s->width + j) * s->channels + c;
            all += w;
            sum += w * (a->type == FAL_BYTES
                            ? (double)((const uint8_t *)a->inputs)[at]
                            : (double)((const float *)a->inputs)[at]);
        }
    return sum / all;
}

static void check_definition(const size *s, fal_type type)
{
    fal_arrays facts = FAL_ARRAYS, arrays = images(s, 3, type);
    fal_dataset *data = resized(&arrays, s->to_height, s->to_width);
    must(fal_dataset_describe(data, &facts));
    assert_memory_equal(facts.labels, arrays.labels, 3 * sizeof *arrays.labels);
    /* Each rounding of a byte is half a step, and the first is averaged. */
    double bound = type == FAL_BYTES ? 1.001 : 3e-6;
    for (size_t i = 0; i < 3 * s->to_height * s->to_width * s->channels; i++) {
        size_t c = i % s->channels, x = i / s->channels % s->to_width;
        size_t y = i / s->channels / s->to_width % s->to_height;
        size_t n = i / s->channels / s->to_width / s->to_height;
        double expected = defined(&arrays, n, y, x, c, s);
        double got = type == FAL_BYTES ? (double)((const uint8_t *)facts.inputs)[i]
                                       : (double)((const float *)facts.inputs)[i];
        if (!(fabs(got - expected) <= bound))
            fail_msg("%zux%zux%zu to %zux%zu, type %d: number %zu is %g, not %g",
                     s->height, s->width, s->channels, s->to_height, s->to_width,
                     (int)type, i, got, expected);
    }
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

static void any_size_is_the_mean_under_a_triangle(void **state)
{
    (void)state;
    for (size_t i = 0; i < 60; i++) {
        size s = {1 + i * 5 % 13, 2 + i * 7 % 11,  1 + i % 4,
                  1 + i * 3 % 17, 1 + i * 11 % 19, 0};
        check_definition(&s, i % 2 ? FAL_BYTES : FAL_FLOATS);
    }
}

/* ---- models -------------------------------------------------------------- */

static const size small = {8, 6, 2, 4, 3, 0};

/* A model fitted to resized images, and those images as they were. */
static fal_model *fitted(fal_arrays *raw, fal_dataset **data)
{
    fal_model *model;
    fal_model_options shape = FAL_MODEL_OPTIONS;
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    options.batch = 8;
    *raw = images(&small, 20, FAL_BYTES);
    *data = resized(raw, 4, 3);
    shape.data = *data;
    must(fal_model_create(&model, device, "dense 7, tanh, dense 3", &shape));
    fal_trainer *trainer = trainer_of(model, &options);
    must(fal_trainer_fit(trainer, *data, NULL, 2, NULL, NULL));
    fal_trainer_destroy(trainer);
    return model;
}

static void expect_same_outputs(fal_model *a, const void *one, fal_model *b,
                                const void *other)
{
    float outputs[2][20 * 3];
    must(fal_model_predict(a, one, FAL_BYTES, 20, outputs[0]));
    must(fal_model_predict(b, other, FAL_BYTES, 20, outputs[1]));
    assert_memory_equal(outputs[0], outputs[1], sizeof outputs[0]);
}

static void models_take_raw_images(void **state)
{
    fal_arrays raw, facts = FAL_ARRAYS;
    fal_dataset *data;
    fal_model *loaded, *plain = model_of("input 4x3x2, dense 7, tanh, dense 3", 1);
    fal_model_info info = {.size = sizeof info};
    (void)state;
    fal_model *model = fitted(&raw, &data);
    must(fal_model_describe(model, &info));
    assert_int_equal(info.height, 8);
    assert_int_equal(info.width, 6);
    assert_int_equal(info.channels, 2);
    must(fal_model_save(model, path));
    must(fal_model_load(&loaded, device, path));
    /* The same numbers in a network that is given small images. */
    must(fal_dataset_describe(data, &facts));
    for (size_t i = 0; i < fal_model_tensor_count(model); i++) {
        size_t n;
        const char *name = fal_model_tensor_name(model, i);
        float *values = model_floats(model, name, &n);
        must(fal_model_tensor_set(plain, name, values, n));
        fal_release(values);
    }
    must(fal_model_standardize(plain, data, "channel"));
    expect_same_outputs(model, raw.inputs, plain, facts.inputs);
    expect_same_outputs(loaded, raw.inputs, plain, facts.inputs);
    fal_evaluation one = {.size = sizeof one}, other = one;
    fal_dataset *all = dataset_of(&raw);
    must(fal_model_evaluate(loaded, all, NULL, &one));
    must(fal_model_evaluate(plain, data, NULL, &other));
    assert_memory_equal(&one, &other, sizeof one);
    must(fal_model_evaluate(loaded, data, NULL, &other)); /* both sizes will do */
    assert_memory_equal(&one, &other, sizeof one);
    fal_dataset_destroy(all);
    fal_model_destroy(loaded);
    fal_model_destroy(plain);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&raw);
}

/* Steps, fits and measurements of a model from a file, on raw and on small images. */
static void trainers_take_raw_images(void **state)
{
    fal_arrays raw, facts = FAL_ARRAYS;
    fal_dataset *data;
    fal_model *models[2];
    (void)state;
    fal_model *model = fitted(&raw, &data);
    must(fal_model_save(model, path));
    must(fal_dataset_describe(data, &facts));
    fal_dataset *all = dataset_of(&raw);
    for (int i = 0; i < 2; i++) {
        fal_trainer_options options = FAL_TRAINER_OPTIONS;
        options.schedule = "constant";
        options.batch = 20;
        must(fal_model_load(&models[i], device, path));
        fal_trainer *trainer = trainer_of(models[i], &options);
        must(fal_trainer_step(trainer, i ? &facts : &raw, NULL));
        must(fal_trainer_step(trainer, i ? &facts : &raw, NULL));
        must(fal_trainer_fit(trainer, i ? data : all, i ? data : all, 3, NULL,
                             NULL));
        must(fal_trainer_measure_dataset(trainer, i ? data : all, NULL, NULL));
        fal_trainer_destroy(trainer);
    }
    expect_equal_models(models[0], models[1]);
    fal_model_destroy(models[0]);
    fal_model_destroy(models[1]);
    fal_dataset_destroy(all);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&raw);
}

static void other_sizes_are_refused(void **state)
{
    fal_arrays raw;
    fal_dataset *data, *none = NULL;
    float output[3];
    (void)state;
    fal_model *model = fitted(&raw, &data);
    const size other = {7, 6, 2, 4, 3, 0};
    fal_arrays odd = images(&other, 4, FAL_BYTES);
    fal_dataset *wrong = dataset_of(&odd);
    fal_evaluation result = {.size = sizeof result};
    expect_error(fal_model_evaluate(model, wrong, NULL, &result),
                 FAL_ERROR_ARGUMENT, "has 4x3x2, or resized 8x6x2");
    must(fal_model_predict(model, raw.inputs, FAL_BYTES, 1, output));
    expect_error(fal_dataset_resize(&none, data, 0, 3), FAL_ERROR_ARGUMENT, "0x3");
    expect_error(fal_dataset_resize(&none, data, 1u << 20, 1u << 20),
                 FAL_ERROR_ARGUMENT, "2147483647");
    fal_arrays rows = random_arrays(4, 6, 3, 0);
    fal_dataset *numbers = dataset_of(&rows);
    expect_error(fal_dataset_resize(&none, numbers, 2, 3), FAL_ERROR_ARGUMENT,
                 "rows of 6 numbers, not images");
    expect_error(fal_dataset_resize(&none, NULL, 2, 3), FAL_ERROR_ARGUMENT, "NULL");
    assert_null(none);
    fal_dataset_destroy(numbers);
    free_arrays(&rows);
    fal_dataset_destroy(wrong);
    free_arrays(&odd);
    fal_model_destroy(model);
    fal_dataset_destroy(data);
    free_arrays(&raw);
}

/* Splitting and a size that is the same leave the former size known, or unknown. */
static void parts_know_the_size_too(void **state)
{
    fal_arrays raw = images(&small, 20, FAL_BYTES);
    fal_dataset *rest, *part, *same, *data = resized(&raw, 4, 3);
    fal_model_info info = {.size = sizeof info};
    fal_model_options shape = FAL_MODEL_OPTIONS;
    fal_model *model;
    (void)state;
    must(fal_dataset_split(&rest, &part, data, .3, 1));
    must(fal_dataset_resize(&same, part, 4, 3));
    fal_dataset *const sets[] = {rest, part, same};
    for (int i = 0; i < 3; i++) {
        shape.data = sets[i];
        must(fal_model_create(&model, device, "dense 3", &shape));
        must(fal_model_describe(model, &info));
        assert_int_equal(info.height, 8);
        fal_model_destroy(model);
    }
    fal_dataset_destroy(data);
    data = resized(&raw, 8, 6);
    shape.data = data;
    must(fal_model_create(&model, device, "dense 3", &shape));
    must(fal_model_save(model, path));
    fal_safetensors *file;
    must(fal_safetensors_open(&file, path));
    assert_non_null(fal_safetensors_metadata(file, "mean"));
    assert_null(fal_safetensors_metadata(file, "resize"));
    fal_safetensors_close(file);
    fal_model_destroy(model);
    for (int i = 0; i < 3; i++)
        fal_dataset_destroy(sets[i]);
    fal_dataset_destroy(data);
    free_arrays(&raw);
}

/* A file may say anything: images of more numbers than size_t counts, of a size that the
 * network does not take, of other channels. */
static void files_of_no_size_are_refused(void **state)
{
    static const fal_shape raw[] = {
        {1u << 30, 1u << 30, 16}, {9, 9, 1}, {9, 9, 16}};
    static const fal_shape sizes[] = {{3, 3, 16}, {3, 3, 1}, {3, 2, 16}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        fal_model *model = model_of("input 3x3x16, dense 2", 1), *loaded = NULL;
        model->raw = raw[i];
        model->resized = sizes[i];
        must(fal_model_save(model, path));
        expect_error(fal_model_load(&loaded, device, path), FAL_ERROR_FORMAT,
                     "'samples' and 'resize'");
        assert_null(loaded);
        fal_model_destroy(model);
    }
}

/* ---- failures ------------------------------------------------------------ */

/* One allocation after another; what was made goes, once. */
static void memory_may_end_anywhere(void **state)
{
    const size from = {7, 5, 3, 0, 0, 0};
    fal_arrays arrays = images(&from, 3, FAL_BYTES);
    fal_dataset *data = dataset_of(&arrays), *made = NULL;
    fal_status status = FAL_ERROR_MEMORY;
    long n = 0;
    (void)state;
    while (status == FAL_ERROR_MEMORY) {
        fal_memory_fail_at(++n);
        status = fal_dataset_resize(&made, data, 4, 6);
        fal_memory_fail_at(0);
        assert_true(status == FAL_OK || !made);
    }
    must(status);
    assert_true(n > 8);
    fal_dataset_destroy(made);
    fal_dataset_destroy(data);
    free_arrays(&arrays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_pillows),
        cmocka_unit_test(floats_are_pillows),
        cmocka_unit_test(any_size_is_the_mean_under_a_triangle),
        TEST(models_take_raw_images),
        TEST(trainers_take_raw_images),
        TEST(other_sizes_are_refused),
        TEST(parts_know_the_size_too),
        TEST(files_of_no_size_are_refused),
        cmocka_unit_test(memory_may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
