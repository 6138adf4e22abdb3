/* What measures a trainer's rule beside backpropagation: a batch runs through plans
 * and memory of their own, and nothing that training reads is written. */
#ifndef FAL_MEASURER_H
#define FAL_MEASURER_H

#include "train/trainer.h"

typedef struct fal_measurer {
    fal_trainer *trainer;
    fal_workspace workspace;
    fal_arena statistics;    /* of a batch */
    fal_route *reference;    /* routes of backpropagation */
    fal_plan plans[2];       /* of two numbers of rows */
    size_t next_plan;        /* the one to be replaced next */
    fal_tensor_list tensors; /* "layer.carried", "layer.reference_delta" */
    size_t last_rows;        /* of the last batch; 0: there was none */
    float *room[2];          /* on the host, for metrics */
    size_t room_floats;      /* of each */
    fal_arena projections;   /* direct rules: B_{l-1}^T B_l of hidden layers … */
    fal_slot *projection_slots; /* … by weight layer number − 1; count 0: none */
    fal_launches projecting;    /* … and the launches that make them */
    fal_arena updates;          /* room for two of a convolution's updates … */
    fal_slot update_slots[3]; /* … the rule's, the true one, and the launches' */
} fal_measurer;

/* Makes the trainer's measurer unless it has one. */
fal_status fal_measurer_make(fal_trainer *trainer);
void fal_measurer_destroy(fal_measurer *measurer);

/* Direct rules: the layer below whose B, with layer `number`'s own, stands in for the
 * weights of layer `number`: both are dense, and each has its error directly, the output
 * layer by itself. 0: there is none. */
unsigned fal_measurer_direct_below(const fal_trainer *trainer, unsigned number);

/* Runs rows start … start + rows − 1 of a feed of this trainer's or measurer's, down
 * to both deltas; does not wait. */
fal_status fal_measurer_run(fal_measurer *measurer, fal_feed *feed, size_t start,
                            size_t rows);

#endif
