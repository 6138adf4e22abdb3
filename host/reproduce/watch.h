/* Metrics of a trainer at chosen steps of a fit, always on the same batch: for curves
 * against a logarithmic time, where measuring every so many steps would cost more than
 * training. */
#ifndef REPRODUCE_WATCH_H
#define REPRODUCE_WATCH_H

#include "reproduce/experiment.h"

enum { FAL_WATCH_CURVES = 32 };

/* One metric of one layer: "weight_alignment.dense2". */
typedef struct fal_watch_curve {
    char name[64];
    double *values; /* [count of steps]; NAN: none */
} fal_watch_curve;

/* The caller fills the first part, and zeroes the second. */
typedef struct fal_watch {
    fal_study *study;
    fal_trainer *trainer;
    fal_arrays batch;      /* measured on */
    const uint64_t *steps; /* ascending: after so many updates */
    size_t count;
    const char *const
        *metrics;       /* kept of each layer and the total; NULL ends them */
    double from, share; /* of the part's progress: at the fit's start, and
                                 * what it is worth */
    /* called at the steps too; may be NULL */
    fal_status (*visit)(void *user, size_t index);
    void *user;

    fal_watch_curve curves[FAL_WATCH_CURVES];
    size_t curve_count, next;
    double test_accuracy; /* after the last epoch, with a test set; fractions */
    double train_accuracy;
    fal_status status;
    char message[512];
} fal_watch;

/* About `points` different steps from 1 to `last`, in equal ratios; for fal_release.
 * NULL: no memory. */
uint64_t *fal_watch_steps(uint64_t last, size_t points, size_t *count);

/* fal_trainer_fit, watched. FAL_OK too where Ctrl-C ended it early. */
fal_status fal_watch_fit(fal_watch *watch, const fal_dataset *train,
                         const fal_dataset *test, uint64_t epochs);

/* The curve "metric.layer"; NULL: it was not measured. */
const double *fal_watch_values(const fal_watch *watch, const char *name);

/* Curves as lists of a part's result. */
fal_status fal_watch_result(const fal_watch *watch, cJSON *result);
void fal_watch_release(fal_watch *watch);

#endif
