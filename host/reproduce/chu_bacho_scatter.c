/* The figures and plots of the images: accuracy beside alignment. */
#include "device/memory.h"
#include "reproduce/chu_bacho.h"

#include <stdio.h>

/* accuracy of both rules; bp is aligned with itself */
static fal_status add_figures(fal_study *study, fal_findings *findings)
{
    static const struct {
        const char *ending, *member;
    } of[] = {{"accuracy", "accuracy"},
              {"alignment", "alignment"},
              {"update-alignment", "update_alignment"},
              {"output-alignment", "output_alignment"}};
    fal_status status = FAL_OK;
    for (size_t i = 0; i < 2 * chu_image_net_count && !status; i++)
        for (size_t m = 0; m < (i % 2 ? 1 : 4) && !status; m++) {
            char name[64];
            snprintf(name, sizeof name, "%s-%s-%s", chu_image_nets[i / 2].name,
                     i % 2 ? "bp" : "fa", of[m].ending);
            status = fal_findings_collect(findings, study, name, CHU_IMAGES, i,
                                          of[m].member);
        }
    return status;
}

enum { NETS = 8 };

/* Of every network a point a seed: upwards the accuracy of fa, to the right a number of
 * fa or, with bp = 1, of bp on the same network. */
static fal_status plot_points(fal_study *study, fal_findings *findings, size_t bp,
                              const char *member, fal_plot plot)
{
    double *x[NETS] = {NULL}, *y[NETS] = {NULL};
    fal_series series[NETS];
    fal_status status = FAL_OK;
    for (size_t i = 0; i < chu_image_net_count && i < NETS && !status; i++) {
        size_t across = 0, count = 0;
        status = fal_study_values(study, CHU_IMAGES, 2 * i + bp, member, &x[i],
                                  &across);
        if (!status)
            status = fal_study_values(study, CHU_IMAGES, 2 * i, "accuracy", &y[i],
                                      &count);
        if (!status && count > 0 && count == across)
            series[plot.series_count++] = (fal_series){
                chu_image_nets[i].label, x[i], count, y[i], 1, 1};
    }
    plot.series = series;
    if (!status && plot.series_count > 0)
        status = fal_findings_plot(findings, &plot);
    for (size_t i = 0; i < NETS; i++) {
        fal_release(x[i]);
        fal_release(y[i]);
    }
    return status;
}

static const fal_plot alignment_plot = {
    .section = "Accuracy beside alignment",
    .title = "fa: test accuracy and gradient alignment",
    .caption =
        "A point a run. One unit in the way keeps a network from learning much "
        "however it aligns; one that starts from large weights hardly aligns.",
    .x_label = "gradient alignment at the end",
    .y_label = "test accuracy"};

static const fal_plot rules_plot = {
    .title = "fa and bp on the same network",
    .caption = "A point a seed, both from the same weights.",
    .x_label = "test accuracy of bp",
    .y_label = "test accuracy of fa"};

fal_status chu_conclude_images(fal_study *study, fal_findings *findings)
{
    fal_status status = add_figures(study, findings);
    if (!status)
        status = plot_points(study, findings, 0, "alignment", alignment_plot);
    return status ? status
                  : plot_points(study, findings, 1, "accuracy", rules_plot);
}
