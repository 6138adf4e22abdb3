/* falign compare: its runs are those of train, its figures those of its runs. */
#include "run_files.h"

#include "analysis/rank.h"

#include <math.h>

static void assert_spread(const cJSON *runs, const cJSON *rule, const char *key)
{
    const char *name = cJSON_GetObjectItem(rule, "rule")->valuestring;
    double values[8], mean = 0, squares = 0;
    int count = 0;
    const cJSON *run;
    cJSON_ArrayForEach(
        run, runs) if (!strcmp(cJSON_GetObjectItem(run, "rule")->valuestring, name))
        values[count++] = number(run, key);
    assert_int_equal(count, 3);
    for (int i = 0; i < count; i++)
        mean += values[i] / count;
    for (int i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    const cJSON *spread = cJSON_GetObjectItem(rule, key);
    assert_true(fabs(number(spread, "mean") - mean) <= 1e-12 * fabs(mean));
    assert_true(fabs(number(spread, "deviation") - sqrt(squares / 2)) <=
                1e-9 * (fabs(mean) + 1));
}

/* One rule that cannot be is refused before another is trained, or anything replaced. */
static void no_rule_runs_where_one_cannot(void **state)
{
    static const char *const lines[][2] = {
        {"--rules bp,fa --feedback-law units",
         "rule fa: feedback law 'units' is not for layer-to-layer rules"},
        {"--rules bp,dfa,usf --feedback-law zero",
         "rule usf: feedback law 'zero': the rule usf"},
        {"--rules bp,dfa --feedback regenerated --feedback-law zero",
         "rule dfa: feedback 'regenerated': the law 'zero' is not uniform"},
    };
    (void)state;
    tool_run("compare --data $D --net mlp-1x8 --rules bp --steps 2 --out law");
    char *before = tool_read("law/compare.json");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char line[256];
        snprintf(line, sizeof line,
                 "compare --data $D --net mlp-1x8 --steps 2 --out law --force %s",
                 lines[i][0]);
        const struct tool *tool = tool_run(line);
        assert_int_equal(tool->code, 2);
        assert_string_equal(tool->out, "");
        assert_has(tool->error, lines[i][1]);
    }
    char *after = tool_read("law/compare.json");
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* A rule that the network cannot learn by runs only where it is asked for, and then it
 * is refused. */
static void impossible_rules_are_left_out(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "compare --data $D --net 'dense 8, relu, dense 10 rule=bp' --steps 1 "
        "--out some");
    assert_int_equal(tool->code, 0);
    assert_has(tool->error, "drtp is left out: rule drtp, layer dense1: relu1");
    assert_has(tool->out, "\nshallow ");
    assert_null(strstr(tool->out, "\ndrtp "));
    char *text = tool_read("some/compare.json");
    assert_null(strstr(text, "drtp"));
    free(text);
    tool = tool_run(
        "compare --data $D --net 'dense 8, tanh, dense 10 rule=shallow' "
        "--steps 1 --out other");
    assert_int_equal(tool->code, 0);
    assert_has(tool->error, "bp is left out: rule bp, layer dense1: no error");
    assert_has(tool->out, "\ndrtp ");
    assert_null(strstr(tool->out, "\nusf "));
    tool = tool_run("compare --data $D --net mlp-1x8 --rules bp,drtp --out no");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "rule drtp: rule drtp, layer dense1: relu1 (relu)");
    tool = tool_run("compare --data $D --quiet --net 'dense 8, relu, dense 8 "
                    "rule=shallow, relu, dense 8 rule=drtp, relu, dense 10'");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "rule ");
}

/* The options of the mirror go with a layer's own rule as with the run's, and where all
 * layers have another none is given to the run. */
static void mirrors_may_be_of_layers(void **state)
{
    (void)state;
    assert_good("compare --data $D --net 'dense 8, tanh, dense 10 rule=wm' --rules "
                "bp,fa --mirror-rate 0.1 --steps 1 --quiet --out layered");
    char *text = tool_read("layered/fa-1/config.yaml");
    assert_has(text, "\nmirror-rate: 0.1\n");
    free(text);
    assert_good("train --data $D --net 'dense 8 rule=fa, relu, dense 10 rule=fa' "
                "--rule wm --steps 1 --quiet --out other");
}

