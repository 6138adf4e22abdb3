/* The reader of data files where a file changes while it is read. */
#include "data/reader.h"
#include "data_files.h"

enum { SIZE = 1 << 20, HALF = SIZE / 2 };

static uint8_t *noise(void)
{
    uint8_t *bytes = malloc(SIZE);
    uint32_t x = 1;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
    return bytes;
}

static fal_reader *open_file(void)
{
    static char path[512];
    fal_reader *reader = NULL;
    snprintf(path, sizeof path, "%s/data", folder);
    assert_int_equal(fal_reader_open(&reader, path), FAL_OK);
    return reader;
}

/* Reads half of it, and then all that its header would have announced. */
static fal_status read_on(fal_reader *reader, void (*change)(void),
                          uint8_t **values)
{
    uint8_t *half = malloc(HALF);
    assert_int_equal(fal_reader_header(reader, half, HALF, "header", 0), FAL_OK);
    free(half);
    if (change)
        change();
    return fal_reader_content(reader, values, HALF, HALF);
}

static void shrink(void)
{
    assert_int_equal(truncate(in_folder("data"), HALF + HALF / 2), 0);
}

static void grow(void)
{
    FILE *file = fopen(in_folder("data"), "ab");
    assert_int_equal(fputc('x', file), 'x');
    fclose(file);
}

static void vanish(void)
{
    assert_int_equal(unlink(in_folder("data")), 0);
}

static void files_that_change(void **state)
{
    uint8_t *bytes = noise(), *values = NULL;
    (void)state;
    write_file("data", bytes, SIZE);
    fal_reader *reader = open_file();
    assert_int_equal(read_on(reader, shrink, &values), FAL_ERROR_FORMAT);
    expect_message(
        "/data': truncated, the content by the header takes 524288 bytes");
    fal_reader_close(reader);
    assert_null(values);

    write_file("data", bytes, SIZE);
    reader = open_file();
    assert_int_equal(read_on(reader, grow, &values), FAL_ERROR_FORMAT);
    expect_message("data follow after the 524288 bytes");
    fal_reader_close(reader);
    assert_null(values);

    /* An open file stays. */
    write_file("data", bytes, SIZE);
    reader = open_file();
    assert_int_equal(read_on(reader, vanish, &values), FAL_OK);
    fal_reader_close(reader);
    assert_memory_equal(values, bytes + HALF, HALF);
    fal_release(values);
    free(bytes);
}

static void gzipped_files_that_shrink(void **state)
{
    uint8_t *bytes = noise(), *values = NULL;
    (void)state;
    write_gzip("data", bytes, SIZE);
    fal_reader *reader = open_file();
    assert_int_equal(read_on(reader, shrink, &values), FAL_ERROR_FORMAT);
    expect_message("/data': broken gzip data: unexpected end of file");
    fal_reader_close(reader);
    assert_null(values);

    write_gzip("data", bytes, SIZE);
    reader = open_file();
    assert_int_equal(read_on(reader, NULL, &values), FAL_OK);
    fal_reader_close(reader);
    assert_memory_equal(values, bytes + HALF, HALF);
    fal_release(values);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_that_change),
        TEST(gzipped_files_that_shrink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
