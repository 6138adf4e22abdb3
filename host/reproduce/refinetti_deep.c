/* Deep linear networks from zero weights: the trainer learns by dfa, and the alignment
 * matrices A_l follow beside it in double from the inputs and the errors that it saw.
 * How well layers 2 … L are aligned is set against how well A_l is conditioned. The
 * teacher y = x T has singular values from 1 down to 1/spread in equal ratios: the
 * further apart, the worse A_l is conditioned. */
#include "analysis/deep_linear.h"
#include "analysis/rank.h"
#include "data/random.h"
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/refinetti.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LAYERS = 4, INPUTS = 20, OUTPUTS = 4, SAMPLES = 100 };
static const size_t units[LAYERS] = {50, 50, 50, OUTPUTS};
static const double rate = .02;

/* ---- parts --------------------------------------------------------------- */

static fal_status list_parts(fal_study *study, fal_parts *parts)
{
    const double *spreads;
    size_t count = 0;
    fal_status status = fal_study_numbers(study, "deep-spreads", &spreads, &count);
    for (size_t i = 0; i < count && !status; i++)
        for (uint64_t seed = 0; seed < fal_refinetti_seeds(study) && !status;
             seed++) {
            fal_part part = {.kind = FAL_REFINETTI_DEEP,
                             .setting = i,
                             .seed = seed,
                             .seconds = .3};
            fal_part_name(&part, "deep-spread-%g-seed-%d", spreads[i], (int)seed);
            status = fal_parts_add(parts, &part);
        }
    return status;
}

/* ---- the task ------------------------------------------------------------ */

typedef struct deep_task {
    float x[SAMPLES * INPUTS], y[SAMPLES * OUTPUTS];
    fal_arrays arrays;
} deep_task;

/* columns [rows][columns], at least as many rows, to orthonormal ones: Gram and
 * Schmidt, twice, so that rounding leaves them so. */
static void orthonormalize(double *matrix, size_t rows, size_t columns)
{
    for (size_t c = 0; c < columns; c++) {
        double length = 0;
        for (size_t k = 0; k < 2 * c; k++) {
            double inner = 0;
            for (size_t r = 0; r < rows; r++)
                inner += matrix[r * columns + c] * matrix[r * columns + k % c];
            for (size_t r = 0; r < rows; r++)
                matrix[r * columns + c] -= inner * matrix[r * columns + k % c];
        }
        for (size_t r = 0; r < rows; r++)
            length += matrix[r * columns + c] * matrix[r * columns + c];
        for (size_t r = 0; r < rows; r++)
            matrix[r * columns + c] /= sqrt(length);
    }
}

static void draw(double *values, size_t count, uint64_t seed, uint32_t purpose,
                 uint32_t which)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (double)fal_random_gaussian(seed, purpose, which, 0, i, 1);
}

/* T = U diag(1 … 1/spread) V^T */
static void make_teacher(uint64_t seed, double spread, double *teacher)
{
    double left[INPUTS * OUTPUTS], right[OUTPUTS * OUTPUTS];
    draw(left, INPUTS * OUTPUTS, seed, FAL_PURPOSE_TEACHER, 0);
    draw(right, OUTPUTS * OUTPUTS, seed, FAL_PURPOSE_TEACHER, 1);
    orthonormalize(left, INPUTS, OUTPUTS);
    orthonormalize(right, OUTPUTS, OUTPUTS);
    memset(teacher, 0, INPUTS * OUTPUTS * sizeof *teacher);
    for (size_t k = 0; k < OUTPUTS; k++)
        for (size_t i = 0; i < INPUTS; i++)
            for (size_t o = 0; o < OUTPUTS; o++)
                teacher[i * OUTPUTS + o] += left[i * OUTPUTS + k] *
                                            right[o * OUTPUTS + k] *
                                            pow(spread, -(double)k / (OUTPUTS - 1));
}

/* White inputs: x^T x = n I, so that the teacher alone decides. */
static void make_task(deep_task *t, uint64_t seed, double spread)
{
    double x[SAMPLES * INPUTS], teacher[INPUTS * OUTPUTS];
    draw(x, SAMPLES * INPUTS, seed, FAL_PURPOSE_SAMPLE, 0);
    orthonormalize(x, SAMPLES, INPUTS);
    make_teacher(seed, spread, teacher);
    for (size_t r = 0; r < SAMPLES; r++)
        for (size_t o = 0; o < OUTPUTS; o++) {
            double sum = 0;
            for (size_t i = 0; i < INPUTS; i++)
                sum += x[r * INPUTS + i] * teacher[i * OUTPUTS + o];
            t->y[r * OUTPUTS + o] = (float)(sum * sqrt(SAMPLES));
        }
    for (size_t i = 0; i < SAMPLES * INPUTS; i++)
        t->x[i] = (float)(x[i] * sqrt(SAMPLES));
    t->arrays = (fal_arrays)FAL_ARRAYS;
    t->arrays.count = SAMPLES;
    t->arrays.channels = INPUTS;
    t->arrays.inputs = t->x;
    t->arrays.targets = t->y;
    t->arrays.outputs = OUTPUTS;
}

