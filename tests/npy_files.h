/* For tests: .npy files as numpy.save writes them, and others. */
#ifndef FAL_TEST_NPY_FILES_H
#define FAL_TEST_NPY_FILES_H

#include "data_files.h"

enum { NPY_LONGEST = 1 << 17 };

/* The bytes in front of the dictionary: magic, version, its length in 2 or 4 bytes. */
static inline size_t npy_begin(uint8_t *file, int version, size_t length)
{
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (uint8_t)version;
    file[7] = 0;
    size_t bytes = version == 1 ? 2 : 4;
    for (size_t i = 0; i < bytes; i++)
        file[8 + i] = (uint8_t)(length >> 8 * i);
    return 8 + bytes;
}

/* A file of `text` as its header, which nobody pads, and `n` bytes of data. */
static inline void write_npy_text(const char *name, int version, const char *text,
                                  const void *data, size_t n)
{
    static uint8_t file[NPY_LONGEST];
    size_t length = strlen(text), used = npy_begin(file, version, length);
    assert_true(used + length + n <= sizeof file);
    memcpy(file + used, text, length);
    if (n > 0)
        memcpy(file + used + length, data, n);
    write_file(name, file, used + length + n);
}

/* As numpy does: version 1.0, keys sorted, blanks and a newline up to a multiple of
 * 64 bytes. `shape` is a tuple's inside: "3, 2" or "3,". */
static inline void write_npy(const char *name, const char *type, const char *shape,
                             const void *data, size_t n)
{
    char text[512];
    int length = snprintf(
        text, sizeof text,
        "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, shape);
    assert_true(length > 0 && length < 300);
    while ((10 + length + 1) % 64)
        text[length++] = ' ';
    strcpy(text + length, "\n");
    write_npy_text(name, 1, text, data, n);
}

/* Three samples of two numbers with labels 0, 1, 4. */
static const float vectors[] = {1, -2, .5f, 1e-20f, 3e38f, 0};
static const int64_t kinds[] = {0, 1, 4};

static inline void write_good_npy(void)
{
    write_npy("train-x.npy", "<f4", "3, 2", vectors, sizeof vectors);
    write_npy("train-y.npy", "<i8", "3,", kinds, sizeof kinds);
}

#endif
