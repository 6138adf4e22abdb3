#include "learn/schedule.h"

#include <math.h>
#include <string.h>

const fal_schedule_row fal_schedules[] = {
    {"cosine", "step t of T has the rate lr/2 (1 + cos(pi t/T)), which falls to 0"},
    {"constant", "every step has the rate lr"},
};

enum { SCHEDULES = sizeof fal_schedules / sizeof *fal_schedules };

const size_t fal_schedule_count = SCHEDULES;

fal_status fal_schedule_find(const char *name, fal_schedule *schedule)
{
    const char *known[SCHEDULES];
    for (size_t i = 0; i < SCHEDULES; i++) {
        known[i] = fal_schedules[i].name;
        if (strcmp(name, known[i]) == 0) {
            *schedule = (fal_schedule)i;
            return FAL_OK;
        }
    }
    return fal_fail_unknown("schedule", name, known, SCHEDULES);
}

double fal_schedule_rate(fal_schedule schedule, double rate, uint64_t t,
                         uint64_t total)
{
    if (schedule == FAL_CONSTANT || total == 0)
        return rate;
    t = t < total ? t : total; /* past the end it stays at the end's */
    const double pi = 3.14159265358979323846;
    return rate / 2 * (1 + cos(pi * (double)t / (double)total));
}
