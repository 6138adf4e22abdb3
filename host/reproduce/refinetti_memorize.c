/* Align, then memorise, layer by layer: how weights and gradients of networks on images
 * align with time under dfa, also where a share of the labels was drawn at random. */
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/curves.h"
#include "reproduce/refinetti.h"
#include "reproduce/refinetti_images.h"

#include <math.h>
#include <stdio.h>

enum { LAYERS = FAL_IMAGES_LAYERS };

/* ---- parts --------------------------------------------------------------- */

static fal_status count_settings(fal_study *study, size_t *count)
{
    const char *const *activations;
    return fal_study_texts(study, "image-activations", &activations, count);
}

/* One index of two lists. */
static fal_status read_setting(fal_study *study, size_t index,
                               fal_images_setting *s)
{
    const char *const *activations;
    const double *noise;
    size_t count, noises;
    fal_status status = fal_images_read(study, s);
    if (!status)
        status = fal_study_texts(study, "image-activations", &activations, &count);
    if (!status)
        status = fal_study_numbers(study, "image-label-noise", &noise, &noises);
    if (!status && (index >= count || index >= noises))
        status = fal_fail(FAL_ERROR_FORMAT,
                          "settings 'image-activations' and 'image-label-noise': "
                          "they need as many items as each other");
    if (status)
        return status;
    s->activation = activations[index];
    s->noise = noise[index];
    return FAL_OK;
}

static fal_status list_parts(fal_study *study, fal_parts *parts)
{
    size_t count = 0;
    fal_status status = count_settings(study, &count);
    for (size_t i = 0; i < count && !status; i++) {
        fal_images_setting s;
        status = read_setting(study, i, &s);
        for (uint64_t seed = 0; seed < fal_refinetti_seeds(study) && !status;
             seed++) {
            fal_part part = {.kind = FAL_REFINETTI_MEMORIZE,
                             .setting = i,
                             .seed = seed,
                             .seconds = fal_images_seconds(&s),
                             .data = 1};
            fal_part_name(&part, "memorize-%s-noise-%g-seed-%d", s.activation,
                          s.noise, (int)seed);
            status = fal_parts_add(parts, &part);
        }
    }
    return status;
}

/* ---- a run --------------------------------------------------------------- */

static size_t highest(const double *curve, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (curve[i] > curve[best] || isnan(curve[best]))
            best = i;
    return best;
}

/* When, in steps, a curve last passed half of its largest value on the way there;
 * between two looks by a straight line. NAN: it never rises. */
static double half_time(const double *curve, const uint64_t *steps, size_t count)
{
    size_t i = highest(curve, count);
    double half = curve[i] / 2;
    while (i > 0 && curve[i - 1] >= half)
        i--;
    if (!(half > 0) || i == 0)
        return half > 0 ? (double)steps[0] : NAN;
    double share = (half - curve[i - 1]) / (curve[i] - curve[i - 1]);
    return (double)steps[i - 1] + share * (double)(steps[i] - steps[i - 1]);
}

/* Of layers 2 … L, in epochs. */
static fal_status add_half_times(cJSON *result, const fal_watch *watch,
                                 double epoch)
{
    fal_status status = FAL_OK;
    for (size_t l = 2; l <= LAYERS && !status; l++) {
        char name[64];
        snprintf(name, sizeof name, "weight_alignment.dense%zu", l);
        const double *curve = fal_watch_values(watch, name);
        double half = curve ? half_time(curve, watch->steps, watch->count) : NAN;
        snprintf(name, sizeof name, "half-epoch.dense%zu", l);
        status = fal_result_number(result, name, half / epoch);
    }
    return status;
}

/* Of all hidden layers as one: at the end, and how far it has fallen by then. */
static fal_status add_gradient(cJSON *result, const fal_watch *watch)
{
    const double *curve = fal_watch_values(watch, "gradient_alignment.total");
    double last = curve ? curve[watch->count - 1] : NAN;
    double top = curve ? curve[highest(curve, watch->count)] : NAN;
    fal_status status = fal_result_number(result, "gradient-alignment", last);
    return status ? status : fal_result_number(result, "fall", top - last);
}

static fal_status add_results(cJSON *result, const fal_watch *watch, double epoch)
{
    fal_status status = fal_watch_result(watch, result);
    if (!status)
        status = add_half_times(result, watch, epoch);
    if (!status)
        status = add_gradient(result, watch);
    if (!status)
        status = fal_result_number(result, "test-accuracy", watch->test_accuracy);
    return status
               ? status
               : fal_result_number(result, "train-accuracy", watch->train_accuracy);
}

