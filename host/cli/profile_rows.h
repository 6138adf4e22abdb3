/* The rows of a device's profile, collected: by kernel and layer, and summed up by
 * kernel; most time first. */
#ifndef CLI_PROFILE_ROWS_H
#define CLI_PROFILE_ROWS_H

#include "falign.h"

enum { CLI_PROFILE_TEXT = 64 };

typedef struct cli_profile_row {
    char kernel[CLI_PROFILE_TEXT], layer[CLI_PROFILE_TEXT], work[CLI_PROFILE_TEXT];
    int evaluation;
    double launches, seconds, flops, bytes;
} cli_profile_row;

typedef struct cli_profile_rows {
    cli_profile_row *items;
    size_t count;
    double training; /* seconds of all rows that are not evaluation */
} cli_profile_rows;

fal_status cli_profile_read(cli_profile_rows *rows, fal_device *device);

/* Sums of the training rows of each kernel. */
fal_status cli_profile_kernels(cli_profile_rows *kernels,
                               const cli_profile_rows *rows);
void cli_profile_release(cli_profile_rows *rows);

#endif
