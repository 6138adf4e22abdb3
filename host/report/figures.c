/* The figures of the page: panels of curves and maps, with what they mean. */
#include "device/memory.h"
#include "report/heat.h"
#include "report/html.h"
#include "report/page.h"
#include "report/plot.h"

#include <math.h>
#include <string.h>

enum {
    SAMPLES = 160, /* of a line */
    PANELS = 9,    /* of layers, of which there may be many more */
    LINES = 8,
    FIGURES = sizeof report_figures / sizeof *report_figures
};

/* ---- panels -------------------------------------------------------------- */

/* The i-th of `shown` rows out of `count`, first and last among them. */
static size_t pick(size_t i, size_t shown, size_t count)
{
    return shown < 2 ? 0 : (2 * i * (count - 1) + shown - 1) / (2 * (shown - 1));
}

/* One panel in the making: lines that have samples. */
struct panel {
    report_plot plot;
    report_line *lines;
    size_t each; /* samples that became one */
};

/* `range`: what its axis is made for. */
static fal_status begin_panel(struct panel *panel, const report_block *block,
                              const char *title, report_range range, size_t room)
{
    *panel = (struct panel){.each = 1};
    panel->plot = (report_plot){.title = title,
                                .about = block->title,
                                .unit = block->unit,
                                .groups = block->groups,
                                .values = report_range_scale(&range, block->unit)};
    panel->plot.lines = panel->lines = fal_allocate(room, sizeof *panel->lines);
    return panel->lines ? FAL_OK : FAL_ERROR_MEMORY;
}

static fal_status add_line(struct panel *panel, const report_block *block,
                           size_t row, size_t group, report_line look)
{
    const report_curve *curve = report_block_curve(block, row, group);
    size_t each;
    report_line *line = &panel->lines[panel->plot.line_count];
    if (curve->count == 0)
        return FAL_OK;
    *line = look;
    line->group = &block->groups->list[group];
    fal_status status = report_curve_thin(&line->curve, curve, SAMPLES, &each);
    if (status)
        return status;
    panel->plot.line_count++;
    panel->each = each > panel->each ? each : panel->each;
    return FAL_OK;
}

static fal_status end_panel(FILE *out, struct panel *panel, fal_status status,
                            size_t *each)
{
    if (!status)
        report_plot_print(out, &panel->plot);
    *each = panel->each > *each ? panel->each : *each;
    for (size_t i = 0; i < panel->plot.line_count; i++)
        report_curve_release(&panel->lines[i].curve);
    fal_release(panel->lines);
    return status;
}

/* Of one group: all rows in one panel. */
static fal_status print_rows(FILE *out, const report_block *block, size_t *each)
{
    struct panel panel;
    size_t shown = block->row_count < LINES ? block->row_count : LINES;
    const char *title = *block->meaning ? block->groups->list[0].label
                                        : block->title;
    fal_status status = begin_panel(&panel, block, title,
                                    report_block_range(block, 0, block->row_count),
                                    shown);
    for (size_t i = 0; i < shown && !status; i++) {
        size_t row = pick(i, shown, block->row_count);
        status = add_line(
            &panel, block, row, 0,
            (report_line){.label = block->rows[row].title, .style = i});
    }
    return end_panel(out, &panel, status, each);
}

/* Of several: a panel for a row, all groups in it. Layers have one axis. */
static fal_status print_groups(FILE *out, const report_block *block, size_t row,
                               size_t *each)
{
    struct panel panel;
    size_t groups = block->groups->count;
    report_range range = block->rows[row].layer
                             ? report_block_range(block, 0, block->row_count)
                             : report_block_range(block, row, 1);
    fal_status status = begin_panel(&panel, block, block->rows[row].heading, range,
                                    groups);
    for (size_t g = 0; g < groups && !status; g++)
        status = add_line(
            &panel, block, row, g,
            (report_line){.label = block->groups->list[g].label, .style = g});
    return end_panel(out, &panel, status, each);
}

/* How far the panels leave something out. */
struct limits {
    size_t shown, all; /* rows */
    size_t each;       /* samples that became one */
};

static void print_limits(FILE *out, const struct limits *limits)
{
    if (limits->shown < limits->all)
        fprintf(out, "<p class=\"meaning\">%zu of %zu layers.</p>\n", limits->shown,
                limits->all);
    if (limits->each > 1)
        fprintf(out,
                "<p class=\"meaning\">Each point is the mean of up to %zu lines "
                "of metrics.jsonl.</p>\n",
                limits->each);
}

static fal_status print_panels(FILE *out, const report_block *block,
                               struct limits *limits)
{
    int one = block->groups->count == 1;
    size_t limit = one ? LINES : PANELS, all = block->row_count;
    fal_status status = FAL_OK;
    limits->all = all;
    limits->shown = all < limit ? all : limit;
    if (one)
        return print_rows(out, block, &limits->each);
    for (size_t i = 0; i < limits->shown && !status; i++)
        status = print_groups(out, block, pick(i, limits->shown, all),
                              &limits->each);
    return status;
}

/* ---- maps ---------------------------------------------------------------- */

