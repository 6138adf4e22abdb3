/* The figures and plots of the small networks. */
#include "device/memory.h"
#include "reproduce/chu_bacho.h"

#include <math.h>

/* ---- figures ------------------------------------------------------------- */

/* A figure that is a number of every part. */
struct number {
    const char *name, *member;
    chu_kind kind;
    size_t setting;
};

static const struct number numbers[] = {
    {"minimum-loss", "start_loss", CHU_ESCAPE, 0},
    {"return-loss", "end_loss", CHU_ESCAPE, 0},
    {"opposed-units", "opposed", CHU_ESCAPE, 0},
    {"unstable-directions", "start_unstable", CHU_ESCAPE, 0},
    {"unstable-cosine", "start_cosine", CHU_ESCAPE, 0},
    {"minimum-q-negative", "start_q_negative", CHU_ESCAPE, 0},
    {"farthest", "farthest", CHU_ESCAPE, 0},
    {"return-opposed-units", "end_opposed", CHU_ESCAPE, 0},
    {"return-unstable-directions", "end_unstable", CHU_ESCAPE, 0},
    {"return-cosine", "end_cosine", CHU_ESCAPE, 0},
    {"return-q-negative", "end_q_negative", CHU_ESCAPE, 0},
    {"stays-unstable-directions", "start_unstable", CHU_ESCAPE, 1},
    {"stays-q-negative", "start_q_negative", CHU_ESCAPE, 1},
    {"stays-farthest", "farthest", CHU_ESCAPE, 1},
    {"all-wrong-loss", "end_loss", CHU_ESCAPE, CHU_ALL_WRONG},
    {"all-wrong-farthest", "farthest", CHU_ESCAPE, CHU_ALL_WRONG},
    {"all-wrong-opposed-units", "end_opposed", CHU_ESCAPE, CHU_ALL_WRONG},
    {"all-wrong-unstable-directions", "start_unstable", CHU_ESCAPE, CHU_ALL_WRONG},
    {"zero-loss", "loss", CHU_ZERO, 0},
    {"zero-eigenvalues", "zero", CHU_ZERO, 0},
    {"zero-unstable-directions", "unstable", CHU_ZERO, 0},
    {"outputs-bp-gradient", "bp_gradient", CHU_OUTPUTS, 0},
    {"outputs-bp-update", "bp_update", CHU_OUTPUTS, 0},
    {"outputs-fa-gradient", "fa_gradient", CHU_OUTPUTS, 0},
    {"outputs-fa-update", "fa_update", CHU_OUTPUTS, 0},
    {"outputs-bp-loss", "bp_loss", CHU_OUTPUTS, 0},
    {"outputs-fa-loss", "fa_loss", CHU_OUTPUTS, 0},
};

/* 1 where the two members of a part differ by at most a share of the second, else 0. */
struct match {
    const char *name, *member, *other;
    double share;
    chu_kind kind;
};

static const struct match matches[] = {
    {"count-exact", "start_unstable", "start_expected", 0, CHU_ESCAPE},
    {"same-loss", "end_loss", "start_loss", 1e-3, CHU_ESCAPE},
    {"zero-count-exact", "zero", "zero_expected", 0, CHU_ZERO},
};

static fal_status add_match(fal_study *study, fal_findings *findings,
                            const struct match *m)
{
    double *values = NULL, *others = NULL;
    size_t count;
    fal_status status = fal_study_values(study, (int)m->kind, 0, m->member, &values,
                                         &count);
    if (!status)
        status = fal_study_values(study, (int)m->kind, 0, m->other, &others,
                                  &count);
    for (size_t i = 0; i < count && !status; i++)
        values[i] = fabs(values[i] - others[i]) <= m->share * fabs(others[i]);
    if (!status)
        status = fal_findings_figure(findings, m->name, values, count);
    fal_release(values);
    fal_release(others);
    return status;
}

static fal_status add_figures(fal_study *study, fal_findings *findings)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !status; i++)
        status = fal_findings_collect(findings, study, numbers[i].name,
                                      (int)numbers[i].kind, numbers[i].setting,
                                      numbers[i].member);
    for (size_t i = 0; i < sizeof matches / sizeof *matches && !status; i++)
        status = add_match(study, findings, &matches[i]);
    return status;
}

/* ---- on the way ---------------------------------------------------------- */

enum { LINES = 2 };

/* A plot against steps: a line a member of the parts that leave. */
struct way {
    const char *title, *caption, *y_label;
    int log_y;
    const char *members[LINES], *names[LINES];
};

static const struct way ways[] = {
    {"Loss",
     "Up from the minimum, over a ridge, and down into one just like it.",
     "L",
     1,
     {"curve_loss"},
     {"loss"}},
    {"Norms of the two fields",
     "Both vanish at the minimum. The push aside decays along the stable "
     "directions until the unstable ones have grown.",
     "norm",
     1,
     {"update_norm", "gradient_norm"},
     {"|u|", "|grad L|"}},
    {"Alignment",
     "Leaving, u goes against the gradient's way down; come to rest it goes along. "
     "The output weights V turn towards their feedback B.",
     "cosine",
     0,
     {"cosine", "weight_cosine"},
     {"of -grad L and u", "of V and B"}},
    {"Units whose feedback has the wrong sign",
     "Those with B V < 0 make the minimum unstable; none is left.",
     "units",
     0,
     {"opposed_units"},
     {"B V < 0"}},
};

