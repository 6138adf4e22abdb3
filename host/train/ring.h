/* Losses of past steps on their way to the host: the loss kernel writes each step's
 * partial sums into a slot of a ring on the device; half a ring at a time is read
 * without waiting, and summed up in double in the order of the steps. */
#ifndef FAL_RING_H
#define FAL_RING_H

#include "net/plan.h"

enum { FAL_RING_SLOTS = 128 };

typedef struct fal_tally {
    double loss, correct; /* sums */
    uint64_t samples;
} fal_tally;

typedef struct fal_ring {
    const fal_workspace *workspace;
    float *host; /* [FAL_RING_SLOTS][stride][2] */
    uint32_t rows[FAL_RING_SLOTS];
    cl_event reading[2];    /* of each half */
    uint64_t begun, summed; /* steps */
    fal_tally last;         /* the step summed last */
    fal_tally log, epoch;   /* the trainer resets them */
    int lost;               /* reading a half failed: the next flush reads all */
    int diverged;           /* a step's loss was not finite … */
    uint64_t diverged_at;   /* … the first such step, counted as `begun` does */
} fal_ring;

fal_status fal_ring_open(fal_ring *ring, const fal_workspace *workspace);
void fal_ring_close(fal_ring *ring);

/* The slot for a step of `rows` rows. Waits only where the ring is full of steps
 * that the device has not done. */
fal_status fal_ring_begin(fal_ring *ring, size_t rows, size_t *slot);

/* After the step was enqueued. */
fal_status fal_ring_end(fal_ring *ring);

/* Waits for all steps and sums them up. */
fal_status fal_ring_flush(fal_ring *ring);

#endif
