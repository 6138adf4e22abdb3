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

enum { COLUMNS = 4 };

/* The first is what the runs are judged by. */
static const struct column columns[2][COLUMNS] = {
    {{"test_accuracy", offsetof(cli_outcome, test_accuracy)},
     {"train_loss", offsetof(cli_outcome, train_loss)},
     {"samples_per_second", offsetof(cli_outcome, samples_per_second)},
     {"seconds", offsetof(cli_outcome, seconds)}},
    {{"test_loss", offsetof(cli_outcome, test_loss)},
     {"train_loss", offsetof(cli_outcome, train_loss)},
     {"samples_per_second", offsetof(cli_outcome, samples_per_second)},
     {"seconds", offsetof(cli_outcome, seconds)}},
};

/* ---- the table ----------------------------------------------------------- */

/* An accuracy in percent, or a loss, 17 columns wide. */
static void print_first(cli_spread spread, int is_loss, int failed)
{
    int digits = is_loss ? 4 : 2;
    double unit = is_loss ? 1 : 100;
    if (spread.count == 0)
        cli_print("%17s", failed ? "failed" : "-");
    else if (isnan(spread.deviation))
        cli_print("%*.*f%*s", 12 - digits, digits, unit * spread.mean, digits + 5,
                  "");
    else
        cli_print("%*.*f \xC2\xB1 %*.*f", 12 - digits, digits, unit * spread.mean,
                  digits + 2, digits, unit * spread.deviation);
}

static void print_number(const char *format, double value, int width)
{
    char text[64] = "-";
    if (isfinite(value))
        snprintf(text, sizeof text, format, value);
    cli_print("%*s", width, text);
}

static void print_rule(const cli_outcomes *all, const cli_outcome *runs)
{
    cli_spread spreads[COLUMNS];
    int failed = 0;
    for (size_t s = 0; s < all->seeds; s++)
        failed |= runs[s].failed;
    for (size_t c = 0; c < COLUMNS; c++)
        spreads[c] = cli_spread_of(runs, all->seeds,
                                   columns[all->real_targets][c].offset);
    cli_print("%-10s", runs[0].rule);
    print_first(spreads[0], all->real_targets, failed);
    print_number("%.4f", spreads[1].mean, 13);
    print_number("%.0f", spreads[2].mean, 11);
    print_number("%.1f", spreads[3].mean, 9);
    cli_print("\n");
}

void cli_outcomes_print(const cli_outcomes *all)
{
    cli_print("%-10s%17s%13s%11s%9s\n", "rule",
              all->real_targets ? "test loss" : "test accuracy %", "train loss",
              "samples/s", "seconds");
    for (size_t r = 0; r < all->rules; r++)
        print_rule(all, all->runs + r * all->seeds);
}

/* ---- compare.json -------------------------------------------------------- */

static void add_run(const cli_outcome *run, const struct column *figures,
                    fal_json *json)
{
    fal_json_begin_object(json);
    cli_json_text(json, "rule", run->rule);
    cli_json_count(json, "seed", run->seed);
    for (size_t c = 0; c < COLUMNS; c++)
        cli_json_number(json, figures[c].name, value_of(run, 0, figures[c].offset));
    cli_json_text(json, "folder", run->folder);
    fal_json_end_object(json);
}

static void add_rule(const cli_outcome *runs, size_t seeds,
                     const struct column *figures, fal_json *json)
{
    fal_json_begin_object(json);
    cli_json_text(json, "rule", runs[0].rule);
    cli_json_count(json, "runs",
                   cli_spread_of(runs, seeds, figures[0].offset).count);
    for (size_t c = 0; c < COLUMNS; c++) {
        cli_spread spread = cli_spread_of(runs, seeds, figures[c].offset);
        fal_json_key(json, figures[c].name);
        fal_json_begin_object(json);
        cli_json_number(json, "mean", spread.mean);
        cli_json_number(json, "deviation", spread.deviation);
        fal_json_end_object(json);
    }
    fal_json_end_object(json);
}

void cli_outcomes_json(const cli_outcomes *all, const cli_options *options,
                       fal_json *json)
{
    const struct column *figures = columns[all->real_targets];
    fal_json_begin_object(json);
    fal_json_key(json, "config");
    cli_config_json(options, json);
    fal_json_key(json, "runs");
    fal_json_begin_array(json);
    for (size_t i = 0; i < all->rules * all->seeds; i++)
        if (all->runs[i].begun)
            add_run(&all->runs[i], figures, json);
    fal_json_end_array(json);
    fal_json_key(json, "rules");
    fal_json_begin_array(json);
    for (size_t r = 0; r < all->rules; r++)
        add_rule(all->runs + r * all->seeds, all->seeds, figures, json);
    fal_json_end_array(json);
    fal_json_end_object(json);
}
