/* The binary files of CIFAR-10 and CIFAR-100: small ones made here, by a formula, and
 * the real ones against what is published of them. */
#include "data_files.h"
#include "data/standardize.h"

#include <math.h>

enum { PLANE = 32 * 32, PIXELS = 3 * PLANE, BATCHES = 5, SMALL = 3 };

static const char *const batches[] = {"data_batch_1.bin", "data_batch_2.bin",
                                      "data_batch_3.bin", "data_batch_4.bin",
                                      "data_batch_5.bin"};

/* What each byte of a file is: value c of the pixel in row y, column x. */
static uint8_t pixel(size_t file, size_t record, size_t c, size_t y, size_t x)
{
    return (uint8_t)(11 * file + 7 * record + 50 * c + 3 * y + x);
}

static size_t fill(uint8_t *record, const uint8_t *own, size_t count, size_t file,
                   size_t number)
{
    uint8_t *to = record + count;
    memcpy(record, own, count);
    for (size_t c = 0; c < 3; c++)
        for (size_t y = 0; y < 32; y++)
            for (size_t x = 0; x < 32; x++)
                *to++ = pixel(file, number, c, y, x);
    return count + PIXELS;
}

/* A file of `count` records with one label each, from `label` on. */
static void write_ten(const char *name, size_t file, uint8_t label, size_t count)
{
    uint8_t bytes[SMALL * (1 + PIXELS)];
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t own = (uint8_t)((label + i) % 10);
        size += fill(bytes + size, &own, 1, file, i);
    }
    write_file(name, bytes, size);
}

/* Labels 0, 1, 2; 2, 3, 4; … in the five batches, 9 and 0 in the test batch. */
static void write_all_ten(void)
{
    for (size_t i = 0; i < BATCHES; i++)
        write_ten(batches[i], i, (uint8_t)(2 * i), SMALL);
    write_ten("test_batch.bin", BATCHES, 9, 2);
}

/* Coarse labels 19, 0, 1 and fine ones 99, 50, 2. */
static void write_hundred(const char *name, size_t file)
{
    static const uint8_t both[SMALL][2] = {{19, 99}, {0, 50}, {1, 2}};
    uint8_t bytes[SMALL * (2 + PIXELS)];
    size_t size = 0;
    for (size_t i = 0; i < SMALL; i++)
        size += fill(bytes + size, both[i], 2, file, i);
    write_file(name, bytes, size);
}

static void write_all_hundred(void)
{
    write_hundred("train.bin", 0);
    write_hundred("test.bin", 1);
}

static fal_dataset *open_split(const char *name, fal_split split)
{
    const char *places[] = {folder};
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    fal_dataset *dataset = NULL;
    options.folders = places;
    options.folder_count = 1;
    fal_status status = fal_dataset_open_with(&dataset, name, split, &options);
    if (status)
        fail_msg("%s", fal_error_message());
    return dataset;
}

static void expect_images(const fal_dataset *dataset, size_t first, size_t files,
                          size_t records)
{
    const fal_arrays *a = &dataset->arrays;
    const uint8_t *value = a->inputs;
    assert_int_equal(a->count, files * records);
    assert_int_equal(a->height, 32);
    assert_int_equal(a->width, 32);
    assert_int_equal(a->channels, 3);
    assert_int_equal(a->type, FAL_BYTES);
    for (size_t i = 0; i < files * records; i++)
        for (size_t y = 0; y < 32; y++)
            for (size_t x = 0; x < 32; x++)
                for (size_t c = 0; c < 3; c++)
                    assert_int_equal(
                        *value++, pixel(first + i / records, i % records, c, y, x));
}

/* ---- what is read -------------------------------------------------------- */

static void ten_are_read(void **state)
{
    (void)state;
    write_all_ten();
    fal_dataset *train = open_split(folder, FAL_SPLIT_TRAIN);
    fal_dataset *test = open_split(folder, FAL_SPLIT_TEST);
    expect_images(train, 0, BATCHES, SMALL);
    expect_images(test, BATCHES, 1, 2);
    for (size_t i = 0; i < BATCHES * SMALL; i++)
        assert_int_equal(train->arrays.labels[i],
                         (2 * (i / SMALL) + i % SMALL) % 10);
    assert_int_equal(test->arrays.labels[0], 9);
    assert_int_equal(test->arrays.labels[1], 0);
    assert_int_equal(test->arrays.classes, 10);
    assert_string_equal(test->arrays.class_names[9], "truck");
    fal_dataset_destroy(train);
    fal_dataset_destroy(test);
}

