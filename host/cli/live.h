/* The progress of a run: on a terminal one live line, else a plain line an epoch.
 */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include "falign.h"

typedef struct cli_live {
    int silent, terminal, color;
    const char *label;     /* in front of each line; NULL: none */
    double began, updated; /* seconds of a clock */
    uint64_t first;        /* the step it began with */
    double loss, accuracy; /* last known, NAN: none yet, or real targets */
    double validation_loss, validation_accuracy;
    double test_loss, test_accuracy, speed;
} cli_live;

/* `silent`: shows nothing. */
void cli_live_begin(cli_live *live, const char *label, int silent);
void cli_live_show(cli_live *live, const fal_progress *progress);

/* Seconds since some moment. */
double cli_clock(void);

#endif
