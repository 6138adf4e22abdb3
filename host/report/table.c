/* The tables of the page: final figures by group, and run by run. */
#include "device/memory.h"
#include "report/catalog.h"
#include "report/curve.h"
#include "report/html.h"
#include "report/page.h"

#include <math.h>

/* ---- columns ------------------------------------------------------------- */

struct column {
    const char *name, *layer;
    const char *title;
    report_unit unit;
    int digits;
};

/* There is room for; that stand side by side with their deviations. */
enum { COLUMNS = 16, BESIDE = 9 };

struct table {
    const report_groups *groups;
    struct column columns[COLUMNS];
    size_t count;
};

/* NAN: it has none. */
static double last_value(const report_run *run, const struct column *column)
{
    const report_series *series = report_run_series(
        run, column->name, column->layer, column->layer == NULL);
    return series && series->count > 0 ? series->points[series->count - 1].value
                                       : NAN;
}

/* A column that no run has a value for is left out. */
static void add_column(struct table *table, struct column column)
{
    const report_groups *groups = table->groups;
    int has = 0;
    for (size_t g = 0; g < groups->count; g++)
        for (size_t r = 0; r < groups->list[g].count; r++)
            has |= !isnan(last_value(groups->list[g].runs[r], &column));
    if (has && table->count < COLUMNS)
        table->columns[table->count++] = column;
}

static void add_figures(struct table *table)
{
    for (size_t i = 0; i < sizeof report_figures / sizeof *report_figures; i++) {
        const report_figure *figure = &report_figures[i];
        int share = figure->unit == REPORT_SHARE;
        for (size_t k = 0; k < REPORT_PARTS; k++)
            add_column(table, (struct column){figure->fields[k].name, NULL,
                                              figure->fields[k].title, figure->unit,
                                              share ? 2 : 4});
    }
}

static void add_totals(struct table *table)
{
    for (size_t i = 0; i < report_metric_count; i++) {
        const report_metric *m = &report_metrics[i];
        if (m->place != REPORT_MORE)
            add_column(table, (struct column){m->name, "total", m->title, m->unit,
                                              m->unit == REPORT_RANK ? 2 : 3});
    }
}

/* How fast each run was stands in the table of runs only: the other is wide enough. */
static struct table make_table(const report_groups *groups, int of_runs)
{
    struct table table = {.groups = groups};
    add_figures(&table);
    add_totals(&table);
    if (of_runs)
        add_column(&table, (struct column){"samples_per_second", NULL, "samples/s",
                                           REPORT_NUMBER, 0});
    add_column(&table,
               (struct column){"seconds", NULL, "seconds", REPORT_NUMBER, 1});
    return table;
}

static void print_heads(FILE *out, const struct table *table, const char *first)
{
    fprintf(out, "<div class=\"wide\"><table%s>\n<thead><tr>%s",
            table->count > BESIDE ? " class=\"stacked\"" : "", first);
    for (size_t i = 0; i < table->count; i++)
        fprintf(out, "<th>%s%s</th>", table->columns[i].title,
                table->columns[i].unit == REPORT_SHARE ? " %" : "");
    fputs("</tr></thead>\n<tbody>\n", out);
}

/* ---- by group ------------------------------------------------------------ */

static void print_spread(FILE *out, const struct column *column,
                         report_spread spread)
{
    double unit = column->unit == REPORT_SHARE ? 100 : 1;
    fputs("<td>", out);
    if (spread.count == 0)
        fputs("\xE2\x80\x93", out);
    else
        fprintf(out, "%.*f", column->digits, unit * spread.mean);
    if (!isnan(spread.deviation))
        fprintf(out, "<span> \xC2\xB1 %.*f</span>", column->digits,
                unit * spread.deviation);
    fputs("</td>", out);
}

/* Of the runs that came to their end; where none did, of all. */
static size_t take_values(const report_group *group, const struct column *column,
                          int ended, double *values)
{
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++)
        if (!ended || report_run_ended(group->runs[i], group->epoch_steps))
            values[count++] = last_value(group->runs[i], column);
    return count;
}

static fal_status print_group(FILE *out, const struct table *table, size_t g)
{
    const report_group *group = &table->groups->list[g];
    double *values = fal_allocate(group->count, sizeof *values);
    if (!values)
        return FAL_ERROR_MEMORY;
    size_t all = group->count, ended = 0;
    for (size_t i = 0; i < all; i++)
        ended += report_run_ended(group->runs[i], group->epoch_steps) ? 1 : 0;
    fputs("<tr><th>", out);
    report_text(out, group->label);
    fprintf(out,
            ended && ended < all ? "</th><td>%zu of %zu</td>" : "</th><td>%zu</td>",
            ended && ended < all ? ended : all, all);
    for (size_t c = 0; c < table->count; c++) {
        const struct column *column = &table->columns[c];
        size_t count = take_values(group, column, ended > 0, values);
        print_spread(out, column, report_spread_of(values, count));
    }
    fputs("</tr>\n", out);
    fal_release(values);
    return FAL_OK;
}

fal_status report_finals_print(FILE *out, const report_groups *groups)
{
    struct table table = make_table(groups, 0);
    fal_status status = FAL_OK;
    fputs("<section>\n<h2>Final figures</h2>\n", out);
    print_heads(out, &table, "<th>rule</th><th>runs</th>");
    for (size_t g = 0; g < groups->count && !status; g++)
        status = print_group(out, &table, g);
    fputs(
        "</tbody></table></div>\n<p class=\"meaning\">Of the last epoch; alignment "
        "and rank of the last measurement, all hidden layers together.",
        out);
    for (size_t g = 0; g < groups->count; g++)
        if (groups->list[g].count > 1) {
            fputs(" Mean \xC2\xB1 deviation over runs.", out);
            break;
        }
    fputs("</p>\n</section>\n", out);
    return status;
}

/* ---- by run -------------------------------------------------------------- */

static void print_run(FILE *out, const struct table *table,
                      const report_group *group, const report_run *run)
{
    const char *seed = report_run_setting(run, "seed");
    fputs("<tr><th>", out);
    report_text(out, run->folder);
    fputs("</th><td>", out);
    report_text(out, group->label);
    fputs("</td><td>", out);
    report_text(out, seed ? seed : "");
    fprintf(out, "</td><td>%llu</td>", (unsigned long long)run->last_step);
    for (size_t c = 0; c < table->count; c++) {
        double value = last_value(run, &table->columns[c]);
        print_spread(out, &table->columns[c], report_spread_of(&value, 1));
    }
    fputs("</tr>\n", out);
}

void report_runs_print(FILE *out, const report_groups *groups)
{
    struct table table = make_table(groups, 1);
    fputs("<details>\n<summary>Runs</summary>\n", out);
    print_heads(out, &table,
                "<th>folder</th><th>rule</th><th>seed</th><th>steps</th>");
    for (size_t g = 0; g < groups->count; g++)
        for (size_t r = 0; r < groups->list[g].count; r++)
            print_run(out, &table, &groups->list[g], groups->list[g].runs[r]);
    fputs("</tbody></table></div>\n</details>\n", out);
}