static void hundred_are_fine(void **state)
{
    (void)state;
    write_all_hundred();
    fal_dataset *train = open_split(folder, FAL_SPLIT_TRAIN);
    expect_images(train, 0, 1, SMALL);
    assert_int_equal(train->arrays.classes, 100);
    assert_int_equal(train->arrays.labels[0], 99);
    assert_int_equal(train->arrays.labels[2], 2);
    assert_string_equal(train->arrays.class_names[99], "worm");
    assert_string_equal(train->arrays.class_names[0], "apple");
    fal_dataset_destroy(train);
}

static void names_have_folders_of_their_own(void **state)
{
    char place[64];
    (void)state;
    strcpy(place, folder);
    assert_int_equal(mkdir(in_folder("cifar-100-binary"), 0700), 0);
    strcat(folder, "/cifar-100-binary");
    write_all_hundred();
    strcpy(folder, place);
    fal_dataset *fine = open_split("cifar-100", FAL_SPLIT_TEST);
    fal_dataset *coarse = open_split("cifar-100-coarse", FAL_SPLIT_TEST);
    expect_images(coarse, 1, 1, SMALL);
    assert_int_equal(fine->arrays.classes, 100);
    assert_int_equal(fine->arrays.labels[0], 99);
    assert_int_equal(coarse->arrays.classes, 20);
    assert_int_equal(coarse->arrays.labels[0], 19);
    assert_string_equal(coarse->arrays.class_names[19], "vehicles_2");
    fal_dataset_destroy(fine);
    fal_dataset_destroy(coarse);
}

static void folders_may_name_the_classes(void **state)
{
    static const char official[] = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n";
    static const char own[] = "0\n1\n2\n3\n4\n5\n6\n7\n8\nnine\n";
    (void)state;
    write_all_ten();
    write_file("batches.meta.txt", official, sizeof official - 1);
    fal_dataset *test = open_split(folder, FAL_SPLIT_TEST);
    assert_string_equal(test->arrays.class_names[9], "j");
    fal_dataset_destroy(test);
    write_file("classes.txt", own, sizeof own - 1);
    test = open_split(folder, FAL_SPLIT_TEST);
    assert_string_equal(test->arrays.class_names[9], "nine");
    fal_dataset_destroy(test);
    unlink(in_folder("classes.txt"));
    write_file("batches.meta.txt", official, 4);
    expect_failure(FAL_ERROR_FORMAT, "has 2 lines, the labels have 10 classes");
}

static void first_samples_only(void **state)
{
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    fal_dataset *dataset;
    (void)state;
    write_all_ten();
    options.samples = 4;
    assert_int_equal(
        fal_dataset_open_with(&dataset, folder, FAL_SPLIT_TRAIN, &options), FAL_OK);
    assert_int_equal(dataset->arrays.count, 4);
    assert_int_equal(((const uint8_t *)dataset->arrays.inputs)[3 * PIXELS],
                     pixel(1, 0, 0, 0, 0));
    assert_int_equal(dataset->arrays.labels[3], 2);
    fal_dataset_destroy(dataset);
    options.samples = 16;
    assert_int_equal(
        fal_dataset_open_with(&dataset, folder, FAL_SPLIT_TRAIN, &options),
        FAL_ERROR_ARGUMENT);
    expect_message("16 samples asked for, there are 15");
}

/* ---- what is refused ----------------------------------------------------- */

static void cut_off(const char *name, off_t bytes)
{
    assert_int_equal(truncate(in_folder(name), bytes), 0);
}

