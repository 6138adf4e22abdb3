/* Folders of .npy files, good and bad. */
#include "npy_files.h"

#include <math.h>

static fal_dataset *open_good(fal_split split)
{
    fal_dataset *dataset = NULL;
    if (fal_dataset_open(&dataset, folder, split))
        fail_msg("%s", fal_error_message());
    return dataset;
}

/* ---- good files ---------------------------------------------------------- */

static void vectors_and_labels_are_read(void **state)
{
    (void)state;
    write_good_npy();
    fal_dataset *dataset = open_good(FAL_SPLIT_TRAIN);
    const fal_arrays *a = &dataset->arrays;
    assert_int_equal(a->count, 3);
    assert_int_equal(a->height, 1);
    assert_int_equal(a->width, 1);
    assert_int_equal(a->channels, 2);
    assert_int_equal(a->type, FAL_FLOATS);
    assert_memory_equal(a->inputs, vectors, sizeof vectors);
    assert_int_equal(a->classes, 5);
    assert_int_equal(a->labels[2], 4);
    assert_null(a->targets);
    fal_dataset_destroy(dataset);
}

static void shapes_of_images(void **state)
{
    static const struct {
        const char *shape;
        size_t height, width, channels;
    } cases[] = {{"3, 2, 4", 2, 4, 1}, {"3, 2, 1, 4", 2, 1, 4}, {"3, 8", 1, 1, 8}};
    uint8_t bytes[24];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(10 * i);
    write_good_npy();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_npy("train-x.npy", "|u1", cases[i].shape, bytes, sizeof bytes);
        fal_dataset *dataset = open_good(FAL_SPLIT_TRAIN);
        assert_int_equal(dataset->arrays.type, FAL_BYTES);
        assert_int_equal(dataset->arrays.height, cases[i].height);
        assert_int_equal(dataset->arrays.width, cases[i].width);
        assert_int_equal(dataset->arrays.channels, cases[i].channels);
        assert_memory_equal(dataset->arrays.inputs, bytes, sizeof bytes);
        fal_dataset_destroy(dataset);
    }
}

/* 0, 1, 4 in every type; little-endian, so that the first bytes are the values. */
static void labels_of_every_type(void **state)
{
    static const char *const codes[] = {"|u1", "|i1", "<u2", "<i2",
                                        "<u4", "<i4", "<u8", "<i8"};
    (void)state;
    write_good_npy();
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        uint8_t bytes[24] = {0};
        size_t size = (size_t)(codes[i][2] - '0');
        bytes[size] = 1;
        bytes[2 * size] = 4;
        write_npy("train-y.npy", codes[i], i % 2 ? "3, 1" : "3,", bytes, 3 * size);
        fal_dataset *dataset = open_good(FAL_SPLIT_TRAIN);
        assert_int_equal(dataset->arrays.classes, 5);
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(dataset->arrays.labels[k], kinds[k]);
        fal_dataset_destroy(dataset);
    }
    write_npy("train-y.npy", "|b1", "3,", "\1\0\1", 3);
    fal_dataset *dataset = open_good(FAL_SPLIT_TRAIN);
    assert_int_equal(dataset->arrays.classes, 2);
    fal_dataset_destroy(dataset);
}

static void real_targets_are_read(void **state)
{
    const double doubles[] = {0.1, -1e-300, 3e38};
    (void)state;
    write_good_npy();
    write_npy("train-y.npy", "<f8", "3,", doubles, sizeof doubles);
    fal_dataset *dataset = open_good(FAL_SPLIT_TRAIN);
    assert_null(dataset->arrays.labels);
    assert_int_equal(dataset->arrays.classes, 0);
    assert_int_equal(dataset->arrays.outputs, 1);
    assert_true(dataset->arrays.targets[0] == 0.1f);
    assert_true(dataset->arrays.targets[1] == 0);
    assert_true(dataset->arrays.targets[2] == 3e38f);
    fal_dataset_destroy(dataset);
    write_npy("train-y.npy", "<f4", "3, 2", vectors, sizeof vectors);
    dataset = open_good(FAL_SPLIT_TRAIN);
    assert_int_equal(dataset->arrays.outputs, 2);
    assert_memory_equal(dataset->arrays.targets, vectors, sizeof vectors);
    fal_dataset_destroy(dataset);
}

