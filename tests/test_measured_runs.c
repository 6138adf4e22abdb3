/* --measure: where the metrics of a run stand, and what they leave as it is. */
#include "tool.h"
#include "analysis/rank.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- metrics.jsonl ------------------------------------------------------- */

enum { LINES = 64 };

typedef struct lines {
    cJSON *items[LINES];
    size_t count;
} lines;

static lines read_lines(const char *path)
{
    lines l = {.count = 0};
    char *text = tool_read(path);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        assert_true(l.count < LINES);
        l.items[l.count] = cJSON_Parse(line);
        assert_non_null(l.items[l.count++]);
    }
    free(text);
    return l;
}

static void free_lines(lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        cJSON_Delete(l->items[i]);
}

static double number_of(const cJSON *line, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(line, key);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static int has(const cJSON *line, const char *key)
{
    return cJSON_HasObjectItem(line, key) != 0;
}

/* "0m 4m 5l 5e": steps in order; m metrics, l losses, e an epoch's line. */
static void describe(const lines *l, char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < l->count; i++) {
        const cJSON *line = l->items[i];
        const cJSON *type = cJSON_GetObjectItemCaseSensitive(line, "type");
        int epoch = strcmp(type->valuestring, "epoch") == 0;
        used += (size_t)snprintf(
            text + used, size - used, "%s%.0f%s%s%s", i ? " " : "",
            number_of(line, "step"), has(line, "gradient_alignment") ? "m" : "",
            has(line, "train_loss") && !epoch ? "l" : "", epoch ? "e" : "");
    }
}

static void expect_lines(const char *path, const char *expected)
{
    char text[512];
    lines l = read_lines(path);
    describe(&l, text, sizeof text);
    assert_string_equal(text, expected);
    free_lines(&l);
}

/* 500 samples are four batches. */
static void metrics_stand_in_the_line_of_their_step(void **state)
{
    (void)state;
    assert_good(
        "$T --rule fa --samples 500 --measure 4 --log 3 --epochs 2 --out a");
    expect_lines("a/metrics.jsonl", "0m 3l 4m 4e 6l 8m 8e");
    assert_good(
        "$T --rule fa --samples 500 --measure epoch --log 4 --epochs 2 --out b");
    expect_lines("b/metrics.jsonl", "0m 4ml 4e 8ml 8e");
    assert_good(
        "$T --rule fa --samples 500 --measure 100 --log epoch --steps 6 --out c");
    expect_lines("c/metrics.jsonl", "0m 4l 4e 6m 6e");
    assert_good("$T --rule fa --measure 1 --epochs 0 --out d");
    expect_lines("d/metrics.jsonl", "0m");
}

#define RANKS(name) name, name ".carried", name ".update", name ".activation"

static int needs_ranks(const char *name)
{
    return strstr(name, "_rank") || strstr(name, "participation");
}

/* The keys of a line, and the layers of some. */
static void names_are_those_of_the_contract(void **state)
{
    static const char *const names[] = {"type",
                                        "step",
                                        "epoch",
                                        "samples_per_second",
                                        "seconds",
                                        "gradient_alignment",
                                        "update_alignment",
                                        "weight_alignment",
                                        RANKS("effective_rank"),
                                        RANKS("participation_ratio"),
                                        RANKS("stable_rank"),
                                        "reference_norm",
                                        "dead_units",
                                        "left_out"};
    (void)state;
    assert_good("$T --net mlp-2x8 --rule dfa --measure 4 --steps 1 --out a");
    lines l = read_lines("a/metrics.jsonl");
    const cJSON *item = l.items[0]->child;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fal_has_ranks() || !needs_ranks(names[i])) {
            assert_non_null(item);
            assert_string_equal(item->string, names[i]);
            item = item->next;
        }
    assert_null(item);
    const cJSON *of = cJSON_GetObjectItemCaseSensitive(l.items[0],
                                                       "gradient_alignment");
    assert_true(number_of(of, "dense1") <= 1);
    assert_true(number_of(of, "dense2") <= 1);
    assert_true(fabs(number_of(of, "total")) <= 1);
    assert_int_equal(cJSON_GetArraySize(of), 3);
    of = cJSON_GetObjectItemCaseSensitive(l.items[0], "weight_alignment");
    assert_true(number_of(of, "dense2") <= 1);
    assert_true(number_of(of, "dense3") <= 1);
    assert_int_equal(cJSON_GetArraySize(of), 3);
    free_lines(&l);
}

