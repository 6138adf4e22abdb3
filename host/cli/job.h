/* One training run: model, trainer, its folder and what it shows. */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "cli/ground.h"
#include "cli/live.h"
#include "train/run.h"

typedef struct cli_job {
    cli_ground ground;   /* with what --validation splits off */
    cli_options options; /* resolved */
    fal_model *model;
    fal_trainer *trainer;
    fal_run *run; /* the caller's, once it runs */

    void (*on_begin)(const struct cli_job *job, void *user); /* may be NULL: after
                                                              * all that can refuse
                                                              * the run */
    void *user;

    cli_live live;
    int silent;        /* prints nothing */
    int measure_start; /* 1: start_ms is wanted */
    double start_ms;   /* process start to the end of the first step */

    int resumes;             /* 1: goes on from the folder's checkpoint … */
    int finished;            /* … and nothing is left to do */
    int looks;               /* 1: stops where there is, before it does it */
    int started;             /* 1: files have been written */
    fal_progress last;       /* the last event */
    fal_progress epoch;      /* the last FAL_EPOCH; step 0: none */
    fal_metric_list metrics; /* of the last measurement */
    fal_status write_error;  /* why a callback stopped the run, OK: it did not */
    char write_message[1024];
} cli_job;

/* Makes model and trainer of resolved options, weights of --init included. */
fal_status cli_job_make(cli_job *job, const cli_ground *ground,
                        const cli_options *options);

/* The same of a run that goes on: brings them to its checkpoint. */
fal_status cli_job_make_again(cli_job *job, const cli_ground *ground,
                              const cli_options *options, const fal_run *run);

/* Makes the model alone: nothing but a look at it can follow. */
fal_status cli_job_make_model(cli_job *job, const cli_ground *ground,
                              const cli_options *options);
void cli_job_release(cli_job *job);

/* The first lines: folder, behind the word `what`, device, data, network. */
void cli_job_print_head(const cli_job *job, const char *what,
                        const fal_run *folder);

/* Fails as cli_job_run would before its first step; trains and writes nothing. */
fal_status cli_job_check(cli_job *job);

/* Trains into `run`; `label` stands in front of progress lines. After Ctrl-C the
 * model is saved and the status is FAL_STOPPED. */
fal_status cli_job_run(cli_job *job, fal_run *run, const char *label);

/* What stands in the folder after Ctrl-C, and how to go on: by `command` --resume
 * `folder`. */
void cli_job_explain(const cli_job *job, const char *command, const char *folder);

/* The same as a part of the message of a run that could not write its files, where a
 * checkpoint is there; returns `status`. */
fal_status cli_job_advise(const cli_job *job, fal_status status,
                          const char *command, const char *folder);

#endif
