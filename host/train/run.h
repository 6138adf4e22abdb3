/* The folder of a run: config.yaml, metrics.jsonl, start.safetensors and
 * model.safetensors, with TensorBoard its event file; a comparison's folder holds
 * compare.json and one run folder RULE-SEED for each run.
 *
 *     fal_run_open(&run, "runs/a", 0);     the folder is reserved, nothing written
 *     fal_run_begin(run, config);          an older run's files go, this one's begin
 *     fal_run_log(run, progress, metrics); for each line of metrics.jsonl
 *     fal_run_close(run);                  or, before anything began, discard
 *
 * While it is open a locked file in the folder keeps other processes out. */
#ifndef FAL_RUN_H
#define FAL_RUN_H

#include "train/metric_list.h"

typedef struct fal_run fal_run;

/* Makes the folder, parents included, or takes one that is there. Errors: ARGUMENT
 * (it holds a run and `force` is 0; it holds files of a run's names that falign did
 * not write; another process writes there), FILE. */
fal_status fal_run_open(fal_run **run, const char *folder, int force);

/* The first of PREFIX-001, PREFIX-002, … that is not there yet. */
fal_status fal_run_open_numbered(fal_run **run, const char *prefix);

const char *fal_run_folder(const fal_run *run);

/* Removes the files of an older run (falign's own names only, also in the run
 * folders of a comparison), writes config.yaml and starts an empty metrics.jsonl;
 * `config` NULL: neither, as for a comparison. */
fal_status fal_run_begin(fal_run *run, const char *config);

/* From here on TensorBoard's event file says what metrics.jsonl does, of the lines that
 * are there already too. */
fal_status fal_run_begin_events(fal_run *run);

/* A file of the folder, whole or absent. This and what follows are errors (FILE) also
 * where the folder was removed, moved away or replaced meanwhile. */
fal_status fal_run_write(fal_run *run, const char *name, const char *text);

/* The line of a FAL_LOG or FAL_EPOCH event, with that step's metrics or NULL; it is in
 * the file when this returns. */
fal_status fal_run_log(fal_run *run, const fal_progress *progress,
                       const fal_metric_list *metrics);

/* start.safetensors; model.safetensors, before which the metrics are on the disk. */
fal_status fal_run_save_start(fal_run *run, fal_trainer *trainer);
fal_status fal_run_save_model(fal_run *run, fal_model *model);

/* Lets the folder go; what is in it stays. */
void fal_run_close(fal_run *run);

/* The same for a run that never began: folders that opening made are removed. Keeps
 * the error message. */
void fal_run_discard(fal_run *run);

#endif
