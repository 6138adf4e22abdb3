/* Safetensors files: what is written comes back, what is damaged is refused. */
#include "disk.h"
#include "folder.h"
#include "files/safetensors.h"

#include <math.h>

/* ---- safetensors: what is written comes back ----------------------------- */

static const float weight[6] = {1, -2.5f, 3e-8f, 4, 5, 6};
static const int64_t steps[2] = {-1, INT64_C(1) << 60};
static const unsigned char mask[3] = {1, 0, 255};

static fal_status fetch_weight(void *user, void *values, size_t bytes)
{
    assert_int_equal(bytes, sizeof weight);
    memcpy(values, user, bytes);
    return FAL_OK;
}

static fal_status fetch_fails(void *user, void *values, size_t bytes)
{
    (void)user, (void)values, (void)bytes;
    return fal_fail(FAL_ERROR_DEVICE, "device lost");
}

static const fal_tensor_source sources[] = {
    {"w", FAL_TENSOR_F32, {2, 3}, 2, NULL, fetch_weight, (void *)weight, 0},
    {"mask", FAL_TENSOR_U8, {3}, 1, mask, NULL, NULL, 0},
    {"steps", FAL_TENSOR_I64, {2}, 1, steps, NULL, NULL, 0},
    {"a \"quoted\"\n\\u00e9 \xC3\xA9",
     FAL_TENSOR_F32,
     {0},
     0,
     weight,
     NULL,
     NULL,
     0},
    {"empty", FAL_TENSOR_F32, {4, 0}, 2, NULL, NULL, NULL, 0},
};
static const fal_metadata texts[] = {
    {"network", "input 28x28x1, \"a\"\t\xE2\x89\xA4"}, {"mean", "[0.5]"}, {"", ""}};
enum { SOURCES = 5, TEXTS = 3 };

static fal_status write_all(void)
{
    return fal_safetensors_write(path, sources, SOURCES, texts, TEXTS);
}

static void assert_all(const fal_safetensors *f)
{
    static const size_t shape[] = {2, 3};
    float copy[6];
    assert_int_equal(fal_safetensors_count(f), SOURCES);
    for (size_t i = 0; i < SOURCES; i++) {
        const fal_tensor_source *s = &sources[i];
        const fal_tensor_view *t = fal_safetensors_find(f, s->name);
        assert_non_null(t);
        assert_string_equal(t->name, s->name);
        assert_int_equal(t->type, s->type);
        assert_int_equal(t->dimensions, s->dimensions);
        assert_memory_equal(t->shape, s->shape, s->dimensions * sizeof(size_t));
        if (s->data)
            assert_memory_equal(t->data, s->data, t->bytes);
    }
    assert_int_equal(fal_safetensors_floats(f, "w", shape, 2, copy), FAL_OK);
    assert_memory_equal(copy, weight, sizeof weight);
    for (size_t i = 0; i < TEXTS; i++)
        assert_string_equal(fal_safetensors_metadata(f, texts[i].key),
                            texts[i].value);
}

static void test_round_trip(void **state)
{
    (void)state;
    fal_safetensors *f;
    unsigned char *data;
    size_t size;
    assert_int_equal(write_all(), FAL_OK);
    assert_int_equal(fal_safetensors_open(&f, path), FAL_OK);
    assert_all(f);
    assert_null(fal_safetensors_find(f, "none"));
    assert_null(fal_safetensors_metadata(f, "none"));
    assert_string_equal(fal_safetensors_at(f, 2)->name, "mask");
    assert_null(fal_safetensors_at(f, SOURCES));
    assert_int_equal(fal_safetensors_find(f, "empty")->count, 0);
    fal_safetensors_close(f);
    assert_int_equal(fal_file_read(path, 10000, &data, &size), FAL_OK);
    assert_int_equal(data[0] % 8, 0); /* the data begins aligned */
    fal_release(data);
    assert_int_equal(entries(), 1);
}

static void test_nothing_to_write(void **state)
{
    (void)state;
    fal_safetensors *f;
    assert_int_equal(fal_safetensors_write(path, NULL, 0, NULL, 0), FAL_OK);
    assert_int_equal(fal_safetensors_open(&f, path), FAL_OK);
    assert_int_equal(fal_safetensors_count(f), 0);
    assert_null(fal_safetensors_find(f, "w"));
    assert_null(fal_safetensors_metadata(f, "mean"));
    fal_safetensors_close(f);
    fal_safetensors_close(NULL);
}

