/* The files that falign writes into a run folder: whether they are there, whose they
 * are, and removing them. */
#ifndef FAL_RUN_FILES_H
#define FAL_RUN_FILES_H

#include "falign.h"

/* All there ever are, but for the lock. */
typedef struct fal_run_file {
    const char *name;
    const char *meaning; /* a line of the manual */
} fal_run_file;

extern const fal_run_file fal_run_files[];
extern const size_t fal_run_file_count;

/* What every config.yaml of a run begins with. */
#define FAL_CONFIG_MARK "# falign "

/* Where an experiment keeps the results of its parts, NAME.json each. */
#define FAL_PARTS_FOLDER "parts"

/* And every report.html. */
#define FAL_REPORT_MARK "<!doctype html>\n<!-- falign"

/* 1: RULE-SEED, as comparisons name the folders of their runs. */
int fal_run_is_compared(const char *name);

/* *exist = 1 where one is there, also in the runs of a comparison. */
fal_status fal_run_files_exist(const char *folder, int *exist);

/* Whether falign wrote those that are there. Errors: ARGUMENT (names the one that may
 * be someone else's). */
fal_status fal_run_files_check(const char *folder);

/* Whether its config.yaml is one that falign wrote. */
int fal_run_files_are_ours(const char *folder);

/* Removes what a killed process was writing in their place. */
fal_status fal_run_files_sweep(const char *folder);

/* Removes them, and what a killed process was writing in their place; then the
 * folders of a comparison's runs that are empty. */
fal_status fal_run_files_clear(const char *folder);

#endif
