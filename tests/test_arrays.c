/* The caller's arrays: copied, borrowed, refused; structs of other versions; mean
 * and deviation of the inputs. */
#include "data/standardize.h"
#include "data_files.h"

#include <math.h>

/* ---- the caller's arrays ------------------------------------------------- */

static const float numbers[6] = {1, 2, 3, 4, 5, 6};
static const int32_t classes[3] = {0, 1, 1};

static fal_arrays three_samples(void)
{
    fal_arrays arrays = FAL_ARRAYS;
    arrays.count = 3;
    arrays.channels = 2;
    arrays.inputs = numbers;
    arrays.labels = classes;
    arrays.classes = 2;
    return arrays;
}

static void expect_bad_arrays(const fal_arrays *arrays, const char *part)
{
    fal_dataset *dataset = NULL;
    assert_int_equal(fal_dataset_create(&dataset, arrays), FAL_ERROR_ARGUMENT);
    assert_null(dataset);
    expect_message(part);
}

static void arrays_are_copied_or_borrowed(void **state)
{
    fal_arrays arrays = three_samples(), seen = FAL_ARRAYS;
    fal_dataset *dataset;
    (void)state;
    assert_int_equal(fal_dataset_create(&dataset, &arrays), FAL_OK);
    assert_int_equal(fal_dataset_describe(dataset, &seen), FAL_OK);
    assert_ptr_not_equal(seen.inputs, numbers);
    assert_memory_equal(seen.inputs, numbers, sizeof numbers);
    assert_memory_equal(seen.labels, classes, sizeof classes);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.classes, 2);
    fal_dataset_destroy(dataset);
    arrays.borrow = 1;
    assert_int_equal(fal_dataset_create(&dataset, &arrays), FAL_OK);
    assert_int_equal(fal_dataset_describe(dataset, &seen), FAL_OK);
    assert_ptr_equal(seen.inputs, numbers);
    assert_ptr_equal(seen.labels, classes);
    fal_dataset_destroy(dataset);
    fal_dataset_destroy(NULL);
}

static void targets_are_copied(void **state)
{
    const float not_finite[3] = {NAN, INFINITY, 1};
    fal_arrays arrays = three_samples();
    fal_dataset *dataset;
    (void)state;
    arrays.labels = NULL;
    arrays.classes = 0;
    arrays.targets = not_finite;
    arrays.outputs = 1;
    assert_int_equal(fal_dataset_create(&dataset, &arrays), FAL_OK);
    assert_memory_equal(dataset->arrays.targets, not_finite, sizeof not_finite);
    assert_int_equal(dataset->arrays.outputs, 1);
    fal_dataset_destroy(dataset);
    arrays.classes = 2;
    expect_bad_arrays(&arrays, "classes go with labels");
}

static void bad_arrays_are_refused(void **state)
{
    const int32_t high[3] = {0, 1, 2}, low[3] = {0, -1, 1};
    const fal_arrays good = three_samples();
    fal_arrays bad = good;
    (void)state;
    expect_bad_arrays(NULL, "arrays is NULL");
    assert_int_equal(fal_dataset_create(NULL, &good), FAL_ERROR_ARGUMENT);
    bad.labels = high;
    expect_bad_arrays(&bad, "the label of sample 2 is 2, outside 0 to 1");
    bad.labels = low;
    expect_bad_arrays(&bad, "the label of sample 1 is -1, outside 0 to 1");
    bad.labels = NULL;
    expect_bad_arrays(&bad, "neither arrays.labels nor arrays.targets");
    bad = good;
    bad.targets = numbers;
    expect_bad_arrays(&bad, "both arrays.labels and arrays.targets");
    bad = good;
    bad.outputs = 1;
    expect_bad_arrays(&bad, "outputs go with targets");
    bad = good;
    bad.inputs = NULL;
    expect_bad_arrays(&bad, "arrays.inputs is NULL");
    bad = good;
    bad.type = (fal_type)7;
    expect_bad_arrays(&bad, "arrays.type is 7");
}