static fal_status run(fal_study *study, const fal_images_setting *s,
                      const fal_images *images, uint64_t seed, cJSON *result)
{
    fal_images_run one;
    fal_status status = fal_images_begin(&one, study, s, images, seed);
    if (status)
        return status;
    status = fal_watch_fit(&one.watch, images->train.data, images->test.data,
                           s->epochs);
    if (!status)
        status = add_results(result, &one.watch, (double)fal_images_epoch(s));
    fal_images_end(&one);
    return status;
}

static fal_status run_part(fal_study *study, const fal_part *part, cJSON *result)
{
    fal_images_setting s;
    fal_images images;
    fal_status status = read_setting(study, part->setting, &s);
    if (!status)
        status = fal_images_open(&images, study, &s);
    if (status)
        return status;
    status = run(study, &s, &images, part->seed, result);
    fal_images_close(&images);
    return status;
}

/* ---- conclusions --------------------------------------------------------- */

static fal_status add_figures(fal_study *study, fal_findings *findings, size_t i,
                              const fal_images_setting *s)
{
    static const char *const members[] = {"half-epoch.dense2",  "half-epoch.dense3",
                                          "half-epoch.dense4",  "half-epoch.dense5",
                                          "gradient-alignment", "fall",
                                          "test-accuracy",      "train-accuracy"};
    fal_status status = FAL_OK;
    for (size_t m = 0; m < sizeof members / sizeof *members && !status; m++) {
        char name[96];
        snprintf(name, sizeof name, "memorize.%s.noise-%g.%s", s->activation,
                 s->noise, members[m]);
        status = fal_findings_collect(findings, study, name, FAL_REFINETTI_MEMORIZE,
                                      i, members[m]);
    }
    return status;
}

/* Of one setting, a line for each layer. */
static fal_status plot_layers(fal_study *study, fal_findings *findings, size_t i,
                              const fal_images_setting *s, const double *epochs,
                              size_t count)
{
    fal_curves curves = {0};
    char title[64], member[64];
    snprintf(title, sizeof title, "%s, label noise %g", s->activation, s->noise);
    for (size_t l = 2; l <= LAYERS; l++) {
        snprintf(member, sizeof member, "weight_alignment.dense%zu", l);
        fal_curves_add(&curves, study, FAL_REFINETTI_MEMORIZE, i, member, epochs,
                       count, "dense%zu", l);
    }
    return fal_curves_plot(
        &curves, findings,
        (fal_plot){
            .section = i ? NULL
                         : "Align, then memorise: weight alignment of layers",
            .title = title,
            .x_label = "epoch",
            .y_label = "weight_alignment",
            .log_x = 1});
}

/* Of all settings, all hidden layers as one. */
static fal_status plot_gradients(fal_study *study, fal_findings *findings,
                                 size_t settings, const double *epochs,
                                 size_t count)
{
    fal_curves curves = {0};
    for (size_t i = 0; i < settings && !curves.status; i++) {
        fal_images_setting s;
        curves.status = read_setting(study, i, &s);
        if (!curves.status)
            fal_curves_add(&curves, study, FAL_REFINETTI_MEMORIZE, i,
                           "gradient_alignment.total", epochs, count,
                           "%s, noise %g", s.activation, s.noise);
    }
    return fal_curves_plot(&curves, findings,
                           (fal_plot){.title = "Gradient alignment",
                                      .x_label = "epoch",
                                      .y_label = "gradient_alignment.total",
                                      .log_x = 1});
}

static fal_status plot(fal_study *study, fal_findings *findings, size_t settings)
{
    fal_images_setting s;
    size_t count = 0;
    fal_status status = fal_images_read(study, &s);
    if (status)
        return status;
    double *epochs = fal_images_epochs(&s, &count);
    status = epochs ? FAL_OK : FAL_ERROR_MEMORY;
    for (size_t i = 0; i < settings && !status; i++) {
        status = read_setting(study, i, &s);
        if (!status)
            status = plot_layers(study, findings, i, &s, epochs, count);
    }
    if (!status)
        status = plot_gradients(study, findings, settings, epochs, count);
    fal_release(epochs);
    return status;
}

static fal_status conclude(fal_study *study, fal_findings *findings)
{
    size_t count = 0;
    fal_status status = count_settings(study, &count);
    for (size_t i = 0; i < count && !status; i++) {
        fal_images_setting s;
        status = read_setting(study, i, &s);
        if (!status)
            status = add_figures(study, findings, i, &s);
    }
    return status ? status : plot(study, findings, count);
}

const fal_refinetti_chapter fal_refinetti_memorize = {list_parts, run_part,
                                                      conclude};
