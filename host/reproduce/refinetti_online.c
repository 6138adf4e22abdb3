/* Teacher and student, online: simulations beside the equations of their order
 * parameters, for erf and linear units under bp and dfa. Both start from the same
 * overlaps, those of the run. */
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/online.h"
#include "reproduce/refinetti.h"

#include <math.h>
#include <stdio.h>

static const struct {
    const char *name, *title;
    fal_response response;
    int direct;
} kinds[] = {{"erf.bp", "erf", FAL_RESPONSE_ERF, 0},
             {"erf.dfa", "erf", FAL_RESPONSE_ERF, 1},
             {"linear.bp", "linear", FAL_RESPONSE_LINEAR, 0},
             {"linear.dfa", "linear", FAL_RESPONSE_LINEAR, 1}};
enum { KINDS = sizeof kinds / sizeof *kinds, A_DECADE = 8 };

static const double FIRST_TIME = .1;
/* Up to here single runs are compared: later some leave plateaus, each at a time that
 * the least difference decides. */
static const double COMPARED = 100;

/* ---- settings ------------------------------------------------------------- */

typedef struct settings {
    double inputs, units, runs, rate, end;
    double *times; /* [count] */
    size_t count;
} settings;

/* Linear students have learnt all they can in a tenth of the time. */
static fal_status read(fal_study *study, size_t kind, settings *s)
{
    const struct {
        const char *name;
        double *value;
    } numbers[] = {{"online-inputs", &s->inputs},
                   {"online-units", &s->units},
                   {"online-runs", &s->runs},
                   {"online-rate", &s->rate},
                   {"online-end", &s->end}};
    fal_status status = FAL_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !status; i++)
        status = fal_study_number(study, numbers[i].name, numbers[i].value);
    if (status)
        return status;
    if (kinds[kind].response == FAL_RESPONSE_LINEAR)
        s->end /= 10;
    s->times = fal_online_times(FIRST_TIME, s->end, A_DECADE, &s->count);
    return s->times ? FAL_OK : FAL_ERROR_MEMORY;
}

static fal_teacher_student describe(const settings *s, size_t kind)
{
    return (fal_teacher_student){.response = kinds[kind].response,
                                 .direct = kinds[kind].direct,
                                 .inputs = (size_t)s->inputs,
                                 .students = (size_t)s->units,
                                 .teachers = (size_t)s->units,
                                 .rate = s->rate};
}

/* The equations have means of four fields, and as many as those can be chosen; those of
 * linear units are short. */
static double seconds_of(const settings *s, size_t kind)
{
    const fal_teacher_student is = describe(s, kind);
    double erf = kinds[kind].response == FAL_RESPONSE_ERF ? 1 : .1;
    return fal_online_seconds(&is, (size_t)s->runs, s->end) +
           erf * s->runs * s->end * 8e-5 * pow(s->units, 4) / 5;
}

static fal_status list_kind(fal_study *study, size_t kind, fal_parts *parts)
{
    settings s = {0};
    fal_status status = read(study, kind, &s);
    for (uint64_t seed = 0; seed < fal_study_seeds(study) && !status; seed++) {
        fal_part part = {.kind = FAL_REFINETTI_ONLINE,
                         .setting = kind,
                         .seed = seed,
                         .seconds = seconds_of(&s, kind)};
        fal_part_name(&part, "online-%s-seed-%d", kinds[kind].name, (int)seed);
        status = fal_parts_add(parts, &part);
    }
    fal_release(s.times);
    return status;
}

static fal_status list(fal_study *study, fal_parts *parts)
{
    fal_status status = FAL_OK;
    for (size_t kind = 0; kind < KINDS && !status; kind++)
        status = list_kind(study, kind, parts);
    return status;
}

/* ---- a part: some runs ---------------------------------------------------- */

/* All by run and time: the errors of both, and the largest difference of an order
 * parameter */
typedef struct beside {
    fal_order *theory; /* [runs] */
    double *simulated, *solved, *difference;
} beside;