/* A class that only the other split has counts, and one that neither has. */
static void classes_of_both_splits(void **state)
{
    const int64_t higher[] = {7, 0, 0};
    (void)state;
    write_good_npy();
    write_npy("test-x.npy", "<f4", "3, 2", vectors, sizeof vectors);
    write_npy("test-y.npy", "<i8", "3,", higher, sizeof higher);
    for (int split = 0; split < 2; split++) {
        fal_dataset *dataset = open_good((fal_split)split);
        assert_int_equal(dataset->arrays.classes, 8);
        fal_dataset_destroy(dataset);
    }
}

static void first_samples_only(void **state)
{
    fal_dataset_options options = FAL_DATASET_OPTIONS;
    fal_dataset *dataset = NULL;
    (void)state;
    write_good_npy();
    options.samples = 2;
    assert_int_equal(
        fal_dataset_open_with(&dataset, folder, FAL_SPLIT_TRAIN, &options), FAL_OK);
    assert_int_equal(dataset->arrays.count, 2);
    assert_int_equal(dataset->arrays.classes, 5);
    assert_memory_equal(dataset->arrays.inputs, vectors, 4 * sizeof *vectors);
    fal_dataset_destroy(dataset);
    options.samples = 4;
    assert_int_equal(
        fal_dataset_open_with(&dataset, folder, FAL_SPLIT_TRAIN, &options),
        FAL_ERROR_ARGUMENT);
    expect_message("4 samples asked for, there are 3");
}

/* What Python allows: versions 2.0 and 3.0, other orders, quotes and blanks, long
 * integers of Python 2. */
static void headers_as_others_write_them(void **state)
{
    static const char *const texts[] = {
        "{'descr':'<f4','fortran_order':False,'shape':(3,2)}",
        "  { \"shape\" : ( 3 , 2 , ) , \"descr\" : \"<f4\" , \n"
        "\"fortran_order\" : False , }\n\n ",
        "{'shape': (3L, 2L), 'fortran_order': False, 'descr': '<f4'}\n",
        "{'descr': '=f4', 'fortran_order': False, 'shape': (3, 00002)}",
    };
    (void)state;
    write_good_npy();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int version = 1; version <= 3; version++) {
            write_npy_text("train-x.npy", version, texts[i], vectors,
                           sizeof vectors);
            fal_dataset_destroy(open_good(FAL_SPLIT_TRAIN));
        }
    /* One dimension is in both orders at once. */
    write_npy_text("train-y.npy", 1,
                   "{'descr': '<i8', 'fortran_order': True, 'shape': (3,)}", kinds,
                   sizeof kinds);
    fal_dataset_destroy(open_good(FAL_SPLIT_TRAIN));
}

/* ---- bad headers --------------------------------------------------------- */

static void expect_bad_x(const char *part)
{
    expect_failure(FAL_ERROR_FORMAT, part);
    expect_message("train-x.npy");
}

static void expect_bad_text(const char *text, const char *part)
{
    write_npy_text("train-x.npy", 1, text, vectors, sizeof vectors);
    expect_bad_x(part);
}

static void what_is_no_npy_is_refused(void **state)
{
    uint8_t file[64] = {0};
    (void)state;
    write_good_npy();
    write_file("train-x.npy", "", 0);
    expect_bad_x("empty");
    write_file("train-x.npy", "\x93NUM", 4);
    expect_bad_x("truncated, the magic number takes 8 bytes, there are only 4");
    write_file("train-x.npy", "PK\3\4 an npz file", 17);
    expect_bad_x("does not start as .npy files do");
    for (int version = 0; version < 6; version += version ? 4 : 1) {
        npy_begin(file, version == 1 ? 4 : version, 40);
        write_file("train-x.npy", file, sizeof file);
        expect_bad_x("only 1.0, 2.0 and 3.0 are read");
    }
    npy_begin(file, 1, 40);
    file[7] = 1;
    write_file("train-x.npy", file, sizeof file);
    expect_bad_x("is of .npy version 1.1");
}

