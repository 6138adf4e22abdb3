/* falign reproduce, by experiments of closed form: this program is the tool with them
 * in place of the papers' when its first word is "reproduce". */
#include "tool.h"

#include "cli/output.h"
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/command.h"
#include "reproduce/study.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the experiment ------------------------------------------------------ */

/* Figure "w-W": W + s/8 for seeds s = 0, 1, 2: mean W + 1/8, deviation 1/8, standard
 * error 1/(8 sqrt 3). */
static const char toy_text[] =
    "name: toy\n"
    "paper: Nobody 2026, Numbers that are known\n"
    "about: what the frame makes of numbers of closed form\n"
    "settings:\n"
    "  seeds: 3\n"
    "scales:\n"
    "  tiny: {widths: [1, 2]}\n"
    "  quick: {widths: [1, 2, 4]}\n"
    "  full: {widths: [1, 2, 4, 8]}\n"
    "claims:\n"
    "  - {id: near, claim: one is near, published: '1.1', source: made up,\n"
    "     figure: w-1, near: 1.1, within: .03}\n"
    "  - {id: rises, claim: it rises, published: rises, source: made up,\n"
    "     rises: [w-1, w-2]}\n";

static fal_status list_toy(fal_study *study, fal_parts *parts)
{
    const double *widths;
    size_t count;
    fal_status status = fal_study_numbers(study, "widths", &widths, &count);
    for (size_t w = 0; w < count && !status; w++)
        for (uint64_t s = 0; s < fal_study_seeds(study) && !status; s++) {
            fal_part part = {.setting = w, .seed = s, .seconds = .001};
            fal_part_name(&part, "w-%g-%d", widths[w], (int)s);
            status = fal_parts_add(parts, &part);
        }
    return status;
}

enum { TIMES = 40 };

static int is_there(const char *what, const char *key)
{
    char name[FAL_PART_KEY + 16];
    snprintf(name, sizeof name, "%s-%s", what, key);
    return access(name, F_OK) == 0;
}

/* Files say what else a part does: it waits for hold-KEY to go, fails by fail-KEY, ends
 * its process by crash-KEY. Those that come to their end are noted in the file "ran". */
static fal_status obey_files(fal_study *study, const fal_part *part)
{
    struct timespec time = {.tv_nsec = 2000000};
    fal_study_progress(study, .5);
    while (is_there("hold", part->key) && !fal_study_stopped(study))
        nanosleep(&time, NULL);
    if (fal_study_stopped(study))
        return FAL_STOPPED;
    if (is_there("crash", part->key))
        kill(getpid(), SIGKILL);
    if (is_there("fail", part->key))
        return fal_fail(FAL_ERROR_DIVERGED, "it was told to fail");
    FILE *ran = fopen("ran", "a");
    fprintf(ran, "%s\n", part->key);
    fclose(ran);
    return FAL_OK;
}

/* exp(-t/W), times 1 + s/8. */
static void make_decay(double decay[TIMES], double width, uint64_t seed)
{
    for (int t = 0; t < TIMES; t++)
        decay[t] = exp(-t / width) * (1 + (double)seed / 8);
}

static fal_status run_toy(fal_study *study, const fal_part *part, cJSON *result)
{
    const double *widths;
    double decay[TIMES];
    size_t count;
    fal_status status = fal_study_numbers(study, "widths", &widths, &count);
    if (!status)
        status = obey_files(study, part);
    if (status)
        return status;
    make_decay(decay, widths[part->setting], part->seed);
    status = fal_result_numbers(result, "decay", decay, TIMES);
    if (status)
        return status;
    return fal_result_number(result, "value",
                             widths[part->setting] + (double)part->seed / 8);
}

static fal_status plot_decays(fal_study *study, fal_findings *findings,
                              const double *widths, size_t count)
{
    double times[TIMES], *values[8] = {NULL};
    char names[8][32];
    fal_series series[8];
    fal_plot plot = {.section = "Decays",
                     .title = "Decay in time",
                     .caption = "The wider, the slower: exp(-t/w) < 1.",
                     .x_label = "time",
                     .y_label = "what is left",
                     .series = series};
    fal_status status = FAL_OK;
    for (int t = 0; t < TIMES; t++)
        times[t] = t + 1;
    for (size_t w = 0; w < count && !status; w++) {
        snprintf(names[w], sizeof names[w], "w = %g", widths[w]);
        series[w] = (fal_series){.name = names[w], .x = times};
        status = fal_study_lists(study, 0, w, "decay", &values[w], &series[w].seeds,
                                 &series[w].count);
        series[w].y = values[w];
    }
    plot.series_count = count;
    for (int log = 0; log < 2 && !status; log++) {
        plot.log_x = plot.log_y = log;
        status = fal_findings_plot(findings, &plot);
        plot.title = "The same on logarithmic axes";
    }
    plot.section = "Values";
    for (size_t w = 0; w < count; w++)
        series[w].points = 1;
    plot.log_x = plot.log_y = 0;
    if (!status)
        status = fal_findings_plot(findings, &plot);
    for (size_t w = 0; w < count; w++)
        fal_release(values[w]);
    return status;
}

static fal_status conclude_toy(fal_study *study, fal_findings *findings)
{
    const double *widths;
    size_t count;
    fal_status status = fal_study_numbers(study, "widths", &widths, &count);
    for (size_t w = 0; w < count && !status; w++) {
        char name[32];
        snprintf(name, sizeof name, "w-%g", widths[w]);
        status = fal_findings_collect(findings, study, name, 0, w, "value");
    }
    if (!status)
        status = fal_findings_note(findings, "a <note> of the experiment");
    return status ? status : plot_decays(study, findings, widths, count);
}

/* ---- one on the device, one with data ------------------------------------- */