/* ---- the network, twice -------------------------------------------------- */

typedef struct twins {
    fal_model *model;
    fal_trainer *trainer;
    fal_deep_linear net;
} twins;

static fal_status make_trainer(fal_study *study, uint64_t seed, twins *t)
{
    fal_device *device;
    fal_model_options zero = FAL_MODEL_OPTIONS;
    fal_trainer_options options = FAL_TRAINER_OPTIONS;
    zero.weight_law = "zero";
    options.rule = "dfa";
    options.optimizer = "sgd";
    options.momentum = 0;
    options.loss = "mse";
    options.learning_rate = rate;
    options.schedule = "constant";
    options.batch = SAMPLES;
    options.feedback_seed = seed;
    fal_status status = fal_study_device(study, &device);
    if (!status)
        status = fal_model_create(&t->model, device,
                                  "input 20, dense 50 nobias, dense 50 nobias, "
                                  "dense 50 nobias, dense 4 nobias",
                                  &zero);
    return status ? status : fal_trainer_create(&t->trainer, t->model, &options);
}

/* The recursion, with the trainer's B. */
static fal_status make_net(twins *t)
{
    enum { LARGEST = OUTPUTS * 50 };
    float own[LARGEST];
    double feedback[LAYERS - 1][LARGEST];
    const double *all[LAYERS - 1];
    fal_status status = FAL_OK;
    for (size_t l = 0; l + 1 < LAYERS && !status; l++) {
        char name[32];
        snprintf(name, sizeof name, "dense%zu.feedback", l + 1);
        status = fal_trainer_tensor(t->trainer, name, own, OUTPUTS * units[l]);
        for (size_t i = 0; i < OUTPUTS * units[l]; i++)
            feedback[l][i] = (double)own[i];
        all[l] = feedback[l];
    }
    return status ? status
                  : fal_deep_linear_make(&t->net, INPUTS, LAYERS, units, all);
}

/* One step of both, on all samples. */
static fal_status step(twins *t, const deep_task *task)
{
    float found[SAMPLES * OUTPUTS];
    double e[SAMPLES * OUTPUTS], x[SAMPLES * INPUTS];
    fal_status status = fal_trainer_step(t->trainer, &task->arrays, NULL);
    if (!status)
        status = fal_trainer_tensor(t->trainer, "dense4.delta", found,
                                    SAMPLES * OUTPUTS);
    for (size_t i = 0; i < SAMPLES * OUTPUTS && !status; i++)
        e[i] = (double)found[i];
    for (size_t i = 0; i < SAMPLES * INPUTS; i++)
        x[i] = (double)task->x[i];
    return status ? status : fal_deep_linear_step(&t->net, x, e, SAMPLES, rate);
}

static void release(twins *t)
{
    fal_deep_linear_release(&t->net);
    fal_trainer_destroy(t->trainer);
    fal_model_destroy(t->model);
}

/* ---- results ------------------------------------------------------------- */

/* By layer, from 2 to L. */
typedef struct finding {
    double conditioning[LAYERS - 1], alignment[LAYERS - 1];
    double apart; /* of the trainer's weights from the recursion's, by their norm */
} finding;

static int on_metric(const fal_metric *metric, void *user)
{
    finding *f = user;
    size_t number = 0;
    int is_layer = sscanf(metric->layer, "dense%zu", &number) == 1;
    if (is_layer && strcmp(metric->name, "weight_alignment") == 0)
        f->alignment[number - 2] = metric->value;
    return 0;
}

