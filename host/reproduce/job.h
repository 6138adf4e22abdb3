/* One call of falign reproduce that runs an experiment. */
#ifndef REPRODUCE_JOB_H
#define REPRODUCE_JOB_H

#include "reproduce/machine.h"
#include "reproduce/meter.h"
#include "reproduce/store.h"

typedef struct fal_job {
    cli_options options; /* with what the folder says, where it goes on */
    fal_study study;
    fal_stored stored;
    fal_run *folder;
    fal_machine machine;
    fal_meter meter;
    const fal_part *part; /* that runs in this process */
    size_t before;        /* parts that were done when it began */
    int resumes, silent;
    int begun; /* the folder is this study's … */
    int ended; /* … and has its results */
    double seconds;
} fal_job;

/* Opens the study that the words name, or with --resume that of a folder, and takes the
 * results that are there. Errors: ARGUMENT (unknown; not what the folder is of), FILE (no
 * part can be run without data), those of the folder's files and of the experiment. */
fal_status fal_job_open(fal_job *job, const fal_experiment *const *list);

#endif