static const char device_text[] =
    "name: device\npaper: Nobody 2026\nabout: a network in each part\n"
    "scales: {tiny: {seeds: 3}, quick: {seeds: 4}, full: {seeds: 5}}\n"
    "claims:\n"
    "  - {id: learns, claim: it learns, published: yes, source: made up,\n"
    "     figure: loss, below: .5}\n";

static fal_status list_seeds(fal_study *study, fal_parts *parts)
{
    fal_status status = FAL_OK;
    for (uint64_t s = 0; s < fal_study_seeds(study) && !status; s++) {
        fal_part part = {.seed = s, .seconds = .1, .data = study->data != NULL};
        fal_part_name(&part, "seed-%d", (int)s);
        status = fal_parts_add(parts, &part);
    }
    return status;
}

/* y = x_1 - x_2, learned by a small network. */
static fal_status train(fal_device *device, uint64_t seed, double *loss)
{
    static const float inputs[] = {0, 1, 1, 0, 1, 1, 2, 1},
                       targets[] = {-1, 1, 0, 1};
    fal_arrays arrays = FAL_ARRAYS;
    fal_model_options shape = FAL_MODEL_OPTIONS;
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    fal_model *model = NULL;
    fal_trainer *trainer = NULL;
    arrays.count = 4;
    arrays.channels = 2;
    arrays.inputs = inputs;
    arrays.targets = targets;
    arrays.outputs = 1;
    shape.seed = seed + 1;
    options.loss = "mse";
    options.schedule = "constant";
    options.optimizer = "sgd";
    fal_status status = fal_model_create(
        &model, device, "input 2, dense 33, tanh, dense 1", &shape);
    if (!status)
        status = fal_trainer_create(&trainer, model, &options);
    for (int i = 0; i < 40 && !status; i++)
        status = fal_trainer_step(trainer, &arrays, loss);
    fal_trainer_destroy(trainer);
    fal_model_destroy(model);
    return status;
}

static fal_status run_device(fal_study *study, const fal_part *part, cJSON *result)
{
    fal_device *device;
    double loss = 0;
    fal_status status = fal_study_device(study, &device);
    if (!status)
        status = train(device, part->seed, &loss);
    return status ? status : fal_result_number(result, "value", loss);
}

static fal_status conclude_device(fal_study *study, fal_findings *findings)
{
    return fal_findings_collect(findings, study, "loss", 0, 0, "value");
}

static const char data_text[] =
    "name: data\npaper: Nobody 2026\nabout: samples counted\ndata: mnist\n"
    "scales: {tiny: {seeds: 1}, quick: {seeds: 1}, full: {seeds: 1}}\n"
    "claims:\n"
    "  - {id: some, claim: there are some, published: yes, source: made up,\n"
    "     figure: samples, above: 0, data: any}\n"
    "  - {id: digits, claim: they are digits, published: yes, source: made up,\n"
    "     figure: samples, above: 0, data: mnist}\n"
    "  - {id: free, claim: one is one, published: '1', source: made up,\n"
    "     figure: one, equals: 1}\n"
    "  - {id: whose, claim: of its figure alone, published: yes, source: made up,\n"
    "     figure: samples, above: 0}\n";

static const char only_text[] =
    "name: only\npaper: Nobody 2026\nabout: nothing without data\ndata: mnist\n"
    "scales: {tiny: {seeds: 1}, quick: {seeds: 1}, full: {seeds: 1}}\n"
    "claims:\n"
    "  - {id: some, claim: there are some, published: yes, source: made up,\n"
    "     figure: samples, above: 0}\n";

static fal_status list_data(fal_study *study, fal_parts *parts)
{
    fal_part part = {.setting = 1, .seconds = .1};
    fal_part_name(&part, "free");
    fal_status status = list_seeds(study, parts);
    return status ? status : fal_parts_add(parts, &part);
}

static fal_status run_data(fal_study *study, const fal_part *part, cJSON *result)
{
    const fal_dataset *test;
    fal_arrays facts = {.size = sizeof facts};
    if (!part->data)
        return fal_result_number(result, "value", 1);
    fal_status status = fal_study_dataset(study, FAL_SPLIT_TEST, &test);
    if (!status)
        status = fal_dataset_describe(test, &facts);
    return status ? status
                  : fal_result_number(result, "samples", (double)facts.count);
}

static fal_status conclude_data(fal_study *study, fal_findings *findings)
{
    fal_status status = fal_findings_collect(findings, study, "samples", 0, 0,
                                             "samples");
    return status ? status
                  : fal_findings_collect(findings, study, "one", 0, 1, "value");
}

/* ---- the tool ------------------------------------------------------------ */

static fal_experiment toys[] = {
    {.name = "toy",
     .list = list_toy,
     .run = run_toy,
     .conclude = conclude_toy,
     .text = toy_text},
    {.name = "device",
     .list = list_seeds,
     .run = run_device,
     .conclude = conclude_device,
     .on_device = 1,
     .text = device_text},
    {.name = "data",
     .list = list_data,
     .run = run_data,
     .conclude = conclude_data,
     .text = data_text},
    {.name = "only",
     .list = list_seeds,
     .run = run_data,
     .conclude = conclude_data,
     .text = only_text},
};

/* A file toy.yaml stands in for the toy's own. */
static int be_the_tool(int count, char **words)
{
    const fal_experiment *list[] = {&toys[0], &toys[1], &toys[2], &toys[3], NULL};
    cli_options options;
    char *text = tool_read("toy.yaml");
    cli_begin();
    if (*text)
        toys[0].text = text;
    fal_status status = cli_options_read(&options, CLI_REPRODUCE, count - 2,
                                         words + 2, 1);
    int code = status ? cli_end(status) : fal_reproduce(&options, list);
    free(text);
    return code;
}

/* ---- asking -------------------------------------------------------------- */

