#include "learn/schedule.h"

#include <math.h>
#include <string.h>

fal_status fal_schedule_find(const char *name, fal_schedule *schedule)
{
    static const char *const known[] = {"cosine", "constant"};
    for (size_t i = 0; i < 2; i++)
        if (strcmp(name, known[i]) == 0) {
            *schedule = (fal_schedule)i;
            return FAL_OK;
        }
    return fal_fail_unknown("schedule", name, known, 2);
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