static void test_floats_refused(void **state)
{
    (void)state;
    fal_safetensors *f;
    float copy[6];
    const size_t turned[] = {3, 2}, two[] = {2};
    assert_int_equal(write_all(), FAL_OK);
    assert_int_equal(fal_safetensors_open(&f, path), FAL_OK);
    assert_int_equal(fal_safetensors_floats(f, "w", turned, 2, copy),
                     FAL_ERROR_FORMAT);
    assert_message("tensor 'w': shape [2,3], [3,2] is needed");
    assert_int_equal(fal_safetensors_floats(f, "w", two, 1, copy),
                     FAL_ERROR_FORMAT);
    assert_int_equal(fal_safetensors_floats(f, "steps", two, 1, copy),
                     FAL_ERROR_FORMAT);
    assert_message("dtype I64");
    assert_int_equal(fal_safetensors_floats(f, "b", two, 1, copy),
                     FAL_ERROR_FORMAT);
    assert_message("tensor 'b': it is missing, shape [2] is needed");
    assert_message(path);
    fal_safetensors_close(f);
}

static void assert_refused(const fal_tensor_source *t, size_t count,
                           const char *why)
{
    assert_int_equal(fal_safetensors_write(path, t, count, NULL, 0),
                     FAL_ERROR_ARGUMENT);
    assert_message(why);
    assert_int_equal(entries(), 0);
}

static void test_sources_refused(void **state)
{
    (void)state;
    const fal_metadata twice[] = {{"k", "1"}, {"k", "2"}};
    fal_tensor_source t[] = {sources[1], sources[2], sources[1]};
    assert_refused(t, 3, "tensor 'mask': the name is there twice");
    t[1].shape[0] = SIZE_MAX / 8 + 1;
    assert_refused(t, 2, "tensor 'steps': its shape is too large");
    t[1].dimensions = 5;
    assert_refused(t, 2, "more than 4 dimensions");
    t[1].name = "__metadata__";
    assert_refused(t, 2, "keeps this name");
    assert_int_equal(fal_safetensors_write(path, t, 1, twice, 2),
                     FAL_ERROR_ARGUMENT);
    assert_message("metadata 'k': the name is there twice");
    t[0].data = NULL;
    t[0].fetch = fetch_fails;
    assert_int_equal(fal_safetensors_write(path, t, 1, NULL, 0), FAL_ERROR_DEVICE);
    assert_message("device lost");
    assert_int_equal(entries(), 0);
}

/* ---- safetensors: what goes wrong ---------------------------------------- */

static void test_write_memory(void **state)
{
    (void)state;
    long n = 1;
    put_file("old", 3);
    for (;; n++) {
        fal_memory_fail_at(n);
        fal_status status = write_all();
        fal_memory_fail_at(0);
        assert_int_equal(entries(), 1);
        if (status == FAL_OK)
            break;
        assert_int_equal(status, FAL_ERROR_MEMORY);
        assert_message("host memory");
        assert_file("old");
    }
    assert_true(n > 4);
}

static void test_write_disk_full(void **state)
{
    (void)state;
    long n = 1;
    put_file("old", 3);
    for (;; n++) {
        disk_full_at(n);
        fal_status status = write_all();
        disk_fail_at(0);
        assert_int_equal(entries(), 1);
        if (status == FAL_OK)
            break;
        assert_int_equal(status, FAL_ERROR_FILE);
        assert_message("No space left");
        assert_file("old");
    }
    assert_true(n > 6);
}

static void test_open_memory(void **state)
{
    (void)state;
    fal_safetensors *f = NULL;
    long n = 1;
    assert_int_equal(write_all(), FAL_OK);
    for (;; n++) {
        fal_memory_fail_at(n);
        fal_status status = fal_safetensors_open(&f, path);
        fal_memory_fail_at(0);
        if (status == FAL_OK)
            break;
        assert_int_equal(status, FAL_ERROR_MEMORY);
        assert_null(f);
    }
    assert_true(n > 4);
    fal_safetensors_close(f);
}