/* A law of feedback is for those rules that have feedback. */
static void compare_takes_a_feedback_law(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "compare --data $D --net mlp-1x8 --rules bp,fa,dfa,shallow "
        "--feedback-law xavier --steps 2 --out law");
    assert_int_equal(tool->code, 0);
    char *text = tool_read("law/fa-1/config.yaml");
    assert_has(text, "\nfeedback-law: \"xavier\"\n");
    free(text);
    text = tool_read("law/bp-1/config.yaml");
    assert_has(text, "\nfeedback-law: null\n");
    free(text);
}

/* Each seed of the data splits other samples off. */
static void compare_validates(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "compare --data $D --net mlp-1x8 --rules bp,dfa --epochs 1 --seeds 3 "
        "--validation 0.2 --out held");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out,
               "\nrule        test accuracy %     validation %   train loss  "
               "samples/s  seconds\n");
    assert_true(tool_fits(strstr(tool->out, "\nrule  ")));
    char *text = tool_read("held/compare.json");
    cJSON *json = cJSON_Parse(text);
    const cJSON *runs = cJSON_GetObjectItem(json, "runs"), *rule;
    cJSON_ArrayForEach(rule, cJSON_GetObjectItem(json, "rules"))
        assert_spread(runs, rule, "validation_accuracy");
    cJSON_Delete(json);
    free(text);
    assert_good("$T --rule dfa --epochs 1 --validation 0.2 --seed 2 "
                "--feedback-seed 2 --data-seed 2 --noise-seed 2 --out alone");
    assert_same_files("held/dfa-2/model.safetensors", "alone/model.safetensors");
}

/* The totals of the last measurement of each run, and their spread. */
static void compare_sums_up_what_is_measured(void **state)
{
    static const char *const metrics[] = {
        "gradient_alignment", "update_alignment", "weight_alignment",
        "reference_norm",     "effective_rank",   "stable_rank.update"};
    size_t count = fal_has_ranks() ? 6 : 4;
    (void)state;
    const struct tool *tool = tool_run(
        "compare --data $D --net mlp-2x8 --rules fa,shallow --epochs 2 --seeds 3 "
        "--measure epoch --validation 0.2 --out measured");
    assert_int_equal(tool->code, 0);
    const char *table = strstr(tool->out, "\nrule        test accuracy");
    assert_non_null(table);
    assert_has(table, "\n\nrule         gradient align     update align     weight "
                      "align");
    assert_int_equal(strstr(table, "   effective rank\nfa ") != NULL,
                     fal_has_ranks());
    assert_has(table, "\nshallow                   -                -");
    assert_true(tool_fits(table));
    char *text = tool_read("measured/compare.json");
    cJSON *json = cJSON_Parse(text);
    const cJSON *runs = cJSON_GetObjectItem(json, "runs"), *run,
                *rules = cJSON_GetObjectItem(json, "rules");
    for (size_t m = 0; m < count; m++)
        assert_spread(runs, cJSON_GetArrayItem(rules, 0), metrics[m]);
    cJSON_ArrayForEach(run, runs)
    {
        char folder[64];
        const char *name = cJSON_GetObjectItem(run, "folder")->valuestring;
        snprintf(folder, sizeof folder, "measured/%s", name);
        int is_fa = strncmp(name, "fa", 2) == 0;
        for (size_t m = 0; is_fa && m < count; m++)
            assert_true(number(run, metrics[m]) ==
                        last_metric(folder, metrics[m], "total"));
        const cJSON *cosine = cJSON_GetObjectItem(run, "gradient_alignment");
        assert_true(is_fa ? cJSON_IsNumber(cosine) : cJSON_IsNull(cosine));
    }
    cJSON_Delete(json);
    free(text);
}

/* What nobody measured stands nowhere. */
static void what_is_not_measured_is_left_out(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("compare --data $D --net mlp-1x8 --rules bp "
                                       "--steps 1 --out bare");
    assert_null(strstr(tool->out, " align"));
    assert_good("compare --data $D --net mlp-1x8 --rules shallow --steps 1 "
                "--measure epoch --quiet --out frozen");
    char *text = tool_read("bare/compare.json");
    assert_null(strstr(text, "alignment"));
    free(text);
    text = tool_read("frozen/compare.json");
    assert_null(strstr(text, "gradient_alignment"));
    assert_has(text, "\"reference_norm\":");
    free(text);
}

