/* What a trainer is made of. */
#ifndef FAL_TRAINER_H
#define FAL_TRAINER_H

#include "files/notes.h"
#include "learn/schedule.h"
#include "ops/clip.h"
#include "ops/optimize.h"
#include "train/evaluate.h"
#include "train/ring.h"

enum { FAL_PLAN_SIZES = 4 };

/* Where a fit is, as its callbacks find it; after fal_trainer_resume, where the next
 * fit goes on. */
typedef struct fal_place {
    const fal_arrays *data; /* trained on; NULL: no fit runs */
    uint64_t last_epoch;    /* at the end of the fit; 0: no limit */
    uint64_t batch;         /* of the epoch begun last: so many are done … */
    uint64_t counted;       /* … and it is among the epochs completed */
    double seconds;         /* of training, now and when the sums of … */
    double log_seconds, epoch_seconds; /* … the ring began */
    double measuring;                  /* seconds */
} fal_place;

/* How weight decay changes over the steps of a trainer's life. */
typedef enum fal_decay_schedule {
    FAL_DECAY_CONSTANT,
    FAL_DECAY_CUT,
    FAL_DECAY_LINEAR
} fal_decay_schedule;

extern const char *const fal_decay_schedule_names[];

struct fal_trainer {
    fal_model *model;
    fal_trainer_options options; /* resolved: no 0 or −1 that means a default */
    fal_loss loss;
    int sums_loss; /* learns the sum over a batch, not the mean */
    fal_schedule schedule;
    fal_update_rule optimizer;
    fal_law feedback_law;
    int has_feedback_law; /* given, not the rule's default */
    int regenerates;      /* feedback is drawn where it is read */
    fal_decay_schedule decay_schedule;
    fal_augmentation augmentation; /* of training batches */
    float *decays;                 /* of weights, by layer of the network */

    const fal_rule *rule; /* of layers that have none of their own */
    fal_route *routes;    /* by weight layer number − 1 */
    fal_arena gradients, feedback, moments, squares;
    fal_arena statistics; /* of a batch, laid out as the model's state */
    fal_arena norm;       /* of the gradients, where they are clipped */
    fal_arena muon_room;  /* of Newton-Schulz */
    fal_arena mirror_room;
    fal_slot mirror_work; /* of convolutions' launches there */
    fal_slot square_sums, scale;
    fal_slot *feedback_slots; /* by weight layer number − 1; count 0: not stored */
    fal_arena carriers;       /* room for matrices that steps do not need … */
    fal_slot *carrier_slots;  /* … by weight layer number − 1; NULL: for none */
    fal_tensor_list feedback_tensors, gradient_tensors, delta_tensors;
    fal_tensor_list optimizer_tensors; /* what it keeps from step to step */

    fal_workspace workspace;
    fal_plan plans[FAL_PLAN_SIZES];
    size_t next_plan;
    fal_plan_update in_products; /* the update, where products do it … */
    fal_launches clipping;       /* … and where they do not; empty: not clipped */
    fal_launches update;
    fal_launches muon;   /* the update of its matrices, where those do the rest's */
    fal_launches mirror; /* a mirror step; empty: no rule has any */
    size_t mirrors; /* its first launches, which draw the noise of a layer each */
    fal_ring ring;
    fal_feed step_feed; /* of fal_trainer_step */
    int has_step_feed;
    struct fal_measurer *measurer; /* made when first needed */
    fal_on_metric on_metric;       /* of fit; NULL: it does not measure */
    void *metric_user;

    size_t last_rows;         /* of the last batch */
    uint64_t step, epoch;     /* over the trainer's life */
    uint64_t epochs_begun;    /* draws the data order */
    uint64_t mirror_steps;    /* over the trainer's life; draws their noise */
    uint64_t measured;        /* the step of the last measurement in a fit, + 1 */
    uint64_t schedule_start;  /* the step at which the schedule began … */
    uint64_t schedule_epoch;  /* … and the epochs completed before */
    uint64_t schedule_length; /* steps; 0: not known */
    double fixed_rate;        /* set by the user; below 0: none */

    const fal_dataset *validation; /* the caller's; NULL: none */

    fal_place place;
    int goes_on;          /* 1: the next fit does, from a checkpoint … */
    fal_notes data_notes; /* … on these data; else the fit's, once asked for */
    char *resumed_from;   /* the checkpoint's name */
};

/* host/train/feedback.c: the layers' rules, with what the options say of feedback;
 * then feedback tensors and their random values. */
fal_status fal_trainer_find_routes(fal_trainer *trainer);
fal_status fal_trainer_make_feedback(fal_trainer *trainer);

/* Whether a layer's rule draws anew what is in `random`, at each step. */
int fal_trainer_redraws(const fal_trainer *trainer, const fal_random *random);

/* Whether a layer hands the error down to a layer below; whether it has it directly, by
 * its own B; whether its feedback law counts for one of both. */
