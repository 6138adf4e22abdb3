/* Batches of a data set on their way to the network's input: the whole set on the
 * device as it is stored where it fits, else each batch's rows sent when needed. */
#ifndef FAL_FEED_H
#define FAL_FEED_H

#include "net/plan.h"
#include "ops/gather.h"
#include "train/model.h"

enum { FAL_FEED_SIZES = 4 };

/* A gather for one number of rows into one workspace. */
typedef struct fal_feed_size {
    fal_launches launches;
    const fal_workspace *workspace;
    size_t rows;
    unsigned start; /* the kernel argument with the first row's place in order */
} fal_feed_size;

typedef struct fal_feed {
    fal_device *device;
    const fal_model *model;
    const fal_workspace *workspace;
    fal_arrays data; /* as the network takes them … */
    void *resized;   /* … their inputs, if they are not the caller's */
    const fal_augmentation *augmentation; /* the opener's; NULL: none */
    uint64_t step;                        /* that a batch is augmented for */
    int resident;
    cl_mem stored, labels, targets, order;
    uint32_t *permutation; /* [count]; NULL: file order */
    fal_feed_size sizes[FAL_FEED_SIZES];
    size_t next_size; /* the one to be replaced next */

    /* Not resident: two host copies take turns, so that one is filled while the
     * other travels. */
    unsigned char *staging[2];
    cl_event travelling[2];
    unsigned turn;
} fal_feed;

/* `data` stays the caller's while the feed is open. resident 0: rows are sent. */
fal_status fal_feed_open(fal_feed *feed, const fal_model *model,
                         const fal_workspace *workspace, const fal_arrays *data,
                         int resident);
void fal_feed_close(fal_feed *feed);

/* Other samples of the same shape, type and kind of answer for a feed that is not
 * resident. */
fal_status fal_feed_change(fal_feed *feed, const fal_arrays *data);

/* Sets the order of samples, copied; NULL: file order. Waits for the device. */
fal_status fal_feed_order(fal_feed *feed, const uint32_t *order);

/* Enqueues what puts rows start … start + rows − 1 of the order into the workspace.
 */
fal_status fal_feed_batch(fal_feed *feed, size_t start, size_t rows);

/* The same into another workspace, which has no more rows. */
fal_status fal_feed_batch_to(fal_feed *feed, const fal_workspace *workspace,
                             size_t start, size_t rows);

#endif