/* Each rule learns at its own rate, and its run says so. */
static void a_rule_has_its_own_rate(void **state)
{
    static const char *const lines[] = {"bp-1 0.1", "fa-1 0.001", "dfa-1 0.1"};
    (void)state;
    assert_good("compare --data $D --net mlp-1x8 --rules bp,fa,dfa --steps 2 "
                "--optimizer sgd --lr 0.1,fa=0.001 --quiet --out rates");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char path[64], line[64];
        int length = (int)strcspn(lines[i], " ");
        snprintf(path, sizeof path, "rates/%.*s/config.yaml", length, lines[i]);
        snprintf(line, sizeof line, "\nlr: %s\n", lines[i] + length + 1);
        char *config = tool_read(path);
        assert_has(config, line);
        free(config);
    }
    assert_good("$T --rule fa --steps 2 --optimizer sgd --lr 0.001 --out alone");
    assert_same_files("rates/fa-1/model.safetensors", "alone/model.safetensors");
    char *text = tool_read("rates/compare.json");
    assert_has(text, "\"lr\":\"0.1,fa=0.001\"");
    free(text);
    /* A rule without one of its own, and no rate for all: the usual. */
    assert_good("$T --steps 1 --lr fa=0.5 --out usual");
    text = tool_read("usual/config.yaml");
    assert_has(text, "\nlr: 0.001\n");
    free(text);
}

static void compare_sums_up(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "compare --data $D --net mlp-1x8 --rules bp,dfa "
        "--epochs 1 --log 5 --seeds 3 --data-seed 5 --out "
        "all");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out,
               "rule        test accuracy %   train loss  samples/s  seconds");
    assert_has(tool->out, "\xC2\xB1");
    assert_string_equal(
        tool_list("all"),
        "bp-1 bp-2 bp-3 compare.json config.yaml dfa-1 dfa-2 dfa-3");
    assert_string_equal(tool_list("all/dfa-3"), run_files);
    char *text = tool_read("all/compare.json"),
         *config = tool_read("all/dfa-3/config.yaml");
    assert_has(config,
               "\nseed: 3\nfeedback-seed: 3\ndata-seed: 5\nnoise-seed: 3\n");
    cJSON *json = cJSON_Parse(text);
    const cJSON *runs = cJSON_GetObjectItem(json, "runs"), *rule;
    assert_int_equal(cJSON_GetArraySize(runs), 6);
    cJSON_ArrayForEach(rule, cJSON_GetObjectItem(json, "rules"))
    {
        assert_spread(runs, rule, "test_accuracy");
        assert_spread(runs, rule, "train_loss");
    }
    cJSON_Delete(json);
    free(text);
    free(config);
    /* One of its runs by itself. */
    assert_good(
        "$T --rule dfa --epochs 1 --log 5 --seed 3 --feedback-seed 3 --data-seed "
        "5 --noise-seed 3 --out alone");
    assert_same_run("all/dfa-3", "alone");
    assert_int_equal(tool_run("compare --data $D --net mlp-1x8 --out all")->code,
                     2);
}

static void one_run_has_no_deviation(void **state)
{
    (void)state;
    const struct tool *tool = tool_run(
        "compare --data $D --net mlp-1x8 --rules fa,bp "
        "--optimizer sgd --lr 0.01,fa=1e25 --steps 20 "
        "--json --out single");
    assert_int_equal(tool->code, 1); /* fa diverges, bp goes on */
    assert_has(tool->error, "fa-1");
    char *text = tool_read("single/compare.json");
    assert_string_equal(tool->out, text);
    assert_has(text,
               "\"rule\":\"fa\",\"runs\":0,\"test_accuracy\":{\"mean\":null,");
    assert_has(text, "\"rule\":\"bp\",\"runs\":1,");
    assert_has(text, "\"deviation\":null");
    free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(compare_sums_up),
        TEST(no_rule_runs_where_one_cannot),
        TEST(impossible_rules_are_left_out),
        TEST(mirrors_may_be_of_layers),
        TEST(compare_takes_a_feedback_law),
        TEST(compare_validates),
        TEST(compare_sums_up_what_is_measured),
        TEST(what_is_not_measured_is_left_out),
        TEST(a_rule_has_its_own_rate),
        TEST(one_run_has_no_deviation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
