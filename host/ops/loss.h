/* Losses, their deltas at the output, and what the trainer reads back of a step.
 * Kernel: cl/loss.cl. */
#ifndef FAL_LOSS_H
#define FAL_LOSS_H

#include "device/launch.h"

typedef enum fal_loss { FAL_CROSS_ENTROPY = 0, FAL_SQUARED_ERROR = 1 } fal_loss;

/* A partial sum covers so many rows, whatever the device: sums in a fixed order. */
enum { FAL_LOSS_ROWS = 16 };

/* cross-entropy: −ln softmax(a)[label] a row, delta = (softmax − onehot)/rows;
 * squared error: ½ Σ (a − t)², delta = (a − t)/rows, t one-hot or targets; `summed`:
 * delta without the 1/rows.
 * partials [slots][ceil(rows/FAL_LOSS_ROWS)][2]: sums of loss and of correct rows
 * (argmax, the first of equals, is the label; 0 without labels). */
typedef struct fal_loss_work {
    fal_loss loss;
    size_t rows, outputs;
    fal_view a;       /* [rows][outputs] */
    fal_view labels;  /* int [rows], or no buffer */
    fal_view targets; /* [rows][outputs], or no buffer */
    fal_view delta;   /* [rows][outputs], or no buffer: evaluation */
    fal_view partials;
    size_t stride; /* partials a slot, at least ceil(rows/FAL_LOSS_ROWS) */
    fal_view
        halted; /* one int, set to 1 where a partial sum is not finite; or none */
    int summed; /* delta is that of the sum over the rows, not of the mean */
    fal_view signal; /* [rows][outputs], or no buffer: delta with the outputs left
                      * out, −t/rows, or −t if summed */
} fal_loss_work;

/* *slot: the index of the kernel argument (uint) that says which slot is written.
 */
fal_status fal_loss_add(fal_launches *list, const fal_loss_work *work,
                        unsigned *slot);

#endif