/* |W - W'|/|W'|, W' [in][out] the recursion's. */
static fal_status compare_layer(const twins *t, size_t number, double *apart)
{
    enum { LARGEST = 50 * 50 };
    float w[LARGEST];
    double own[LARGEST], off = 0, size = 0;
    char name[32];
    size_t in = number == 1 ? INPUTS : units[number - 2], out = units[number - 1];
    snprintf(name, sizeof name, "dense%zu.weight", number);
    fal_status status = fal_model_tensor(t->model, name, w, in * out);
    if (!status)
        status = fal_deep_linear_weight(&t->net, number, own);
    for (size_t i = 0; i < in * out && !status; i++) {
        double difference = (double)w[i % out * in + i / out] - own[i];
        off += difference * difference;
        size += own[i] * own[i];
    }
    *apart = sqrt(off / size);
    return status;
}

/* Built without LAPACK, there is none. */
static fal_status find_conditioning(const fal_deep_linear *net, size_t number,
                                    double *conditioning)
{
    *conditioning = NAN;
    return fal_has_ranks() ? fal_deep_linear_conditioning(net, number, conditioning)
                           : FAL_OK;
}

static fal_status find(const twins *t, const deep_task *task, finding *f)
{
    fal_status status = fal_trainer_measure(t->trainer, &task->arrays, on_metric,
                                            f);
    f->apart = 0;
    for (size_t l = 1; l <= LAYERS && !status; l++) {
        double apart = 0;
        status = compare_layer(t, l, &apart);
        f->apart = fmax(f->apart, apart);
        if (!status && l > 1)
            status = find_conditioning(&t->net, l, &f->conditioning[l - 2]);
    }
    return status;
}

static fal_status add_results(cJSON *result, const finding *f)
{
    fal_status status = fal_result_numbers(result, "conditioning", f->conditioning,
                                           LAYERS - 1);
    if (!status)
        status = fal_result_numbers(result, "weight-alignment", f->alignment,
                                    LAYERS - 1);
    return status ? status : fal_result_number(result, "apart", f->apart);
}

static fal_status train(fal_study *study, twins *t, const deep_task *task,
                        uint64_t steps)
{
    fal_status status = FAL_OK;
    for (uint64_t i = 0; i < steps && !status && !fal_study_stopped(study); i++) {
        status = step(t, task);
        if (i % 64 == 0)
            fal_study_progress(study, (double)i / (double)steps);
    }
    return status;
}

static fal_status run_part(fal_study *study, const fal_part *part, cJSON *result)
{
    const double *spreads;
    size_t count;
    double steps = 0;
    twins t = {0};
    finding f = {0};
    deep_task *task = fal_allocate(1, sizeof *task);
    fal_status status = task ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status)
        status = fal_study_numbers(study, "deep-spreads", &spreads, &count);
    if (!status)
        status = fal_study_number(study, "deep-steps", &steps);
    if (!status) {
        make_task(task, part->seed + 1, spreads[part->setting]);
        status = make_trainer(study, part->seed + 1, &t);
    }
    if (!status)
        status = make_net(&t);
    if (!status)
        status = train(study, &t, task, (uint64_t)steps);
    if (!status)
        status = find(&t, task, &f);
    if (!status)
        status = add_results(result, &f);
    release(&t);
    fal_release(task);
    return status;
}

/* ---- conclusions --------------------------------------------------------- */

/* All runs: [layer][spread][seed], and how far each run's weights are from A_l's. */
typedef struct table {
    const double *spreads;
    size_t spread_count, seeds;
    double *conditioning, *alignment;
} table;

static size_t place(const table *t, size_t layer, size_t spread, size_t seed)
{
    return (layer * t->spread_count + spread) * t->seeds + seed;
}

/* `list` of the parts of a setting, [seed][layer], to its places. */
static fal_status take(const fal_study *study, const table *t, size_t spread,
                       const char *member, double *to)
{
    double *list = NULL;
    size_t seeds = 0, count = 0;
    fal_status status = fal_study_lists(study, FAL_REFINETTI_DEEP, spread, member,
                                        &list, &seeds, &count);
    for (size_t s = 0; s < seeds && s < t->seeds && !status; s++)
        for (size_t l = 0; l < count && l < LAYERS - 1; l++)
            to[place(t, l, spread, s)] = list[s * count + l];
    fal_release(list);
    return status;
}

static fal_status read_table(fal_study *study, table *t)
{
    t->seeds = (size_t)fal_refinetti_seeds(study);
    fal_status status = fal_study_numbers(study, "deep-spreads", &t->spreads,
                                          &t->spread_count);
    size_t room = (LAYERS - 1) * t->spread_count * t->seeds;
    if (!status) {
        t->conditioning = fal_allocate(room, sizeof *t->conditioning);
        t->alignment = fal_allocate(room, sizeof *t->alignment);
        status = t->conditioning && t->alignment ? FAL_OK : FAL_ERROR_MEMORY;
    }
    for (size_t i = 0; i < t->spread_count && !status; i++) {
        status = take(study, t, i, "conditioning", t->conditioning);
        if (!status)
            status = take(study, t, i, "weight-alignment", t->alignment);
    }
    return status;
}

