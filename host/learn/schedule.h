/* Learning rates over a run. */
#ifndef FAL_SCHEDULE_H
#define FAL_SCHEDULE_H

#include "device/error.h"

typedef enum fal_schedule_kind {
    FAL_SCHEDULE_COSINE,
    FAL_SCHEDULE_CONSTANT,
    FAL_SCHEDULE_STEP
} fal_schedule_kind;

/* By fal_schedule_kind. */
typedef struct fal_schedule_row {
    const char *name;
    const char *meaning; /* a line of the manual */
} fal_schedule_row;

extern const fal_schedule_row fal_schedules[];
extern const size_t fal_schedule_count;

typedef struct fal_schedule {
    fal_schedule_kind kind;
    uint64_t warmup;      /* steps */
    double decay;         /* of FAL_SCHEDULE_STEP, at each … */
    uint64_t *milestones; /* … of these epochs, ascending */
    size_t milestone_count;
} fal_schedule;

/* A schedule by name; `warmup` steps; `milestones`, a text such as "30,60" or NULL,
 * and `decay` belong to "step". For fal_schedule_release, also after a failure. */
fal_status fal_schedule_make(fal_schedule *schedule, const char *name,
                             uint64_t warmup, const char *milestones, double decay);

/* Reads "30,60" into schedule->milestones; for fal_schedule_release.*/
fal_status fal_schedule_milestones(fal_schedule *schedule, const char *text);
void fal_schedule_release(fal_schedule *schedule);

/* The rate of step t = 0 … total − 1, after `epochs` whole epochs: in the warm-up
 * rate·(t + 1)/W; then rate; ½·rate·(1 + cos(π(t − W)/(total − W))); or
 * rate·decay^(milestones ≤ epochs). */
double fal_schedule_rate(const fal_schedule *schedule, double rate, uint64_t t,
                         uint64_t total, uint64_t epochs);

#endif
