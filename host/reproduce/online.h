/* Students that learn online from teachers, as parts of experiments run them: some runs
 * at once, looked at at certain times. */
#ifndef REPRODUCE_ONLINE_H
#define REPRODUCE_ONLINE_H

#include "analysis/simulation.h"
#include "reproduce/experiment.h"

/* The caller fills the first part, and zeroes the second. */
typedef struct fal_online {
    fal_study *study;
    fal_teacher_student is;
    size_t runs;
    uint64_t first_seed; /* of the first run; the next ones follow */
    int random_signs;    /* 1: F is ±1, by the signs of N(0, 1) */
    const double *times;
    size_t count;

    fal_simulation *simulation;
    fal_order order; /* of the run that was measured last */
} fal_online;

/* Makes the runs, with a teacher whose A = 1. Release it also after an error. */
fal_status fal_online_begin(fal_online *online);

/* Calls `visit` for every time and run, with online->order measured then. Ends early,
 * with FAL_STOPPED, at Ctrl-C. */
typedef fal_status (*fal_online_visit)(fal_online *online, size_t time, size_t run,
                                       void *user);
fal_status fal_online_run(fal_online *online, fal_online_visit visit, void *user);
void fal_online_release(fal_online *online);

/* About `a_decade` times a decade from `from` to `to`, both included; for fal_release.
 * NULL: no memory. */
double *fal_online_times(double from, double to, size_t a_decade, size_t *count);

/* Turns errors into their decadic logarithms, for plots; those below are rounding, and
 * stand as that. */
#define FAL_ONLINE_ROUNDING 1e-9
void fal_online_logarithms(double *errors, size_t count);

/* Seconds that the runs take on a quiet core. */
double fal_online_seconds(const fal_teacher_student *is, size_t runs, double end);

#endif