static void truncated_files_are_refused(void **state)
{
    (void)state;
    write_all_ten();
    cut_off("data_batch_4.bin", 2 * 3073 + 100);
    expect_failure(FAL_ERROR_FORMAT, "data_batch_4.bin': truncated, record 2 has "
                                     "100 of the 3073 bytes of a CIFAR-10 record");
    cut_off("data_batch_4.bin", 2 * 3073);
    expect_failure(FAL_ERROR_FORMAT, "data_batch_4.bin': has 2 records, ");
    expect_message("data_batch_1.bin' has 3; the batches must be of one size");
    cut_off("data_batch_4.bin", 0);
    expect_failure(FAL_ERROR_FORMAT, "data_batch_4.bin': empty");
}

static void change(const char *name, long at, int byte)
{
    FILE *file = fopen(in_folder(name), "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fputc(byte, file), byte);
    assert_int_equal(fclose(file), 0);
}

static void labels_out_of_range_are_refused(void **state)
{
    (void)state;
    write_all_ten();
    change("data_batch_5.bin", 2 * 3073, 10);
    expect_failure(FAL_ERROR_FORMAT, "data_batch_5.bin': the label of record 2, "
                                     "byte 6146, is 10; CIFAR-10 has 0 to 9");
}

static void both_labels_are_checked(void **state)
{
    (void)state;
    write_all_hundred();
    change("train.bin", 3074, 20);
    expect_failure(FAL_ERROR_FORMAT, "the coarse label of record 1, byte 3074, is "
                                     "20; CIFAR-100 has 0 to 19");
    change("train.bin", 3074, 0);
    change("train.bin", 3075, 100);
    expect_failure(FAL_ERROR_FORMAT, "the fine label of record 1, byte 3075, is "
                                     "100; CIFAR-100 has 0 to 99");
}

/* What is not kept is checked all the same. */
static void labels_after_the_samples_are_checked(void **state)
{
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    fal_dataset *dataset;
    (void)state;
    write_all_ten();
    change("data_batch_5.bin", 0, 77);
    options.samples = 1;
    assert_int_equal(
        fal_dataset_open_with(&dataset, folder, FAL_SPLIT_TRAIN, &options),
        FAL_ERROR_FORMAT);
    expect_message("is 77; CIFAR-10 has 0 to 9");
}

static void missing_batches_are_named(void **state)
{
    (void)state;
    write_all_ten();
    unlink(in_folder("data_batch_2.bin"));
    expect_failure(FAL_ERROR_FILE, "has no data_batch_2.bin; put it there");
    unlink(in_folder("data_batch_5.bin"));
    expect_failure(FAL_ERROR_FILE,
                   "has no data_batch_2.bin, data_batch_5.bin; put them there");
    for (size_t i = 0; i < BATCHES; i++)
        unlink(in_folder(batches[i]));
    fal_dataset *test = open_split(folder, FAL_SPLIT_TEST);
    fal_dataset_destroy(test);
}

static void folders_of_both_are_refused(void **state)
{
    (void)state;
    write_all_ten();
    write_hundred("train.bin", 0);
    expect_failure(FAL_ERROR_FORMAT,
                   "has CIFAR-10 and CIFAR-100 files; keep those of one format");
    unlink(in_folder("train.bin"));
    write_good();
    expect_failure(FAL_ERROR_FORMAT, "has IDX and CIFAR-10 files");
}

static void names_come_in_their_format(void **state)
{
    const char *places[] = {folder};
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    fal_dataset *dataset = NULL;
    (void)state;
    options.folders = places;
    options.folder_count = 1;
    assert_int_equal(mkdir(in_folder("cifar-100-binary"), 0700), 0);
    write_file("cifar-100-binary/train-images-idx3-ubyte", images, sizeof images);
    assert_int_equal(fal_dataset_open_with(&dataset, "cifar-100-coarse",
                                           FAL_SPLIT_TRAIN, &options),
                     FAL_ERROR_FORMAT);
    expect_message("has IDX files, cifar-100-coarse comes in CIFAR-100 files");
    assert_int_equal(
        fal_dataset_open_with(&dataset, "cifar-10", FAL_SPLIT_TRAIN, &options),
        FAL_ERROR_FILE);
    expect_message(
        "/cifar-10-batches-bin' (no such folder); unpack cifar-10-binary");
}

static fal_status open_training(fal_dataset **dataset)
{
    return fal_dataset_open(dataset, folder, FAL_SPLIT_TRAIN);
}

static void memory_that_fails_leaves_nothing(void **state)
{
    (void)state;
    write_all_ten();
    expect_clean_failures(open_training);
}

/* ---- the real ones ------------------------------------------------------- */

/* NULL: not here. */
static fal_dataset *open_real(const char *name, fal_split split)
{
    fal_dataset *dataset = NULL;
    fal_status status = fal_dataset_open(&dataset, name, split);
    if (status == FAL_ERROR_FILE) {
        print_message("skipped: %s\n", fal_error_message());
        skip();
    }
    if (status)
        fail_msg("%s", fal_error_message());
    return dataset;
}

static void expect_counts(const fal_dataset *dataset, size_t classes, size_t each)
{
    size_t counts[100] = {0};
    assert_int_equal(dataset->arrays.classes, classes);
    assert_int_equal(dataset->arrays.count, classes * each);
    for (size_t i = 0; i < dataset->arrays.count; i++)
        counts[dataset->arrays.labels[i]]++;
    for (size_t i = 0; i < classes; i++)
        assert_int_equal(counts[i], each);
}

static void expect_channels(const fal_dataset *dataset, const double *means,
                            const double *deviations, double error)
{
    double mean[3], deviation[3];
    assert_int_equal(fal_standardization(&dataset->arrays, NULL, mean, deviation),
                     FAL_OK);
    for (size_t c = 0; c < 3; c++)
        if (fabs(mean[c] - means[c]) > error ||
            fabs(deviation[c] - deviations[c]) > error)
            fail_msg("channel %zu: %f, %f", c, mean[c], deviation[c]);
}

/* Channel statistics as most programs for CIFAR-10 state them; the first labels and
 * the first pixel as they are in every copy. */
static void real_ten(void **state)
{
    static const int32_t first[] = {6, 9, 9, 4, 1, 1, 2, 7, 8, 3};
    static const uint8_t corner[] = {59, 62, 63};
    (void)state;
    fal_dataset *train = open_real("cifar-10", FAL_SPLIT_TRAIN);
    fal_dataset *test = open_real("cifar-10", FAL_SPLIT_TEST);
    expect_counts(train, 10, 5000);
    expect_counts(test, 10, 1000);
    assert_memory_equal(train->arrays.labels, first, sizeof first);
    assert_memory_equal(train->arrays.inputs, corner, sizeof corner);
    assert_string_equal(train->arrays.class_names[6], "frog");
    expect_channels(train, (const double[]){.4914, .4822, .4465},
                    (const double[]){.2470, .2435, .2616}, 1e-4);
    fal_dataset_destroy(train);
    fal_dataset_destroy(test);
}

static void real_hundred(void **state)
{
    int32_t of[100];
    (void)state;
    fal_dataset *fine = open_real("cifar-100", FAL_SPLIT_TRAIN);
    fal_dataset *coarse = open_real("cifar-100-coarse", FAL_SPLIT_TRAIN);
    expect_counts(fine, 100, 500);
    expect_counts(coarse, 20, 2500);
    memset(of, -1, sizeof of);
    for (size_t i = 0; i < fine->arrays.count; i++) {
        int32_t *group = &of[fine->arrays.labels[i]];
        assert_true(*group < 0 || *group == coarse->arrays.labels[i]);
        *group = coarse->arrays.labels[i];
    }
    expect_channels(fine, (const double[]){.507075, .486549, .440918},
                    (const double[]){.267334, .256438, .276150}, 1e-6);
    fal_dataset_destroy(fine);
    fal_dataset_destroy(coarse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ten_are_read),
        TEST(hundred_are_fine),
        TEST(names_have_folders_of_their_own),
        TEST(folders_may_name_the_classes),
        TEST(first_samples_only),
        TEST(truncated_files_are_refused),
        TEST(labels_out_of_range_are_refused),
        TEST(both_labels_are_checked),
        TEST(labels_after_the_samples_are_checked),
        TEST(missing_batches_are_named),
        TEST(folders_of_both_are_refused),
        TEST(names_come_in_their_format),
        TEST(memory_that_fails_leaves_nothing),
        cmocka_unit_test(real_ten),
        cmocka_unit_test(real_hundred),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
