#include "reproduce/chart.h"
#include "device/memory.h"
#include "report/html.h"
#include "report/plot.h"

#include <math.h>
#include <string.h>

enum { TICKS = 5, SAMPLES = 250 /* of a line: about one a pixel */ };

static int is_shown(double value, int log)
{
    return isfinite(value) && (!log || value > 0);
}

/* ---- axes ---------------------------------------------------------------- */

struct range {
    double low, high;
};

static void widen(struct range *range, double value, int log)
{
    if (!is_shown(value, log))
        return;
    range->low = fmin(range->low, value);
    range->high = fmax(range->high, value);
}

static report_scale place_scale(const fal_plot *plot)
{
    struct range range = {INFINITY, -INFINITY};
    for (size_t s = 0; s < plot->series_count; s++)
        for (size_t i = 0; i < plot->series[s].count; i++)
            widen(&range, plot->series[s].x[i], plot->log_x);
    return plot->log_x ? report_scale_log(range.low, range.high, 0)
                       : report_scale_make(range.low, range.high, TICKS, 0);
}

/* Of what is drawn: means and their bands. */
static struct range value_range(const fal_plot *plot, const report_line *lines)
{
    struct range range = {INFINITY, -INFINITY};
    for (size_t l = 0; l < plot->series_count; l++)
        for (size_t i = 0; i < lines[l].curve.count; i++) {
            const report_sample *s = &lines[l].curve.samples[i];
            widen(&range, s->mean, plot->log_y);
            widen(&range, s->mean + s->deviation, plot->log_y);
            widen(&range, report_lower_edge(s, plot->log_y), plot->log_y);
        }
    return range;
}

static report_scale value_scale(const fal_plot *plot, const report_line *lines)
{
    struct range range = value_range(plot, lines);
    if (plot->low != 0 || plot->high != 0)
        range = (struct range){plot->low, plot->high};
    if (plot->log_y)
        return report_scale_log(range.low, range.high, 1);
    return report_scale_make(range.low, range.high, TICKS, 1);
}

/* ---- lines --------------------------------------------------------------- */

/* Mean and deviation over the seeds; what the axis cannot show is NAN. */
static report_sample sample_at(const fal_plot *plot, const fal_series *series,
                               size_t i, double *values)
{
    for (size_t s = 0; s < series->seeds; s++)
        values[s] = series->y[s * series->count + i];
    report_spread spread = report_spread_of(values, series->seeds);
    int shown = is_shown(spread.mean, plot->log_y);
    return (report_sample){.time = series->x[i],
                           .mean = shown ? spread.mean : NAN,
                           .deviation = shown ? spread.deviation : NAN};
}

/* Samples that fall upon one before are left out, the last one excepted. */
static void add_sample(report_curve *curve, const report_scale *places,
                       report_sample sample, int last)
{
    size_t n = curve->count;
    double step = 1.0 / SAMPLES;
    double at = report_scale_at(places, sample.time);
    if (n > 0 && !last &&
        fabs(at - report_scale_at(places, curve->samples[n - 1].time)) < step)
        return;
    curve->samples[curve->count++] = sample;
}

static fal_status make_means(report_curve *curve, const fal_plot *plot,
                             const fal_series *series, const report_scale *places)
{
    double *values = fal_allocate(series->seeds, sizeof *values);
    curve->samples = fal_allocate(series->count, sizeof *curve->samples);
    for (size_t i = 0; i < series->count && values && curve->samples; i++)
        if (is_shown(series->x[i], plot->log_x))
            add_sample(curve, places, sample_at(plot, series, i, values),
                       i + 1 == series->count);
    fal_release(values);
    return values && curve->samples ? FAL_OK : FAL_ERROR_MEMORY;
}

static fal_status make_points(report_curve *curve, const fal_plot *plot,
                              const fal_series *series)
{
    size_t all = series->seeds * series->count;
    curve->samples = fal_allocate(all, sizeof *curve->samples);
    for (size_t k = 0; k < all && curve->samples; k++) {
        double x = series->x[k % series->count], y = series->y[k];
        if (is_shown(x, plot->log_x) && is_shown(y, plot->log_y))
            curve->samples[curve->count++] = (report_sample){
                .time = x, .mean = y, .deviation = NAN};
    }
    return curve->samples ? FAL_OK : FAL_ERROR_MEMORY;
}

static fal_status make_lines(report_line *lines, const fal_plot *plot,
                             const report_scale *places)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < plot->series_count && !status; i++) {
        const fal_series *series = &plot->series[i];
        lines[i] = (report_line){
            .label = series->name, .style = i, .points = series->points};
        status = series->points ? make_points(&lines[i].curve, plot, series)
                                : make_means(&lines[i].curve, plot, series, places);
    }
    return status;
}

/* ---- all ----------------------------------------------------------------- */

/* Short names at the lines' ends say it all. */
static int needs_legend(const fal_plot *plot)
{
    int needs = 0;
    for (size_t i = 0; i < plot->series_count; i++)
        needs |= plot->series[i].points ||
                 strlen(plot->series[i].name) > REPORT_LABEL_FITS;
    return needs && plot->series_count > 1;
}

static void print_legend(FILE *out, const fal_plot *plot)
{
    if (!needs_legend(plot))
        return;
    fputs("<ul class=\"legend\">\n", out);
    for (size_t i = 0; i < plot->series_count; i++) {
        fputs(plot->series[i].points ? "<li class=\"points\">" : "<li>", out);
        report_key_print(out, i);
        report_text(out, plot->series[i].name);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n", out);
}

static void print_chart(FILE *out, const fal_plot *plot, const report_line *lines,
                        const report_scale *places)
{
    report_plot chart = {.title = plot->title,
                         .subtitle = plot->y_label,
                         .about = plot->y_label,
                         .unit = REPORT_NUMBER,
                         .places = *places,
                         .places_name = plot->x_label,
                         .values = value_scale(plot, lines),
                         .lines = lines,
                         .unnamed = plot->series_count == 1 || needs_legend(plot),
                         .line_count = plot->series_count};
    fputs("<div class=\"chart\">\n", out);
    report_plot_print(out, &chart);
    print_legend(out, plot);
    if (*plot->caption) {
        fputs("<p class=\"meaning\">", out);
        report_text(out, plot->caption);
        fputs("</p>\n", out);
    }
    fputs("</div>\n", out);
}

fal_status fal_chart_print(FILE *out, const fal_plot *plot)
{
    report_scale places = place_scale(plot);
    report_line *lines = fal_allocate(plot->series_count, sizeof *lines);
    if (!lines)
        return FAL_ERROR_MEMORY;
    fal_status status = make_lines(lines, plot, &places);
    if (!status)
        print_chart(out, plot, lines, &places);
    for (size_t i = 0; i < plot->series_count; i++)
        report_curve_release(&lines[i].curve);
    fal_release(lines);
    return status;
}
