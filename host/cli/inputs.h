/* The samples of a file or a data set, as a model takes them. */
#ifndef CLI_INPUTS_H
#define CLI_INPUTS_H

#include "falign.h"

typedef struct cli_inputs {
    size_t count; /* samples */
    fal_type type;
    size_t stride; /* bytes of a sample */
    void *values;  /* [count][stride] */
} cli_inputs;

/* Reads an IDX file, gzipped or not, or a .npy file: one sample or [count] of them;
 * the values are for fal_release. Errors: FILE, FORMAT (no such file; a shape that is
 * not the model's), MEMORY. */
fal_status cli_inputs_read(cli_inputs *inputs, const char *path,
                           const fal_model_info *model);

/* The samples of a data set, to which the values still belong; `name`: what it was opened as.
 * Errors: FORMAT (a shape that is not the model's). */
fal_status cli_inputs_take(cli_inputs *inputs, const char *name,
                           const fal_dataset *data, const fal_model_info *model);

#endif
