/* falign datasets as a user meets it: what is found where, and where it was looked
 * for. */
#include "tool.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* With an empty cache, and the sample data as one/fashion-mnist. */
static int enter_place(void **state)
{
    char command[1024];
    if (tool_enter(state) != 0)
        return -1;
    snprintf(command, sizeof command, "mkdir one two cache && ln -s '%s' %s",
             getenv("FALIGN_TEST_DATA"), "one/fashion-mnist");
    setenv("XDG_CACHE_HOME", "cache", 1);
    unsetenv("FALIGN_DATASETS");
    return system(command);
}

static const char *list(const char *line)
{
    const struct tool *tool = tool_run(line);
    if (tool->code != 0 || *tool->error)
        fail_msg("%s: %d: %s", line, tool->code, tool->error);
    return tool->out;
}

static const char found[] =
    "fashion-mnist     2000 train, 500 test, 28x28x1, 10 classes\n"
    "                  one/fashion-mnist\n";

static void what_is_found_where(void **state)
{
    (void)state;
    const char *out = list("datasets --data-path one");
    assert_memory_equal(out, found, sizeof found - 1);
    assert_string_equal(list("datasets --quiet"), "");
    /* The first folder that has it counts. */
    setenv("FALIGN_DATASETS", "one", 1);
    assert_memory_equal(list("datasets --data-path two"), found, sizeof found - 1);
}

static int is_installed(const char *folder)
{
    return access(folder, F_OK) == 0;
}

static void where_it_was_looked_for(void **state)
{
    (void)state;
    if (is_installed("/usr/share/datasets/mnist"))
        skip();
    setenv("FALIGN_DATASETS", "one", 1);
    mkdir("one/mnist", 0700);
    assert_has(list("datasets --data-path two"),
               "\nmnist             not found\n"
               "                  two/mnist: no such folder\n"
               "                  one/mnist: no data files\n"
               "                  cache/falign/datasets/mnist: no such folder\n"
               "                  /usr/share/datasets/mnist: no such folder\n"
               "                  put ");
}

static void damaged_files_are_said(void **state)
{
    (void)state;
    mkdir("one/mnist", 0700);
    assert_int_equal(system("echo no >one/mnist/train-images-idx3-ubyte"), 0);
    const char *out = list("datasets --data-path one");
    assert_memory_equal(out, found, sizeof found - 1);
    assert_has(out, "\nmnist             damaged\n                  ");
    assert_has(out, "one/mnist");
    assert_null(strstr(out, "mnist             not found"));
}

static void folders_cannot_steer_the_terminal(void **state)
{
    (void)state;
    assert_has(list("datasets --data-path '\x1B[2J'"), "\\x1b[2J/");
}

static void expect_place(const cJSON *item, const char *name, const char *folder,
                         const char *missing, int train)
{
    const cJSON *why = cJSON_GetObjectItem(item, "missing"),
                *count = cJSON_GetObjectItem(item, "train");
    assert_int_equal(cJSON_GetArraySize(item), 9);
    assert_string_equal(cJSON_GetObjectItem(item, "name")->valuestring, name);
    assert_string_equal(cJSON_GetObjectItem(item, "folder")->valuestring, folder);
    if (missing) {
        assert_string_equal(why->valuestring, missing);
        assert_true(cJSON_IsNull(count));
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(item, "classes")));
    } else {
        assert_true(cJSON_IsNull(why));
        assert_int_equal(count->valueint, train);
        assert_int_equal(cJSON_GetObjectItem(item, "test")->valueint, 500);
        assert_int_equal(cJSON_GetObjectItem(item, "height")->valueint, 28);
        assert_int_equal(cJSON_GetObjectItem(item, "width")->valueint, 28);
        assert_int_equal(cJSON_GetObjectItem(item, "channels")->valueint, 1);
        assert_int_equal(cJSON_GetObjectItem(item, "classes")->valueint, 10);
    }
}

static void json_has_every_place(void **state)
{
    (void)state;
    if (is_installed("/usr/share/datasets/mnist"))
        skip();
    cJSON *array = cJSON_Parse(list("datasets --data-path one --json --quiet"));
    expect_place(cJSON_GetArrayItem(array, 0), "fashion-mnist", "one/fashion-mnist",
                 NULL, 2000);
    expect_place(cJSON_GetArrayItem(array, 1), "mnist", "one/mnist",
                 "no such folder", 0);
    cJSON_Delete(array);
}

static void wrong_use_is_said(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("datasets fashion-mnist");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "'fashion-mnist': not expected");
    tool = tool_run("datasets --data-pth one");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "did you mean '--data-path'");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, enter_place, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_found_where),    TEST(where_it_was_looked_for),
        TEST(damaged_files_are_said), TEST(folders_cannot_steer_the_terminal),
        TEST(json_has_every_place),   TEST(wrong_use_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