static void lengths_of_headers(void **state)
{
    uint8_t file[64] = {0};
    (void)state;
    write_good_npy();
    npy_begin(file, 1, 60000);
    write_file("train-x.npy", file, 9);
    expect_bad_x("the header's length takes 10 bytes, there are only 9");
    write_file("train-x.npy", file, 64);
    expect_bad_x("the header takes 60010 bytes, there are only 64");
    npy_begin(file, 2, 100000000);
    write_file("train-x.npy", file, 64);
    expect_bad_x("the header has 100000000 bytes, the most is 65536");
    npy_begin(file, 3, 0xFFFFFFFF);
    write_file("train-x.npy", file, 64);
    expect_bad_x("the header has 4294967295 bytes, the most is 65536");
    npy_begin(file, 1, 0);
    write_file("train-x.npy", file, 10);
    expect_bad_x("the header, byte 0: a dictionary belongs here");
}

#define HEAD "{'descr': '<f4', 'fortran_order': False, 'shape': "

static void headers_are_parsed_not_evaluated(void **state)
{
    (void)state;
    write_good_npy();
    expect_bad_text("__import__('os').system('true')",
                    "byte 0: a dictionary belongs here");
    expect_bad_text("{'descr': '<f4', 'fortran_order': False, 'shape': (3,2)",
                    "byte 55: a comma or '}' belongs here");
    expect_bad_text("{'descr': '<f4', 'fortran_order': False, ", "byte 41: a text");
    expect_bad_text("{'descr': '<f4", "the text's end is missing");
    expect_bad_text("{'descr': f4}", "byte 10: a text in quotes belongs here");
    expect_bad_text("{'descr' '<f4'}", "a colon belongs here");
    expect_bad_text("{'descr': '<f4', 'fortran_order': 0}", "True or False");
    expect_bad_text(HEAD "[3, 2]}", "a tuple belongs here");
    expect_bad_text(HEAD "(3 2)}", "a comma or ')' belongs here");
    expect_bad_text(HEAD "(,)}", "a whole number from 0 belongs here");
    expect_bad_text(HEAD "(3, 2", "a comma or ')' belongs here");
    expect_bad_text(HEAD "(3, 2.0)}", "a comma or ')' belongs here");
    expect_bad_text(HEAD "(6/2, 2)}", "a comma or ')' belongs here");
    expect_bad_text(HEAD "(3, 2)} or 1", "nothing belongs behind the dictionary");
    expect_bad_text(HEAD "(3, 2), 'shape': (3, 2)}", "stands there twice");
    expect_bad_text(HEAD "(3, 2), 'x': 1}", "this key does not belong here");
    expect_bad_text("{'descr': '<f4', 'shape': (3, 2)}", "is missing");
    expect_bad_text("{}", "descr, fortran_order or shape is missing");
    expect_bad_text("{{{{{{{{", "a text in quotes belongs here");
}

static void shapes_out_of_bounds(void **state)
{
    (void)state;
    write_good_npy();
    expect_bad_text(HEAD "(-3, 2)}", "a whole number from 0 belongs here");
    expect_bad_text(HEAD "(0, 2)}", "dimension 1 is 0, not within 1 to 2147483647");
    expect_bad_text(HEAD "(3, 0)}", "dimension 2 is 0");
    expect_bad_text(HEAD "(3, 2147483648)}", "dimension 2 is 2147483648");
    expect_bad_text(HEAD "(3, 99999999999999999999999999)}",
                    "dimension 2 is 184467");
    expect_bad_text(HEAD "(2147483647, 2147483647, 2147483647, 2147483647)}",
                    "multiply to more than this machine can address");
    expect_bad_text(HEAD "(1, 65536, 65536)}", "a sample has 4294967296 numbers");
    expect_bad_text(HEAD "()}", "has 0 dimensions, not 1 to 4");
    expect_bad_text(HEAD "(3, 1, 1, 1, 2)}", "has 5 dimensions, not 1 to 4");
    expect_bad_text(HEAD "(6,)}", "x.reshape(len(x), -1)");
    /* 8 TB by the header, 24 bytes in truth: refused without asking for them. */
    expect_bad_text(HEAD "(1000, 2000000000)}", "truncated, the content");
}

