#include "reproduce/curves.h"
#include "device/error.h"
#include "device/memory.h"

#include <stdarg.h>
#include <stdio.h>

static fal_status add(fal_curves *curves, const fal_study *study, int kind,
                      size_t setting, const char *member, fal_series series)
{
    double *values = NULL;
    size_t seeds = 0, count = 0;
    fal_status status = fal_study_lists(study, kind, setting, member, &values,
                                        &seeds, &count);
    if (!status && seeds > 0 && count != series.count)
        status = fal_fail(FAL_ERROR_FORMAT,
                          "%s: a part has %zu values where %zu were asked for; "
                          "begin anew with --force",
                          member, count, series.count);
    if (status || seeds == 0) {
        fal_release(values);
        return status;
    }
    series.y = curves->values[curves->count] = values;
    series.seeds = seeds;
    curves->series[curves->count++] = series;
    return FAL_OK;
}

void fal_curves_add(fal_curves *curves, const fal_study *study, int kind,
                    size_t setting, const char *member, const double *x,
                    size_t count, const char *name, ...)
{
    va_list arguments;
    if (curves->status || curves->count == FAL_CURVES)
        return;
    char *own = curves->names[curves->count];
    va_start(arguments, name);
    vsnprintf(own, sizeof curves->names[0], name, arguments);
    va_end(arguments);
    curves->status = add(curves, study, kind, setting, member,
                         (fal_series){.name = own, .x = x, .count = count});
}

fal_status fal_curves_plot(fal_curves *curves, fal_findings *findings,
                           fal_plot plot)
{
    fal_status status = curves->status;
    plot.series = curves->series;
    plot.series_count = curves->count;
    if (!status)
        status = fal_findings_plot(findings, &plot);
    for (size_t i = 0; i < curves->count; i++)
        fal_release(curves->values[i]);
    *curves = (fal_curves){0};
    return status;
}