/* Frozen layers have no delta; that is null and no 0, and said once. */
static void what_is_not_there_is_null(void **state)
{
    static const char *const parts[] = {
        "\"gradient_alignment\":{\"dense1\":null,\"total\":null}",
        "\"weight_alignment\":{\"dense2\":null,\"total\":null}",
        "\"left_out\":{\"dense1\":null,\"total\":null}",
        "\"reference_norm\":{\"dense1\":0."};
    (void)state;
    const struct tool *t = tool_run("train --data $D --net mlp-1x8 --rule shallow "
                                    "--measure 2 --steps 4 --out a --json");
    assert_int_equal(t->code, 0);
    assert_has(t->error, "have no delta");
    assert_has(t->error, "leaves out dense1");
    assert_null(strstr(strstr(t->error, "leaves out dense1") + 1, "leaves out"));
    assert_has(t->out, "\"measuring_seconds\":");
    char *text = tool_read("a/metrics.jsonl");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_has(text, parts[i]);
    free(text);
}

static void a_measured_run_is_the_same_run(void **state)
{
    static const char *const files[] = {"model.safetensors", "start.safetensors"};
    (void)state;
    assert_good("$T --rule dfa --norm batch --optimizer muon --epochs 2 --out a");
    assert_good(
        "$T --rule dfa --norm batch --optimizer muon --epochs 2 --measure 1 "
        "--out b");
    for (size_t i = 0; i < 2; i++) {
        char a[64], b[64];
        snprintf(a, sizeof a, "a/%s", files[i]);
        snprintf(b, sizeof b, "b/%s", files[i]);
        assert_true(tool_same(a, b));
    }
}

static void the_cost_is_printed(void **state)
{
    (void)state;
    const struct tool *t = tool_run(
        "train --data $D --net mlp-1x8 --rule fa --measure "
        "2 --steps 4 --out a");
    assert_int_equal(t->code, 0);
    assert_has(t->out, "\nmeasuring took ");
    assert_has(t->out, " % of training\n");
    assert_good("$T --steps 4 --out b");
    t = tool_run("train --data $D --net mlp-1x8 --rule fa --steps 4 --out c");
    assert_null(strstr(t->out, "measuring"));
}

static void every_run_of_a_comparison_measures(void **state)
{
    (void)state;
    assert_good("compare --data $D --net mlp-1x8 --samples 500 --rules bp,fa "
                "--measure 3 --steps 5 "
                "--log 2 --quiet --out a");
    expect_lines("a/bp-1/metrics.jsonl", "0m 2l 3m 4l 4e 5m 5e");
    expect_lines("a/fa-1/metrics.jsonl", "0m 2l 3m 4l 4e 5m 5e");
    char *text = tool_read("a/fa-1/config.yaml");
    assert_has(text, "\nmeasure: 3\n");
    free(text);
}

static void wrong_values_are_refused(void **state)
{
    static const char *const wrong[][2] = {
        {"$T --measure 0", "option --measure: '0'"},
        {"$T --measure often", "or 'epoch'"},
        {"$T --measure", "--measure"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const struct tool *t = tool_run(wrong[i][0]);
        assert_int_equal(t->code, 2);
        assert_has(t->error, wrong[i][1]);
    }
    assert_string_equal(tool_list("."), "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(metrics_stand_in_the_line_of_their_step),
        TEST(names_are_those_of_the_contract),
        TEST(what_is_not_there_is_null),
        TEST(a_measured_run_is_the_same_run),
        TEST(the_cost_is_printed),
        TEST(every_run_of_a_comparison_measures),
        TEST(wrong_values_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
