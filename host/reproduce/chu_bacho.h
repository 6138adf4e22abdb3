/* Chu & Bacho 2024, why feedback alignment aligns: what the parts of the experiment
 * share. */
#ifndef REPRODUCE_CHU_BACHO_H
#define REPRODUCE_CHU_BACHO_H

#include "analysis/field_trainer.h"
#include "analysis/fixed_point.h"
#include "reproduce/experiment.h"

typedef enum chu_kind {
    CHU_ESCAPE,  /* from a minimum of the loss under fresh feedback */
    CHU_ZERO,    /* where the loss is zero */
    CHU_OUTPUTS, /* several outputs */
    CHU_IMAGES   /* accuracy beside alignment */
} chu_kind;

/* Settings of CHU_ESCAPE: of how many hidden units the fresh feedback has the wrong sign,
 * B_k V_k < 0. */
typedef enum chu_signs { CHU_SOME_WRONG, CHU_NONE_WRONG, CHU_ALL_WRONG } chu_signs;

/* Each adds the result of a part of its kind. */
fal_status chu_escape(fal_study *study, const fal_part *part, cJSON *result);
fal_status chu_zero(fal_study *study, const fal_part *part, cJSON *result);
fal_status chu_outputs(fal_study *study, const fal_part *part, cJSON *result);
fal_status chu_images(fal_study *study, const fal_part *part, cJSON *result);

/* The networks of CHU_IMAGES, each under fa and bp: setting / 2 counts them. */
typedef struct chu_image_net {
    const char *name;    /* in keys and figures: "wide", "neck-1" */
    const char *label;   /* of plots */
    const char *network; /* without input */
    double scale;        /* of the initial weights */
} chu_image_net;

extern const chu_image_net chu_image_nets[];
extern const size_t chu_image_net_count;

/* Figures and plots of the small networks, and of the images. */
fal_status chu_conclude_points(fal_study *study, fal_findings *findings);
fal_status chu_conclude_images(fal_study *study, fal_findings *findings);

/* ---- small networks ------------------------------------------------------ */

/* Samples x ~ N(0, I) of `inputs` numbers, and the outputs of a network of the same form
 * plus noise. Its weights are N(0, 1), `teacher` their seed; or, with a radius, each of its
 * units looks into a direction of its own, all at one angle to the next, without biases
 * for an output of its own, or with weights of 1 for the one that there is: then no unit
 * can do another's work. */
typedef struct chu_task {
    size_t samples, inputs, hidden, outputs;
    double noise, radius;
    uint64_t teacher; /* also the seed of inputs and noise */
} chu_task;

/* A network "dense H, tanh, dense outputs nobias" learning such a task by one rule, all
 * samples in each step; `trained` is its field. */
typedef struct chu_net {
    fal_dataset *samples, *copies; /* the same over and over, for longer epochs */
    fal_model *model;
    fal_trainer *trainer;
    fal_trained_field trained;
    double rate;
} chu_net;

/* The rate is the caller's to set, before chu_net_rule. */
fal_status chu_net_open(chu_net *net, fal_study *study, const chu_task *task,
                        uint64_t seed);
void chu_net_close(chu_net *net);

/* Gives it a rule, with feedback U(±1/√fan_in) by a seed, and the field of that. */
fal_status chu_net_rule(chu_net *net, const char *rule, uint64_t feedback_seed);

/* Looks of a training, at most. */
enum { CHU_LOOKS = 128 };

/* Called at step 0 and at steps that lie further and further apart. */
typedef fal_status (*chu_look)(chu_net *net, uint64_t step, void *user);

/* Trains with plain gradient steps at net->rate, in hundreds; the share of the part that
 * is done goes from `from` to `to`. Errors: STOPPED. */
fal_status chu_net_train(chu_net *net, fal_study *study, uint64_t steps,
                         double from, double to, chu_look look, void *user);

/* The weights as they are, and next to them the exact point where the field vanishes. */
fal_status chu_net_polished(chu_net *net, fal_field_way way, double *theta);

/* Steps of a training at which it is looked at: 0, 1, 2, … ; at most `room` of them. */
size_t chu_steps(uint64_t last, double *steps, size_t room);

/* N(0, 1), its own for each seed, use and index. */
enum { USE_INPUTS = 1, USE_TEACHER = 2, USE_NOISE = 3, USE_ASIDE = 4 };
double chu_normal(uint64_t seed, uint32_t use, uint64_t index);

#endif
