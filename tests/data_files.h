/* For tests of data sets from files: every test has an empty folder of its own, and
 * small files to put there. */
#ifndef FAL_TEST_DATA_FILES_H
#define FAL_TEST_DATA_FILES_H

#include "data/dataset.h"
#include "device/memory.h"

#include <dirent.h>
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

static inline void remove_tree(const char *path)
{
    DIR *list = opendir(path);
    for (struct dirent *e; list && (e = readdir(list));) {
        char inner[512];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int length = snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        if (length < (int)sizeof inner && unlink(inner))
            remove_tree(inner);
    }
    if (list)
        closedir(list);
    rmdir(path);
}

static inline int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/falign-data-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    (void)state;
    fal_memory_fail_at(0);
    remove_tree(folder);
    return 0;
}

static inline const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Some file systems wait for the disk where an old file is cut to nothing. */
static inline void write_file(const char *name, const void *bytes, size_t n)
{
    unlink(in_folder(name));
    FILE *file = fopen(in_folder(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static inline void write_gzip(const char *name, const void *bytes, unsigned n)
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

static inline void write_good(void)
{
    write_file("train-images-idx3-ubyte", images, sizeof images);
    write_file("train-labels-idx1-ubyte", labels, sizeof labels);
}

static inline void expect_message(const char *part)
{
    if (!strstr(fal_error_message(), part))
        fail_msg("'%s' is not in '%s'", part, fal_error_message());
}

/* Opening the folder's training split fails so, and leaves the result alone. */
static inline void expect_failure(fal_status status, const char *part)
{
    fal_dataset *const mark = (fal_dataset *)folder;
    fal_dataset *dataset = mark;
    assert_int_equal(fal_dataset_open(&dataset, folder, FAL_SPLIT_TRAIN), status);
    assert_ptr_equal(dataset, mark);
    expect_message(part);
}

static inline void expect_good(const fal_dataset *dataset, size_t count)
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

/* The sanitizer's leak check sees what is not released. */
static inline void expect_clean_failures(fal_status (*make)(fal_dataset **))
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

#endif
