/* Plots of the networks of two layers: loss and cosine by steps, cosine by width. */
#include "device/memory.h"
#include "reproduce/song.h"

#include <math.h>
#include <stdio.h>

enum { MOST_LINES = 8, MOST_WIDTHS = 16 };

/* Lines of one plot, each with room of its own. */
typedef struct lines {
    fal_series series[MOST_LINES];
    double *x[MOST_LINES], *y[MOST_LINES];
    char names[MOST_LINES][48];
    size_t count;
} lines;

static void release(lines *all)
{
    for (size_t i = 0; i < all->count; i++) {
        fal_release(all->x[i]);
        fal_release(all->y[i]);
    }
}

static fal_status print(fal_findings *findings, lines *all, fal_plot frame)
{
    for (size_t i = 0; i < all->count; i++) {
        all->series[i].x = all->x[i];
        all->series[i].y = all->y[i];
        all->series[i].name = all->names[i];
    }
    frame.series = all->series;
    frame.series_count = all->count;
    return fal_findings_plot(findings, &frame);
}

/* ---- by steps ------------------------------------------------------------ */

/* A line of a setting's runs over their steps, which all seeds have in common. */
static fal_status add_run(fal_study *study, lines *all, size_t setting,
                          const char *member)
{
    size_t i = all->count, seeds = 0, count = 0;
    if (i == MOST_LINES)
        return FAL_OK;
    fal_series *line = &all->series[i];
    all->count++;
    fal_status status = fal_study_lists(study, SONG_RUN, setting, "steps",
                                        &all->x[i], &seeds, &count);
    return status ? status
                  : fal_study_lists(study, SONG_RUN, setting, member, &all->y[i],
                                    &line->seeds, &line->count);
}

static int is_shown(const song_setting *s, const song_network *network,
                    size_t width, int ends)
{
    return s->network == network && s->width == width &&
           (s->course == SONG_ALWAYS || ends);
}

static size_t narrowest(const song_settings *settings, const song_network *network)
{
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < settings->count; i++)
        if (settings->list[i].network == network && settings->list[i].width < least)
            least = settings->list[i].width;
    return least;
}

static fal_status plot_runs(fal_study *study, const song_settings *settings,
                            const song_network *network, const char *member,
                            int ends, fal_findings *findings, fal_plot frame)
{
    static const char *const courses[] = {"", ", cut", ", falling"};
    size_t width = narrowest(settings, network);
    lines all = {.count = 0};
    fal_status status = FAL_OK;
    for (size_t i = 0; i < settings->count && !status; i++) {
        const song_setting *s = &settings->list[i];
        if (!is_shown(s, network, width, ends) || all.count == MOST_LINES)
            continue;
        snprintf(all.names[all.count], sizeof *all.names, "λ = %g%s", s->decay,
                 courses[s->course]);
        status = add_run(study, &all, i, member);
    }
    if (!status)
        status = print(findings, &all, frame);
    release(&all);
    return status;
}

static fal_status plot_network(fal_study *study, const song_settings *settings,
                               const song_network *network, fal_findings *findings)
{
    char section[64], caption[256];
    snprintf(section, sizeof section, "Networks of two layers: %s", network->name);
    snprintf(
        caption, sizeof caption,
        "Width %zu. β decays by λ always; cut: for half the steps; falling: less "
        "and less over half the steps. Without decay the loss falls "
        "exponentially; with it, it keeps a floor until λ ends.",
        narrowest(settings, network));
    fal_status status = plot_runs(study, settings, network, "losses", 1, findings,
                                  (fal_plot){.section = section,
                                             .title = "Loss",
                                             .caption = caption,
                                             .x_label = "step",
                                             .y_label = "mean of e²",
                                             .log_y = 1});
    return status
               ? status
               : plot_runs(
                     study, settings, network, "cosines", 1, findings,
                     (fal_plot){.title = "Alignment",
                                .caption = "Cosine of β and the feedback b of the "
                                           "same runs; the band is one deviation "
                                           "over the seeds.",
                                .x_label = "step",
                                .y_label = "cos(β, b)"});
}

/* ---- by width ------------------------------------------------------------ */

/* What a plot by width shows of a network. */
typedef struct choice {
    const char *member;
    int decays;      /* the largest decay, else none */
    int to_foretold; /* divided by the rate foretold */
} choice;

static double largest_decay(const song_settings *settings,
                            const song_network *network)
{
    double most = 0;
    for (size_t i = 0; i < settings->count; i++)
        if (settings->list[i].network == network)
            most = fmax(most, settings->list[i].decay);
    return most;
}

