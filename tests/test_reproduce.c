/* falign reproduce, by experiments of closed form: this program is the tool with them
 * in place of the papers' when its first word is "reproduce". */
#include "tool.h"

#include "cli/output.h"
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/command.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    "  full: {widths: [1, 2, 4, 8], pause: 1}\n"
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

static const fal_experiment toy = {.name = "toy",
                                   .list = list_toy,
                                   .run = run_toy,
                                   .conclude = conclude_toy,
                                   .text = toy_text};
static const fal_experiment *const toys[] = {&toy, NULL};

static int be_the_tool(int count, char **words)
{
    cli_options options;
    cli_begin();
    fal_status status = cli_options_read(&options, CLI_REPRODUCE, count - 2,
                                         words + 2, 1);
    return status ? cli_end(status) : fal_reproduce(&options, toys);
}

/* ---- tests --------------------------------------------------------------- */

static void its_numbers_are_known(void **state)
{
    (void)state;
    assert_good("reproduce toy --tiny --out out");
    char *text = tool_read("out/results.json");
    cJSON *json = cJSON_Parse(text);
    const cJSON *figure = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "figures"),
                                              "w-2");
    assert_true(cJSON_GetObjectItem(figure, "mean")->valuedouble == 2.125);
    assert_true(cJSON_GetObjectItem(figure, "deviation")->valuedouble == .125);
    cJSON_Delete(json);
    free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tool_enter, tool_leave)

int main(int count, char **words)
{
    char self[4096] = "";
    const struct CMUnitTest tests[] = {
        TEST(its_numbers_are_known),
    };
    if (count > 1 && strcmp(words[1], "reproduce") == 0)
        return be_the_tool(count, words);
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        return 1;
    setenv("FALIGN_BINARY", self, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