static void types_are_refused_by_name(void **state)
{
    static const char *const cases[][2] = {
        {"<f8", "holds float64; inputs are uint8 or float32: save "
                "x.astype(\"float32\")"},
        {"<i8", "holds int64"},
        {"|b1", "holds bool"},
        {"<f2", "holds float16"},
        {"|O", "holds Python objects"},
        {"<U7", "holds texts"},
        {"|S7", "holds texts"},
        {"<c8", "holds numpy's type '<c8'"},
        {"<M8[s]", "holds numpy's type '<M8[s]'"},
        {"|V16", "holds numpy's type '|V16'"},
        {"", "holds numpy's type ''"},
        {"f", "holds numpy's type 'f'"},
        {"f4", "holds numpy's type 'f4'"},
        {"<f4 but long", "holds numpy's type '<f4 but'"},
        {">f4", "holds float32 in big-endian order; save x.astype(\"float32\")"},
        {"\x1b[2J", "holds numpy's type '\\x1b[2J'"},
    };
    (void)state;
    write_good_npy();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_npy("train-x.npy", cases[i][0], "3, 2", vectors, sizeof vectors);
        expect_bad_x(cases[i][1]);
    }
    expect_bad_text("{'descr': [('a', '<f4'), ('b', [('c', '<f4')])], "
                    "'fortran_order': False, 'shape': (3,)}",
                    "holds records (a structured type)");
    expect_bad_text("{'descr': [[[[", "the list's end is missing");
    expect_bad_text("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2)}",
                    "is in Fortran order; save numpy.ascontiguousarray");
    write_good_npy();
    write_npy("train-y.npy", "<c8", "3,", vectors, sizeof vectors);
    expect_failure(FAL_ERROR_FORMAT, "save y.astype(\"int64\"), or real targets, "
                                     "save y.astype(\"float32\")");
    write_npy("train-y.npy", ">i8", "3,", kinds, sizeof kinds);
    expect_failure(FAL_ERROR_FORMAT, "big-endian order; save y.astype(\"int64\")");
}

/* ---- bad content --------------------------------------------------------- */

static void content_and_shape_must_agree(void **state)
{
    (void)state;
    write_good_npy();
    write_npy("train-x.npy", "<f4", "3, 2", vectors, sizeof vectors - 1);
    expect_bad_x("the content by the header takes 24 bytes, there are only 23");
    write_npy("train-x.npy", "<f4", "3, 2", vectors, 0);
    expect_bad_x("there are only 0");
    write_npy("train-x.npy", "<f4", "2, 2", vectors, sizeof vectors);
    expect_bad_x("data follow after the 16 bytes that the header says");
    write_npy("train-x.npy", "<f4", "2, 2", vectors, 16);
    expect_bad_x("has 2 samples");
    expect_message("train-y.npy' has 3 labels");
    write_good_npy();
    write_npy("train-y.npy", "<i8", "1, 3", kinds, sizeof kinds);
    expect_failure(FAL_ERROR_FORMAT, "has 3 whole numbers a sample");
    expect_message("y.argmax(1)");
}

static void values_that_mean_nothing(void **state)
{
    const float bad[] = {0, 1, 2, 3, 4, NAN};
    const int64_t negative[] = {0, 1, -1}, large[] = {0, INT32_MAX, 0};
    const double infinite[] = {1, 2, 1e39};
    (void)state;
    write_good_npy();
    write_npy("train-x.npy", "<f4", "3, 2", bad, sizeof bad);
    expect_bad_x("sample 2, number 1: nan is not a finite float32");
    write_good_npy();
    write_npy("train-y.npy", "<i8", "3,", negative, sizeof negative);
    expect_failure(FAL_ERROR_FORMAT, "the label of sample 2 is -1, not within 0");
    write_npy("train-y.npy", "<i8", "3,", large, sizeof large);
    expect_failure(FAL_ERROR_FORMAT, "the label of sample 1 is 2147483647, not");
    write_npy("train-y.npy", "<u8", "3,", negative, sizeof negative);
    expect_failure(FAL_ERROR_FORMAT, "sample 2 is 18446744073709551615, not");
    write_npy("train-y.npy", "<f8", "3,", infinite, sizeof infinite);
    expect_failure(FAL_ERROR_FORMAT, "sample 2, number 0: inf is not a finite");
}

