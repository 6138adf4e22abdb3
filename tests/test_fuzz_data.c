/* Small valid data files with every byte changed in turn, cut off at every length,
 * and with several bytes changed at random, always the same ones: what can be read is
 * read, all else is refused with a message, and nothing crashes. */
#include "npy_files.h"

enum { LONGEST = 512 };

struct victim {
    const char *name;
    uint8_t bytes[LONGEST];
    size_t size;
};

static size_t opened, refused;

static void load(struct victim *victim, const char *name)
{
    FILE *file = fopen(in_folder(name), "rb");
    assert_non_null(file);
    victim->name = name;
    victim->size = fread(victim->bytes, 1, LONGEST, file);
    assert_in_range(victim->size, 1, LONGEST - 1);
    fclose(file);
}

/* A sum over all of it: a sanitizer sees what is not there. */
static void use(const fal_dataset *dataset)
{
    const fal_arrays *a = &dataset->arrays;
    const uint8_t *inputs = a->inputs;
    size_t bytes = a->count * fal_arrays_stride(a), sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum += inputs[i];
    for (size_t i = 0; i < a->count && a->labels; i++)
        assert_in_range(a->labels[i], 0, a->classes - 1);
    for (size_t i = 0; i < a->count * a->outputs; i++)
        sum += a->targets[i] > 0;
    assert_true(sum < SIZE_MAX);
}

static void try_file(const char *name, const uint8_t *bytes, size_t size)
{
    fal_dataset *dataset = NULL;
    write_file(name, bytes, size);
    fal_status status = fal_dataset_open(&dataset, folder, FAL_SPLIT_TRAIN);
    if (status == FAL_OK) {
        use(dataset);
        fal_dataset_destroy(dataset);
        opened++;
        return;
    }
    assert_int_equal(status, FAL_ERROR_FORMAT);
    assert_null(dataset);
    expect_message("reading '");
    refused++;
}

/* The lowest one that is free: grows with every file that stays open. */
static int next_descriptor(void)
{
    int descriptor = dup(STDOUT_FILENO);
    assert_true(descriptor >= 0);
    close(descriptor);
    return descriptor;
}

static void fuzz(const char *name)
{
    static const uint8_t masks[] = {1, 2, 4, 8, 16, 32, 64, 128, 255};
    struct victim victim;
    uint8_t bytes[LONGEST];
    uint32_t x = 1;
    int descriptor = next_descriptor();
    load(&victim, name);
    opened = refused = 0;
    for (size_t i = 0; i < victim.size; i++) {
        for (size_t m = 0; m < sizeof masks; m++) {
            memcpy(bytes, victim.bytes, victim.size);
            bytes[i] ^= masks[m];
            try_file(name, bytes, victim.size);
        }
        try_file(name, victim.bytes, i);
    }
    for (int round = 0; round < 500; round++) {
        memcpy(bytes, victim.bytes, victim.size);
        for (int k = 0; k < 4; k++) {
            x = x * 1664525 + 1013904223;
            bytes[(x >> 8) % victim.size] = (uint8_t)(x >> 24);
        }
        try_file(name, bytes, victim.size);
    }
    write_file(name, victim.bytes, victim.size);
    assert_true(refused > victim.size);
    assert_int_equal(next_descriptor(), descriptor);
}

static void idx_files(void **state)
{
    (void)state;
    write_good();
    fuzz("train-images-idx3-ubyte");
    assert_true(opened > 100);
    fuzz("train-labels-idx1-ubyte");
}

static void gzipped_idx_files(void **state)
{
    (void)state;
    write_gzip("train-images-idx3-ubyte.gz", images, sizeof images);
    write_gzip("train-labels-idx1-ubyte.gz", labels, sizeof labels);
    fuzz("train-images-idx3-ubyte.gz");
    fuzz("train-labels-idx1-ubyte.gz");
}

static void npy_files(void **state)
{
    const double doubles[] = {1, 2, 3};
    (void)state;
    write_good_npy();
    fuzz("train-x.npy");
    assert_true(opened > 100);
    fuzz("train-y.npy");
    write_npy("train-y.npy", "<f8", "3,", doubles, sizeof doubles);
    fuzz("train-y.npy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(idx_files),
        TEST(gzipped_idx_files),
        TEST(npy_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