int fal_trainer_hands_down(const fal_trainer *trainer, unsigned number);
int fal_trainer_is_direct(const fal_trainer *trainer, unsigned number);
int fal_trainer_has_law(const fal_trainer *trainer, unsigned number);

/* The rule of a layer that changes its feedback; NULL: none does. */
const fal_rule *fal_trainer_learner(const fal_trainer *trainer);

/* Of a layer's B or R, as it is stored or drawn. */
void fal_trainer_matrix_shape(const fal_trainer *trainer, unsigned number,
                              size_t *rows, size_t *columns);

/* Sets the draw of an R that is the step's, before it is read; B or R as it is or would
 * be stored; the bytes of those that are not. */
void fal_trainer_redraw(fal_trainer *trainer);
fal_status fal_trainer_draw(fal_trainer *trainer, unsigned number, fal_view view);
uint64_t fal_trainer_saved_bytes(const fal_trainer *trainer);

/* host/train/carrier.c: matrices on the device, W and stored feedback where they lie,
 * others in room of their own until the next call for that layer; no buffer where the
 * rule has none there. Enqueued, not waited for.
 * B or R of layer `number`, [in][out], or direct [outputs][units]; and what the next
 * step carries the error down with, W itself or in its place, [in][out]: layers that
 * hand one down. */
fal_status fal_trainer_feedback(fal_trainer *trainer, unsigned number,
                                fal_view *view);
fal_status fal_trainer_carrier(fal_trainer *trainer, unsigned number,
                               fal_view *view);

/* host/train/muon.c: whether the optimizer is Muon and this weight one of its
 * matrices, those of all hidden layers but the first convolution; and the launches that
 * update them. */
int fal_trainer_is_muons(const fal_trainer *trainer, const fal_layer *layer);
fal_status fal_trainer_make_muon(fal_trainer *trainer);

/* host/train/mirror.c: what the options say of the weight mirror; the launches of a
 * mirror step; those steps, enqueued; and those that come before the first training step
 * on so many samples, which are awaited. */
fal_status fal_trainer_find_mirror(fal_trainer *trainer);
fal_status fal_trainer_make_mirror(fal_trainer *trainer);
fal_status fal_trainer_run_mirror(fal_trainer *trainer, uint64_t steps);
fal_status fal_trainer_begin_mirror(fal_trainer *trainer, size_t samples);

/* host/train/kolen_pollack.c: says where a fit of so many steps, and batches an epoch,
 * has too little weight decay for feedback that learns by it. */
void fal_trainer_warn_of_decay(const fal_trainer *trainer, uint64_t steps,
                               uint64_t batches);

extern const char *const fal_optimizer_names[]; /* by fal_update_rule */

/* host/train/weight_decay.c: what the options say; a layer's; and the factor of all at
 * a step. */
fal_status fal_trainer_make_decays(fal_trainer *trainer);
float fal_trainer_decay(const fal_trainer *trainer, const fal_layer *layer);
float fal_trainer_decay_factor(const fal_trainer *trainer, uint64_t step);

/* By layer of the network, checked; the trainer has all of them or what it had. */
fal_status fal_trainer_take_decays(fal_trainer *trainer, const float *decays);

/* The launches that update weights, made anew from what the trainer has by now. On
 * failure it has what it had. */
fal_status fal_trainer_remake_updates(fal_trainer *trainer);

/* Whether a layer's parameters change; and the factor of clipped gradients, or no
 * buffer. */
int fal_trainer_learns(const fal_trainer *trainer, const fal_layer *layer);
fal_view fal_trainer_clip_scale(const fal_trainer *trainer);

/* host/train/step.c: one batch of a feed through plan and update; does not wait. */
fal_status fal_trainer_run(fal_trainer *trainer, fal_feed *feed, size_t start,
                           size_t rows);

/* host/train/measure.c: measures on a batch of a feed of this trainer's, for the
 * trainer's callback. */
fal_status fal_trainer_measure_feed(fal_trainer *trainer, fal_feed *feed,
                                    size_t start, size_t rows);

/* host/train/checkpoint_notes.c: whether the fit that is to go on was trained on these
 * data; any other may train on all. */
fal_status fal_trainer_check_data(const fal_trainer *trainer,
                                  const fal_arrays *data);

/* host/train/checkpoint.c: forgets the fit that runs or is to go on. */
void fal_trainer_leave_fit(fal_trainer *trainer);

/* Launches of one step. */
fal_status fal_trainer_launches(fal_trainer *trainer, size_t *launches);

/* After the ring found a loss that is not finite: the message names step and layer.
 * `start`, `rows` are those of the batch of step ring.diverged_at; feed NULL: that
 * batch is gone, and no layer is named. */
fal_status fal_trainer_diverged(fal_trainer *trainer, fal_feed *feed, size_t start,
                                size_t rows);

#endif