static void put_tensors(const char *header, size_t length, size_t data)
{
    unsigned char *bytes = calloc(8 + length + data, 1);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)length >> (8 * i));
    memcpy(bytes + 8, header, length);
    put_file(bytes, 8 + length + data);
    free(bytes);
}

static void assert_bad(const char *why)
{
    fal_safetensors *f = NULL;
    fal_status status = fal_safetensors_open(&f, path);
    if (status != FAL_ERROR_FORMAT)
        fail_msg("status %d, not: %s", (int)status, why);
    assert_null(f);
    assert_message(why);
    assert_message(path);
}

#define ONE(dtype, shape, offsets)                                                 \
    "{\"x\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define TWO(x, y)                                                                  \
    "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" x "},"             \
    "\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" y "}}"
#define F32 "\"F32\""

/* Headers in front of 12 bytes of data. */
static const struct {
    const char *header, *why;
} bad_headers[] = {
    {"", "header is not JSON"},
    {"{\"x\":", "header is not JSON, at its byte"},
    {"{} x", "header is not JSON, at its byte 3"},
    {"[1]", "header is not a JSON object"},
    {"null", "header is not a JSON object"},
    {"\xEF\xBB\xBF{}", "header is not a JSON object"},
    {"{\"\xFF\":1}", "not UTF-8 at its byte 2"},
    {"{\"\xED\xA0\x80\":1}", "not UTF-8"},
    {"{\"a\\u0000b\":1}", "\\u0000 at its byte 3"},
    {"{\"a\nb\":1}", "control character at its byte 3"},
    {"{\v}", "control character at its byte 1"},
    {"{\"a\\ud800\":1}", "header is not JSON"},
    {" {}", "header is not a JSON object"},
    {"{},", "header is not JSON, at its byte 2"},
    {"{}{}", "header is not JSON, at its byte 2"},
    {"{\"x\":1", "header is not JSON"},
    {"{\"x", "header is not JSON"},
    {"\"x\"", "header is not a JSON object"},
    {"{}", "last 12 bytes belong to no tensor"},
    {"{\"x\":3}", "tensor 'x': its description is not a JSON object"},
    {"{\"x\":{}}", "tensor 'x': it has no dtype"},
    {ONE("\"F99\"", "[3]", "[0,12]"), "tensor 'x': dtype 'F99' is none of"},
    {ONE("\"BF16\"", "[6]", "[0,12]"), "dtype 'BF16' is none of"},
    {ONE("\"F64\"", "[1]", "[0,8]"), "dtype 'F64' is none of F32, I64, U8"},
    {ONE("\"f32\"", "[3]", "[0,12]"), "dtype 'f32' is none of"},
    {ONE("4", "[3]", "[0,12]"), "no dtype text"},
    {ONE(F32, "3", "[0,12]"), "shape is not an array of whole numbers"},
    {ONE(F32, "[\"3\"]", "[0,12]"), "shape is not an array of whole"},
    {ONE(F32, "[-3]", "[0,12]"), "number that is not whole at its byte 29"},
    {ONE(F32, "[-0]", "[0,0]"), "number that is not whole"},
    {ONE(F32, "[+3]", "[0,12]"), "number that is not whole"},
    {ONE(F32, "[03]", "[0,12]"), "number that is not whole"},
    {ONE(F32, "[3.]", "[0,12]"), "number that is not whole"},
    {ONE(F32, "[3.0]", "[0,12]"), "number that is not whole"},
    {ONE(F32, "[3.5]", "[0,12]"), "number that is not whole"},
    {ONE(F32, "[3e0]", "[0,12]"), "number that is not whole"},
    {ONE(F32, "[1e999]", "[0,12]"), "number that is not whole"},
    {ONE(F32, "[NaN]", "[0,12]"), "header is not JSON, at its byte 29"},
    {ONE(F32, "[Infinity]", "[0,12]"), "header is not JSON, at its byte 29"},
    {ONE(F32, "[true]", "[0,12]"), "shape is not an array of whole"},
    {ONE(F32, "[null]", "[0,12]"), "shape is not an array of whole"},
    {ONE(F32, "[[3]]", "[0,12]"), "shape is not an array of whole"},
    {ONE(F32, "[99999999999999999999]", "[0,12]"), "shape is not an array of"},
    {ONE(F32, "[9007199254740992]", "[0,12]"), "shape is not an array of whole"},
    {ONE(F32, "[3,1,1,1,1]", "[0,12]"), "more than 4 dimensions"},
    {ONE(F32, "[4294967296,4294967296]", "[0,12]"), "larger than any memory"},
    {ONE(F32, "[4294967296,4294967296,0]", "[0,0]"), "larger than any memory"},
    {ONE(F32, "[2]", "[0,12]"),
     "shape [2] of F32 takes 8 bytes, its offsets give 12"},
    {ONE("\"I64\"", "[2]", "[0,12]"), "shape [2] of I64 takes 16 bytes"},
    {ONE(F32, "[3]", "[0]"), "data_offsets are not two whole numbers"},
    {ONE(F32, "[3]", "[0,12,12]"), "data_offsets are not two whole"},
    {ONE(F32, "[3]", "[-4,8]"), "number that is not whole"},
    {ONE(F32, "[3]", "[0,12.5]"), "number that is not whole"},
    {ONE(F32, "[3]", "[\"0\",\"12\"]"), "data_offsets are not two whole"},
    {ONE(F32, "[3]", "\"0,12\""), "data_offsets are not two whole"},
    {ONE(F32, "[3]", "[0,9007199254740993]"), "data_offsets are not two whole"},
    {ONE(F32, "[3]", "{}"), "data_offsets are not two whole"},
    {ONE(F32, "[3]", "[4,16]"), "data ends at 16, but the file has 12"},
    {ONE(F32, "[3]", "[12,0]"), "ends at 0, before it begins at 12"},
    {ONE(F32, "[2]", "[4,12]"), "a gap of 4 bytes before"},
    {ONE(F32, "[2]", "[0,8]"), "last 4 bytes belong to no tensor"},
    {TWO("[0,8]", "[4,8]"), "tensor 'y': its data overlaps"},
    {TWO("[0,8]", "[0,4]"), "tensor 'x': its data overlaps"},
    {TWO("[4,12]", "[0,4]") "}", "header is not JSON"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[3]}}", "data_offsets are not two"},
    {"{\"x\":{\"dtype\":\"U8\",\"data_offsets\":[0,12]}}", "shape is not an array"},
    {"{\"x\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", "field 'dtype' is there twice"},
    {"{\"x\":{\"colour\":1}}", "field 'colour' is unknown"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
     "\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
     "tensor 'x': the name is there twice"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
     "\"\\u0078\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
     "tensor 'x': the name is there twice"},
    {"{\"__metadata__\":null}", "__metadata__ is not a JSON object"},
    {"{\"__metadata__\":\"\"}", "__metadata__ is not a JSON object"},
    {"{\"__metadata__\":{\"k\":null}}", "metadata 'k' is not a text"},
    {"{\"__metadata__\":{\"k\":{}}}", "metadata 'k' is not a text"},
    {"{\"__metadata__\":[]}", "__metadata__ is not a JSON object"},
    {"{\"__metadata__\":{\"k\":1}}", "metadata 'k' is not a text"},
    {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", "metadata 'k' is there twice"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", "__metadata__ is there twice"},
};