static fal_status plot_way(fal_study *study, fal_findings *findings,
                           const struct way *way, int first)
{
    fal_series series[LINES];
    double *steps = NULL, *values[LINES] = {NULL};
    size_t seeds, count = 0;
    fal_plot plot = {.section = first ? "Out of a minimum under fresh feedback"
                                      : NULL,
                     .title = way->title,
                     .caption = way->caption,
                     .x_label = "step",
                     .y_label = way->y_label,
                     .log_x = 1,
                     .log_y = way->log_y,
                     .series = series};
    fal_status status = fal_study_lists(study, CHU_ESCAPE, 0, "steps", &steps,
                                        &seeds, &count);
    for (size_t l = 0; l < LINES && way->members[l] && !status; l++) {
        status = fal_study_lists(study, CHU_ESCAPE, 0, way->members[l], &values[l],
                                 &seeds, &count);
        series[plot.series_count++] = (fal_series){.name = way->names[l],
                                                   .x = steps,
                                                   .count = count,
                                                   .y = values[l],
                                                   .seeds = seeds};
    }
    if (!status && count > 0)
        status = fal_findings_plot(findings, &plot);
    fal_release(steps);
    for (size_t l = 0; l < LINES; l++)
        fal_release(values[l]);
    return status;
}

/* ---- spectra ------------------------------------------------------------- */

struct spectrum {
    const char *title, *caption, *member, *above, *below;
    chu_kind kind;
};

static const struct spectrum spectra[] = {
    {"Eigenvalues of J at the minimum",
     "Sizes of the real parts, from the largest down, all starts. Each unit with "
     "B V < 0 makes three directions unstable, one for each of its inputs.",
     "start_eigenvalues", "unstable (above 0)", "stable (below 0)", CHU_ESCAPE},
    {"Eigenvalues of J where it comes to rest", NULL, "end_eigenvalues",
     "unstable (above 0)", "stable (below 0)", CHU_ESCAPE},
    {"Eigenvalues of Q at the minimum",
     "Where all are above 0, u goes downhill whichever way the weights are pushed.",
     "start_q", "downhill (above 0)", "uphill (below 0)", CHU_ESCAPE},
    {"Eigenvalues of Q where it comes to rest", NULL, "end_q", "downhill (above 0)",
     "uphill (below 0)", CHU_ESCAPE},
    {"Eigenvalues of J at zero loss",
     "More weights than residuals: as many eigenvalues as there are more are zero "
     "but for rounding, whatever the feedback.",
     "eigenvalues", "above 0", "below 0", CHU_ZERO},
};

/* max(values, 0), or of their negatives. */
static double *one_side(const double *values, size_t count, int side)
{
    double *part = fal_allocate(count, sizeof *part);
    for (size_t i = 0; i < count && part; i++)
        part[i] = side * values[i] > 0 ? side * values[i] : NAN;
    return part;
}

static fal_status plot_spectrum(fal_study *study, fal_findings *findings,
                                const struct spectrum *s, int first)
{
    double *values = NULL, *sides[2] = {NULL}, *index = NULL;
    size_t seeds, count;
    fal_status status = fal_study_lists(study, (int)s->kind, 0, s->member, &values,
                                        &seeds, &count);
    if (status || count == 0) {
        fal_release(values);
        return status;
    }
    sides[0] = one_side(values, seeds * count, 1);
    sides[1] = one_side(values, seeds * count, -1);
    index = fal_allocate(count, sizeof *index);
    if (!sides[0] || !sides[1] || !index)
        status = FAL_ERROR_MEMORY;
    for (size_t i = 0; i < count && !status; i++)
        index[i] = (double)i + 1;
    const fal_series series[] = {{s->above, index, count, sides[0], seeds, 1},
                                 {s->below, index, count, sides[1], seeds, 1}};
    const fal_plot plot = {.section = first ? "Spectra" : NULL,
                           .title = s->title,
                           .caption = s->caption,
                           .x_label = "eigenvalue",
                           .y_label = "size",
                           .log_y = 1,
                           .series = series,
                           .series_count = 2};
    if (!status)
        status = fal_findings_plot(findings, &plot);
    fal_release(values);
    fal_release(sides[0]);
    fal_release(sides[1]);
    fal_release(index);
    return status;
}

fal_status chu_conclude_points(fal_study *study, fal_findings *findings)
{
    fal_status status = add_figures(study, findings);
    for (size_t i = 0; i < sizeof ways / sizeof *ways && !status; i++)
        status = plot_way(study, findings, &ways[i], i == 0);
    for (size_t i = 0; i < sizeof spectra / sizeof *spectra && !status; i++)
        status = plot_spectrum(study, findings, &spectra[i], i == 0);
    return status;
}