static void splits_must_be_alike(void **state)
{
    (void)state;
    write_good_npy();
    write_npy("test-x.npy", "|u1", "3, 2", vectors, 6);
    expect_failure(FAL_ERROR_FORMAT, "train-x.npy': has samples of 1x1x2 floats");
    expect_message("test-x.npy' of 1x1x2 bytes");
    write_npy("test-x.npy", "<f4", "2, 3", vectors, sizeof vectors);
    expect_failure(FAL_ERROR_FORMAT, "test-x.npy' of 1x1x3 floats");
    write_npy("test-x.npy", "<f4", "3, 2", vectors, sizeof vectors);
    write_npy("test-y.npy", "<f4", "3,", vectors, 12);
    expect_failure(FAL_ERROR_FORMAT, "train-y.npy': has labels");
    expect_message("test-y.npy' real targets");
    write_npy("train-y.npy", "<f4", "3, 2", vectors, sizeof vectors);
    expect_failure(FAL_ERROR_FORMAT, "train-y.npy': has 2 targets a sample");
    write_npy("test-y.npy", "<f4", "3, 2", vectors, 23);
    fal_dataset_destroy(open_good(FAL_SPLIT_TRAIN));
    write_good_npy();
    write_npy("test-y.npy", "<i8", "3,", kinds, 23);
    expect_failure(FAL_ERROR_FORMAT, "test-y.npy': truncated");
}

/* ---- folders ------------------------------------------------------------- */

static void missing_files_are_named(void **state)
{
    static const char *const names[] = {"train-x.npy", "train-y.npy", "test-x.npy",
                                        "test-y.npy"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        char part[64];
        write_good_npy();
        write_npy("test-x.npy", "<f4", "3, 2", vectors, sizeof vectors);
        write_npy("test-y.npy", "<i8", "3,", kinds, sizeof kinds);
        unlink(in_folder(names[i]));
        fal_dataset *dataset = NULL;
        assert_int_equal(fal_dataset_open(&dataset, folder, (fal_split)(i / 2)),
                         FAL_ERROR_FILE);
        snprintf(part, sizeof part, "the folder has no %s; put it there", names[i]);
        expect_message(part);
        fal_dataset_destroy(open_good((fal_split)(1 - i / 2)));
    }
}

static void two_formats_are_too_many(void **state)
{
    (void)state;
    write_good_npy();
    write_file("t10k-labels-idx1-ubyte", labels, sizeof labels);
    expect_failure(FAL_ERROR_FORMAT, "the folder has IDX and NPY files; keep those "
                                     "of one format");
}

static void things_that_are_no_files(void **state)
{
    (void)state;
    write_good_npy();
    unlink(in_folder("train-y.npy"));
    assert_int_equal(mkdir(in_folder("train-y.npy"), 0700), 0);
    expect_failure(FAL_ERROR_FILE, "train-y.npy': is a folder; put a file there");
    rmdir(in_folder("train-y.npy"));
    assert_int_equal(mkfifo(in_folder("train-y.npy"), 0600), 0);
    expect_failure(FAL_ERROR_FILE, "train-y.npy': is not a file");
    unlink(in_folder("train-y.npy"));
    assert_int_equal(symlink("train-y.npy", in_folder("train-y.npy")), 0);
    expect_failure(FAL_ERROR_FILE,
                   "train-y.npy': Too many levels of symbolic links");
}

/* ---- failing memory ------------------------------------------------------ */

static fal_status open_train(fal_dataset **dataset)
{
    return fal_dataset_open(dataset, folder, FAL_SPLIT_TRAIN);
}

static void failing_memory_leaks_nothing(void **state)
{
    const double doubles[] = {1, 2, 3};
    (void)state;
    write_good_npy();
    write_npy("test-y.npy", "<i8", "3,", kinds, sizeof kinds);
    expect_clean_failures(open_train);
    unlink(in_folder("test-y.npy"));
    write_npy("train-y.npy", "<f8", "3,", doubles, sizeof doubles);
    expect_clean_failures(open_train);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(vectors_and_labels_are_read),  TEST(shapes_of_images),
        TEST(labels_of_every_type),         TEST(real_targets_are_read),
        TEST(classes_of_both_splits),       TEST(first_samples_only),
        TEST(headers_as_others_write_them), TEST(what_is_no_npy_is_refused),
        TEST(lengths_of_headers),           TEST(headers_are_parsed_not_evaluated),
        TEST(shapes_out_of_bounds),         TEST(types_are_refused_by_name),
        TEST(content_and_shape_must_agree), TEST(values_that_mean_nothing),
        TEST(splits_must_be_alike),         TEST(missing_files_are_named),
        TEST(two_formats_are_too_many),     TEST(things_that_are_no_files),
        TEST(failing_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