static void empty_place(void)
{
    assert_int_equal(system("rm -rf ./* ./.[a-z]*"), 0);
}

static void write_text(const char *path, const char *text)
{
    tool_write(path, text, strlen(text));
}

static void assert_refused(const char *line, int code, const char *why)
{
    const struct tool *tool = tool_run(line);
    if (tool->code != code)
        fail_msg("%s: %d, not %d: %s", line, tool->code, code, tool->error);
    assert_has(tool->error, why);
}

/* The results of a folder, for cJSON_Delete. */
static cJSON *results_of(const char *folder)
{
    char path[256];
    snprintf(path, sizeof path, "%s/results.json", folder);
    char *text = tool_read(path);
    cJSON *json = cJSON_Parse(text);
    free(text);
    if (!json)
        fail_msg("%s is not there or no JSON", path);
    return json;
}

/* All but where and when, as text, for free. */
static char *lasting_results(const char *folder)
{
    cJSON *json = results_of(folder);
    cJSON_DeleteItemFromObject(json, "run");
    char *text = cJSON_Print(json);
    cJSON_Delete(json);
    return text;
}

static const cJSON *claim_of(const cJSON *results, const char *id)
{
    const cJSON *claim;
    cJSON_ArrayForEach(claim, cJSON_GetObjectItem(results, "claims"))
    {
        if (strcmp(cJSON_GetObjectItem(claim, "id")->valuestring, id) == 0)
            return claim;
    }
    fail_msg("no claim %s", id);
    return NULL;
}

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, key));
    return text ? text : "";
}

/* 1 yes, 0 no, -1 not run. */
static int holds(const cJSON *results, const char *id)
{
    const cJSON *item = cJSON_GetObjectItem(claim_of(results, id), "holds");
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : -1;
}

static size_t count(const char *text, const char *part)
{
    size_t found = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        found++;
    return found;
}

/* ---- numbers ------------------------------------------------------------- */

static double number_of(const cJSON *object, const char *key)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItem(object, key));
}

static void figures_have_their_spread(void **state)
{
    (void)state;
    assert_good("reproduce toy --quick --out out");
    cJSON *json = results_of("out");
    const cJSON *figures = cJSON_GetObjectItem(json, "figures");
    static const double widths[] = {1, 2, 4};
    for (int w = 0; w < 3; w++) {
        char name[16];
        snprintf(name, sizeof name, "w-%g", widths[w]);
        const cJSON *figure = cJSON_GetObjectItem(figures, name);
        const cJSON *values = cJSON_GetObjectItem(figure, "values");
        assert_true(number_of(figure, "n") == 3);
        assert_true(number_of(figure, "mean") == widths[w] + .125);
        assert_true(number_of(figure, "deviation") == .125);
        assert_true(fabs(number_of(figure, "standard_error") - .125 / sqrt(3)) <
                    1e-15);
        for (int s = 0; s < 3; s++)
            assert_true(cJSON_GetArrayItem(values, s)->valuedouble ==
                        widths[w] + s / 8.);
    }
    assert_string_equal(text_of(json, "experiment"), "toy");
    assert_string_equal(text_of(json, "scale"), "quick");
    assert_true(number_of(cJSON_GetObjectItem(json, "settings"), "seeds") == 3);
    cJSON_Delete(json);
}

static void one_seed_has_no_deviation(void **state)
{
    (void)state;
    assert_good("reproduce toy --tiny --seeds 1 --out out");
    cJSON *json = results_of("out");
    const cJSON *figure = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "figures"),
                                              "w-2");
    assert_true(number_of(figure, "n") == 1);
    assert_true(number_of(figure, "mean") == 2);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(figure, "deviation")));
    cJSON_Delete(json);
}

/* ---- verdicts ------------------------------------------------------------ */

static const char toy_head[] =
    "name: toy\npaper: p\nabout: a\nsettings: {seeds: 3}\n"
    "scales: {tiny: {widths: [1, 2]}, quick: {widths: [1, 2, 4]},\n"
    "  full: {widths: [1, 2, 4, 8]}}\nclaims:\n";

/* w-1 is 1.125 ± .125 (standard error .0722), w-2 2.125 and w-4 4.125. */
static const struct {
    const char *bound;
    int holds; /* -1: not run */
} bounds[] = {
    {"figure: w-1, above: 1.124", 1},
    {"figure: w-1, above: 1.126", 0},
    {"figure: w-1, below: 1.126", 1},
    {"figure: w-1, below: 1.124", 0},
    {"figure: w-1, above: 1, below: 1.2", 1},
    {"figure: w-1, above: 1.2, below: 1.3", 0},
    {"figure: w-1, above: 1, below: 1.1", 0},
    {"figure: w-1, above: .99, below: 1.26, every: seed", 1},
    {"figure: w-1, above: 1.01, every: seed", 0},
    {"figure: w-1, below: 1.24, every: seed", 0},
    {"figure: [w-1, w-2], above: 1.1", 1},
    {"figure: [w-2, w-1], above: 1.2", 0},
    {"figure: w-1, near: 1.1, within: .026", 1},
    {"figure: w-1, near: 1.1, within: .024", 0},
    {"figure: w-1, near: 1.2, within: .0", 0},
    {"figure: w-1, near: 1.2, within: 0, errors: 1.03", 0},
    {"figure: w-1, near: 1.2, within: 0, errors: 1.04", 1},
    {"figure: w-1, near: 1.05, within: .04, errors: .49", 1},
    {"figure: w-1, near: 1.05, within: .04, errors: .48", 0},
    {"figure: one, equals: 1", -1},
    {"figure: w-1, equals: 1.125", 0}, /* only its mean is */
    {"rises: [w-1, w-2, w-4]", 1},
    {"rises: [w-1, w-4, w-2]", 0},
    {"rises: [w-1, w-1]", 0},
    {"falls: [w-4, w-2, w-1]", 1},
    {"falls: [w-4, w-1, w-2]", 0},
    {"falls: [w-2, w-2]", 0},
    {"figure: w-8, above: 0", -1},
    {"figure: w-1, above: 0, scale: full", -1},
    {"figure: w-1, above: 0, scale: quick", 1},
    {"figure: w-1, above: 0, data: any", 1},
    {"figure: w-1, above: 0, data: mnist", -1},
};
enum { BOUNDS = sizeof bounds / sizeof *bounds };

