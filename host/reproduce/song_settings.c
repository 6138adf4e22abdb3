/* Which networks are trained: experiments/song/experiment.yaml says widths, decays and
 * steps. */
#include "device/memory.h"
#include "reproduce/song.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const song_network song_networks[SONG_NETWORKS] = {
    {"linear", "", FAL_LINEAR, 1, "linear_rate", "linear_decays"},
    {"relu", "relu, ", FAL_RELU, 0, "relu_rate", "relu_decays"},
    {"tanh", "tanh, ", FAL_TANH, 0, "tanh_rate", "tanh_decays"},
    {"linear-mean", "", FAL_LINEAR, 0, "linear_mean_rate", "linear_mean_decays"},
};

/* What all settings have in common, and lists of the file. */
typedef struct plan {
    double samples, inputs, steps, few, narrow;
    const double *widths, *decayed, *ended; /* without decay; the largest; ended */
    size_t width_count, decayed_count, ended_count;
    uint64_t seeds;
} plan;

static fal_status read_plan(fal_study *study, plan *p)
{
    const struct {
        const char *name;
        double *value;
    } numbers[] = {{"samples", &p->samples},
                   {"inputs", &p->inputs},
                   {"steps", &p->steps},
                   {"few_seeds", &p->few},
                   {"narrow", &p->narrow}};
    fal_status status = FAL_OK;
    for (size_t i = 0; i < 5 && !status; i++)
        status = fal_study_number(study, numbers[i].name, numbers[i].value);
    if (!status)
        status = fal_study_numbers(study, "widths", &p->widths, &p->width_count);
    if (!status)
        status = fal_study_numbers(study, "decayed_widths", &p->decayed,
                                   &p->decayed_count);
    if (!status)
        status = fal_study_numbers(study, "ended_widths", &p->ended,
                                   &p->ended_count);
    p->seeds = fal_study_seeds(study);
    return status;
}

static void name_setting(song_setting *s)
{
    static const char *const courses[] = {"", "-cut", "-falling"};
    snprintf(s->name, sizeof s->name, "%s-p%zu-l%g%s", s->network->name, s->width,
             s->decay, courses[s->course]);
}

static fal_status add(song_settings *settings, song_setting setting)
{
    if (settings->count == settings->capacity) {
        size_t capacity = 2 * settings->capacity + 16;
        song_setting *grown = fal_resize(settings->list, capacity, sizeof *grown);
        if (!grown)
            return FAL_ERROR_MEMORY;
        settings->list = grown;
        settings->capacity = capacity;
    }
    name_setting(&setting);
    settings->list[settings->count++] = setting;
    return FAL_OK;
}

/* Steps grow with the root of the width, for the gain of alignment shrinks so. */
static fal_status add_width(song_settings *settings, const plan *p,
                            song_setting base, double width)
{
    uint64_t few = (uint64_t)p->few;
    base.width = (size_t)width;
    base.steps = (uint64_t)round(p->steps * sqrt(width / p->narrow));
    if (base.seeds > few && width > p->widths[p->width_count - 1])
        base.seeds = few;
    return add(settings, base);
}

/* Without decay at all widths; the largest decay at some; those between at the
 * narrowest; the largest ended on the way. */
static fal_status add_network(song_settings *settings, const plan *p,
                              song_setting base, const double *decays, size_t count)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < p->width_count && !status; i++)
        status = add_width(settings, p, base, p->widths[i]);
    for (size_t i = 1; i + 1 < count && !status; i++) {
        base.decay = decays[i];
        status = add_width(settings, p, base, p->narrow);
    }
    base.decay = decays[count - 1];
    for (size_t i = 0; i < p->decayed_count && !status; i++)
        status = add_width(settings, p, base, p->decayed[i]);
    for (size_t i = 0; i < 2 * p->ended_count && !status; i++) {
        base.course = i % 2 ? SONG_FALLING : SONG_CUT;
        status = add_width(settings, p, base, p->ended[i / 2]);
    }
    return status;
}

/* The other form of a loss, at the narrowest width alone. */
static fal_status add_narrow(song_settings *settings, const plan *p,
                             song_setting base, const double *decays, size_t count)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < count && !status; i++) {
        base.decay = decays[i];
        status = add_width(settings, p, base, p->narrow);
    }
    return status;
}

fal_status song_settings_make(fal_study *study, song_settings *settings)
{
    plan p;
    fal_status status = read_plan(study, &p);
    *settings = (song_settings){0};
    for (size_t i = 0; i < SONG_NETWORKS && !status; i++) {
        const song_network *network = &song_networks[i];
        const double *decays;
        size_t count;
        song_setting base = {.network = network,
                             .samples = (size_t)p.samples,
                             .inputs = (size_t)p.inputs,
                             .seeds = p.seeds};
        status = fal_study_number(study, network->rate, &base.rate);
        if (!status)
            status = fal_study_numbers(study, network->decays, &decays, &count);
        if (!status)
            status = i + 1 < SONG_NETWORKS
                         ? add_network(settings, &p, base, decays, count)
                         : add_narrow(settings, &p, base, decays, count);
    }
    if (status)
        fal_release(settings->list);
    return status;
}

const song_setting *song_settings_find(const song_settings *settings,
                                       const char *name)
{
    for (size_t i = 0; i < settings->count; i++)
        if (strcmp(settings->list[i].name, name) == 0)
            return &settings->list[i];
    return NULL;
}