static void bad_array_sizes_are_refused(void **state)
{
    const fal_arrays good = three_samples();
    fal_arrays bad = good;
    (void)state;
    bad.count = 0;
    expect_bad_arrays(&bad, "arrays.count is 0");
    bad.count = (size_t)INT32_MAX + 1;
    expect_bad_arrays(&bad, "arrays.count is 2147483648; the most is 2147483647");
    bad = good;
    bad.channels = 0;
    expect_bad_arrays(&bad, "arrays.channels is 0");
    bad = good;
    bad.classes = 0;
    expect_bad_arrays(&bad, "arrays.classes is 0");
    bad = good;
    bad.height = bad.width = 65536;
    expect_bad_arrays(&bad, "a sample of 65536x65536x2 numbers is too large");
    bad = good;
    bad.height = bad.width = bad.channels = INT32_MAX;
    expect_bad_arrays(&bad, "too large");
    bad.count = INT32_MAX;
    bad.height = 1;
    bad.width = 1;
    bad.channels = INT32_MAX;
    expect_bad_arrays(&bad, "more bytes than this machine can address");
    bad = good;
    bad.size = 0;
    expect_bad_arrays(&bad, "says 0 bytes");
    bad.size = sizeof bad + 1;
    expect_bad_arrays(&bad, "this library knows");
}

/* A caller whose fal_arrays ends before `borrow`. */
static void older_structs_are_read(void **state)
{
    fal_arrays arrays, seen;
    fal_dataset *dataset;
    (void)state;
    memset(&arrays, 0x55, sizeof arrays);
    fal_arrays_init(&arrays, offsetof(fal_arrays, borrow));
    assert_int_equal(arrays.height, 1);
    assert_int_equal(arrays.borrow, 0x55555555);
    arrays.count = 3;
    arrays.channels = 2;
    arrays.inputs = numbers;
    arrays.labels = classes;
    arrays.classes = 2;
    assert_int_equal(fal_dataset_create(&dataset, &arrays), FAL_OK);
    assert_int_equal(dataset->arrays.borrow, 0);
    memset(&seen, 0x55, sizeof seen);
    seen.size = offsetof(fal_arrays, targets);
    assert_int_equal(fal_dataset_describe(dataset, &seen), FAL_OK);
    assert_int_equal(seen.size, offsetof(fal_arrays, targets));
    assert_int_equal(seen.classes, 2);
    assert_int_equal(seen.borrow, 0x55555555);
    seen.size = 0;
    assert_int_equal(fal_dataset_describe(dataset, &seen), FAL_ERROR_ARGUMENT);
    fal_dataset_destroy(dataset);
}

static void init_functions_equal_the_macros(void **state)
{
    const fal_dataset_options expected = FAL_DATASET_OPTIONS;
    fal_dataset_options options;
    (void)state;
    memset(&options, 0x55, sizeof options);
    fal_dataset_options_init(&options, sizeof options);
    assert_memory_equal(&options, &expected, sizeof options);
    options.samples = 9;
    fal_dataset_options_init(&options, 3);
    assert_int_equal(options.samples, 9);
}

/* ---- standardisation ----------------------------------------------------- */

static void expect_standard(const fal_arrays *arrays, const char *how, int channel,
                            double mean, double deviation)
{
    double means[8], deviations[8];
    assert_int_equal(fal_standardization(arrays, how, means, deviations), FAL_OK);
    if (fabs(means[channel] - mean) > 1e-15 * fabs(mean) ||
        fabs(deviations[channel] - deviation) > 1e-15 * deviation)
        fail_msg("%.17g %.17g, not %.17g %.17g", means[channel],
                 deviations[channel], mean, deviation);
}

static void floats_are_standardized(void **state)
{
    const fal_arrays arrays = three_samples();
    (void)state;
    expect_standard(&arrays, NULL, 0, 3, sqrt(8.0 / 3));
    expect_standard(&arrays, "channel", 1, 4, sqrt(8.0 / 3));
    expect_standard(&arrays, "global", 0, 3.5, sqrt(35.0 / 12));
    expect_standard(&arrays, "global", 1, 3.5, sqrt(35.0 / 12));
    expect_standard(&arrays, "none", 1, 0, 1);
}

