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
/* ---- the table ----------------------------------------------------------- */

static void print_cell(const struct column *column, cli_spread spread)
{
    double mean = spread.mean / column->unit;
    double deviation = spread.deviation / column->unit;
    int digits = column->digits, is_spread = column->width == SPREAD;
    int head = is_spread ? 12 - digits : column->width;
    if (spread.count == 0)
        cli_print("%*s", column->width, "-");
    else if (!is_spread)
        cli_print("%*.*f", head, digits, mean);
    else if (isnan(deviation))
        cli_print("%*.*f%*s", head, digits, mean, digits + 5, "");
    else
        cli_print("%*.*f \xC2\xB1 %*.*f", head, digits, mean, digits + 2, digits,
                  deviation);
}

/* The first figure says it where all runs failed. */
static void print_rule(const cli_outcomes *all, const cli_outcome *runs)
{
    int failed = 0, first = 1;
    for (size_t s = 0; s < all->seeds; s++)
        failed |= runs[s].failed;
    cli_print("%-10s", runs[0].rule);
    for (size_t c = 0; c < COLUMNS; c++) {
        if (!is_there(all, &columns[c]))
            continue;
        cli_spread spread = cli_spread_of(runs, all->seeds, columns[c].offset);
        if (first && failed && spread.count == 0)
            cli_print("%*s", columns[c].width, "failed");
        else
            print_cell(&columns[c], spread);
        first = 0;
    }
    cli_print("\n");
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
    cli_json_text(json, "folder", run->folder);
    fal_json_end_object(json);
}

static void add_spread(const struct column *column, cli_spread spread,
                       fal_json *json)
{
    fal_json_key(json, column->name);
    fal_json_begin_object(json);
    cli_json_number(json, "mean", spread.mean);
    cli_json_number(json, "deviation", spread.deviation);
    fal_json_end_object(json);
}

/* All runs that came to their end have a training loss. */
static void add_rule(const cli_outcomes *all, const cli_outcome *runs,
                     fal_json *json)
{
    fal_json_begin_object(json);
    cli_json_text(json, "rule", runs[0].rule);
    cli_json_count(
        json, "runs",
        cli_spread_of(runs, all->seeds, offsetof(cli_outcome, train_loss)).count);
    for (size_t c = 0; c < COLUMNS; c++)
        if (is_there(all, &columns[c]))
            add_spread(&columns[c],
                       cli_spread_of(runs, all->seeds, columns[c].offset), json);
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
