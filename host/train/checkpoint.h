/* What a checkpoint says beside its tensors, as texts in the file's metadata: what it
 * belongs to, and how far that has come. */
#ifndef FAL_CHECKPOINT_H
#define FAL_CHECKPOINT_H

#include "files/notes.h"
#include "train/trainer.h"

/* What must be the same where it is resumed: rule, optimizer, their numbers, seeds. */
void fal_checkpoint_describe(const fal_trainer *trainer, fal_notes *notes);

/* The same of the data that a fit trains on. */
void fal_checkpoint_describe_data(const fal_arrays *data, fal_notes *notes);

/* Whether a file has these texts. Errors: ARGUMENT (names the first that differs, as
 * "rule: the checkpoint has fa, this run dfa"). */
fal_status fal_checkpoint_compare(const fal_safetensors *file,
                                  const fal_notes *notes);

/* Of an open file, if it is a checkpoint: whether its content is whole. Errors: FORMAT,
 * FILE, MEMORY. */
fal_status fal_checkpoint_check_sum(const fal_safetensors *file);

/* Takes of a checkpoint only what carries errors down: stored feedback, and the number
 * of updates done, by which some rules draw theirs. Weights stay, the trainer's
 * optimizer and schedule may be others. Errors as fal_trainer_resume; nothing has
 * changed then. */
fal_status fal_checkpoint_feedback(fal_trainer *trainer, const char *path);

/* Counters, sums and times of a trainer. */
enum { FAL_CHECKPOINT_WHOLES = 13, FAL_CHECKPOINT_REALS = 9 };

typedef struct fal_counters {
    uint64_t wholes[FAL_CHECKPOINT_WHOLES];
    double reals[FAL_CHECKPOINT_REALS];
} fal_counters;

/* Weight decay of each layer of the network, as it is by now. *decays [2][layers], the
 * file's and then the trainer's, is for fal_release, also after a failure. */
void fal_decays_note(const fal_trainer *trainer, fal_notes *notes);
fal_status fal_decays_read(float **decays, const fal_trainer *trainer,
                           const fal_safetensors *file);

void fal_counters_note(const fal_trainer *trainer, fal_notes *notes);
fal_status fal_counters_read(fal_counters *counters, const fal_safetensors *file);
void fal_counters_take(fal_trainer *trainer, const fal_counters *counters);

#endif
