#include "reproduce/song.h"
#include "device/memory.h"

#include <math.h>
#include <stdio.h>

/* ---- parts --------------------------------------------------------------- */

/* A step takes a little and then grows with the network. */
static double seconds_of(const song_setting *s)
{
    double numbers = (double)s->samples * (double)s->inputs * (double)s->width;
    return (double)s->steps * (4e-5 + 2e-11 * numbers);
}

static fal_status add_seeds(fal_parts *parts, const song_setting *setting,
                            size_t index)
{
    fal_status status = FAL_OK;
    for (uint64_t s = 0; s < setting->seeds && !status; s++) {
        fal_part part = {.kind = SONG_RUN,
                         .setting = index,
                         .seed = s,
                         .seconds = seconds_of(setting)};
        fal_part_name(&part, "%s-s%d", setting->name, (int)s);
        status = fal_parts_add(parts, &part);
    }
    return status;
}

/* Settings by what they take, the longest first. */
static size_t *order_of(const song_settings *settings)
{
    size_t *order = fal_allocate(settings->count, sizeof *order);
    for (size_t i = 0; i < settings->count && order; i++) {
        double seconds = seconds_of(&settings->list[i]);
        size_t at = i;
        for (; at > 0 && seconds_of(&settings->list[order[at - 1]]) < seconds; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return order;
}

static fal_status list_settings(const song_settings *settings, fal_parts *parts)
{
    size_t *order = order_of(settings);
    fal_status status = order ? FAL_OK : FAL_ERROR_MEMORY;
    for (size_t i = 0; i < settings->count && !status; i++)
        status = add_seeds(parts, &settings->list[order[i]], order[i]);
    fal_release(order);
    return status;
}

static fal_status list(fal_study *study, fal_parts *parts)
{
    song_settings settings;
    fal_status status = song_images_list(study, parts);
    if (status)
        return status;
    status = song_settings_make(study, &settings);
    if (status)
        return status;
    status = list_settings(&settings, parts);
    fal_release(settings.list);
    return status;
}

static fal_status run(fal_study *study, const fal_part *part, cJSON *result)
{
    song_settings settings;
    if (part->kind == SONG_IMAGES)
        return song_images_run(study, part, result);
    fal_status status = song_settings_make(study, &settings);
    if (status)
        return status;
    status = song_run(study, &settings.list[part->setting], part->seed, result);
    fal_release(settings.list);
    return status;
}

/* ---- figures ------------------------------------------------------------- */

/* The numbers of every setting, as relu-p200-l2-final. */
static fal_status add_figures(fal_study *study, const song_settings *settings,
                              fal_findings *findings)
{
    static const char *const members[] = {"gain", "final", "kept", "loss"};
    fal_status status = FAL_OK;
    for (size_t i = 0; i < settings->count; i++)
        for (size_t m = 0; m < 4 && !status; m++) {
            char name[96];
            snprintf(name, sizeof name, "%s-%s", settings->list[i].name,
                     members[m]);
            status = fal_findings_collect(findings, study, name, SONG_RUN, i,
                                          members[m]);
        }
    return status;
}

/* How fast the loss fell against what the start foretold, without decay: by the share of
 * beta in the kernel, which alone is left of it in the limit of many units, and by all of
 * it, which need not be positive. */
static fal_status add_rates(fal_study *study, const song_settings *settings,
                            fal_findings *findings, size_t index)
{
    static const char *const members[] = {"foretold_output", "foretold"};
    static const char *const suffixes[] = {"rate", "rate-whole"};
    double *found = NULL;
    size_t count = 0;
    fal_status status = fal_study_values(study, SONG_RUN, index, "rate", &found,
                                         &count);
    for (size_t m = 0; m < 2 && !status; m++) {
        char name[96];
        double *foretold = NULL;
        status = fal_study_values(study, SONG_RUN, index, members[m], &foretold,
                                  &count);
        for (size_t s = 0; s < count && !status; s++)
            foretold[s] = foretold[s] > 0 ? found[s] / foretold[s] : NAN;
        snprintf(name, sizeof name, "%s-%s", settings->list[index].name,
                 suffixes[m]);
        if (!status)
            status = fal_findings_figure(findings, name, foretold, count);
        fal_release(foretold);
    }
    fal_release(found);
    return status;
}

/* The gain times the root of the width: where it does not rise, the gain falls like one
 * over that root or faster. */
static fal_status add_gain_by_root(fal_study *study, const song_settings *settings,
                                   fal_findings *findings, size_t index)
{
    const song_setting *s = &settings->list[index];
    double *gains = NULL;
    size_t count = 0;
    char name[96];
    fal_status status = fal_study_values(study, SONG_RUN, index, "gain", &gains,
                                         &count);
    for (size_t i = 0; i < count && !status; i++)
        gains[i] *= sqrt((double)s->width);
    snprintf(name, sizeof name, "%s-gain-by-root", s->name);
    if (!status)
        status = fal_findings_figure(findings, name, gains, count);
    fal_release(gains);
    return status;
}

static fal_status add_undecayed(fal_study *study, const song_settings *settings,
                                fal_findings *findings, size_t index)
{
    fal_status status = add_rates(study, settings, findings, index);
    return status ? status : add_gain_by_root(study, settings, findings, index);
}

static fal_status conclude(fal_study *study, fal_findings *findings)
{
    song_settings settings;
    fal_status status = song_settings_make(study, &settings);
    if (status)
        return status;
    status = add_figures(study, &settings, findings);
    for (size_t i = 0; i < settings.count && !status; i++)
        if (settings.list[i].decay == 0)
            status = add_undecayed(study, &settings, findings, i);
    if (!status)
        status = song_plots(study, &settings, findings);
    fal_release(settings.list);
    return status ? status : song_images_conclude(study, findings);
}

const fal_experiment fal_experiment_song = {
    .name = "song", .list = list, .run = run, .conclude = conclude, .on_device = 1};
