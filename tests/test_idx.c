/* IDX files, good and bad. */
#include "data_files.h"

#include <sys/resource.h>

/* Bytes as a gzip stream; returns its length. */
static size_t pack(uint8_t *packed, size_t room, const void *bytes, unsigned n)
{
    write_gzip("packed", bytes, n);
    FILE *file = fopen(in_folder("packed"), "rb");
    size_t length = fread(packed, 1, room, file);
    fclose(file);
    unlink(in_folder("packed"));
    assert_in_range(length, 1, room - 1);
    return length;
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
    size_t n = pack(packed, sizeof packed, noise, sizeof noise);
    assert_true(n > 1000);
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

static void several_gzip_streams_are_one_file(void **state)
{
    uint8_t packed[512];
    fal_dataset *dataset;
    (void)state;
    size_t n = pack(packed, sizeof packed, images, 9);
    n += pack(packed + n, sizeof packed - n, images + 9, sizeof images - 9);
    write_file("train-images-idx3-ubyte.gz", packed, n);
    write_file("train-labels-idx1-ubyte", labels, sizeof labels);
    assert_int_equal(fal_dataset_open(&dataset, folder, FAL_SPLIT_TRAIN), FAL_OK);
    expect_good(dataset, 3);
    fal_dataset_destroy(dataset);
}

static void what_follows_a_gzip_stream(void **state)
{
    uint8_t packed[512] = {0};
    (void)state;
    size_t n = pack(packed, sizeof packed, images, sizeof images);
    write_file("train-labels-idx1-ubyte", labels, sizeof labels);
    memcpy(packed + n, "more", 4);
    write_file("train-images-idx3-ubyte.gz", packed, n + 4);
    expect_failure(FAL_ERROR_FORMAT, "broken gzip data: something else follows it");
    memset(packed + n, 0, 8);
    write_file("train-images-idx3-ubyte.gz", packed, n + 8);
    expect_failure(FAL_ERROR_FORMAT, "broken gzip data: something else follows it");
    memcpy(packed + n, packed, n);
    write_file("train-images-idx3-ubyte.gz", packed, 2 * n);
    expect_failure(FAL_ERROR_FORMAT, "data follow after the 12 bytes");
}

/* 64 MB of zeros in a small file behind a header that speaks of 12 bytes: only a piece of
 * them is unpacked. */
static void gzip_bombs_stop_at_the_headers_size(void **state)
{
    enum { CHUNK = 1 << 20, CHUNKS = 64 };
    uint8_t *zeros = calloc(1, CHUNK);
    struct rusage before, after;
    (void)state;
    write_file("train-labels-idx1-ubyte", labels, sizeof labels);
    gzFile file = gzopen(in_folder("train-images-idx3-ubyte.gz"), "wb1");
    assert_int_equal(gzwrite(file, images, sizeof images), sizeof images);
    for (int i = 0; i < CHUNKS; i++)
        assert_int_equal(gzwrite(file, zeros, CHUNK), CHUNK);
    assert_int_equal(gzclose(file), Z_OK);
    free(zeros);
    getrusage(RUSAGE_SELF, &before);
    expect_failure(FAL_ERROR_FORMAT, "data follow after the 12 bytes");
    getrusage(RUSAGE_SELF, &after);
    assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 4096);
}

static void unreadable_files(void **state)
{
    (void)state;
    write_good();
    unlink(in_folder("train-labels-idx1-ubyte"));
    assert_int_equal(
        symlink("train-labels-idx1-ubyte", in_folder("train-labels-idx1-ubyte")),
        0);
    expect_failure(FAL_ERROR_FILE, "Too many levels of symbolic links; check the "
                                   "path and its rights");
    unlink(in_folder("train-labels-idx1-ubyte"));
    write_good();
    chmod(in_folder("train-images-idx3-ubyte"), 0);
    if (access(in_folder("train-images-idx3-ubyte"), R_OK) == 0)
        return; /* nothing is forbidden to this user */
    expect_failure(FAL_ERROR_FILE, "train-images-idx3-ubyte': Permission denied");
}

/* The other split is looked at, as far as it is there. */
static void splits_must_be_alike(void **state)
{
    uint8_t wide[sizeof images];
    (void)state;
    write_good();
    memcpy(wide, images, sizeof images);
    wide[11] = 1;
    wide[15] = 4;
    write_file("t10k-images-idx3-ubyte", wide, sizeof wide);
    expect_failure(FAL_ERROR_FORMAT, "has samples of 2x2x1 bytes");
    expect_message("t10k-images-idx3-ubyte' of 1x4x1 bytes");
    write_file("t10k-images-idx3-ubyte", labels, sizeof labels);
    expect_failure(FAL_ERROR_FORMAT, "has 1 dimensions, images have 3 or 4");
    write_file("t10k-images-idx3-ubyte", images, sizeof images);
    write_file("t10k-labels-idx1-ubyte", labels, 9);
    expect_failure(FAL_ERROR_FORMAT, "t10k-labels-idx1-ubyte': truncated");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_files_are_read),       TEST(gzipped_files_with_dots_are_read),
        TEST(colour_images_are_read),     TEST(bad_headers_are_refused),
        TEST(bad_sizes_are_refused),      TEST(labels_must_fit_the_images),
        TEST(broken_gzip_is_refused),     TEST(several_gzip_streams_are_one_file),
        TEST(what_follows_a_gzip_stream), TEST(gzip_bombs_stop_at_the_headers_size),
        TEST(unreadable_files),           TEST(splits_must_be_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