/* Follows the run's theory to the time. */
static fal_status compare(fal_online *o, size_t time, size_t run, void *user)
{
    beside *b = user;
    fal_order *theory = &b->theory[run];
    size_t at = run * o->count + time,
           numbers = theory->fields * (theory->fields + 1);
    fal_status status = fal_order_advance(theory, o->times[time]);
    if (status)
        return status;
    for (size_t i = 0; i < numbers; i++)
        b->difference[at] = fmax(b->difference[at], fabs(theory->covariance[i] -
                                                         o->order.covariance[i]));
    b->simulated[at] = fal_order_error(&o->order);
    b->solved[at] = fal_order_error(theory);
    return fal_study_stopped(o->study) ? FAL_STOPPED : FAL_OK;
}

static fal_status start(fal_online *o, beside *b)
{
    fal_status status = fal_online_begin(o);
    size_t numbers = o->runs * o->count;
    b->theory = fal_allocate(o->runs, sizeof *b->theory);
    b->simulated = fal_allocate(3 * numbers, sizeof *b->simulated);
    if (!b->theory || !b->simulated)
        return FAL_ERROR_MEMORY;
    b->solved = b->simulated + numbers;
    b->difference = b->solved + numbers;
    for (size_t run = 0; run < o->runs && !status; run++) {
        status = fal_order_create(&b->theory[run], &o->is);
        if (!status)
            status = fal_simulation_measure(o->simulation, run, &b->theory[run]);
    }
    return status;
}

static fal_status put(const fal_online *o, const beside *b, cJSON *result)
{
    size_t numbers = o->runs * o->count;
    fal_status status = fal_result_numbers(result, "simulated", b->simulated,
                                           numbers);
    if (!status)
        status = fal_result_numbers(result, "solved", b->solved, numbers);
    return status
               ? status
               : fal_result_numbers(result, "difference", b->difference, numbers);
}

static void drop(fal_online *o, beside *b)
{
    for (size_t run = 0; b->theory && run < o->runs; run++)
        fal_order_release(&b->theory[run]);
    fal_release(b->theory);
    fal_release(b->simulated);
    fal_online_release(o);
}

static fal_status run(fal_study *study, const fal_part *part, cJSON *result)
{
    settings s = {0};
    beside b = {0};
    fal_status status = read(study, part->setting, &s);
    if (status)
        return status;
    fal_online online = {.study = study,
                         .is = describe(&s, part->setting),
                         .runs = (size_t)s.runs,
                         .first_seed = 1 + part->seed * (uint64_t)s.runs,
                         .times = s.times,
                         .count = s.count};
    status = start(&online, &b);
    if (!status)
        status = fal_online_run(&online, compare, &b);
    if (!status)
        status = put(&online, &b, result);
    drop(&online, &b);
    fal_release(s.times);
    return status;
}

/* ---- what follows --------------------------------------------------------- */

/* Of one kind, from all parts: [runs][count] */
typedef struct curves {
    double *simulated, *solved, *difference;
    size_t batches, runs; /* in all */
} curves;

static fal_status fetch(const fal_study *study, const settings *s, size_t kind,
                        curves *c)
{
    const struct {
        const char *name;
        double **values;
    } lists[] = {{"simulated", &c->simulated},
                 {"solved", &c->solved},
                 {"difference", &c->difference}};
    size_t length = (size_t)s->runs * s->count, seeds = 0, count = length;
    fal_status status = FAL_OK;
    for (size_t i = 0; i < 3 && !status; i++)
        status = fal_study_lists(study, FAL_REFINETTI_ONLINE, kind, lists[i].name,
                                 lists[i].values, &seeds, &count);
    if (!status && seeds > 0 && count != length)
        status = fal_fail(
            FAL_ERROR_FORMAT,
            "%s: a part has %zu values, not %zu; begin anew with --force",
            kinds[kind].name, count, length);
    c->batches = seeds;
    c->runs = seeds * (size_t)s->runs;
    return status;
}

static void forget(curves *c)
{
    fal_release(c->simulated);
    fal_release(c->solved);
    fal_release(c->difference);
    *c = (curves){0};
}

