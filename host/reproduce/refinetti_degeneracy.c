/* Whether one B breaks the degeneracy of solutions: networks that start from different
 * weights, and how much alike they become under dfa, beside backpropagation. All seeds
 * are one part, for they are compared with each other whenever they are looked at. */
#include "analysis/degeneracy.h"
#include "device/memory.h"
#include "reproduce/refinetti.h"
#include "reproduce/refinetti_images.h"

#include <stdio.h>
#include <string.h>

/* ---- parts --------------------------------------------------------------- */

static fal_status list_rules(fal_study *study, const char *const **rules,
                             size_t *count)
{
    return fal_study_texts(study, "degeneracy-rules", rules, count);
}

static fal_status read_setting(fal_study *study, size_t index,
                               fal_images_setting *s)
{
    const char *const *rules;
    size_t count;
    fal_status status = fal_images_read(study, s);
    if (!status)
        status = list_rules(study, &rules, &count);
    if (!status)
        s->rule = rules[index];
    return status;
}

static fal_status list_parts(fal_study *study, fal_parts *parts)
{
    const char *const *rules;
    size_t count = 0;
    fal_status status = list_rules(study, &rules, &count);
    for (size_t i = 0; i < count && !status; i++) {
        fal_images_setting s;
        status = read_setting(study, i, &s);
        if (status)
            break;
        double runs = (double)fal_refinetti_seeds(study);
        fal_part part = {.kind = FAL_REFINETTI_DEGENERACY,
                         .setting = i,
                         .seconds = runs * fal_images_seconds(&s),
                         .data = 1};
        fal_part_name(&part, "degeneracy-%s", s.rule);
        status = fal_parts_add(parts, &part);
    }
    return status;
}

/* ---- weights ------------------------------------------------------------- */

/* The weight matrices of all runs at all looks, each behind one another. */
typedef struct album {
    fal_model *model; /* of the run that goes */
    float **pages;    /* [looks][runs] */
    size_t looks, runs, run;
    size_t count; /* floats of a page */
} album;

static int is_matrix(fal_model *model, const char *name, size_t *floats)
{
    size_t shape[4], dimensions = 0, length = strlen(name), end = strlen(".weight");
    *floats = 0;
    if (fal_model_tensor_shape(model, name, shape, &dimensions) || dimensions != 2)
        return 0;
    *floats = shape[0] * shape[1];
    return length > end && strcmp(name + length - end, ".weight") == 0;
}

static size_t count_weights(fal_model *model)
{
    size_t all = 0, floats;
    for (size_t i = 0; i < fal_model_tensor_count(model); i++)
        if (is_matrix(model, fal_model_tensor_name(model, i), &floats))
            all += floats;
    return all;
}

static fal_status take_weights(void *user, size_t look)
{
    album *a = user;
    a->count = count_weights(a->model);
    float *to = fal_allocate(a->count, sizeof *to);
    a->pages[look * a->runs + a->run] = to;
    fal_status status = to ? FAL_OK : FAL_ERROR_MEMORY;
    for (size_t i = 0; i < fal_model_tensor_count(a->model) && !status; i++) {
        const char *name = fal_model_tensor_name(a->model, i);
        size_t floats;
        if (!is_matrix(a->model, name, &floats))
            continue;
        status = fal_model_tensor(a->model, name, to, floats);
        to += floats;
    }
    return status;
}

static fal_status open_album(album *a, fal_study *study,
                             const fal_images_setting *s)
{
    *a = (album){.runs = (size_t)fal_refinetti_seeds(study)};
    uint64_t *steps = fal_images_steps(s, &a->looks);
    a->pages = steps ? fal_allocate(a->looks * a->runs, sizeof *a->pages) : NULL;
    fal_release(steps);
    return a->pages ? FAL_OK : FAL_ERROR_MEMORY;
}

static void close_album(album *a)
{
    for (size_t i = 0; i < a->looks * a->runs && a->pages; i++)
        fal_release(a->pages[i]);
    fal_release(a->pages);
}

/* ---- running ------------------------------------------------------------- */

static fal_status train(fal_study *study, const fal_images_setting *s,
                        const fal_images *images, album *a, double *accuracy)
{
    fal_images_run one;
    fal_status status = fal_images_begin(&one, study, s, images, a->run);
    if (status)
        return status;
    a->model = one.model;
    one.watch.visit = take_weights;
    one.watch.user = a;
    one.watch.from = (double)a->run / (double)a->runs;
    one.watch.share = 1 / (double)a->runs;
    status = fal_watch_fit(&one.watch, images->train.data, images->test.data,
                           s->epochs);
    *accuracy = one.watch.test_accuracy;
    fal_images_end(&one);
    return status;
}

/* Of each run, its mean cosine with the others: [runs][looks] in `degeneracy`, and at
 * the end. */
