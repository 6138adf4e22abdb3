/* What the runs on images share: 14 x 14, networks of four hidden layers of 100
 * without biases, sgd on the summed cross-entropy, one B and one order of the data for
 * all; they differ in their weight seeds. */
#ifndef REPRODUCE_REFINETTI_IMAGES_H
#define REPRODUCE_REFINETTI_IMAGES_H

#include "reproduce/watch.h"

enum { FAL_IMAGES_LAYERS = 5 };

typedef struct fal_images_setting {
    const char *rule, *activation;
    double noise; /* share of the labels that are drawn at random */
    uint64_t epochs;
    size_t samples; /* to train on */
} fal_images_setting;

/* dfa, tanh and no noise, for the caller to change; and how long, on how much. */
fal_status fal_images_read(fal_study *study, fal_images_setting *setting);

uint64_t fal_images_epoch(const fal_images_setting *setting); /* in steps */
double fal_images_seconds(const fal_images_setting *setting); /* of one run */

/* When the runs of a setting are looked at; for fal_release. NULL: no memory. */
uint64_t *fal_images_steps(const fal_images_setting *setting, size_t *count);
double *fal_images_epochs(const fal_images_setting *setting, size_t *count);

/* The data of a setting; those with wrong labels have the clean ones' inputs. */
typedef struct fal_images_split {
    fal_dataset *clean, *data;
} fal_images_split;

typedef struct fal_images {
    fal_images_split train, test;
} fal_images;

fal_status fal_images_open(fal_images *images, fal_study *study,
                           const fal_images_setting *setting);
void fal_images_close(fal_images *images);

/* A run: its model and trainer, and what watches it on the first samples of the test
 * set; all zero where it fails. */
typedef struct fal_images_run {
    fal_model *model;
    fal_watch watch;
    uint64_t *steps;
} fal_images_run;

fal_status fal_images_begin(fal_images_run *run, fal_study *study,
                            const fal_images_setting *setting,
                            const fal_images *images, uint64_t seed);
void fal_images_end(fal_images_run *run);

#endif
