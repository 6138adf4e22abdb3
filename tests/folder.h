/* For tests: every test has an empty folder, and leaves nothing but `path` in it.
 */
#ifndef FAL_TEST_FOLDER_H
#define FAL_TEST_FOLDER_H

#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64], path[128];

static inline int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/falign-files-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static inline int remove_folder(void **state)
{
    (void)state;
    fal_memory_fail_at(0);
    unlink(path);
    return rmdir(folder); /* fails when anything was left behind */
}

static inline int entries(void)
{
    int count = 0;
    DIR *list = opendir(folder);
    assert_non_null(list);
    while (readdir(list))
        count++;
    closedir(list);
    return count - 2; /* . and .. */
}

static inline void assert_message(const char *part)
{
    if (!strstr(fal_error_message(), part))
        fail_msg("'%s' is not in: %s", part, fal_error_message());
}

static inline void put_file(const void *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static inline void assert_file(const char *text)
{
    unsigned char *data;
    size_t size;
    assert_int_equal(fal_file_read(path, 1000, &data, &size), FAL_OK);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(data, text, size + 1);
    fal_release(data);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

#endif
