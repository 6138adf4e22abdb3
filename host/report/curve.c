#include "report/curve.h"
#include "device/memory.h"

#include <math.h>

/* ---- spread -------------------------------------------------------------- */

report_spread report_spread_of(const double *values, size_t count)
{
    report_spread spread = {0, 0, 0};
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i])) {
            spread.count++;
            spread.mean += values[i];
        }
    spread.mean = spread.count ? spread.mean / (double)spread.count : NAN;
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i]))
            squares += (values[i] - spread.mean) * (values[i] - spread.mean);
    spread.deviation = spread.count > 1 ? sqrt(squares / (double)(spread.count - 1))
                                        : NAN;
    return spread;
}

double report_lower_edge(const report_sample *sample, int log)
{
    double mean = sample->mean;
    return log ? mean * mean / (mean + sample->deviation)
               : mean - sample->deviation;
}

/* ---- making -------------------------------------------------------------- */

/* The series of each run, and how far each has been read. */
struct merge {
    const report_series **series;
    size_t *next;
    double *values; /* of one step */
    size_t runs;
};

static fal_status begin_merge(struct merge *m, const report_group *group)
{
    m->runs = group->count;
    m->series = fal_allocate(m->runs, sizeof *m->series);
    m->next = fal_allocate(m->runs, sizeof *m->next);
    m->values = fal_allocate(m->runs, sizeof *m->values);
    return m->series && m->next && m->values ? FAL_OK : FAL_ERROR_MEMORY;
}

static void end_merge(struct merge *m)
{
    fal_release(m->series);
    fal_release(m->next);
    fal_release(m->values);
}

/* Takes the series of one type; returns how many points they have. */
static size_t find_series(struct merge *m, const report_group *group,
                          const char *name, const char *layer, int epoch)
{
    size_t points = 0;
    for (size_t i = 0; i < m->runs; i++) {
        m->series[i] = report_run_series(group->runs[i], name, layer, epoch);
        points += m->series[i] ? m->series[i]->count : 0;
    }
    return points;
}

static size_t find_longer(struct merge *m, const report_group *group,
                          const char *name, const char *layer)
{
    size_t epochs = layer ? 0 : find_series(m, group, name, layer, 1);
    size_t steps = find_series(m, group, name, layer, 0);
    return steps >= epochs ? steps : find_series(m, group, name, layer, 1);
}

static const report_point *head(const struct merge *m, size_t run)
{
    const report_series *series = m->series[run];
    return series && m->next[run] < series->count ? &series->points[m->next[run]]
                                                  : NULL;
}

/* The next step that any run has, with the values of those that have it; 0: none. */
static int next_step(struct merge *m, uint64_t *step)
{
    *step = UINT64_MAX;
    for (size_t i = 0; i < m->runs; i++)
        if (head(m, i) && head(m, i)->step < *step)
            *step = head(m, i)->step;
    for (size_t i = 0; i < m->runs; i++) {
        int has = head(m, i) && head(m, i)->step == *step;
        m->values[i] = has ? head(m, i)->value : NAN;
        m->next[i] += has ? 1 : 0;
    }
    return *step < UINT64_MAX;
}

fal_status report_curve_make(report_curve *curve, const report_groups *groups,
                             const report_group *group, const char *name,
                             const char *layer)
{
    struct merge m;
    uint64_t step;
    *curve = (report_curve){NULL, 0};
    fal_status status = begin_merge(&m, group);
    size_t room = status ? 0 : find_longer(&m, group, name, layer);
    if (room > 0)
        curve->samples = fal_allocate(room, sizeof *curve->samples);
    if (room > 0 && !curve->samples)
        status = FAL_ERROR_MEMORY;
    while (!status && room > 0 && next_step(&m, &step)) {
        report_spread spread = report_spread_of(m.values, m.runs);
        curve->samples[curve->count++] = (report_sample){
            step, report_time(groups, group, step), spread.mean, spread.deviation};
    }
    end_merge(&m);
    return status;
}

void report_curve_release(report_curve *curve)
{
    fal_release(curve->samples);
    *curve = (report_curve){NULL, 0};
}

/* ---- thinning ------------------------------------------------------------ */

static report_sample mean_of(const report_sample *samples, size_t count)
{
    report_sample mean = {.step = samples[count - 1].step,
                          .time = samples[count - 1].time};
    size_t values = 0, deviations = 0;
    for (size_t i = 0; i < count; i++) {
        int has = !isnan(samples[i].mean), spread = !isnan(samples[i].deviation);
        mean.mean += has ? samples[i].mean : 0;
        mean.deviation += spread ? samples[i].deviation : 0;
        values += has ? 1 : 0;
        deviations += spread ? 1 : 0;
    }
    mean.mean = values ? mean.mean / (double)values : NAN;
    mean.deviation = deviations ? mean.deviation / (double)deviations : NAN;
    return mean;
}

fal_status report_curve_thin(report_curve *thin, const report_curve *curve,
                             size_t limit, size_t *each)
{
    size_t all = curve->count;
    *each = all > limit ? (all + limit - 1) / limit : 1;
    thin->count = 0;
    thin->samples = fal_allocate(all / *each + 1, sizeof *thin->samples);
    if (!thin->samples)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < all; i += *each)
        thin->samples[thin->count++] = mean_of(curve->samples + i,
                                               all - i < *each ? all - i : *each);
    return FAL_OK;
}

const report_sample *report_curve_at(const report_curve *curve, uint64_t step)
{
    for (size_t i = 0; i < curve->count; i++)
        if (curve->samples[i].step == step)
            return &curve->samples[i];
    return NULL;
}
