#include "cli/outcome.h"
#include "cli/config.h"
#include "cli/output.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

/* ---- figures ------------------------------------------------------------- */

/* A figure of run i; `offset` is its place in cli_outcome. */
static double value_of(const cli_outcome *runs, size_t i, size_t offset)
{
    return *(const double *)((const char *)&runs[i] + offset);
}

cli_spread cli_spread_of(const cli_outcome *runs, size_t count, size_t offset)
{
    cli_spread spread = {0, 0, 0};
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(value_of(runs, i, offset))) {
            spread.count++;
            spread.mean += value_of(runs, i, offset);
        }
    spread.mean /= (double)spread.count; /* none: NAN */
    for (size_t i = 0; i < count; i++)
        if (isfinite(value_of(runs, i, offset)))
            squares += pow(value_of(runs, i, offset) - spread.mean, 2);
    spread.deviation = spread.count > 1 ? sqrt(squares / (double)(spread.count - 1))
                                        : NAN;
    return spread;
}

struct column {
    const char *name;
    size_t offset;
};

static const struct column columns[] = {
    {"test_accuracy", offsetof(cli_outcome, test_accuracy)},
    {"train_loss", offsetof(cli_outcome, train_loss)},
    {"samples_per_second", offsetof(cli_outcome, samples_per_second)},
    {"seconds", offsetof(cli_outcome, seconds)},
};

enum { COLUMNS = sizeof columns / sizeof *columns };

/* ---- the table ----------------------------------------------------------- */

static void print_accuracy(cli_spread accuracy, int failed)
{
    if (accuracy.count == 0)
        cli_print("%17s", failed ? "failed" : "-");
    else if (isnan(accuracy.deviation))
        cli_print("%10.2f       ", 100 * accuracy.mean);
    else
        cli_print("%10.2f \xC2\xB1 %4.2f", 100 * accuracy.mean,
                  100 * accuracy.deviation);
}

static void print_number(const char *format, double value, int width)
{
    char text[64] = "-";
    if (isfinite(value))
        snprintf(text, sizeof text, format, value);
    cli_print("%*s", width, text);
}

static void print_rule(const cli_outcome *runs, size_t seeds)
{
    int failed = 0;
    for (size_t s = 0; s < seeds; s++)
        failed |= runs[s].failed;
    cli_print("%-10s", runs[0].rule);
    print_accuracy(cli_spread_of(runs, seeds, columns[0].offset), failed);
    print_number("%.4f", cli_spread_of(runs, seeds, columns[1].offset).mean, 13);
    print_number("%.0f", cli_spread_of(runs, seeds, columns[2].offset).mean, 11);
    print_number("%.1f", cli_spread_of(runs, seeds, columns[3].offset).mean, 9);
    cli_print("\n");
}

void cli_outcomes_print(const cli_outcome *runs, size_t rules, size_t seeds)
{
    cli_print("%-10s%17s%13s%11s%9s\n", "rule", "test accuracy %", "train loss",
              "samples/s", "seconds");
    for (size_t r = 0; r < rules; r++)
        print_rule(runs + r * seeds, seeds);
}

/* ---- compare.json -------------------------------------------------------- */

static void add_run(const cli_outcome *run, fal_json *json)
{
    fal_json_begin_object(json);
    cli_json_text(json, "rule", run->rule);
    cli_json_count(json, "seed", run->seed);
    for (size_t c = 0; c < COLUMNS; c++)
        cli_json_number(json, columns[c].name, value_of(run, 0, columns[c].offset));
    cli_json_text(json, "folder", run->folder);
    fal_json_end_object(json);
}

static void add_rule(const cli_outcome *runs, size_t seeds, fal_json *json)
{
    fal_json_begin_object(json);
    cli_json_text(json, "rule", runs[0].rule);
    cli_json_count(json, "runs",
                   cli_spread_of(runs, seeds, columns[0].offset).count);
    for (size_t c = 0; c < COLUMNS; c++) {
        cli_spread spread = cli_spread_of(runs, seeds, columns[c].offset);
        fal_json_key(json, columns[c].name);
        fal_json_begin_object(json);
        cli_json_number(json, "mean", spread.mean);
        cli_json_number(json, "deviation", spread.deviation);
        fal_json_end_object(json);
    }
    fal_json_end_object(json);
}

void cli_outcomes_json(const cli_outcome *runs, size_t rules, size_t seeds,
                       const cli_options *options, fal_json *json)
{
    fal_json_begin_object(json);
    fal_json_key(json, "config");
    cli_config_json(options, json);
    fal_json_key(json, "runs");
    fal_json_begin_array(json);
    for (size_t i = 0; i < rules * seeds; i++)
        if (runs[i].begun)
            add_run(&runs[i], json);
    fal_json_end_array(json);
    fal_json_key(json, "rules");
    fal_json_begin_array(json);
    for (size_t r = 0; r < rules; r++)
        add_rule(runs + r * seeds, seeds, json);
    fal_json_end_array(json);
    fal_json_end_object(json);
}
