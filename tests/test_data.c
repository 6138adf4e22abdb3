/* Data sets from files: IDX good and bad, names and folders, failing memory. Every
 * test has an empty folder of its own. */
#include "data/dataset.h"
#include "data/standardize.h"
#include "device/memory.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <zlib.h>

static char folder[64];

static void remove_tree(const char *path)
{
    DIR *list = opendir(path);
    for (struct dirent *e; list && (e = readdir(list));) {
        char inner[512];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        if (unlink(inner))
            remove_tree(inner);
    }
    if (list)
        closedir(list);
    rmdir(path);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/falign-data-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    fal_memory_fail_at(0);
    remove_tree(folder);
    return 0;
}

static const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
    FILE *file = fopen(in_folder(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void write_gzip(const char *name, const void *bytes, unsigned n)
{
    gzFile file = gzopen(in_folder(name), "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, n), (int)n);
    assert_int_equal(gzclose(file), Z_OK);
}

/* Three images of 2x2 with labels 0, 1, 4. */
static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2,  0,  0,
                                 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255};
static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 4};

static void write_good(void)
{
    write_file("train-images-idx3-ubyte", images, sizeof images);
    write_file("train-labels-idx1-ubyte", labels, sizeof labels);
}

static void expect_message(const char *part)
{
    if (!strstr(fal_error_message(), part))
        fail_msg("'%s' is not in '%s'", part, fal_error_message());
}

/* Opening the folder's training split fails so, and leaves the result alone. */
static void expect_failure(fal_status status, const char *part)
{
    fal_dataset *const mark = (fal_dataset *)folder;
    fal_dataset *dataset = mark;
    assert_int_equal(fal_dataset_open(&dataset, folder, FAL_SPLIT_TRAIN), status);
    assert_ptr_equal(dataset, mark);
    expect_message(part);
}

/* The same with other bytes in place of the images. */
static void expect_bad_images(const void *bytes, size_t n, const char *part)
{
    write_good();
    write_file("train-images-idx3-ubyte", bytes, n);
    expect_failure(FAL_ERROR_FORMAT, part);
    expect_message("train-images-idx3-ubyte");
}

static void expect_good(const fal_dataset *dataset, size_t count)
{
    const fal_arrays *a = &dataset->arrays;
    assert_int_equal(a->count, count);
    assert_int_equal(a->height, 2);
    assert_int_equal(a->width, 2);
    assert_int_equal(a->channels, 1);
    assert_int_equal(a->type, FAL_BYTES);
    assert_int_equal(a->classes, 5);
    assert_memory_equal(a->inputs, images + 16, 4 * count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(a->labels[i], labels[8 + i]);
}

static void plain_files_are_read(void **state)
{
    fal_dataset *dataset;
    (void)state;
    write_good();
    assert_int_equal(fal_dataset_open(&dataset, folder, FAL_SPLIT_TRAIN), FAL_OK);
    expect_good(dataset, 3);
    fal_dataset_destroy(dataset);
}

static void gzipped_files_with_dots_are_read(void **state)
{
    fal_dataset *dataset;
    (void)state;
    write_gzip("t10k-images.idx3-ubyte.gz", images, sizeof images);
    write_gzip("t10k-labels.idx1-ubyte.gz", labels, sizeof labels);
    assert_int_equal(fal_dataset_open(&dataset, folder, FAL_SPLIT_TEST), FAL_OK);
    expect_good(dataset, 3);
    fal_dataset_destroy(dataset);
    expect_failure(FAL_ERROR_FILE,
                   "the folder has no train-images-idx3-ubyte[.gz]");
}

static void colour_images_are_read(void **state)
{
    const uint8_t colour[] = {0, 0, 8, 4, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0,  0,  2,
                              0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    fal_dataset *dataset;
    (void)state;
    write_file("train-images-idx4-ubyte", colour, sizeof colour);
    write_file("train-labels-idx1-ubyte", labels, sizeof labels);
    assert_int_equal(fal_dataset_open(&dataset, folder, FAL_SPLIT_TRAIN), FAL_OK);
    assert_int_equal(dataset->arrays.height, 1);
    assert_int_equal(dataset->arrays.width, 2);
    assert_int_equal(dataset->arrays.channels, 2);
    assert_memory_equal(dataset->arrays.inputs, colour + 20, 12);
    fal_dataset_destroy(dataset);
}

static void first_samples_only(void **state)
{
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    fal_dataset *dataset;
    (void)state;
    write_good();
    options.samples = 2;
    assert_int_equal(
        fal_dataset_open_with(&dataset, folder, FAL_SPLIT_TRAIN, &options), FAL_OK);
    expect_good(dataset, 2);
    fal_dataset_destroy(dataset);
    options.samples = 4;
    assert_int_equal(
        fal_dataset_open_with(&dataset, folder, FAL_SPLIT_TRAIN, &options),
        FAL_ERROR_ARGUMENT);
    expect_message("4 samples asked for, there are 3");
}

/* What is not kept is checked all the same. */
static void first_samples_of_a_bad_file(void **state)
{
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    fal_dataset *dataset;
    (void)state;
    write_good();
    write_file("train-images-idx3-ubyte", images, sizeof images - 1);
    options.samples = 1;
    assert_int_equal(
        fal_dataset_open_with(&dataset, folder, FAL_SPLIT_TRAIN, &options),
        FAL_ERROR_FORMAT);
    expect_message("truncated");
}

static void classes_count_over_both_splits(void **state)
{
    const uint8_t higher[] = {0, 0, 8, 1, 0, 0, 0, 1, 9};
    fal_dataset *dataset;
    (void)state;
    write_good();
    write_file("t10k-labels-idx1-ubyte", higher, sizeof higher);
    assert_int_equal(fal_dataset_open(&dataset, folder, FAL_SPLIT_TRAIN), FAL_OK);
    assert_int_equal(dataset->arrays.classes, 10);
    fal_dataset_destroy(dataset);
}

static void bad_headers_are_refused(void **state)
{
    uint8_t bad[sizeof images + 1];
    (void)state;
    expect_bad_images("", 0, "empty");
    expect_bad_images(images, 3,
                      "truncated, the magic number takes 4 bytes, there are "
                      "only 3");
    expect_bad_images(images, 11,
                      "truncated, the header takes 16 bytes, there are "
                      "only 11");
    expect_bad_images("\x89PNG\r\n\x1a\n", 8, "starts with 89 50 4e 47");
    expect_bad_images(labels, sizeof labels,
                      "has 1 dimensions, images have 3 or 4");
    memcpy(bad, images, sizeof images);
    bad[2] = 0x0d;
    expect_bad_images(bad, sizeof images, "values of IDX type 0d");
    bad[2] = 8;
    bad[3] = 5;
    expect_bad_images(bad, sizeof images, "has 5 dimensions");
}

static void bad_sizes_are_refused(void **state)
{
    uint8_t bad[sizeof images + 1] = {0};
    (void)state;
    memcpy(bad, images, sizeof images);
    expect_bad_images(
        bad, sizeof images - 1,
        "the content by the header takes 12 bytes, there are only 11");
    expect_bad_images(bad, sizeof images + 1, "data follow after the 12 bytes");
    bad[7] = 0;
    expect_bad_images(bad, sizeof images, "dimension 1 is 0");
    bad[4] = 0x80;
    expect_bad_images(bad, sizeof images, "dimension 1 is 2147483648");
    memset(bad + 4, 0x7f, 12);
    expect_bad_images(bad, sizeof images, "multiply to more");
    memcpy(bad + 4, "\0\0\0\3\x7f\0\0\0\0\0\0\4", 12);
    expect_bad_images(bad, sizeof images, "an item has");
    /* 3.5 TB by the header, 12 bytes in truth: refused without asking for them. */
    memcpy(bad + 4, "\x7f\0\0\0\0\0\0\x28\0\0\0\x28", 12);
    expect_bad_images(bad, sizeof images, "truncated");
}

static void labels_must_fit_the_images(void **state)
{
    const uint8_t two[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 1};
    (void)state;
    write_file("train-images-idx3-ubyte", images, sizeof images);
    expect_failure(FAL_ERROR_FILE,
                   "no train-labels-idx1-ubyte[.gz] beside the images");
    write_file("train-labels-idx1-ubyte", two, sizeof two);
    expect_failure(FAL_ERROR_FORMAT, "has 3 images");
    expect_message("has 2 labels");
    write_file("train-labels-idx1-ubyte", images, sizeof images);
    expect_failure(FAL_ERROR_FORMAT, "has 3 dimensions, labels have 1");
}

static void broken_gzip_is_refused(void **state)
{
    uint8_t packed[4096], noise[2000 + 16];
    uint32_t x = 1;
    (void)state;
    memcpy(noise, images, 16);
    memcpy(noise + 4, "\0\0\1\xf4", 4);
    for (int i = 16; i < 2016; i++)
        noise[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
    write_gzip("packed", noise, sizeof noise);
    FILE *file = fopen(in_folder("packed"), "rb");
    size_t n = fread(packed, 1, sizeof packed, file);
    fclose(file);
    assert_true(n > 1000 && n < sizeof packed);
    write_file("train-labels-idx1-ubyte", labels, sizeof labels);
    write_file("train-images-idx3-ubyte.gz", packed, n / 2);
    expect_failure(FAL_ERROR_FORMAT, "broken gzip data: unexpected end of file");
    write_file("train-images-idx3-ubyte.gz", packed, n - 8);
    expect_failure(FAL_ERROR_FORMAT, "broken gzip data");
    packed[n - 6] ^= 1;
    write_file("train-images-idx3-ubyte.gz", packed, n);
    expect_failure(FAL_ERROR_FORMAT, "broken gzip data: incorrect data check");
    packed[n - 6] ^= 1;
    packed[10] = 7;
    write_file("train-images-idx3-ubyte.gz", packed, n);
    expect_failure(FAL_ERROR_FORMAT, "broken gzip data");
}

static void things_that_are_no_files(void **state)
{
    (void)state;
    write_good();
    unlink(in_folder("train-images-idx3-ubyte"));
    assert_int_equal(mkdir(in_folder("train-images-idx3-ubyte"), 0700), 0);
    expect_failure(FAL_ERROR_FILE, "is a folder");
    rmdir(in_folder("train-images-idx3-ubyte"));
    assert_int_equal(mkfifo(in_folder("train-images-idx3-ubyte"), 0600), 0);
    expect_failure(FAL_ERROR_FILE, "is not a file");
}

static void expect_open_failure(const char *name,
                                const fal_dataset_options *options,
                                fal_status status, const char *part)
{
    fal_dataset *dataset = NULL;
    assert_int_equal(
        fal_dataset_open_with(&dataset, name, FAL_SPLIT_TRAIN, options), status);
    assert_null(dataset);
    expect_message(part);
}

static void wrong_names_are_refused(void **state)
{
    fal_dataset *dataset;
    (void)state;
    expect_open_failure(
        "fashion-mnits", NULL, FAL_ERROR_ARGUMENT,
        "known: fashion-mnist, mnist; did you mean 'fashion-mnist'?");
    expect_open_failure("no/such", NULL, FAL_ERROR_FILE, "No such file");
    expect_open_failure("", NULL, FAL_ERROR_ARGUMENT, "NULL or empty");
    expect_open_failure(NULL, NULL, FAL_ERROR_ARGUMENT, "NULL or empty");
    write_good();
    expect_open_failure(in_folder("train-images-idx3-ubyte"), NULL, FAL_ERROR_FILE,
                        "is not a folder");
    assert_int_equal(fal_dataset_open(NULL, "mnist", FAL_SPLIT_TRAIN),
                     FAL_ERROR_ARGUMENT);
    assert_int_equal(fal_dataset_open(&dataset, "mnist", (fal_split)2),
                     FAL_ERROR_ARGUMENT);
    expect_message("split is 2");
}

static void wrong_options_are_refused(void **state)
{
    const char *none[] = {NULL};
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    (void)state;
    options.folder_count = 1;
    expect_open_failure("mnist", &options, FAL_ERROR_ARGUMENT, "folders is NULL");
    options.folders = none;
    expect_open_failure("mnist", &options, FAL_ERROR_ARGUMENT,
                        "folders[0] is NULL");
    options.size = 0;
    expect_open_failure("mnist", &options, FAL_ERROR_ARGUMENT, "says 0 bytes");
    options.size = sizeof options + 8;
    expect_open_failure("mnist", &options, FAL_ERROR_ARGUMENT,
                        "this library knows");
}

static void names_are_looked_for_in_folders(void **state)
{
    char other[512];
    const char *folders[] = {"/nowhere", other};
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    fal_dataset *dataset;
    (void)state;
    snprintf(other, sizeof other, "%s", folder);
    options.folders = folders;
    options.folder_count = 2;
    expect_open_failure("fashion-mnist", &options, FAL_ERROR_FILE,
                        "'/nowhere/fashion-mnist' (no such folder)");
    expect_message("dataset-fashion-mnist");
    mkdir(in_folder("mnist"), 0700);
    expect_open_failure("mnist", &options, FAL_ERROR_FILE,
                        "/mnist' (no train-images");
    write_file("mnist/train-images-idx3-ubyte", images, sizeof images);
    write_file("mnist/train-labels-idx1-ubyte", labels, sizeof labels);
    assert_int_equal(
        fal_dataset_open_with(&dataset, "mnist", FAL_SPLIT_TRAIN, &options),
        FAL_OK);
    assert_int_equal(dataset->arrays.classes, 10);
    assert_string_equal(dataset->arrays.class_names[9], "9");
    fal_dataset_destroy(dataset);
    options.folder_count = 0;
    expect_open_failure("mnist", &options, FAL_ERROR_FILE,
                        "an empty list of folders");
}

static void known_names_check_their_labels(void **state)
{
    const uint8_t bad[] = {0, 0, 8, 1, 0, 0, 0, 3, 0, 10, 4};
    const char *folders[] = {folder};
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    (void)state;
    options.folders = folders;
    options.folder_count = 1;
    mkdir(in_folder("mnist"), 0700);
    write_file("mnist/train-images-idx3-ubyte", images, sizeof images);
    write_file("mnist/train-labels-idx1-ubyte", bad, sizeof bad);
    expect_open_failure("mnist", &options, FAL_ERROR_FORMAT,
                        "the label of sample 1 is 10, mnist has 0 to 9");
}

/* The build says where the sample is; without it, from this file's path. */
static const char *sample_folder(void)
{
    static char path[512] = __FILE__;
    const char *given = getenv("FALIGN_TEST_DATA");
    char *slash = strrchr(path, '/');
    if (given)
        return given;
    strcpy(slash ? slash + 1 : path, "../datasets/sample");
    return path;
}

static void sample_is_fashion_mnist(void **state)
{
    const char *path = sample_folder();
    fal_dataset *train, *test;
    double mean, deviation;
    (void)state;
    assert_int_equal(fal_dataset_open(&train, path, FAL_SPLIT_TRAIN), FAL_OK);
    assert_int_equal(fal_dataset_open(&test, path, FAL_SPLIT_TEST), FAL_OK);
    assert_int_equal(train->arrays.count, 2000);
    assert_int_equal(test->arrays.count, 500);
    assert_int_equal(train->arrays.width, 28);
    assert_int_equal(train->arrays.classes, 10);
    assert_int_equal(train->arrays.labels[0], 9);
    assert_int_equal(fal_standardization(&train->arrays, NULL, &mean, &deviation),
                     FAL_OK);
    assert_true(fabs(mean - 0.286) < 0.01 && fabs(deviation - 0.353) < 0.01);
    fal_dataset_destroy(train);
    fal_dataset_destroy(test);
}

/* ---- failing memory ------------------------------------------------------ */

/* The sanitizer's leak check sees what is not released. */
static void expect_clean_failures(fal_status (*make)(fal_dataset **))
{
    for (long n = 1;; n++) {
        fal_dataset *dataset = NULL;
        fal_memory_fail_at(n);
        fal_status status = make(&dataset);
        fal_memory_fail_at(0);
        if (status == FAL_OK) {
            assert_true(n > 1);
            fal_dataset_destroy(dataset);
            return;
        }
        assert_int_equal(status, FAL_ERROR_MEMORY);
        assert_null(dataset);
        assert_true(n < 100);
    }
}

static fal_status open_from_folder(fal_dataset **dataset)
{
    return fal_dataset_open(dataset, folder, FAL_SPLIT_TRAIN);
}

static fal_status open_by_name(fal_dataset **dataset)
{
    const char *folders[] = {"/nowhere", folder};
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    options.folders = folders;
    options.folder_count = 2;
    return fal_dataset_open_with(dataset, "mnist", FAL_SPLIT_TEST, &options);
}

static void failing_memory_leaks_nothing(void **state)
{
    (void)state;
    write_good();
    write_gzip("t10k-labels-idx1-ubyte.gz", labels, sizeof labels);
    expect_clean_failures(open_from_folder);
    mkdir(in_folder("mnist"), 0700);
    write_gzip("mnist/t10k-images-idx3-ubyte.gz", images, sizeof images);
    write_gzip("mnist/t10k-labels-idx1-ubyte.gz", labels, sizeof labels);
    expect_clean_failures(open_by_name);
}

/* The default folders take the home folder's name from the system. */
static void failing_memory_with_default_folders(void **state)
{
    (void)state;
    for (long n = 1; n < 8; n++) {
        fal_dataset *dataset = NULL;
        fal_dataset_options options = FAL_DATASET_OPTIONS;
        options.samples = SIZE_MAX;
        fal_memory_fail_at(n);
        fal_status status = fal_dataset_open_with(&dataset, "mnist",
                                                  FAL_SPLIT_TRAIN, &options);
        fal_memory_fail_at(0);
        assert_int_not_equal(status, FAL_OK);
        if (n <= 3)
            assert_int_equal(status, FAL_ERROR_MEMORY);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_files_are_read),
        TEST(gzipped_files_with_dots_are_read),
        TEST(colour_images_are_read),
        TEST(first_samples_only),
        TEST(first_samples_of_a_bad_file),
        TEST(classes_count_over_both_splits),
        TEST(bad_headers_are_refused),
        TEST(bad_sizes_are_refused),
        TEST(labels_must_fit_the_images),
        TEST(broken_gzip_is_refused),
        TEST(things_that_are_no_files),
        TEST(wrong_names_are_refused),
        TEST(wrong_options_are_refused),
        TEST(names_are_looked_for_in_folders),
        TEST(known_names_check_their_labels),
        TEST(sample_is_fashion_mnist),
        TEST(failing_memory_leaks_nothing),
        TEST(failing_memory_with_default_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