static fal_status add_results(cJSON *result, const album *a, double *degeneracy,
                              double *last)
{
    fal_status status = FAL_OK;
    double mean;
    for (size_t k = 0; k < a->looks && !status; k++) {
        status = fal_degeneracy((const float *const *)&a->pages[k * a->runs],
                                a->runs, a->count, last, &mean);
        for (size_t i = 0; i < a->runs; i++)
            degeneracy[i * a->looks + k] = last[i];
    }
    if (!status)
        status = fal_result_numbers(result, "degeneracy", degeneracy,
                                    a->looks * a->runs);
    return status ? status : fal_result_numbers(result, "last", last, a->runs);
}

static fal_status run_all(fal_study *study, const fal_images_setting *s,
                          const fal_images *images, album *a, cJSON *result)
{
    double *degeneracy = fal_allocate(a->looks * a->runs, sizeof *degeneracy);
    double *each = fal_allocate(a->runs, sizeof *each);
    fal_status status = degeneracy && each ? FAL_OK : FAL_ERROR_MEMORY;
    for (a->run = 0; a->run < a->runs && !status; a->run++)
        if (!fal_study_stopped(study))
            status = train(study, s, images, a, &each[a->run]);
    if (!status)
        status = fal_result_numbers(result, "test-accuracy", each, a->runs);
    if (!status && !fal_study_stopped(study)) /* then pages lack */
        status = add_results(result, a, degeneracy, each);
    fal_release(degeneracy);
    fal_release(each);
    return status;
}

static fal_status run_part(fal_study *study, const fal_part *part, cJSON *result)
{
    fal_images_setting s;
    fal_images images = {0};
    album a = {0};
    fal_status status = read_setting(study, part->setting, &s);
    if (!status)
        status = open_album(&a, study, &s);
    if (!status)
        status = fal_images_open(&images, study, &s);
    if (!status)
        status = run_all(study, &s, &images, &a, result);
    fal_images_close(&images);
    close_album(&a);
    return status;
}

/* ---- conclusions --------------------------------------------------------- */

/* The list `member` of the one part of a rule; *values is for fal_release. */
static fal_status read_list(const fal_study *study, size_t rule, const char *member,
                            double **values, size_t *count)
{
    size_t parts = 0;
    *count = 0;
    fal_status status = fal_study_lists(study, FAL_REFINETTI_DEGENERACY, rule,
                                        member, values, &parts, count);
    if (!status && parts == 0)
        *count = 0;
    return status;
}

static fal_status add_figure(const fal_study *study, fal_findings *findings,
                             size_t rule, const char *member, const char *format,
                             const char *rule_name)
{
    double *values = NULL;
    size_t count = 0;
    char name[96];
    snprintf(name, sizeof name, format, rule_name);
    fal_status status = read_list(study, rule, member, &values, &count);
    if (!status)
        status = fal_findings_figure(findings, name, values, count);
    fal_release(values);
    return status;
}

enum { RULES = 8 };

static fal_status plot(fal_study *study, fal_findings *findings,
                       const char *const *rules, size_t rule_count)
{
    fal_series series[RULES] = {{0}};
    double *values[RULES] = {NULL};
    fal_images_setting s;
    size_t looks = 0, count = 0, used = 0;
    fal_status status = fal_images_read(study, &s);
    double *epochs = status ? NULL : fal_images_epochs(&s, &looks);
    if (!status && !epochs)
        status = FAL_ERROR_MEMORY;
    for (size_t i = 0; i < rule_count && i < RULES && !status; i++) {
        status = read_list(study, i, "degeneracy", &values[i], &count);
        if (!status && count > 0)
            series[used++] = (fal_series){.name = rules[i],
                                          .x = epochs,
                                          .y = values[i],
                                          .count = looks,
                                          .seeds = count / looks};
    }
    if (!status)
        status = fal_findings_plot(
            findings,
            &(fal_plot){
                .section = "Degeneracy of solutions",
                .title = "Mean cosine of the weights of two runs",
                .caption = "All weight matrices of a run are one vector; the "
                           "band is the deviation of the runs' mean cosines "
                           "with the others. Under dfa all have the same B.",
                .x_label = "epoch",
                .y_label = "degeneracy",
                .log_x = 1,
                .series = series,
                .series_count = used});
    for (size_t i = 0; i < RULES; i++)
        fal_release(values[i]);
    fal_release(epochs);
    return status;
}

static fal_status conclude(fal_study *study, fal_findings *findings)
{
    const char *const *rules;
    size_t count = 0;
    fal_status status = list_rules(study, &rules, &count);
    for (size_t i = 0; i < count && !status; i++) {
        status = add_figure(study, findings, i, "last", "degeneracy.%s", rules[i]);
        if (!status)
            status = add_figure(study, findings, i, "test-accuracy",
                                "degeneracy.%s.test-accuracy", rules[i]);
    }
    return status ? status : plot(study, findings, rules, count);
}

const fal_refinetti_chapter fal_refinetti_degeneracy = {list_parts, run_part,
                                                        conclude};