static void each_bound_holds_and_fails(void **state)
{
    char text[1 << 14];
    size_t used = (size_t)snprintf(text, sizeof text, "%s", toy_head);
    (void)state;
    for (int i = 0; i < BOUNDS; i++)
        used += (size_t)snprintf(
            text + used, sizeof text - used,
            "  - {id: c%d, claim: c, published: p, source: s, %s}\n", i,
            bounds[i].bound);
    write_text("toy.yaml", text);
    assert_good("reproduce toy --quick --out out");
    cJSON *json = results_of("out");
    for (int i = 0; i < BOUNDS; i++) {
        char id[16];
        snprintf(id, sizeof id, "c%d", i);
        if (holds(json, id) != bounds[i].holds)
            fail_msg("%s: %d", bounds[i].bound, holds(json, id));
    }
    cJSON_Delete(json);
}

/* Every value counts, of every seed. */
static void equals_looks_at_all_seeds(void **state)
{
    char text[2048];
    (void)state;
    snprintf(text, sizeof text,
             "%s  - {id: all, claim: c, published: p, source: s, figure: w-1, "
             "equals: 1}\n",
             toy_head);
    write_text("toy.yaml", text);
    assert_good("reproduce toy --tiny --seeds 1 --out one");
    assert_good("reproduce toy --tiny --seeds 2 --out two");
    cJSON *one = results_of("one"), *two = results_of("two");
    assert_int_equal(holds(one, "all"), 1);
    assert_int_equal(holds(two, "all"), 0);
    cJSON_Delete(one);
    cJSON_Delete(two);
}

static void words_say_what_was_measured(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("reproduce toy --quick --out out");
    assert_int_equal(tool->code, 0);
    assert_memory_equal(tool->out, "folder   out\n", 13);
    assert_has(tool->out,
               "yes      one is near\n"
               "         published  1.1 (made up)\n"
               "         measured   1.12 ± 0.12 (n = 3); holds if within "
               "0.03 of 1.1\n");
    assert_has(tool->out, "\n9 to run, ");
    assert_has(tool->out,
               " at a time; the longest takes about 1 s on the README's");
    assert_has(tool->out, "\n2 of 2 claims hold\nsaved in out\n");
    assert_true(tool_fits(tool->out));
    assert_string_equal(tool_run("reproduce toy --tiny --out b --quiet")->out, "");
    tool = tool_run("reproduce toy --tiny --out c --json");
    char *text = tool_read("c/results.json");
    assert_string_equal(tool->out, text);
    free(text);
}

static void tiny_figures_say_nothing_of_claims(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("reproduce toy --tiny --out out");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, "\nit works: 2 figures; whether claims hold needs --quick"
                          "\nsaved in out\n");
    assert_null(strstr(tool->out, "one is near"));
    char *page = tool_read("out/report.html");
    assert_has(page, "it works: 2 figures; whether claims hold needs --quick");
    assert_null(strstr(page, "one is near"));
    assert_int_equal(count(page, "<section>"), count(page, "</section>"));
    free(page);
    cJSON *json = results_of("out");
    assert_int_equal(holds(json, "near"), 1);
    cJSON_Delete(json);
}

/* ---- the page ------------------------------------------------------------ */

static void the_page_is_whole(void **state)
{
    (void)state;
    assert_good("reproduce toy --quick --out out");
    char *page = tool_read("out/report.html");
    assert_memory_equal(page, "<!doctype html>\n<!-- falign report", 34);
    assert_has(page, "</html>\n");
    assert_int_equal(count(page, "<svg class=\"plot\""), 3);
    assert_int_equal(count(page, "<section>"), count(page, "</section>"));
    assert_int_equal(count(page, "<div"), count(page, "</div>"));
    assert_has(page, "a &lt;note&gt; of the experiment");
    assert_has(page, "exp(-t/w) &lt; 1");
    assert_has(page, "<b class=\"yes\">yes</b>");
    assert_has(page, "falign reproduce toy --quick --seeds 3");
    /* three widths: two plots of a line and a band each, one of points */
    assert_int_equal(count(page, "<g class=\"curve"), 9);
    assert_int_equal(count(page, "<path class=\"band\""), 6);
    free(page);
}

/* ---- going on ------------------------------------------------------------ */

static pid_t child;

static int leave(void **state)
{
    if (child > 0) { /* a test that failed leaves it running */
        kill(child, SIGKILL);
        tool_wait(child);
    }
    child = 0;
    return tool_leave(state);
}

