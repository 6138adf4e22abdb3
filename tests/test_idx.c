/* IDX files, good and bad. */
#include "data_files.h"

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

/* The same with other bytes in place of the images. */
static void expect_bad_images(const void *bytes, size_t n, const char *part)
{
    write_good();
    write_file("train-images-idx3-ubyte", bytes, n);
    expect_failure(FAL_ERROR_FORMAT, part);
    expect_message("train-images-idx3-ubyte");
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
                   "the folder has no train-labels-idx1-ubyte[.gz]");
    write_file("train-labels-idx1-ubyte", two, sizeof two);
    expect_failure(FAL_ERROR_FORMAT, "has 3 samples");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_files_are_read),   TEST(gzipped_files_with_dots_are_read),
        TEST(colour_images_are_read), TEST(bad_headers_are_refused),
        TEST(bad_sizes_are_refused),  TEST(labels_must_fit_the_images),
        TEST(broken_gzip_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
