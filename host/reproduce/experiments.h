/* The experiments there are. */
#ifndef REPRODUCE_EXPERIMENTS_H
#define REPRODUCE_EXPERIMENTS_H

#include "reproduce/experiment.h"

extern const fal_experiment fal_experiment_akrout;
extern const fal_experiment fal_experiment_chu_bacho;
extern const fal_experiment fal_experiment_refinetti;
extern const fal_experiment fal_experiment_song;

/* NULL ends the list. */
extern const fal_experiment *const fal_experiments[];

/* The experiment.yaml that was built into the program, NULL: none. */
const char *fal_experiment_text(const char *name);

/* What embed.py makes of the files; NULL ends it. */
typedef struct fal_embedded {
    const char *name;
    const unsigned char *text;
} fal_embedded;
extern const fal_embedded fal_embedded_experiments[];

#endif
