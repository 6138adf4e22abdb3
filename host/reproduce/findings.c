#include "reproduce/findings.h"
#include "device/error.h"
#include "device/memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- figures ------------------------------------------------------------- */

double fal_figure_error(const fal_figure *figure)
{
    return figure->spread.deviation / sqrt((double)figure->spread.count);
}

const fal_figure *fal_findings_find(const fal_findings *findings, const char *name)
{
    for (size_t i = 0; i < findings->figure_count; i++)
        if (strcmp(findings->figures[i].name, name) == 0)
            return &findings->figures[i];
    return NULL;
}

static double *copy_numbers(const double *values, size_t count)
{
    double *copy = fal_allocate(count, sizeof *copy);
    if (copy && count > 0)
        memcpy(copy, values, count * sizeof *copy);
    return copy;
}

fal_status fal_findings_figure(fal_findings *findings, const char *name,
                               const double *values, size_t count)
{
    if (fal_findings_find(findings, name))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "figure '%s': there is one already; give each its own name",
                        name);
    fal_figure *list = report_grown(findings->figures, findings->figure_count,
                                    sizeof *list);
    if (!list)
        return FAL_ERROR_MEMORY;
    findings->figures = list;
    fal_figure *figure = &list[findings->figure_count];
    *figure = (fal_figure){.name = fal_copy_text(name),
                           .values = copy_numbers(values, count),
                           .count = count};
    if (!figure->name || !figure->values) {
        fal_release(figure->name);
        fal_release(figure->values);
        return FAL_ERROR_MEMORY;
    }
    for (size_t i = 0; i < count; i++)
        if (!isfinite(figure->values[i]))
            figure->values[i] = NAN;
    figure->spread = report_spread_of(figure->values, count);
    findings->figure_count++;
    return FAL_OK;
}

fal_status fal_findings_collect(fal_findings *findings, const fal_study *study,
                                const char *name, int kind, size_t setting,
                                const char *member)
{
    double *values;
    size_t count;
    fal_status status = fal_study_values(study, kind, setting, member, &values,
                                         &count);
    if (status)
        return status;
    status = fal_findings_figure(findings, name, values, count);
    fal_release(values);
    return status;
}

size_t fal_findings_with_values(const fal_findings *findings)
{
    size_t count = 0;
    for (size_t i = 0; i < findings->figure_count; i++)
        count += findings->figures[i].spread.count > 0;
    return count;
}

/* ---- plots --------------------------------------------------------------- */

static int is_shown(double value, int log)
{
    return isfinite(value) && (!log || value > 0);
}

static int has_value(const fal_series *series, const fal_plot *plot)
{
    for (size_t s = 0; s < series->seeds; s++)
        for (size_t i = 0; i < series->count; i++)
            if (is_shown(series->y[s * series->count + i], plot->log_y) &&
                is_shown(series->x[i], plot->log_x))
                return 1;
    return 0;
}

static void release_plot(fal_plot *plot)
{
    for (size_t i = 0; i < plot->series_count; i++) {
        fal_release((void *)plot->series[i].name);
        fal_release((void *)plot->series[i].x);
        fal_release((void *)plot->series[i].y);
    }
    fal_release((void *)plot->series);
    fal_release((void *)plot->section);
    fal_release((void *)plot->title);
    fal_release((void *)plot->caption);
    fal_release((void *)plot->x_label);
    fal_release((void *)plot->y_label);
}

static fal_status copy_series(fal_series *to, const fal_series *from)
{
    *to = *from;
    to->name = fal_copy_text(from->name);
    to->x = copy_numbers(from->x, from->count);
    to->y = copy_numbers(from->y, from->seeds * from->count);
    return to->name && to->x && to->y ? FAL_OK : FAL_ERROR_MEMORY;
}

static const char *copy_label(const char *text, fal_status *status)
{
    const char *copy = fal_copy_text(text ? text : "");
    *status = copy ? *status : FAL_ERROR_MEMORY;
    return copy;
}

/* What of it is there is in `copy` also after an error. */
static fal_status copy_plot(fal_plot *copy, const fal_plot *plot,
                            const char *section)
{
    fal_status status = FAL_OK;
    fal_series *series = fal_allocate(plot->series_count, sizeof *series);
    *copy = *plot;
    copy->series = series;
    copy->series_count = 0;
    copy->section = copy_label(section, &status);
    copy->title = copy_label(plot->title, &status);
    copy->caption = copy_label(plot->caption, &status);
    copy->x_label = copy_label(plot->x_label, &status);
    copy->y_label = copy_label(plot->y_label, &status);
    status = series ? status : FAL_ERROR_MEMORY;
    for (size_t i = 0; i < plot->series_count && !status; i++)
        if (has_value(&plot->series[i], plot))
            status = copy_series(&series[copy->series_count++], &plot->series[i]);
    return status;
}

fal_status fal_findings_plot(fal_findings *findings, const fal_plot *plot)
{
    size_t count = findings->plot_count;
    fal_plot *list = report_grown(findings->plots, count, sizeof *list);
    if (!list)
        return FAL_ERROR_MEMORY;
    findings->plots = list;
    const char *before = count > 0 ? list[count - 1].section : "Plots";
    fal_status status = copy_plot(&list[count], plot,
                                  plot->section ? plot->section : before);
    if (status || list[count].series_count == 0)
        release_plot(&list[count]);
    else
        findings->plot_count++;
    return status;
}

/* ---- notes --------------------------------------------------------------- */

fal_status fal_findings_note(fal_findings *findings, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return report_note(&findings->notes, "%s", text);
}

void fal_findings_release(fal_findings *findings)
{
    for (size_t i = 0; i < findings->figure_count; i++) {
        fal_release(findings->figures[i].name);
        fal_release(findings->figures[i].values);
    }
    for (size_t i = 0; i < findings->plot_count; i++)
        release_plot(&findings->plots[i]);
    fal_release(findings->figures);
    fal_release(findings->plots);
    report_notes_release(&findings->notes);
    *findings = (fal_findings){.figures = NULL};
}