static fal_status add_figures(fal_findings *findings, const table *t)
{
    fal_status status = FAL_OK;
    char name[64];
    for (size_t l = 0; l + 1 < LAYERS; l++)
        for (size_t i = 0; i < t->spread_count && !status; i++) {
            size_t at = place(t, l, i, 0);
            snprintf(name, sizeof name, "conditioning.spread-%g.dense%zu",
                     t->spreads[i], l + 2);
            status = fal_findings_figure(findings, name, t->conditioning + at,
                                         t->seeds);
            snprintf(name, sizeof name, "deep.spread-%g.dense%zu.weight-alignment",
                     t->spreads[i], l + 2);
            if (!status)
                status = fal_findings_figure(findings, name, t->alignment + at,
                                             t->seeds);
        }
    return status;
}

/* Of the point `at` among `count`, which lie `stride` apart; from 0. */
static double rank_of(const double *values, size_t count, size_t stride, size_t at)
{
    double rank = 0;
    for (size_t i = 0; i < count; i++)
        if (i != at)
            rank += values[i * stride] < values[at * stride]    ? 1
                    : values[i * stride] == values[at * stride] ? .5
                                                                : 0;
    return rank;
}

/* Spearman's: of ranks, whatever the curve. */
static double rank_correlation(const double *x, const double *y, size_t count,
                               size_t stride)
{
    double xy = 0, xx = 0, yy = 0, middle = ((double)count - 1) / 2;
    for (size_t i = 0; i < count; i++) {
        double a = rank_of(x, count, stride, i) - middle;
        double b = rank_of(y, count, stride, i) - middle;
        xy += a * b, xx += a * a, yy += b * b;
    }
    return xy / sqrt(xx * yy);
}

/* One a seed, over all layers and teachers. */
static fal_status add_correlation(fal_findings *findings, const table *t)
{
    double *values = fal_allocate(t->seeds, sizeof *values);
    if (!values)
        return FAL_ERROR_MEMORY;
    for (size_t s = 0; s < t->seeds; s++)
        values[s] = rank_correlation(t->conditioning + s, t->alignment + s,
                                     (LAYERS - 1) * t->spread_count, t->seeds);
    fal_status status = fal_findings_figure(findings, "deep.rank-correlation",
                                            values, t->seeds);
    fal_release(values);
    return status;
}

static fal_status plot(fal_findings *findings, const table *t)
{
    fal_series series[LAYERS - 1];
    char names[LAYERS - 1][32];
    size_t count = t->spread_count * t->seeds;
    for (size_t l = 0; l + 1 < LAYERS; l++) {
        snprintf(names[l], sizeof names[l], "dense%zu", l + 2);
        series[l] = (fal_series){.name = names[l],
                                 .x = t->conditioning + place(t, l, 0, 0),
                                 .y = t->alignment + place(t, l, 0, 0),
                                 .count = count,
                                 .seeds = 1,
                                 .points = 1};
    }
    return fal_findings_plot(
        findings,
        &(fal_plot){.section = "Deep linear networks: conditioning and alignment",
                    .title = "Weight alignment against conditioning",
                    .caption = "Each point is a layer of one run. A_l is what the "
                               "layer's weights are made of: W_l = B_{l-1}^T A_l "
                               "B_l.",
                    .x_label = "condition number of A_l",
                    .y_label = "weight_alignment",
                    .log_x = 1,
                    .series = series,
                    .series_count = LAYERS - 1});
}

static fal_status conclude(fal_study *study, fal_findings *findings)
{
    table t = {0};
    fal_status status = read_table(study, &t);
    if (!status)
        status = add_figures(findings, &t);
    if (!status)
        status = add_correlation(findings, &t);
    if (!status)
        status = plot(findings, &t);
    for (size_t i = 0; i < t.spread_count && !status; i++) {
        char name[64];
        snprintf(name, sizeof name, "deep.spread-%g.apart", t.spreads[i]);
        status = fal_findings_collect(findings, study, name, FAL_REFINETTI_DEEP, i,
                                      "apart");
    }
    fal_release(t.conditioning);
    fal_release(t.alignment);
    return status;
}

const fal_refinetti_chapter fal_refinetti_deep = {list_parts, run_part, conclude};
