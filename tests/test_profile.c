/* train --profile: the table, and profile.json counted against the launches of a step
 * that the footprint says. */
#include "tool.h"
#include "falign.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cJSON.h>
#include <cmocka.h>

static double number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(object, key);
    if (!cJSON_IsNumber(item))
        fail_msg("no number '%s'", key);
    return item->valuedouble;
}

static double sum(const cJSON *rows, const char *key, int evaluation)
{
    const cJSON *row;
    double total = 0;
    cJSON_ArrayForEach(
        row, rows) if (cJSON_IsTrue(cJSON_GetObjectItem(row, "evaluation")) ==
                       evaluation) total += number(row, key);
    return total;
}

static int has_row(const cJSON *rows, const char *layer, const char *work)
{
    const cJSON *row;
    cJSON_ArrayForEach(
        row,
        rows) if (!strcmp(cJSON_GetObjectItem(row, "layer")->valuestring, layer) &&
                  !strcmp(cJSON_GetObjectItem(row, "work")->valuestring,
                          work)) return number(row, "gflops") > 0 &&
        number(row, "of_peak") > 0;
    return 0;
}

static void every_launch_is_counted(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("train --data $D --net mlp-2x16 --rule dfa "
                                       "--steps 7 --profile --out run");
    assert_int_equal(tool->code, 0);
    assert_non_null(strstr(tool->out, "7 steps, 7 launches a step"));
    assert_non_null(strstr(tool->out, "peaks"));
    char *text = tool_read("run/profile.json");
    cJSON *json = cJSON_Parse(text);
    const cJSON *rows = cJSON_GetObjectItem(json, "rows");
    const cJSON *kernels = cJSON_GetObjectItem(json, "kernels");
    double launches = number(json, "steps") * number(json, "launches_per_step");
    assert_true(fabs(sum(rows, "launches", 0) - launches) < 1e-6);
    assert_true(fabs(sum(kernels, "launches", 0) - launches) < 1e-6);
    assert_true(sum(rows, "launches", 1) > 0);
    assert_true(fabs(sum(rows, "seconds", 0) - sum(kernels, "seconds", 0)) < 1e-9);
    assert_true(has_row(rows, "dense1", "forward"));
    assert_true(has_row(rows, "dense1", "delta"));
    assert_true(has_row(rows, "dense3", "gradient"));
    assert_false(has_row(rows, "dense3", "delta"));
    assert_true(number(cJSON_GetObjectItem(json, "bytes"), "parameters") > 0);
    cJSON_Delete(json);
    free(text);
}

static void profiling_changes_no_bit(void **state)
{
    (void)state;
    assert_int_equal(tool_run("$T --steps 5 --out plain")->code, 0);
    assert_int_equal(tool_run("$T --steps 5 --out profiled --profile")->code, 0);
    assert_true(tool_same("plain/model.safetensors", "profiled/model.safetensors"));
}

static int count_row(const fal_profile_row *row, void *user)
{
    (void)row;
    ++*(int *)user;
    return 0;
}

static void a_device_without_profile_says_so(void **state)
{
    fal_device *device = NULL;
    int rows = 0;
    (void)state;
    assert_int_equal(fal_device_open(&device, NULL), FAL_OK);
    assert_int_equal(fal_device_profile(device, count_row, &rows),
                     FAL_ERROR_ARGUMENT);
    assert_non_null(strstr(fal_error_message(), "options.profile = 1"));
    assert_int_equal(rows, 0);
    fal_device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_launch_is_counted, tool_enter,
                                        tool_leave),
        cmocka_unit_test_setup_teardown(profiling_changes_no_bit, tool_enter,
                                        tool_leave),
        cmocka_unit_test(a_device_without_profile_says_so),
    };
    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
