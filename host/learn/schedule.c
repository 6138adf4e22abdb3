#include "learn/schedule.h"
#include "device/memory.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const fal_schedule_row fal_schedules[] = {
    {"cosine", "lr/2 (1 + cos(pi (t - W)/(T - W))), which falls to 0"},
    {"constant", "lr"},
    {"step",
     "lr times the decay for each of the milestones that is no more than the "
     "epochs completed"},
};

enum { SCHEDULES = sizeof fal_schedules / sizeof *fal_schedules };

const size_t fal_schedule_count = SCHEDULES;

static fal_status find(const char *name, fal_schedule_kind *kind)
{
    const char *known[SCHEDULES];
    for (size_t i = 0; i < SCHEDULES; i++) {
        known[i] = fal_schedules[i].name;
        if (strcmp(name, known[i]) == 0) {
            *kind = (fal_schedule_kind)i;
            return FAL_OK;
        }
    }
    return fal_fail_unknown("schedule", name, known, SCHEDULES);
}

/* One epoch of the list, greater than the one before. */
static fal_status read_milestone(const char **text, uint64_t before,
                                 uint64_t *epoch)
{
    char *end = (char *)*text;
    errno = 0;
    unsigned long long value = isdigit((unsigned char)*end)
                                   ? strtoull(*text, &end, 10)
                                   : 0;
    if (errno || value <= before || (*end && (*end != ',' || !end[1])))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "they must be epochs from 1 on, ascending, with commas "
                        "between them, as 30,60");
    *text = *end ? end + 1 : end;
    *epoch = value;
    return FAL_OK;
}

fal_status fal_schedule_milestones(fal_schedule *schedule, const char *text)
{
    const char *rest = text;
    uint64_t before = 0;
    fal_status status = FAL_OK;
    do {
        uint64_t *grown = fal_resize(schedule->milestones,
                                     schedule->milestone_count + 1, sizeof *grown);
        if (!grown)
            return FAL_ERROR_MEMORY;
        schedule->milestones = grown;
        status = read_milestone(&rest, before, &before);
        if (status)
            return fal_fail_within(status, "milestones '%.100s'", text);
        grown[schedule->milestone_count++] = before;
    } while (*rest);
    return FAL_OK;
}

fal_status fal_schedule_make(fal_schedule *schedule, const char *name,
                             uint64_t warmup, const char *milestones, double decay)
{
    *schedule = (fal_schedule){.warmup = warmup, .decay = decay};
    fal_status status = find(name, &schedule->kind);
    if (status)
        return status;
    if ((schedule->kind == FAL_SCHEDULE_STEP) != (milestones != NULL))
        return fal_fail(FAL_ERROR_ARGUMENT, "schedule %s: %s", name,
                        milestones ? "it has no milestones; leave them out, or use "
                                     "the schedule step"
                                   : "it needs milestones, epochs as 30,60");
    if (!isfinite(decay) || decay <= 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "decay %g must be above 0", decay);
    return milestones ? fal_schedule_milestones(schedule, milestones) : FAL_OK;
}

void fal_schedule_release(fal_schedule *schedule)
{
    fal_release(schedule->milestones);
    *schedule = (fal_schedule){0};
}

static double decayed(const fal_schedule *schedule, double rate, uint64_t epochs)
{
    for (size_t i = 0; i < schedule->milestone_count; i++)
        if (schedule->milestones[i] <= epochs)
            rate *= schedule->decay;
    return rate;
}

/* The half wave from `rate` to 0; past the end it stays there. */
static double cosine(double rate, uint64_t t, uint64_t length)
{
    const double pi = 3.14159265358979323846;
    t = t < length ? t : length;
    return rate / 2 * (1 + cos(pi * (double)t / (double)length));
}

double fal_schedule_rate(const fal_schedule *schedule, double rate, uint64_t t,
                         uint64_t total, uint64_t epochs)
{
    uint64_t warmup = schedule->warmup;
    if (t < warmup)
        return rate * (double)(t + 1) / (double)warmup;
    switch (schedule->kind) {
    case FAL_SCHEDULE_COSINE:
        return total > warmup ? cosine(rate, t - warmup, total - warmup) : rate;
    case FAL_SCHEDULE_STEP:
        return decayed(schedule, rate, epochs);
    case FAL_SCHEDULE_CONSTANT:
        break;
    }
    return rate;
}