static void test_bad_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_headers / sizeof *bad_headers; i++) {
        put_tensors(bad_headers[i].header, strlen(bad_headers[i].header), 12);
        assert_bad(bad_headers[i].why);
    }
}

static void test_good_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {
        TWO("[4,12]", "[0,4]"),
        ONE(F32, "[3]", "[0,12]") " \t\r\n   ",
        "{\"\\\\u0000\":{\"data_offsets\":[0,12],\"shape\":[3,1],\"dtype\":\"F32\"}"
        "}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        fal_safetensors *f;
        put_tensors(headers[i], strlen(headers[i]), 12);
        assert_int_equal(fal_safetensors_open(&f, path), FAL_OK);
        fal_safetensors_close(f);
    }
}

static void test_bad_files(void **state)
{
    (void)state;
    fal_safetensors *f = NULL;
    assert_int_equal(fal_safetensors_open(&f, path), FAL_ERROR_FILE);
    assert_int_equal(fal_safetensors_open(&f, folder), FAL_ERROR_FILE);
    assert_null(f);
    put_file("", 0);
    assert_bad("it has 0 bytes, cut off before the header");
    put_file("\x02\0\0\0\0\0\0", 7);
    assert_bad("it has 7 bytes");
    put_file("\x03\0\0\0\0\0\0\0{}", 10);
    assert_bad("it is cut off: a header of 3 bytes, a file of 10");
    put_file("\x01\xE1\xF5\x05\0\0\0\0{}", 10);
    assert_bad("a header of 100000001 bytes is more than the format's 100000000");
    put_file("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10);
    assert_bad("a header of 18446744073709551615 bytes");
    put_tensors("{\"a\0b\":1}", 9, 0);
    assert_bad("control character at its byte 3");
    put_file("\0\0\0\0\0\0\0\0", 8);
    assert_bad("the header is not JSON, at its byte 0");
    put_file("\0\0\0\0\0\0\0\x80{}", 10);
    assert_bad("a header of 9223372036854775808 bytes is more than the format's");
}

/* A film, or a terabyte that is not there: refused by its first bytes. */
static void test_large_files(void **state)
{
    (void)state;
    put_file("\x02\0\0\0\0\0\0\0{}", 10);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    assert_bad("its last 1099511627766 bytes belong to no tensor");
    put_file("ftypisom", 8);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    assert_bad("a header of");
}

/* What is no number, in the middle of a file that is right in all else. */
static void test_not_finite(void **state)
{
    (void)state;
    static const struct {
        float value;
        const char *why;
    } bad_values[] = {{NAN, "tensor 'w': the number at [1,2] is NaN"},
                      {INFINITY, "tensor 'w': the number at [1,2] is infinite"},
                      {-INFINITY, "the number at [1,2] is infinite"}};
    const size_t shape[] = {2, 3};
    float values[6] = {0}, copy[6];
    const fal_tensor_source t = {"w",    FAL_TENSOR_F32, {2, 3}, 2,
                                 values, NULL,           NULL,   0};
    for (size_t i = 0; i < sizeof bad_values / sizeof *bad_values; i++) {
        fal_safetensors *f;
        values[5] = bad_values[i].value;
        assert_int_equal(fal_safetensors_write(path, &t, 1, NULL, 0), FAL_OK);
        assert_int_equal(fal_safetensors_open(&f, path), FAL_OK);
        assert_int_equal(fal_safetensors_floats(f, "w", shape, 2, copy),
                         FAL_ERROR_FORMAT);
        assert_message(bad_values[i].why);
        fal_safetensors_close(f);
    }
}

/* Every shorter file is refused, every changed byte at least does no harm. */
static void test_damaged(void **state)
{
    (void)state;
    unsigned char *data;
    size_t size;
    fal_safetensors *f = NULL;
    assert_int_equal(write_all(), FAL_OK);
    assert_int_equal(fal_file_read(path, 10000, &data, &size), FAL_OK);
    for (size_t cut = 0; cut < size; cut++) {
        put_file(data, cut);
        assert_int_equal(fal_safetensors_open(&f, path), FAL_ERROR_FORMAT);
    }
    for (size_t i = 0; i < size; i++) {
        data[i] ^= (unsigned char)(1u << i % 7);
        put_file(data, size);
        if (fal_safetensors_open(&f, path) == FAL_OK)
            fal_safetensors_close(f);
        data[i] ^= (unsigned char)(1u << i % 7);
    }
    fal_release(data);
}

/* Recursion has a limit. */
static void test_deep_header(void **state)
{
    (void)state;
    enum { DEPTH = 1000000 };
    static const char *const opening[] = {"[", "{\"x\":"};
    for (size_t kind = 0; kind < 2; kind++) {
        size_t part = strlen(opening[kind]);
        char *header = malloc(5 + DEPTH * part);
        assert_non_null(header);
        memcpy(header, "{\"x\":", 5);
        for (size_t i = 0; i < DEPTH; i++)
            memcpy(header + 5 + i * part, opening[kind], part);
        put_tensors(header, 5 + DEPTH * part, 0);
        assert_bad("header is not JSON");
        free(header);
    }
}

/* A header of `count` entries, each as `entry` says of its number. */
static void put_entries(size_t count, const char *first, const char *entry,
                        const char *last)
{
    size_t used = strlen(first), room = strlen(entry) + 16;
    char *header = malloc(used + count * room + strlen(last) + 1);
    assert_non_null(header);
    strcpy(header, first);
    for (size_t i = 0; i < count; i++) {
        if (i)
            header[used++] = ',';
        used += (size_t)sprintf(header + used, entry, i);
    }
    strcpy(header + used, last);
    put_tensors(header, used + strlen(last), 0);
    free(header);
}

/* More than any model has, at little cost. */
static void test_million_keys(void **state)
{
    (void)state;
    enum { MILLION = 1000000 };
    fal_safetensors *f;
    put_entries(MILLION, "{",
                "\"t%zu\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                "}");
    assert_bad("the header has more than 4194304 values");
    put_entries(8 * MILLION, "{\"x\":[", "%zu", "]}");
    assert_bad("the header has more than 4194304 values");
    put_entries(MILLION, "{\"__metadata__\":{", "\"k%zu\":\"\"", "}}");
    assert_int_equal(fal_safetensors_open(&f, path), FAL_OK);
    assert_string_equal(fal_safetensors_metadata(f, "k777777"), "");
    fal_safetensors_close(f);
    put_entries(MILLION, "{\"__metadata__\":{", "\"k%zu\":\"\"", ",\"k9\":\"\"}}");
    assert_bad("metadata 'k9' is there twice");
}

/* Names are texts like others, and messages stay short. */
static void test_odd_names(void **state)
{
    (void)state;
    static char longest[4097];
    memset(longest, 'n', sizeof longest - 1);
    const char *const names[] = {"../../etc/passwd", " a b ", "", longest};
    const size_t shape[] = {1};
    float value = 3, copy;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fal_safetensors *f;
        const fal_tensor_source t = {names[i], FAL_TENSOR_F32, {1},  1,
                                     &value,   NULL,           NULL, 0};
        assert_int_equal(fal_safetensors_write(path, &t, 1, NULL, 0), FAL_OK);
        assert_int_equal(entries(), 1);
        assert_int_equal(fal_safetensors_open(&f, path), FAL_OK);
        assert_int_equal(fal_safetensors_floats(f, names[i], shape, 1, &copy),
                         FAL_OK);
        assert_true(copy == 3);
        assert_int_equal(fal_safetensors_floats(f, names[i], shape, 0, &copy),
                         FAL_ERROR_FORMAT);
        assert_message("shape [1], [] is needed");
        assert_true(strlen(fal_error_message()) < 500);
        fal_safetensors_close(f);
    }
}