static void bytes_are_standardized(void **state)
{
    /* Two samples of 1x2 pixels with two channels; channel 1 is constant. */
    const uint8_t bytes[] = {0, 77, 255, 77, 0, 77, 255, 77};
    fal_arrays arrays = three_samples();
    (void)state;
    arrays.count = 2;
    arrays.width = 2;
    arrays.type = FAL_BYTES;
    arrays.inputs = bytes;
    expect_standard(&arrays, "channel", 0, 0.5, 0.5);
    expect_standard(&arrays, "channel", 1, 77.0 / 255, 1);
    /* Values 0, 255 twice each, 77 four times. */
    double mean = (2 * 255 + 4 * 77) / 8.0;
    double squares = (2 * 255.0 * 255 + 4 * 77.0 * 77) / 8;
    expect_standard(&arrays, "global", 1, mean / 255,
                    sqrt(squares - mean * mean) / 255);
}

static void rounding_is_no_deviation(void **state)
{
    /* Constant up to the last bit, constant, all zero. */
    const float values[] = {1e6f, 0.1f, 0, 1e6f + 0.0625f, 0.1f, 0,
                            1e6f, 0.1f, 0, 1e6f,           0.1f, 0};
    fal_arrays arrays = three_samples();
    const int32_t all[4] = {0};
    (void)state;
    arrays.count = 4;
    arrays.channels = 3;
    arrays.inputs = values;
    arrays.labels = all;
    expect_standard(&arrays, NULL, 0, 1e6 + 0.0625 / 4, 1);
    expect_standard(&arrays, NULL, 1, 0.1f, 1);
    expect_standard(&arrays, NULL, 2, 0, 1);
}

/* Far from zero the two-pass sums keep what one pass would lose. */
static void large_offsets_keep_the_deviation(void **state)
{
    float values[1000];
    fal_arrays arrays = FAL_ARRAYS;
    (void)state;
    for (int i = 0; i < 1000; i++)
        values[i] = 1e6f + (i % 2 ? 1 : -1);
    arrays.count = 1000;
    arrays.channels = 1;
    arrays.inputs = values;
    expect_standard(&arrays, NULL, 0, 1e6, 1);
}

static void bad_standardizations_are_refused(void **state)
{
    const float values[6] = {1, 2, 3, 4, NAN, 6};
    fal_arrays arrays = three_samples();
    double mean[2] = {7, 7}, deviation[2] = {7, 7};
    (void)state;
    assert_int_equal(fal_standardization(&arrays, "chanel", mean, deviation),
                     FAL_ERROR_ARGUMENT);
    expect_message("did you mean 'channel'?");
    arrays.inputs = values;
    assert_int_equal(fal_standardization(&arrays, NULL, mean, deviation),
                     FAL_ERROR_ARGUMENT);
    expect_message("sample 2, number 0");
    assert_true(mean[0] == 7 && mean[1] == 7 && deviation[0] == 7);
}

/* ---- failing memory ------------------------------------------------------ */

static fal_status create_from_arrays(fal_dataset **dataset)
{
    const fal_arrays arrays = three_samples();
    return fal_dataset_create(dataset, &arrays);
}

static void failing_memory_leaks_nothing(void **state)
{
    (void)state;
    expect_clean_failures(create_from_arrays);
}

static void failing_memory_in_standardization(void **state)
{
    const fal_arrays arrays = three_samples();
    double mean[2], deviation[2];
    (void)state;
    fal_memory_fail_at(1);
    assert_int_equal(fal_standardization(&arrays, NULL, mean, deviation),
                     FAL_ERROR_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_copied_or_borrowed),
        cmocka_unit_test(targets_are_copied),
        cmocka_unit_test(bad_arrays_are_refused),
        cmocka_unit_test(bad_array_sizes_are_refused),
        cmocka_unit_test(older_structs_are_read),
        cmocka_unit_test(init_functions_equal_the_macros),
        cmocka_unit_test(floats_are_standardized),
        cmocka_unit_test(bytes_are_standardized),
        cmocka_unit_test(rounding_is_no_deviation),
        cmocka_unit_test(large_offsets_keep_the_deviation),
        cmocka_unit_test(bad_standardizations_are_refused),
        cmocka_unit_test(failing_memory_leaks_nothing),
        cmocka_unit_test(failing_memory_in_standardization),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