static size_t find_widths(const song_settings *settings,
                          const song_network *network, double decay,
                          size_t found[MOST_WIDTHS])
{
    size_t count = 0;
    for (size_t i = 0; i < settings->count && count < MOST_WIDTHS; i++) {
        const song_setting *s = &settings->list[i];
        if (s->network == network && s->decay == decay && s->course == SONG_ALWAYS)
            found[count++] = i;
    }
    return count;
}

/* Values of one width; where fewer seeds were run the rest stays NAN. */
static fal_status fill_width(fal_study *study, const choice *what, size_t setting,
                             size_t seeds, double *column, size_t stride)
{
    double *values = NULL, *foretold = NULL;
    size_t count = 0;
    fal_status status = fal_study_values(study, SONG_RUN, setting, what->member,
                                         &values, &count);
    if (!status && what->to_foretold)
        status = fal_study_values(study, SONG_RUN, setting, "foretold_output",
                                  &foretold, &count);
    for (size_t s = 0; s < seeds && !status; s++)
        column[s * stride] = s >= count ? NAN
                             : foretold ? values[s] / foretold[s]
                                        : values[s];
    fal_release(values);
    fal_release(foretold);
    return status;
}

static fal_status add_widths(fal_study *study, const song_settings *settings,
                             const song_network *network, const choice *what,
                             lines *all)
{
    size_t found[MOST_WIDTHS], i = all->count;
    double decay = what->decays ? largest_decay(settings, network) : 0;
    size_t count = find_widths(settings, network, decay, found), seeds = 0;
    for (size_t w = 0; w < count; w++)
        if (settings->list[found[w]].seeds > seeds)
            seeds = (size_t)settings->list[found[w]].seeds;
    all->count++;
    all->series[i] = (fal_series){.count = count, .seeds = seeds};
    all->x[i] = fal_allocate(count, sizeof(double));
    all->y[i] = fal_allocate(count * seeds, sizeof(double));
    fal_status status = all->x[i] && all->y[i] ? FAL_OK : FAL_ERROR_MEMORY;
    for (size_t w = 0; w < count && !status; w++) {
        all->x[i][w] = (double)settings->list[found[w]].width;
        status = fill_width(study, what, found[w], seeds, all->y[i] + w, count);
    }
    snprintf(all->names[i], sizeof *all->names, "%s", network->name);
    return status;
}

static fal_status plot_widths(fal_study *study, const song_settings *settings,
                              choice what, fal_findings *findings, fal_plot frame)
{
    lines all = {.count = 0};
    fal_status status = FAL_OK;
    for (size_t i = 0; i + 1 < SONG_NETWORKS && !status; i++)
        status = add_widths(study, settings, &song_networks[i], &what, &all);
    frame.x_label = "width p";
    frame.log_x = 1;
    if (!status)
        status = print(findings, &all, frame);
    release(&all);
    return status;
}

static fal_status plot_all_widths(fal_study *study, const song_settings *settings,
                                  fal_findings *findings)
{
    fal_status status = plot_widths(
        study, settings, (choice){.member = "gain"}, findings,
        (fal_plot){
            .section = "By width",
            .title = "Gain of alignment without decay",
            .caption = "cos(β, b) at the end minus at the start: it falls like "
                       "1/√p or faster.",
            .y_label = "gain of cos(β, b)",
            .log_y = 1});
    if (!status)
        status = plot_widths(
            study, settings, (choice){.member = "final", .decays = 1}, findings,
            (fal_plot){.title = "Alignment with decay",
                       .caption = "cos(β, b) at the end, with the "
                                  "largest λ: it does not fall with "
                                  "the width.",
                       .y_label = "cos(β, b)"});
    if (!status)
        status = plot_widths(
            study, settings, (choice){.member = "rate", .to_foretold = 1}, findings,
            (fal_plot){
                .title = "Rate of the loss without decay",
                .caption = "How fast the loss falls at last, over 2 η λ_min of "
                           "the kernel of the start.",
                .y_label = "measured / foretold"});
    return status;
}

fal_status song_plots(fal_study *study, const song_settings *settings,
                      fal_findings *findings)
{
    fal_status status = plot_all_widths(study, settings, findings);
    for (size_t i = 0; i < SONG_NETWORKS && !status; i++)
        status = plot_network(study, settings, &song_networks[i], findings);
    return status;
}