/* Quadratic work would take hours. */
static void test_many_tensors(void **state)
{
    (void)state;
    enum { MANY = 200000 };
    fal_tensor_source *t = calloc(MANY, sizeof *t);
    char(*names)[24] = calloc(MANY, sizeof *names);
    fal_safetensors *f;
    assert_true(t && names);
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "layer%d", i);
        t[i] = (fal_tensor_source){names[i], FAL_TENSOR_U8, {0},  1,
                                   NULL,     NULL,          NULL, 0};
    }
    assert_int_equal(fal_safetensors_write(path, t, MANY, NULL, 0), FAL_OK);
    assert_int_equal(fal_safetensors_open(&f, path), FAL_OK);
    assert_int_equal(fal_safetensors_count(f), MANY);
    assert_non_null(fal_safetensors_find(f, "layer123456"));
    fal_safetensors_close(f);
    free(names);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip),     TEST(test_nothing_to_write),
        TEST(test_floats_refused), TEST(test_sources_refused),
        TEST(test_write_memory),   TEST(test_write_disk_full),
        TEST(test_open_memory),    TEST(test_bad_headers),
        TEST(test_good_headers),   TEST(test_bad_files),
        TEST(test_damaged),        TEST(test_deep_header),
        TEST(test_many_tensors),   TEST(test_million_keys),
        TEST(test_large_files),    TEST(test_not_finite),
        TEST(test_odd_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
