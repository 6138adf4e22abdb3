/* A study from within: one experiment at one scale, its parts and their results. */
#ifndef REPRODUCE_STUDY_H
#define REPRODUCE_STUDY_H

#include "cli/options.h"
#include "files/json.h"
#include "reproduce/spec.h"

struct fal_parts {
    fal_part *list;
    cJSON **results; /* NULL: not run yet */
    size_t count;
};

/* Memory that stays as long as the study. */
typedef struct fal_owned {
    void *block;
    struct fal_owned *next;
} fal_owned;

struct fal_study {
    const fal_experiment *experiment;
    fal_spec spec;
    fal_scale scale;
    uint64_t seeds;
    const cli_options *options; /* where devices and data sets are named */
    int silent;                 /* 1: says nothing about the device */
    const char *data;           /* the data set; NULL: it needs none */
    char *data_missing;         /* why that cannot be read; NULL: it can */
    fal_dataset *splits[2];
    fal_device *device;
    fal_parts parts; /* those that can be run */
    size_t left_out; /* parts of which the data set is missing */
    fal_owned *owned;

    void (*on_share)(double share, void *user); /* of the part that runs */
    void *user;
};

/* `seeds` 0: by the settings; `data` NULL: the experiment's own. Options and texts
 * outlive the study. Lists the parts; close it also after an error. Errors: FORMAT,
 * MEMORY, those of fal_study_find_data and of experiments. */
fal_status fal_study_open(fal_study *study, const fal_experiment *experiment,
                          fal_scale scale, uint64_t seeds, const char *data,
                          const cli_options *options);
void fal_study_close(fal_study *study);

/* Whether there is the data set; to be called before parts are listed. Where the
 * experiment's own is missing, `data_missing` says why. Errors: ARGUMENT (it has no
 * images with classes), those of opening one that was named, MEMORY. */
fal_status fal_study_find_data(fal_study *study);

/* Sum of the expected seconds of the parts without a result. */
double fal_study_expected(const fal_study *study);

/* The settings that hold, seeds among them, as one object. */
void fal_study_settings(const fal_study *study, fal_json *json);

/* Runs one part in this process; *result is the caller's, NULL where it was stopped. */
fal_status fal_study_run(fal_study *study, const fal_part *part, cJSON **result);

void fal_parts_release(fal_parts *parts);

#endif
