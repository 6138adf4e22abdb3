#include "reproduce/watch.h"
#include "device/error.h"
#include "device/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

uint64_t *fal_watch_steps(uint64_t last, size_t points, size_t *count)
{
    uint64_t *steps = fal_allocate(points, sizeof *steps);
    *count = 0;
    for (size_t i = 0; i < points && steps; i++) {
        double share = points > 1 ? (double)i / (double)(points - 1) : 1;
        uint64_t step = (uint64_t)llround(pow((double)last, share));
        if (*count == 0 || step > steps[*count - 1])
            steps[(*count)++] = step;
    }
    return steps;
}

/* ---- measuring ----------------------------------------------------------- */

static int is_wanted(const fal_watch *watch, const char *metric)
{
    for (size_t i = 0; watch->metrics[i]; i++)
        if (strcmp(watch->metrics[i], metric) == 0)
            return 1;
    return 0;
}

static fal_watch_curve *find(const fal_watch *watch, const char *name)
{
    for (size_t i = 0; i < watch->curve_count; i++)
        if (strcmp(watch->curves[i].name, name) == 0)
            return (fal_watch_curve *)&watch->curves[i];
    return NULL;
}

static fal_watch_curve *begin_curve(fal_watch *watch, const char *name)
{
    double *values = fal_allocate(watch->count, sizeof *values);
    if (!values || watch->curve_count == FAL_WATCH_CURVES) {
        fal_release(values);
        return NULL;
    }
    fal_watch_curve *curve = &watch->curves[watch->curve_count++];
    *curve = (fal_watch_curve){.values = values};
    snprintf(curve->name, sizeof curve->name, "%s", name);
    for (size_t i = 0; i < watch->count; i++)
        values[i] = NAN;
    return curve;
}

static int on_metric(const fal_metric *metric, void *user)
{
    fal_watch *watch = user;
    char name[64];
    if (!is_wanted(watch, metric->name))
        return 0;
    snprintf(name, sizeof name, "%s.%s", metric->name, metric->layer);
    fal_watch_curve *curve = find(watch, name);
    if (!curve)
        curve = begin_curve(watch, name);
    if (!curve)
        return 1;
    curve->values[watch->next] = metric->value;
    return 0;
}

static fal_status look(fal_watch *watch)
{
    fal_status status = fal_trainer_measure(watch->trainer, &watch->batch,
                                            on_metric, watch);
    if (status == FAL_STOPPED)
        return FAL_ERROR_MEMORY;
    if (!status && watch->visit)
        status = watch->visit(watch->user, watch->next);
    watch->next++;
    return status;
}

/* ---- the fit ------------------------------------------------------------- */

static int is_due(const fal_watch *watch, const fal_progress *progress)
{
    return (progress->event == FAL_START || progress->event == FAL_STEP) &&
           watch->next < watch->count &&
           progress->step == watch->steps[watch->next];
}

static int on_progress(const fal_progress *progress, void *user)
{
    fal_watch *watch = user;
    if (is_due(watch, progress))
        watch->status = look(watch);
    if (watch->status) /* the fit has a message of its own to come */
        snprintf(watch->message, sizeof watch->message, "%s", fal_error_message());
    if (progress->event == FAL_EPOCH) {
        watch->train_accuracy = progress->train_accuracy;
        watch->test_accuracy = progress->test_accuracy;
        fal_study_progress(watch->study, watch->from + watch->share *
                                                           (double)progress->step /
                                                           (double)progress->steps);
    }
    return watch->status || fal_study_stopped(watch->study);
}

fal_status fal_watch_fit(fal_watch *watch, const fal_dataset *train,
                         const fal_dataset *test, uint64_t epochs)
{
    fal_status status = fal_trainer_fit(watch->trainer, train, test, epochs,
                                        on_progress, watch);
    if (watch->status)
        return fal_fail(watch->status, "%s", watch->message);
    return status == FAL_STOPPED ? FAL_OK : status;
}

/* ---- what came of it ----------------------------------------------------- */

const double *fal_watch_values(const fal_watch *watch, const char *name)
{
    const fal_watch_curve *curve = find(watch, name);
    return curve ? curve->values : NULL;
}

fal_status fal_watch_result(const fal_watch *watch, cJSON *result)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < watch->curve_count && !status; i++)
        status = fal_result_numbers(result, watch->curves[i].name,
                                    watch->curves[i].values, watch->count);
    return status;
}

void fal_watch_release(fal_watch *watch)
{
    for (size_t i = 0; i < watch->curve_count; i++)
        fal_release(watch->curves[i].values);
    watch->curve_count = 0;
}