static void pause_ms(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void wait_for(const char *path)
{
    for (int i = 0; i < 3000 && access(path, F_OK) != 0; i++)
        pause_ms(5);
    assert_int_equal(access(path, F_OK), 0);
}

/* How often each part came to its end. */
static void assert_ran(const char *key, size_t times)
{
    char line[64];
    char *ran = tool_read("ran");
    snprintf(line, sizeof line, "%s\n", key);
    if (count(ran, line) != times)
        fail_msg("%s ran %zu times, not %zu", key, count(ran, line), times);
    free(ran);
}

static void assert_same_results(const char *one, const char *other)
{
    char *a = lasting_results(one), *b = lasting_results(other);
    assert_string_equal(a, b);
    free(a);
    free(b);
    char line[256];
    snprintf(line, sizeof line, "diff -r %s/parts %s/parts", one, other);
    assert_int_equal(system(line), 0);
}

/* Ends it by `number` while the part w-2-1 runs, and goes on. */
static void stop_and_resume(int number, const char *jobs)
{
    char line[128];
    empty_place();
    assert_good("reproduce toy --tiny --out whole --jobs 1");
    unlink("ran");
    write_text("hold-w-2-1", "");
    snprintf(line, sizeof line, "reproduce toy --tiny --out cut --jobs %s", jobs);
    child = tool_start(line, -1);
    wait_for("cut/parts/w-2-0.json");
    if (strcmp(jobs, "2") == 0)
        wait_for("cut/parts/w-2-2.json");
    pause_ms(20);
    kill(child, number);
    int code = tool_wait(child);
    child = 0;
    assert_int_equal(code, number == SIGKILL ? 1000 + SIGKILL : 130);
    assert_int_not_equal(access("cut/parts/w-2-1.json", F_OK), 0);
    assert_int_not_equal(access("cut/results.json", F_OK), 0);
    unlink("hold-w-2-1");
    assert_good("reproduce --resume cut");
    assert_ran("w-1-0", 1);
    assert_ran("w-2-0", 1);
    assert_ran("w-2-1", 1);
    assert_same_results("cut", "whole");
    assert_string_equal(tool_list("cut"),
                        "config.yaml parts report.html results.json");
}

static void it_goes_on_after_anything(void **state)
{
    (void)state;
    stop_and_resume(SIGINT, "1");
    stop_and_resume(SIGINT, "2");
    stop_and_resume(SIGTERM, "1");
    stop_and_resume(SIGKILL, "1");
    stop_and_resume(SIGKILL, "2");
}

static void interruption_says_how_to_go_on(void **state)
{
    (void)state;
    write_text("hold-w-2-1", "");
    assert_int_equal(
        system("\"$FALIGN_BINARY\" reproduce toy --tiny --out out "
               "--jobs 1 2>said >/dev/null & "
               "while [ ! -e out/parts/w-2-0.json ]; do sleep .01; done; "
               "sleep .05; kill -TERM $!; wait $!; test $? = 130"),
        0);
    char *said = tool_read("said");
    assert_string_equal(
        said, "falign: interrupted: 4 of 6 parts are done and kept; go on "
              "with falign reproduce\n  --resume out\n");
    free(said);
}

static void before_the_first_part_nothing_is_left(void **state)
{
    (void)state;
    write_text("hold-w-1-0", "");
    child = tool_start("reproduce toy --tiny --out deep/er --jobs 1", -1);
    wait_for("deep/er/config.yaml");
    pause_ms(50);
    kill(child, SIGINT);
    assert_int_equal(tool_wait(child), 130);
    child = 0;
    assert_int_not_equal(access("deep", F_OK), 0);
}

static int children_of(pid_t parent)
{
    char line[128];
    snprintf(line, sizeof line, "test -n \"$(ps -o pid= --ppid %d)\"", (int)parent);
    return system(line) == 0;
}

static void workers_end_with_their_parent(void **state)
{
    (void)state;
    write_text("hold-w-1-0", "");
    write_text("hold-w-1-1", "");
    child = tool_start("reproduce toy --tiny --out out --jobs 3", -1);
    wait_for("out/parts/w-2-0.json");
    assert_true(children_of(child));
    kill(child, SIGKILL);
    tool_wait(child);
    child = 0;
    unlink("hold-w-1-0");
    unlink("hold-w-1-1");
    pause_ms(300);
    assert_ran("w-1-0", 0);
    assert_ran("w-1-1", 0);
    assert_good("reproduce --resume out");
}

static void the_number_of_workers_changes_nothing(void **state)
{
    (void)state;
    assert_good("reproduce toy --full --out one --jobs 1");
    assert_good("reproduce toy --full --out three --jobs 3");
    assert_good("reproduce toy --full --out many --jobs 64");
    assert_same_results("one", "three");
    assert_same_results("one", "many");
    assert_good("reproduce device --quick --out a --jobs 1");
    assert_good("reproduce device --quick --out b --jobs 2");
    assert_same_results("a", "b");
    cJSON *json = results_of("b");
    const cJSON *run = cJSON_GetObjectItem(json, "run");
    assert_true(*text_of(run, "device") && *text_of(run, "platform"));
    cJSON_Delete(json);
}

static void a_part_that_fails_costs_only_itself(void **state)
{
    (void)state;
    for (int jobs = 1; jobs <= 2; jobs++) {
        char line[128];
        empty_place();
        write_text("fail-w-2-1", "");
        snprintf(line, sizeof line, "reproduce toy --tiny --out out --jobs %d",
                 jobs);
        assert_refused(line, 1, "part w-2-1: it was told to fail; ");
        assert_has(tool_run("reproduce --resume out")->error,
                   "go on with falign reproduce --resume out");
        unlink("fail-w-2-1");
        assert_good("reproduce --resume out");
        assert_ran("w-1-0", 1);
    }
}

static void a_worker_that_crashes_is_said(void **state)
{
    (void)state;
    write_text("crash-w-2-1", "");
    assert_refused("reproduce toy --tiny --out out --jobs 2", 1,
                   "part w-2-1: its process ended, by signal 9");
    unlink("crash-w-2-1");
    assert_good("reproduce --resume out");
}

static void a_damaged_part_runs_again(void **state)
{
    (void)state;
    assert_good("reproduce toy --tiny --out out");
    assert_good("reproduce toy --tiny --out whole");
    unlink("ran");
    write_text("out/parts/w-1-1.json", "{\"value\":");
    assert_good("reproduce --resume out");
    assert_ran("w-1-1", 1);
    assert_ran("w-1-0", 0);
    assert_same_results("out", "whole");
}

/* ---- refusals ------------------------------------------------------------ */

static void a_folder_of_others_is_refused(void **state)
{
    (void)state;
    assert_good("reproduce toy --tiny --out out");
    assert_refused(
        "reproduce toy --tiny --out out", 2,
        "it holds a run already; choose another with --out, or replace the "
        "run with --force, or go on with it: falign reproduce --resume out");
    assert_refused("reproduce device --resume out", 2,
                   "experiment: device here, but 'out' was begun with toy");
    assert_refused("reproduce --resume out --full", 2,
                   "scale: full here, but 'out' was begun with tiny");
    assert_refused("reproduce --resume out --seeds 4", 2,
                   "option --seeds: 4 here, but 'out' was begun with 3");
    assert_refused("reproduce --resume out --data mnist", 2,
                   "option --data: mnist here, but 'out' was begun with none");
    assert_refused("reproduce --resume out --force", 2,
                   "option --force: is for a new");
    assert_refused("reproduce --resume nowhere", 2, "nowhere");
    assert_good("reproduce toy --resume out --tiny --seeds 3");
    assert_good("reproduce device --tiny --out out --force");
    assert_string_equal(tool_list("out/parts"),
                        "seed-0.json seed-1.json seed-2.json");
}

/* To go on, or to begin anew, would be no help. */
static void a_folder_in_use_is_not_to_be_resumed(void **state)
{
    (void)state;
    write_text("hold-w-2-1", "");
    child = tool_start("reproduce toy --tiny --out out --quiet --jobs 1", -1);
    wait_for("out/parts/w-1-0.json");
    const struct tool *tool = tool_run("reproduce toy --tiny --out out");
    assert_int_equal(tool->code, 2);
    assert_has(tool->error, "another process is writing there; wait for it");
    assert_null(strstr(tool->error, "--resume"));
    assert_null(strstr(tool->error, "--force"));
    unlink("hold-w-2-1");
    assert_int_equal(tool_wait(child), 0);
    child = 0;
}

static void other_settings_are_refused(void **state)
{
    char text[2048];
    (void)state;
    assert_good("reproduce toy --tiny --out out");
    snprintf(text, sizeof text, "%s", toy_text);
    strstr(text, "[1, 2]")[4] = '3';
    write_text("toy.yaml", text);
    assert_refused("reproduce --resume out", 2,
                   "'out' was begun with other settings");
}

/* What is not of falign stays, even by --force. */
static void files_of_others_stay(void **state)
{
    (void)state;
    mkdir("mine", 0777);
    mkdir("mine/parts", 0777);
    write_text("mine/parts/list.json", "mine");
    assert_good("reproduce toy --tiny --out mine");
    char *kept = tool_read("mine/parts/list.json");
    assert_string_equal(kept, "mine");
    free(kept);
    mkdir("other", 0777);
    write_text("other/results.json", "mine");
    assert_refused("reproduce toy --tiny --out other", 2, "other");
    assert_refused("reproduce toy --tiny --out other --force", 2, "may be yours");
}

static void wrong_words_are_refused(void **state)
{
    (void)state;
    assert_refused(
        "reproduce toi", 2,
        "unknown experiment 'toi'; known: toy, device, data, only; did you mean "
        "'toy'?");
    assert_refused("reproduce toy --tiny --full", 2, "only one of them");
    assert_refused("reproduce --tiny", 2,
                   "option --tiny: is for one experiment; name it, such as toy");
    assert_refused("reproduce --out out", 2, "option --out: is for one experiment");
    assert_refused("reproduce toy --jobs 65", 2, "option --jobs: '65'");
    assert_refused("reproduce toy --seeds 0", 2, "option --seeds");
    assert_refused("reproduce toy --data mnist", 2,
                   "option --data: toy takes no data set; leave it out");
    assert_refused("reproduce toy more", 2, "argument 'more'");
    assert_refused("reproduce device --device nothing-like-it", 2,
                   "nothing-like-it");
    assert_string_equal(tool_list("."), "");
    write_text("file", "");
    assert_refused("reproduce toy --tiny --out file/in", 1, "file");
}

/* As on a full disk: files can have no more bytes. */
static void a_full_disk_loses_nothing(void **state)
{
    struct rlimit before, little;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = before;
    for (rlim_t bytes = 100; bytes <= 1700; bytes += 800) {
        empty_place();
        little.rlim_cur = bytes;
        setrlimit(RLIMIT_FSIZE, &little);
        pid_t full = tool_start("reproduce toy --tiny --out out --jobs 1 --quiet",
                                -1);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(tool_wait(full), 1);
        if (bytes > 100) /* some of it is there, and whole */
            assert_good("reproduce --resume out");
        else
            assert_string_equal(tool_list("."), "");
    }
}

/* ---- data ---------------------------------------------------------------- */

static void without_data_the_rest_runs(void **state)
{
    (void)state;
    unsetenv("FALIGN_DATASETS");
    setenv("XDG_CACHE_HOME", "/nowhere", 1);
    static const char *const lacking[] = {"some", "digits", "whose"};
    const struct tool *tool = tool_run("reproduce data --quick --out out");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, "data     1 part is left out: needs data set mnist, not");
    assert_has(tool->out, "1 of 1 claims hold, 3 not run");
    cJSON *json = results_of("out");
    assert_int_equal(holds(json, "free"), 1);
    for (size_t i = 0; i < 3; i++) {
        const char *why = text_of(claim_of(json, lacking[i]), "not_run");
        assert_int_equal(holds(json, lacking[i]), -1);
        assert_has(why, "needs data set mnist, not found in '/nowhere/");
        assert_has(why, "; put its four IDX files");
    }
    cJSON_Delete(json);
}

