/* The folder of a study: config.yaml, which says what it is of, and parts/KEY.json, the
 * result of each part that is done. */
#ifndef REPRODUCE_STORE_H
#define REPRODUCE_STORE_H

#include "reproduce/study.h"
#include "train/run.h"

/* What an existing folder is of; texts are for fal_release. */
typedef struct fal_stored {
    char *experiment, *scale, *seeds, *data, *device, *settings;
} fal_stored;

/* Errors: ARGUMENT (no folder of an experiment), FILE, FORMAT, MEMORY. */
fal_status fal_stored_read(fal_stored *stored, const char *folder);
void fal_stored_release(fal_stored *stored);

/* Writes config.yaml and makes parts/, after an older run's files are gone. `device`:
 * the selector to go on with, NULL: none is used. */
fal_status fal_store_begin(fal_run *folder, const fal_study *study,
                           const char *device);

/* Fails with ARGUMENT where the settings of the study are not those of the folder. */
fal_status fal_store_check(const fal_stored *stored, const fal_study *study,
                           const char *folder);

/* Takes the results that are there; what is no whole result counts as not there.
 * *count: how many there are. */
fal_status fal_store_load(const fal_run *folder, fal_study *study, size_t *count);

/* The same of one that was saved. Whoever made it takes it from there: a file may hold a
 * last digit less. */
fal_status fal_store_take(const fal_run *folder, fal_study *study, size_t index);

/* Writes the result of a part, whole. */
fal_status fal_store_save(fal_run *folder, const fal_part *part,
                          const cJSON *result);

#endif