/* The largest difference up to COMPARED, of each run */
static fal_status find_difference(fal_findings *findings, const settings *s,
                                  const curves *c, const char *name)
{
    double largest = 0;
    char figure[64];
    snprintf(figure, sizeof figure, "online.%s.largest-difference", name);
    for (size_t run = 0; run < c->runs; run++)
        for (size_t t = 0; t < s->count && s->times[t] <= COMPARED * 1.001; t++)
            largest = fmax(largest, c->difference[run * s->count + t]);
    return fal_findings_figure(findings, figure, &largest, c->runs > 0);
}

static double mean_error(const double *errors, const settings *s, size_t batch,
                         size_t t)
{
    double sum = 0;
    for (size_t run = 0; run < (size_t)s->runs; run++)
        sum += errors[(batch * (size_t)s->runs + run) * s->count + t];
    return sum / s->runs;
}

/* The mean error of a part's runs over that of their equations; NAN where there is but
 * rounding left */
static double ratio_of_errors(const settings *s, const curves *c, size_t batch,
                              size_t t)
{
    double solved = mean_error(c->solved, s, batch, t);
    return solved < FAL_ONLINE_ROUNDING
               ? NAN
               : mean_error(c->simulated, s, batch, t) / solved;
}

/* At t = 10, 100, … */
static fal_status find_ratios(fal_findings *findings, const settings *s,
                              const curves *c, const char *name)
{
    double ratios[64];
    size_t batches = c->batches < 64 ? c->batches : 64;
    fal_status status = FAL_OK;
    for (size_t t = A_DECADE; t < s->count && !status; t++) {
        char figure[64];
        double tens = log10(s->times[t]);
        if (tens < .9 || fabs(tens - round(tens)) > 1e-6)
            continue;
        snprintf(figure, sizeof figure, "online.%s.ratio-t%g", name,
                 round(s->times[t]));
        for (size_t batch = 0; batch < batches; batch++)
            ratios[batch] = ratio_of_errors(s, c, batch, t);
        status = fal_findings_figure(findings, figure, ratios, batches);
    }
    return status;
}

/* bp and dfa of one response */
static fal_status plot(fal_findings *findings, const settings *s, curves c[2],
                       const char *response)
{
    static const char *const names[] = {"bp, theory", "bp, runs", "dfa, theory",
                                        "dfa, runs"};
    fal_series series[4];
    char title[96];
    snprintf(title, sizeof title, "%g %s units, N = %g", s->units, response,
             s->inputs);
    for (size_t i = 0; i < 4; i++) {
        double *errors = i % 2 ? c[i / 2].simulated : c[i / 2].solved;
        fal_online_logarithms(errors, c[i / 2].runs * s->count);
        series[i] = (fal_series){.name = names[i],
                                 .x = s->times,
                                 .count = s->count,
                                 .y = errors,
                                 .seeds = c[i / 2].runs};
    }
    const fal_plot drawn = {
        .section = "Students that learn online",
        .title = title,
        .caption =
            "Error on new samples against time (steps / N): its logarithm, mean "
            "and deviation over runs, beside the equations from the same starts.",
        .x_label = "time",
        .y_label = "log10 of the error",
        .log_x = 1,
        .series = series,
        .series_count = 4};
    return fal_findings_plot(findings, &drawn);
}

/* Of kinds first and first + 1, which are bp and dfa */
static fal_status conclude_response(fal_study *study, fal_findings *findings,
                                    size_t first)
{
    settings s = {0};
    curves c[2] = {{0}};
    fal_status status = read(study, first, &s);
    for (size_t i = 0; i < 2 && !status; i++) {
        const char *name = kinds[first + i].name;
        status = fetch(study, &s, first + i, &c[i]);
        if (!status)
            status = find_difference(findings, &s, &c[i], name);
        if (!status)
            status = find_ratios(findings, &s, &c[i], name);
    }
    if (!status)
        status = plot(findings, &s, c, kinds[first].title);
    forget(&c[0]);
    forget(&c[1]);
    fal_release(s.times);
    return status;
}

static fal_status conclude(fal_study *study, fal_findings *findings)
{
    fal_status status = FAL_OK;
    for (size_t first = 0; first < KINDS && !status; first += 2)
        status = conclude_response(study, findings, first);
    return status;
}

const fal_refinetti_chapter fal_refinetti_online = {list, run, conclude};
