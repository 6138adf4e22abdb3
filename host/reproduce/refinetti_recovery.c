/* Students of relu units whose feedback has random signs: under dfa the weights of an
 * output take the sign of their feedback, and the teacher's are 1, so that a student
 * needs as many units of positive feedback as its teacher has. */
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/online.h"
#include "reproduce/refinetti.h"

#include <math.h>
#include <stdio.h>

enum { TEACHERS = 2, A_DECADE = 8 };
static const double FIRST_TIME = 1, RECOVERED = 1e-3;

/* ---- settings ------------------------------------------------------------- */

typedef struct settings {
    double inputs, runs, rate, end;
    const double *students; /* [kinds] */
    size_t kinds;
    double *times; /* [count] */
    size_t count;
} settings;

static fal_status read(fal_study *study, settings *s)
{
    const struct {
        const char *name;
        double *value;
    } numbers[] = {{"recovery-inputs", &s->inputs},
                   {"recovery-runs", &s->runs},
                   {"online-rate", &s->rate},
                   {"recovery-end", &s->end}};
    fal_status status = fal_study_numbers(study, "recovery-students", &s->students,
                                          &s->kinds);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !status; i++)
        status = fal_study_number(study, numbers[i].name, numbers[i].value);
    if (status)
        return status;
    s->times = fal_online_times(FIRST_TIME, s->end, A_DECADE, &s->count);
    return s->times ? FAL_OK : FAL_ERROR_MEMORY;
}

static fal_teacher_student describe(const settings *s, size_t kind)
{
    return (fal_teacher_student){.response = FAL_RESPONSE_RELU,
                                 .direct = 1,
                                 .inputs = (size_t)s->inputs,
                                 .students = (size_t)s->students[kind],
                                 .teachers = TEACHERS,
                                 .rate = s->rate};
}

static fal_status list(fal_study *study, fal_parts *parts)
{
    settings s = {0};
    fal_status status = read(study, &s);
    for (size_t kind = 0; kind < s.kinds && !status; kind++)
        for (uint64_t seed = 0; seed < fal_study_seeds(study) && !status; seed++) {
            const fal_teacher_student is = describe(&s, kind);
            fal_part part = {
                .kind = FAL_REFINETTI_RECOVERY,
                .setting = kind,
                .seed = seed,
                .seconds = fal_online_seconds(&is, (size_t)s.runs, s.end)};
            fal_part_name(&part, "recovery-students-%g-seed-%d", s.students[kind],
                          (int)seed);
            status = fal_parts_add(parts, &part);
        }
    fal_release(s.times);
    return status;
}

/* ---- a part: many students ------------------------------------------------ */

/* Errors [runs][count], and how many units of each run have positive feedback */
typedef struct students {
    double *errors, *positive;
} students;

static fal_status look(fal_online *o, size_t time, size_t run, void *user)
{
    students *all = user;
    all->positive[run] = 0;
    for (size_t k = 0; k < o->is.students; k++)
        all->positive[run] += o->order.feedback[k] > 0;
    all->errors[run * o->count + time] = fal_order_error(&o->order);
    return FAL_OK;
}

/* Shares that recovered: of all; of those with fewer positive ones than the teacher
 * has units; of the others. NAN where there are none. */
static fal_status put(const fal_online *o, const students *all, cJSON *result)
{
    double count[2] = {0}, recovered[2] = {0};
    for (size_t run = 0; run < o->runs; run++) {
        int enough = all->positive[run] >= TEACHERS;
        count[enough]++;
        recovered[enough] += all->errors[(run + 1) * o->count - 1] < RECOVERED;
    }
    double share = (recovered[0] + recovered[1]) / (double)o->runs;
    fal_status status = fal_result_number(result, "share", share);
    if (!status)
        status = fal_result_number(result, "share-of-fewer",
                                   recovered[0] / count[0]);
    if (!status)
        status = fal_result_number(result, "share-of-enough",
                                   recovered[1] / count[1]);
    if (!status)
        status = fal_result_numbers(result, "positive", all->positive, o->runs);
    return status ? status
                  : fal_result_numbers(result, "errors", all->errors,
                                       o->runs * o->count);
}

/* No two students of one experiment have the same */
static uint64_t first_seed(const settings *s, const fal_part *part)
{
    return 1 + (part->seed * s->kinds + part->setting) * (uint64_t)s->runs;
}

static fal_status run(fal_study *study, const fal_part *part, cJSON *result)
{
    settings s = {0};
    fal_status status = read(study, &s);
    if (status)
        return status;
    fal_online online = {.study = study,
                         .is = describe(&s, part->setting),
                         .runs = (size_t)s.runs,
                         .first_seed = first_seed(&s, part),
                         .random_signs = 1,
                         .times = s.times,
                         .count = s.count};
    students all = {fal_allocate(online.runs * s.count, sizeof(double)),
                    fal_allocate(online.runs, sizeof(double))};
    status = all.errors && all.positive ? fal_online_begin(&online)
                                        : FAL_ERROR_MEMORY;
    if (!status)
        status = fal_online_run(&online, look, &all);
    if (!status)
        status = put(&online, &all, result);
    fal_online_release(&online);
    fal_release(all.errors);
    fal_release(all.positive);
    fal_release(s.times);
    return status;
}

/* ---- what follows --------------------------------------------------------- */

/* That at least M of K signs are positive: 2^-K times the sum of C(K, k), k <= K - M */
static double probability(double units)
{
    double sum = 0, ways = 1;
    for (int k = 0; k <= (int)units - TEACHERS; k++) {
        sum += ways;
        ways *= (units - k) / (k + 1);
    }
    return sum / pow(2, units);
}