static void without_any_part_nothing_is_made(void **state)
{
    (void)state;
    unsetenv("FALIGN_DATASETS");
    setenv("XDG_CACHE_HOME", "/nowhere", 1);
    assert_refused("reproduce only --quick --out out", 1,
                   "only: every part needs data set mnist, not found");
    assert_string_equal(tool_list("."), "");
}

/* Four rows of two numbers, in version 1.0. */
static void write_rows(const char *path)
{
    static const float rows[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fprintf(file, "\x93NUMPY\x01%c\x76%c", 0, 0);
    fprintf(file, "%-117s\n",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }");
    assert_int_equal(fwrite(rows, sizeof rows, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

/* Whoever names a data set wants that one, and one of images. */
static void a_named_data_set_must_be_there(void **state)
{
    static const char *const files[] = {"train-x", "test-x", "train-y", "test-y"};
    (void)state;
    assert_refused("reproduce data --data fasion-mnist", 2,
                   "did you mean 'fashion-mnist'?");
    setenv("XDG_CACHE_HOME", "/nowhere", 1);
    assert_refused("reproduce data --data mnist --data-path .", 1,
                   "opening data set 'mnist': not found in './mnist'");
    assert_string_equal(tool_list("."), "");
    mkdir("mine", 0777);
    for (int i = 0; i < 4; i++) {
        char path[32];
        snprintf(path, sizeof path, "mine/%s.npy", files[i]);
        write_rows(path);
    }
    assert_refused("reproduce data --data mine", 2,
                   "data set 'mine': data needs images with classes: its samples "
                   "have no classes, but real targets");
    assert_string_equal(tool_list("."), "mine");
}

static void with_data_all_runs(void **state)
{
    (void)state;
    assert_good("reproduce data --quick --out out --data $D");
    cJSON *json = results_of("out");
    assert_int_equal(holds(json, "some"), 1);
    assert_int_equal(holds(json, "digits"), -1);
    assert_has(text_of(claim_of(json, "digits"), "not_run"), "give --data mnist");
    cJSON_Delete(json);
    assert_good("reproduce --resume out");
}

/* ---- experiment.yaml ----------------------------------------------------- */

#define CLAIM "claims:\n  - {id: a, claim: c, published: p, source: s, "
#define SCALES                                                                     \
    "scales: {tiny: {widths: 1}, quick: {widths: 1}, full: {widths: 1}}\n"
#define HEAD "name: toy\npaper: p\nabout: a\nsettings: {seeds: 1}\n"

static const struct {
    const char *text, *why;
} bad[] = {
    {"", "it is empty"},
    {"a: [", "line 2, column 1: while parsing"},
    {"- a\n", "line 1, column 1: the file must be lines 'key: value'"},
    {"name: toy\nname: toy\n", "line 2, column 1: key 'name' is there already"},
    {"name: toy\npapper: p\n",
     "line 2, column 1: unknown key 'papper'; known: name"},
    {"name: &a toy\n", "line 1, column 7: name: an anchor"},
    {"paper: p\n", "name: missing"},
    {"name: tay\n",
     "line 1, column 1: name: 'tay' is not the experiment's own, 'toy'"},
    {"name: [toy]\n", "line 1, column 1: name: is no text"},
    {"name: toy\nabout: a\n", "paper: missing"},
    {"name: toy\npaper: p\n", "about: missing"},
    {HEAD, "scales: must be a mapping with tiny, quick and full"},
    {HEAD "scales: {tiny: {}, quick: {}, ful: {}}\n",
     "line 5, column 31: unknown key"},
    {HEAD "scales: {tiny: {}, quick: {}}\n",
     "line 5, column 1: scales: full: missing"},
    {HEAD "scales: {tiny: 3, quick: {}, full: {}}\n", "tiny: must be a mapping"},
    {HEAD "scales: {tiny: {a: {b: 1}}, quick: {}, full: {}}\n",
     "line 5, column 17: a: a setting is a number, a text or a list"},
    {HEAD "scales: {tiny: {seeds: 0}, quick: {}, full: {}}\n",
     "line 5, column 17: seeds: '0' is no whole number from 1"},
    {HEAD "scales: {tiny: {seeds: some}, quick: {}, full: {}}\n",
     "seeds: 'some' is no number"},
    {"name: toy\npaper: p\nabout: a\nscales: {tiny: {}, quick: {}, full: {}}\n",
     "line 4, column 10: tiny: seeds: missing"},
    {HEAD SCALES, "claims: must be a list of claims"},
    {HEAD SCALES "claims: {a: 1}\n", "line 6, column 1: claims: must be a list"},
    {HEAD "scales: [1]\n", "line 5, column 1: scales: must be a mapping"},
    {HEAD SCALES "claims: [1]\n", "a claim is a mapping"},
    {HEAD SCALES "claims:\n  - {id: a, claim: c}\n",
     "published: missing in this claim"},
    {HEAD SCALES CLAIM "figure: f}\n", "no bound in this claim"},
    {HEAD SCALES CLAIM "above: 1}\n", "figure: missing in this claim"},
    {HEAD SCALES CLAIM "figure: f, above: much}\n", "above: 'much' is no number"},
    {HEAD SCALES CLAIM "figure: f, above: 1, near: 2, within: 1}\n",
     "near: there is 'above' already"},
    {HEAD SCALES CLAIM "figure: f, near: 2}\n", "within: missing in this claim"},
    {HEAD SCALES CLAIM "figure: f, above: 2, errors: 2}\n",
     "errors: goes with near only"},
    {HEAD SCALES CLAIM "figure: f, above: 2, every: run}\n",
     "every: give 'every: seed'"},
    {HEAD SCALES CLAIM "falls: [a, b], every: seed}\n",
     "every: goes with above and below only"},
    {HEAD SCALES CLAIM "falls: [a]}\n", "give the names of at least two figures"},
    {HEAD SCALES CLAIM "rises: [a, b], figure: a}\n",
     "figure: the figures stand behind falls or rises"},
    {HEAD SCALES CLAIM "figure: {a: b}, above: 1}\n", "give the name of a figure"},
    {HEAD SCALES CLAIM "figure: [[a]], above: 1}\n", "names of figures are texts"},
    {HEAD SCALES CLAIM "figure: [], above: 1}\n", "give the name of a figure"},
    {HEAD SCALES CLAIM "figure: f, above: 1, scale: fast}\n",
     "unknown scale 'fast'; known: tiny, quick, full"},
    {HEAD SCALES CLAIM "figure: f, abov: 1}\n", "unknown key 'abov'"},
    {HEAD SCALES CLAIM "figure: f, above: 1}\n"
                       "  - {id: a, claim: c, published: p, source: s, figure: f, "
                       "above: 1}\n",
     "line 8, column 6: id: 'a' is another claim's"},
    {HEAD "scales: {tiny: {}, quick: {}, full: {}}\n" CLAIM
          "figure: f, above: 1}\n",
     "line 5, column 10: tiny: setting 'widths': missing"},
    {HEAD "scales: {tiny: {widths: [1, a]}, quick: {}, full: {}}\n" CLAIM
          "figure: f, above: 1}\n",
     "line 5, column 29: 'a' is no number"},
};

static void a_bad_file_says_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text("toy.yaml", *bad[i].text ? bad[i].text : "# nothing\n");
        const struct tool *tool = tool_run("reproduce toy --tiny --out out");
        if (tool->code != 1 || !strstr(tool->error, bad[i].why) ||
            !strstr(tool->error, "experiments/toy/experiment.yaml"))
            fail_msg("%s: %d: %s", bad[i].text, tool->code, tool->error);
        assert_int_not_equal(access("out", F_OK), 0);
    }
}

/* ---- the list ------------------------------------------------------------ */

static void the_list_says_what_there_is(void **state)
{
    (void)state;
    const struct tool *tool = tool_run("reproduce");
    assert_int_equal(tool->code, 0);
    assert_has(tool->out, "toy          Nobody 2026, Numbers that are known\n");
    assert_has(tool->out, "2 claims; --quick 1 s, --full 1 s\n");
    assert_has(tool->out, "Times are estimates for this device");
    assert_true(tool_fits(tool->out));
    cJSON *json = cJSON_Parse(tool_run("reproduce --json")->out);
    assert_int_equal(cJSON_GetArraySize(json), 4);
    const cJSON *first = cJSON_GetArrayItem(json, 0);
    const cJSON *seconds = cJSON_GetObjectItem(first, "seconds");
    assert_string_equal(text_of(first, "name"), "toy");
    assert_true(number_of(first, "claims") == 2);
    /* 9 and 12 parts of a millisecond, whatever the device */
    assert_true(fabs(number_of(seconds, "full") / number_of(seconds, "quick") -
                     12. / 9) < 1e-12);
    cJSON_Delete(json);
}

/* ---- terminal ------------------------------------------------------------ */

static void a_terminal_has_one_live_line(void **state)
{
    static char seen[1 << 16];
    int terminal;
    size_t used = 0;
    ssize_t got;
    (void)state;
    setenv("TERM", "xterm", 1);
    write_text("hold-w-2-1", "");
    child = tool_start_terminal("reproduce toy --tiny --out out --jobs 2", 80,
                                &terminal);
    wait_for("out/parts/w-2-2.json");
    pause_ms(300);
    unlink("hold-w-2-1");
    while (used < sizeof seen - 1 &&
           (got = read(terminal, seen + used, sizeof seen - 1 - used)) > 0)
        used += (size_t)got;
    assert_int_equal(tool_wait(child), 0);
    child = 0;
    close(terminal);
    assert_has(seen, "toy  part ");
    assert_has(seen, "\r\033[J");
    assert_null(strstr(seen, "w-1-0  0.0 s"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, leave)

int main(int argument_count, char **words)
{
    char self[4096] = "";
    const struct CMUnitTest tests[] = {
        TEST(figures_have_their_spread),
        TEST(one_seed_has_no_deviation),
        TEST(each_bound_holds_and_fails),
        TEST(equals_looks_at_all_seeds),
        TEST(words_say_what_was_measured),
        TEST(tiny_figures_say_nothing_of_claims),
        TEST(the_page_is_whole),
        TEST(it_goes_on_after_anything),
        TEST(interruption_says_how_to_go_on),
        TEST(before_the_first_part_nothing_is_left),
        TEST(workers_end_with_their_parent),
        TEST(the_number_of_workers_changes_nothing),
        TEST(a_part_that_fails_costs_only_itself),
        TEST(a_worker_that_crashes_is_said),
        TEST(a_damaged_part_runs_again),
        TEST(a_folder_of_others_is_refused),
        TEST(a_folder_in_use_is_not_to_be_resumed),
        TEST(other_settings_are_refused),
        TEST(files_of_others_stay),
        TEST(wrong_words_are_refused),
        TEST(a_full_disk_loses_nothing),
        TEST(without_data_the_rest_runs),
        TEST(without_any_part_nothing_is_made),
        TEST(a_named_data_set_must_be_there),
        TEST(with_data_all_runs),
        TEST(a_bad_file_says_where),
        TEST(the_list_says_what_there_is),
        TEST(a_terminal_has_one_live_line),
    };
    if (argument_count > 1 && strcmp(words[1], "reproduce") == 0)
        return be_the_tool(argument_count, words);
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        return 1;
    setenv("FALIGN_BINARY", self, 1);
    /* the tool's own main keeps signals from OpenBLAS's threads, this one has none */
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
