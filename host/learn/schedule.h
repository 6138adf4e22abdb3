/* Learning rates over a run. */
#ifndef FAL_SCHEDULE_H
#define FAL_SCHEDULE_H

#include "device/error.h"

typedef enum fal_schedule { FAL_COSINE, FAL_CONSTANT } fal_schedule;

/* By fal_schedule. */
typedef struct fal_schedule_row {
    const char *name;
    const char *meaning; /* a line of the manual */
} fal_schedule_row;

extern const fal_schedule_row fal_schedules[];
extern const size_t fal_schedule_count;

fal_status fal_schedule_find(const char *name, fal_schedule *schedule);

/* The rate of step t = 0 … total − 1: constant, or ½·rate·(1 + cos(π t/total)). */
double fal_schedule_rate(fal_schedule schedule, double rate, uint64_t t,
                         uint64_t total);

#endif