static fal_status find_shares(fal_study *study, fal_findings *findings,
                              const settings *s)
{
    static const char *const members[] = {"share", "share-of-fewer",
                                          "share-of-enough"};
    fal_status status = FAL_OK;
    for (size_t i = 0; i < 3 * s->kinds && !status; i++) {
        char name[64];
        snprintf(name, sizeof name, "recovery.students-%g.%s", s->students[i / 3],
                 members[i % 3]);
        status = fal_findings_collect(findings, study, name, FAL_REFINETTI_RECOVERY,
                                      i / 3, members[i % 3]);
    }
    return status;
}

enum { MOST_KINDS = 16, MOST_PARTS = 64 };

/* Shares measured and expected, against K */
static fal_status plot_shares(fal_study *study, fal_findings *findings,
                              const settings *s)
{
    double expected[MOST_KINDS], measured[MOST_PARTS * MOST_KINDS];
    size_t kinds = s->kinds < MOST_KINDS ? s->kinds : MOST_KINDS,
           parts = MOST_PARTS;
    fal_status status = FAL_OK;
    for (size_t i = 0; i < MOST_PARTS * MOST_KINDS; i++)
        measured[i] = NAN;
    for (size_t kind = 0; kind < kinds && !status; kind++) {
        double *values = NULL;
        size_t count = 0;
        status = fal_study_values(study, FAL_REFINETTI_RECOVERY, kind, "share",
                                  &values, &count);
        expected[kind] = probability(s->students[kind]);
        for (size_t i = 0; i < count && i < MOST_PARTS; i++)
            measured[i * kinds + kind] = values[i];
        parts = count < parts ? count : parts;
        fal_release(values);
    }
    const fal_series series[] = {{.name = "expected",
                                  .x = s->students,
                                  .count = kinds,
                                  .y = expected,
                                  .seeds = 1},
                                 {.name = "measured",
                                  .x = s->students,
                                  .count = kinds,
                                  .y = measured,
                                  .seeds = parts}};
    const fal_plot plot = {
        .section = "Which relu students recover",
        .title = "Share of students that recover their teacher",
        .caption = "Teachers of 2 units; expected is the probability that at least "
                   "2 of K signs are positive. The band is over sets of students.",
        .x_label = "units of the student, K",
        .y_label = "share",
        .series = series,
        .series_count = 2,
        .low = 0,
        .high = 1};
    return status ? status : fal_findings_plot(findings, &plot);
}

/* Rows of `from` [runs][count] where there are enough positive ones, or too few */
static size_t choose(const double *from, const double *positive, size_t runs,
                     size_t count, int enough, double *to)
{
    size_t chosen = 0;
    for (size_t run = 0; run < runs; run++) {
        if ((positive[run] >= TEACHERS) != enough)
            continue;
        for (size_t t = 0; t < count; t++)
            to[chosen * count + t] = from[run * count + t];
        chosen++;
    }
    return chosen;
}

static fal_status plot_chosen(fal_findings *findings, const settings *s,
                              size_t kind, const double *errors,
                              const double *positive, size_t runs)
{
    static const char *const names[] = {"< 2 positive", "≥ 2 positive"};
    double *chosen = fal_allocate(2 * runs * s->count, sizeof *chosen);
    fal_series series[2];
    char title[64];
    if (!chosen)
        return FAL_ERROR_MEMORY;
    snprintf(title, sizeof title, "Errors of students of %g relu units",
             s->students[kind]);
    for (int i = 0; i < 2; i++) {
        double *to = chosen + (size_t)i * runs * s->count;
        series[i] = (fal_series){
            .name = names[i], .x = s->times, .count = s->count, .y = to};
        series[i].seeds = choose(errors, positive, runs, s->count, i, to);
        fal_online_logarithms(to, series[i].seeds * s->count);
    }
    const fal_plot plot = {
        .title = title,
        .caption = "By the signs of their feedback: the logarithm, "
                   "mean and deviation over students.",
        .x_label = "time",
        .y_label = "log10 of the error",
        .log_x = 1,
        .series = series,
        .series_count = 2};
    fal_status status = fal_findings_plot(findings, &plot);
    fal_release(chosen);
    return status;
}

static fal_status plot_errors(fal_study *study, fal_findings *findings,
                              const settings *s)
{
    const size_t kind = s->kinds / 2;
    double *errors = NULL, *positive = NULL;
    size_t seeds = 0, count = 0, runs = 0;
    fal_status status = fal_study_lists(study, FAL_REFINETTI_RECOVERY, kind,
                                        "errors", &errors, &seeds, &count);
    if (!status)
        status = fal_study_lists(study, FAL_REFINETTI_RECOVERY, kind, "positive",
                                 &positive, &seeds, &runs);
    if (!status && count == runs * s->count)
        status = plot_chosen(findings, s, kind, errors, positive, seeds * runs);
    fal_release(errors);
    fal_release(positive);
    return status;
}

static fal_status conclude(fal_study *study, fal_findings *findings)
{
    settings s = {0};
    fal_status status = read(study, &s);
    if (!status)
        status = find_shares(study, findings, &s);
    if (!status)
        status = plot_shares(study, findings, &s);
    if (!status)
        status = plot_errors(study, findings, &s);
    fal_release(s.times);
    return status;
}

const fal_refinetti_chapter fal_refinetti_recovery = {list, run, conclude};
