/* train --profile: the table, and profile.json counted against the launches of a step
 * that the footprint says. */
#include "tool.h"
#include "device/memory.h"
#include "falign.h"
#include "ops/activation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

/* ---- the library's part ---------------------------------------------------- */

static int add_launches(const fal_profile_row *row, void *user)
{
    if (!row->evaluation)
        *(double *)user += row->launches;
    return 0;
}

static double counted(fal_device *device)
{
    double launches = 0;
    assert_int_equal(fal_device_profile(device, add_launches, &launches), FAL_OK);
    return launches;
}

static fal_device *profiled_device(void)
{
    fal_device *device = NULL;
    fal_device_options options = FAL_DEVICE_OPTIONS;
    options.profile = 1;
    assert_int_equal(fal_device_open(&device, &options), FAL_OK);
    return device;
}

enum { ROWS = 20, WIDTH = 6, CLASSES = 3 };

static fal_arrays few_rows(int real)
{
    static float inputs[ROWS * WIDTH];
    static const int32_t labels[ROWS] = {0, 1, 2, 1};
    fal_arrays arrays = FAL_ARRAYS;
    for (size_t i = 0; i < ROWS * WIDTH; i++)
        inputs[i] = (float)(i % 7) / 7 - .5f;
    arrays.count = ROWS;
    arrays.channels = WIDTH;
    arrays.inputs = inputs;
    if (real) {
        arrays.targets = inputs;
        arrays.outputs = CLASSES;
    } else {
        arrays.labels = labels;
        arrays.classes = CLASSES;
    }
    return arrays;
}

/* A model and a trainer of rows that a step is given. */
struct pair {
    fal_model *model;
    fal_trainer *trainer;
};

static struct pair make_pair(fal_device *device, const char *network,
                             fal_trainer_options options)
{
    struct pair pair = {NULL, NULL};
    options.schedule = "constant";
    assert_int_equal(fal_model_create(&pair.model, device, network, NULL), FAL_OK);
    assert_int_equal(fal_trainer_create(&pair.trainer, pair.model, &options),
                     FAL_OK);
    return pair;
}

static void end_pair(struct pair *pair)
{
    fal_trainer_destroy(pair->trainer);
    fal_model_destroy(pair->model);
}

/* A step and what it added. */
static void expect_counted_step(fal_device *device, fal_trainer *trainer,
                                const fal_arrays *arrays)
{
    fal_footprint footprint = {.size = sizeof footprint};
    double before = counted(device);
    assert_int_equal(fal_trainer_step(trainer, arrays, NULL), FAL_OK);
    assert_int_equal(fal_trainer_footprint(trainer, &footprint), FAL_OK);
    double found = counted(device) - before;
    if (fabs(found - (double)footprint.launches) > 1e-6)
        fail_msg("%g launches, the footprint says %zu", found, footprint.launches);
}

/* Whatever fails in a step, the next one is counted in full. */
static void failed_steps_leave_a_whole_profile(void **state)
{
    void (*const fail_at[])(long) = {fal_memory_fail_at, fal_cl_fail_at};
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    fal_device *device = profiled_device();
    fal_arrays arrays = few_rows(0);
    (void)state;
    options.batch = ROWS;
    for (int kind = 0; kind < 2; kind++) {
        fal_status status = FAL_ERROR_DEVICE;
        for (int n = 1; status != FAL_OK; n++) {
            struct pair pair = make_pair(device, "input 6, dense 5, dense 3",
                                         options);
            assert_true(n < 1000);
            fail_at[kind](n);
            status = fal_trainer_step(pair.trainer, &arrays, NULL);
            fail_at[kind](0);
            expect_counted_step(device, pair.trainer, &arrays);
            end_pair(&pair);
        }
    }
    fal_device_destroy(device);
}

static int add_layers(const fal_profile_row *row, void *user)
{
    if (strncmp(row->layer, "layer", 5) == 0 && row->launches > 0)
        ++*(int *)user;
    return 0;
}

/* Rows that found no room are made when the launch runs again. */
static void no_room_for_a_row(void **state)
{
    enum { LAUNCHES = 200, FLOATS = 16 };
    fal_device *device = profiled_device();
    fal_launches list = {.device = device};
    fal_view x = {NULL, 0};
    int rows = 0;
    (void)state;
    assert_int_equal(fal_buffer_create(device, FLOATS * 4, "test", &x.buffer), 0);
    for (int i = 0; i < LAUNCHES; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer%d", i);
        list.layer = name;
        assert_int_equal(
            fal_activate_add(&list, (fal_activation){FAL_RELU, 0}, x, x, FLOATS),
            FAL_OK);
    }
    for (int tries = 0; rows < LAUNCHES; tries++) {
        fal_memory_fail_at(tries % 2 ? 0 : 1);
        fal_status status = fal_launches_run(&list);
        fal_memory_fail_at(0);
        assert_int_equal(status, tries % 2 ? FAL_OK : FAL_ERROR_MEMORY);
        rows = 0;
        assert_int_equal(fal_device_profile(device, add_layers, &rows), FAL_OK);
        assert_true(tries % 2 ? rows == LAUNCHES : rows < LAUNCHES);
    }
    fal_launches_release(&list);
    fal_buffer_destroy(device, x.buffer);
    fal_device_destroy(device);
}

/* What a step launches, and what the footprint says: with gradients kept, clipped,
 * of long batches, by squared error, of numbers as targets. */
static void the_footprint_says_how_many(void **state)
{
    static const char *const rules[] = {"bp", "fa", "dfa", "shallow"};
    fal_device *device = profiled_device();
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        fal_trainer_options options = FAL_TRAINER_OPTIONS;
        fal_arrays arrays = few_rows(i / 4 % 4 == 3);
        options.rule = rules[i % 4];
        options.batch = i / 16 % 2 ? 300 : ROWS;
        options.keep_gradients = i / 4 % 4 == 1;
        options.clip = i / 4 % 4 == 2;
        options.loss = arrays.targets ? "mse" : NULL;
        struct pair pair = make_pair(device,
                                     i / 32 ? "input 6, dense 5, relu, tanh, dense "
                                              "7, norm, dense 3"
                                            : "input 6, dense 5, dense 3",
                                     options);
        expect_counted_step(device, pair.trainer, &arrays);
        end_pair(&pair);
    }
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
        cmocka_unit_test(failed_steps_leave_a_whole_profile),
        cmocka_unit_test(no_room_for_a_row),
        cmocka_unit_test(the_footprint_says_how_many),
    };
    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
