/* The folder of a run: config.yaml, metrics.jsonl, start.safetensors,
 * model.safetensors and checkpoint.safetensors, with TensorBoard its event file; a
 * comparison's folder holds config.yaml, compare.json and one run folder RULE-SEED for
 * each run.
 *
 *     fal_run_open(&run, "runs/a", 0);     the folder is reserved, nothing written
 *     fal_run_begin(run, config);          an older run's files go, this one's begin
 *     fal_run_log(run, progress, metrics); for each line of metrics.jsonl
 *     fal_run_close(run);                  or, before anything began, discard
 *
 *     fal_run_open_again(&run, "runs/a");  a run that is to go on
 *     fal_run_resume(run, trainer);        from its checkpoint
 *     fal_run_continue(run, step, log);    its metrics are cut back; then as above
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

/* Takes the folder of a run, or of a comparison, that falign began. Errors: ARGUMENT (it
 * holds none; another process writes there), FILE. */
fal_status fal_run_open_again(fal_run **run, const char *folder);

const char *fal_run_folder(const fal_run *run);

/* Removes the files of an older run (falign's own names only, also in the run
 * folders of a comparison), writes config.yaml and starts an empty metrics.jsonl;
 * `config` NULL: neither, as for a comparison. */
fal_status fal_run_begin(fal_run *run, const char *config);

/* From here on TensorBoard's event file says what metrics.jsonl does, of the lines that
 * are there already too. */
fal_status fal_run_begin_events(fal_run *run);

/* Makes the trainer what it was at the run's checkpoint. Errors: ARGUMENT (there is none
 * yet, or it belongs elsewhere), FILE, FORMAT. */
fal_status fal_run_resume(const fal_run *run, fal_trainer *trainer);

/* Instead of fal_run_begin, of a run that goes on behind `step`: cuts metrics.jsonl back
 * to the lines of the steps before, and removes what a killed process was writing.
 * Errors: FILE, FORMAT (lines are lost, of which there was one at least every
 * `log_steps`, 0: unknown; nothing is cut then). */
fal_status fal_run_continue(fal_run *run, uint64_t step, uint64_t log_steps);

/* A file of the folder, whole or absent. This and what follows are errors (FILE) also
 * where the folder was removed, moved away or replaced meanwhile. */
fal_status fal_run_write(fal_run *run, const char *name, const char *text);

/* The line of a FAL_LOG or FAL_EPOCH event, with that step's metrics or NULL; it is in
 * the file when this returns. */
fal_status fal_run_log(fal_run *run, const fal_progress *progress,
                       const fal_metric_list *metrics);

/* start.safetensors; model.safetensors and checkpoint.safetensors, before which the
 * metrics are on the disk. */
fal_status fal_run_save_start(fal_run *run, fal_trainer *trainer);
fal_status fal_run_save_model(fal_run *run, fal_model *model);
fal_status fal_run_save_checkpoint(fal_run *run, fal_trainer *trainer);

/* 1: the folder holds a checkpoint. */
int fal_run_has_checkpoint(const char *folder);

/* Lets the folder go; what is in it stays. */
void fal_run_close(fal_run *run);

/* The same for a run that never began: folders that opening made are removed. Keeps
 * the error message. */
void fal_run_discard(fal_run *run);

#endif
