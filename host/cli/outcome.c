#include "cli/outcome.h"
#include "cli/config.h"
#include "cli/output.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

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

/* What a comparison must have for a figure to be there: bits. */
enum { CLASSES = 1, TARGETS = 2, VALIDATION = 4 };

enum { SPREAD = 17 };

struct column {
    const char *name;
    size_t offset;
    unsigned needs;

    /* Of the table: */
    const char *title;
    double unit;
    int digits, width; /* SPREAD: with the deviation */
};

/* The first that is there is what the runs are judged by. */
static const struct column columns[] = {
    {"test_accuracy", offsetof(cli_outcome, test_accuracy), CLASSES,
     "test accuracy %", .01, 2, SPREAD},
    {"test_loss", offsetof(cli_outcome, test_loss), TARGETS, "test loss", 1, 4,
     SPREAD},
    {"validation_accuracy", offsetof(cli_outcome, validation_accuracy),
     CLASSES | VALIDATION, "validation %", .01, 2, SPREAD},
    {"validation_loss", offsetof(cli_outcome, validation_loss),
     TARGETS | VALIDATION, "validation loss", 1, 4, SPREAD},
    {"train_loss", offsetof(cli_outcome, train_loss), 0, "train loss", 1, 4, 13},
    {"samples_per_second", offsetof(cli_outcome, samples_per_second), 0,
     "samples/s", 1, 0, 11},
    {"seconds", offsetof(cli_outcome, seconds), 0, "seconds", 1, 1, 9},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static int is_there(const cli_outcomes *all, const struct column *column)
{
    unsigned has = (all->real_targets ? TARGETS : CLASSES) |
                   (all->validates ? VALIDATION : 0);
    return (column->needs & ~has) == 0;
}

/* ---- what is measured ---------------------------------------------------- */

/* Those that have a column in a table of their own; compare.json has all. */
static const struct shown {
    const char *name, *title;
    int digits;
} shown[] = {
    {"gradient_alignment", "gradient align", 4},
    {"update_alignment", "update align", 4},
    {"weight_alignment", "weight align", 4},
    {"effective_rank", "effective rank", 2},
};
enum { SHOWN = sizeof shown / sizeof *shown };

/* FAL_METRICS: there is none of that name. */
static size_t find_total(const char *name)
{
    size_t total = 0;
    while (total < FAL_METRICS && strcmp(name, fal_metric_kinds[total].name) != 0)
        total++;
    return total;
}

static size_t total_offset(size_t total)
{
    return offsetof(cli_outcome, totals) + total * sizeof(double);
}

/* A metric that has no meaning in any of the runs is left out. */
static int is_measured(const cli_outcomes *all, size_t total)
{
    size_t runs = all->rules * all->seeds;
    return total < FAL_METRICS &&
           cli_spread_of(all->runs, runs, total_offset(total)).count > 0;
}

void cli_outcome_measured(cli_outcome *outcome, const fal_metric_list *metrics)
{
    for (size_t i = 0; i < metrics->count; i++) {
        size_t total = find_total(metrics->items[i].name);
        if (total < FAL_METRICS && strcmp(metrics->items[i].layer, "total") == 0)
            outcome->totals[total] = metrics->items[i].value;
    }
}

void cli_outcome_begin(cli_outcome *outcome, const char *rule)
{
    *outcome = (cli_outcome){.rule = rule};
    for (size_t c = 0; c < COLUMNS; c++)
        *(double *)((char *)outcome + columns[c].offset) = NAN;
    for (size_t t = 0; t < FAL_METRICS; t++)
        outcome->totals[t] = NAN;
}

/* ---- the tables ---------------------------------------------------------- */

/* A large deviation takes from the blanks in front. */
static void print_spread(cli_spread spread, double unit, int digits)
{
    double mean = spread.mean / unit, deviation = spread.deviation / unit;
    int usual = digits + 2, tail = snprintf(NULL, 0, "%.*f", digits, deviation);
    if (tail < usual || isnan(deviation))
        tail = usual;
    if (spread.count == 0)
        cli_print("%*s", SPREAD, "-");
    else if (isnan(deviation))
        cli_print("%*.*f%*s", SPREAD - 3 - tail, digits, mean, 3 + tail, "");
    else
        cli_print("%*.*f \xC2\xB1 %*.*f", SPREAD - 3 - tail, digits, mean, tail,
                  digits, deviation);
}

static void print_cell(const struct column *column, cli_spread spread)
{
    if (column->width == SPREAD)
        print_spread(spread, column->unit, column->digits);
    else if (spread.count == 0)
        cli_print("%*s", column->width, "-");
    else
        cli_print("%*.*f", column->width, column->digits,
                  spread.mean / column->unit);
}

/* The first figure says it where all runs failed. */
static void print_rule(const cli_outcomes *all, const cli_outcome *runs)
{
    int failed = 0;
    for (size_t s = 0; s < all->seeds; s++)
        failed |= runs[s].failed;
    cli_print("%-10s", runs[0].rule);
    for (size_t c = 0; c < COLUMNS; c++) {
        if (!is_there(all, &columns[c]))
            continue;
        cli_spread spread = cli_spread_of(runs, all->seeds, columns[c].offset);
        if (failed && spread.count == 0)
            cli_print("%*s", columns[c].width, "failed");
        else
            print_cell(&columns[c], spread);
        failed = 0;
    }
    cli_print("\n");
}

static void print_totals(const cli_outcomes *all, const cli_outcome *runs)
{
    cli_print("%-10s", runs[0].rule);
    for (size_t i = 0; i < SHOWN; i++) {
        size_t total = find_total(shown[i].name);
        if (is_measured(all, total))
            print_spread(cli_spread_of(runs, all->seeds, total_offset(total)), 1,
                         shown[i].digits);
    }
    cli_print("\n");
}

static void print_measured(const cli_outcomes *all)
{
    int count = 0;
    for (size_t i = 0; i < SHOWN; i++)
        if (is_measured(all, find_total(shown[i].name)))
            cli_print("%s%*s", count++ ? "" : "\nrule      ", SPREAD,
                      shown[i].title);
    if (count == 0)
        return;
    cli_print("\n");
    for (size_t r = 0; r < all->rules; r++)
        print_totals(all, all->runs + r * all->seeds);
}

void cli_outcomes_print(const cli_outcomes *all)
{
    cli_print("%-10s", "rule");
    for (size_t c = 0; c < COLUMNS; c++)
        if (is_there(all, &columns[c]))
            cli_print("%*s", columns[c].width, columns[c].title);
    cli_print("\n");
    for (size_t r = 0; r < all->rules; r++)
        print_rule(all, all->runs + r * all->seeds);
    print_measured(all);
}

/* ---- compare.json -------------------------------------------------------- */

static void add_run(const cli_outcomes *all, const cli_outcome *run, fal_json *json)
{
    fal_json_begin_object(json);
    cli_json_text(json, "rule", run->rule);
    cli_json_count(json, "seed", run->seed);
    for (size_t c = 0; c < COLUMNS; c++)
        if (is_there(all, &columns[c]))
            cli_json_number(json, columns[c].name,
                            value_of(run, 0, columns[c].offset));
    for (size_t t = 0; t < FAL_METRICS; t++)
        if (is_measured(all, t))
            cli_json_number(json, fal_metric_kinds[t].name, run->totals[t]);
    cli_json_text(json, "folder", run->folder);
    fal_json_end_object(json);
}

static void add_spread(const char *name, cli_spread spread, fal_json *json)
{
    fal_json_key(json, name);
    fal_json_begin_object(json);
    cli_json_number(json, "mean", spread.mean);
    cli_json_number(json, "deviation", spread.deviation);
    fal_json_end_object(json);
}

/* All runs that came to their end have a training loss. */
static void add_rule(const cli_outcomes *all, const cli_outcome *runs,
                     fal_json *json)
{
    size_t seeds = all->seeds;
    fal_json_begin_object(json);
    cli_json_text(json, "rule", runs[0].rule);
    cli_json_count(
        json, "runs",
        cli_spread_of(runs, seeds, offsetof(cli_outcome, train_loss)).count);
    for (size_t c = 0; c < COLUMNS; c++)
        if (is_there(all, &columns[c]))
            add_spread(columns[c].name,
                       cli_spread_of(runs, seeds, columns[c].offset), json);
    for (size_t t = 0; t < FAL_METRICS; t++)
        if (is_measured(all, t))
            add_spread(fal_metric_kinds[t].name,
                       cli_spread_of(runs, seeds, total_offset(t)), json);
    fal_json_end_object(json);
}

void cli_outcomes_json(const cli_outcomes *all, const cli_options *options,
                       fal_json *json)
{
    fal_json_begin_object(json);
    fal_json_key(json, "config");
    cli_config_json(options, json);
    fal_json_key(json, "runs");
    fal_json_begin_array(json);
    for (size_t i = 0; i < all->rules * all->seeds; i++)
        if (all->runs[i].begun)
            add_run(all, &all->runs[i], json);
    fal_json_end_array(json);
    fal_json_key(json, "rules");
    fal_json_begin_array(json);
    for (size_t r = 0; r < all->rules; r++)
        add_rule(all, all->runs + r * all->seeds, json);
    fal_json_end_array(json);
    fal_json_end_object(json);
}