static void print_maps(FILE *out, const report_block *block)
{
    report_range range = report_block_range(block, 0, block->row_count);
    double low = range.low < -0.05 ? floor(10 * range.low) / 10 : 0;
    double high = block->unit == REPORT_COSINE ? 1 : range.high;
    if (!(high > low))
        high = low + 1;
    /* beside the panel of one group, below those of several */
    if (block->groups->count > 1)
        fputs("</div>\n<div class=\"figures\">\n", out);
    for (size_t g = 0; g < block->groups->count; g++)
        report_heat_print(out, block, g, low, high);
    fputs("</div>\n<p class=\"meaning\">", out);
    report_shades_print(out, block->unit, low, high);
    fputs(" Layers by time; the darker, the higher.</p>\n", out);
}

/* ---- blocks -------------------------------------------------------------- */

static int has_value(const report_block *block, size_t group)
{
    for (size_t row = 0; row < block->row_count; row++)
        if (report_block_has(block, row, group))
            return 1;
    return 0;
}

static void print_missing(FILE *out, const report_block *block)
{
    size_t missing = 0;
    for (size_t g = 0; g < block->groups->count; g++)
        if (!has_value(block, g)) {
            fputs(missing++ ? ", " : "<p class=\"meaning\">No values: ", out);
            report_text(out, block->groups->list[g].label);
        }
    fputs(missing ? ".</p>\n" : "", out);
}

static fal_status print_block(FILE *out, const report_block *block)
{
    struct limits limits = {.each = 1};
    fputs("<h3>", out);
    report_text(out, block->title);
    fputs("</h3>\n", out);
    if (*block->meaning)
        fprintf(out, "<p class=\"meaning\">%s</p>\n", block->meaning);
    print_missing(out, block);
    fputs("<div class=\"figures\">\n", out);
    fal_status status = print_panels(out, block, &limits);
    if (!status)
        print_maps(out, block);
    print_limits(out, &limits);
    return status;
}

fal_status report_learning_print(FILE *out, const report_groups *groups)
{
    fal_status status = FAL_OK;
    struct limits limits = {.each = 1};
    fputs("<section>\n<h2>Learning</h2>\n<div class=\"figures\">\n", out);
    for (size_t i = 0; i < FIGURES && !status; i++) {
        report_block block;
        status = report_block_of_figure(&block, groups, &report_figures[i]);
        if (status)
            return status;
        if (block.row_count > 0)
            status = print_panels(out, &block, &limits);
        report_block_release(&block);
    }
    fputs("</div>\n", out);
    print_limits(out, &limits);
    fputs("</section>\n", out);
    return status;
}

/* ---- metrics of layers --------------------------------------------------- */

/* What a part of the page is opened with, once something stands in it. */
struct part {
    FILE *out;
    const report_groups *groups;
    const char *opening, *closing;
    int begun;
};

static fal_status print_metric(struct part *part, const report_metric *metric)
{
    report_block block;
    fal_status status = report_block_of_metric(&block, part->groups, metric);
    if (status || block.row_count == 0) {
        if (!status)
            report_block_release(&block);
        return status;
    }
    fputs(part->begun++ ? "" : part->opening, part->out);
    status = print_block(part->out, &block);
    report_block_release(&block);
    return status;
}

static int is_known(const char *name)
{
    for (size_t i = 0; i < report_metric_count; i++)
        if (strcmp(report_metrics[i].name, name) == 0)
            return 1;
    return 0;
}

/* The names of metrics that stand before a series of the first run that has it. */
static int is_first(const report_groups *groups, const report_series *series)
{
    for (size_t g = 0; g < groups->count; g++)
        for (size_t r = 0; r < groups->list[g].count; r++) {
            const report_run *run = groups->list[g].runs[r];
            for (size_t i = 0; i < run->series_count; i++)
                if (run->series[i].layer &&
                    strcmp(run->series[i].name, series->name) == 0)
                    return &run->series[i] == series;
        }
    return 0;
}

/* Metrics that are not in the catalog, as another falign may write them. */
static fal_status print_unknown(struct part *part)
{
    fal_status status = FAL_OK;
    for (size_t g = 0; g < part->groups->count; g++)
        for (size_t r = 0; r < part->groups->list[g].count; r++) {
            const report_run *run = part->groups->list[g].runs[r];
            for (size_t i = 0; i < run->series_count && !status; i++) {
                const report_series *s = &run->series[i];
                report_metric metric = {s->name, s->name, "", REPORT_NUMBER,
                                        REPORT_MORE};
                if (s->layer && !is_known(s->name) && is_first(part->groups, s))
                    status = print_metric(part, &metric);
            }
        }
    return status;
}

static fal_status print_part(struct part *part, report_place place)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < report_metric_count && !status; i++)
        if (report_metrics[i].place == place)
            status = print_metric(part, &report_metrics[i]);
    if (!status && place == REPORT_MORE)
        status = print_unknown(part);
    fputs(part->begun ? part->closing : "", part->out);
    return status;
}

fal_status report_metrics_print(FILE *out, const report_groups *groups)
{
    struct part parts[] = {
        {out, groups, "<section>\n<h2>Alignment</h2>\n", "</section>\n", 0},
        {out, groups, "<section>\n<h2>Rank</h2>\n", "</section>\n", 0},
        {out, groups, "<details>\n<summary>More metrics</summary>\n",
         "</details>\n", 0}};
    int begun = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        fal_status status = print_part(&parts[i], (report_place)i);
        if (status)
            return status;
        begun |= parts[i].begun;
    }
    if (!begun)
        fputs(
            "<section>\n<h2>Alignment and rank</h2>\n<p class=\"meaning\">None of "
            "the runs measured them; train with <code>--measure epoch</code>."
            "</p>\n</section>\n",
            out);
    return FAL_OK;
}
