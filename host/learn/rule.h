/* A learning rule is one row of a table: what carries the error down to a layer. */
#ifndef FAL_RULE_H
#define FAL_RULE_H

#include "device/error.h"

/* How the error reaches a layer. */
typedef enum fal_path {
    FAL_PATH_LAYERS, /* from the layer above */
    FAL_PATH_DIRECT, /* from the output */
    FAL_PATH_TARGET, /* likewise direct, but from the target alone */
    FAL_PATH_NONE    /* not at all: the layer is frozen */
} fal_path;

/* What stands in place of W^T (layer to layer) or projects the output error. */
typedef enum fal_carrier {
    FAL_CARRIER_WEIGHTS,
    FAL_CARRIER_FEEDBACK,     /* a random B of the trainer's */
    FAL_CARRIER_SIGN,         /* sign W times the deviation of the feedback law */
    FAL_CARRIER_SIGN_REDRAWN, /* |R| sign W, R drawn anew each step */
    FAL_CARRIER_SIGN_FIXED,   /* |R| sign W */
    FAL_CARRIER_NONE
} fal_carrier;

/* How the carrier learns. */
typedef enum fal_carrier_learning {
    FAL_LEARNS_NEVER,
    FAL_LEARNS_WITH_WEIGHTS, /* by W's own steps and decay: ops/optimize.h, feedback */
    FAL_LEARNS_MIRROR        /* from noise between the steps: train/mirror.c */
} fal_carrier_learning;

typedef struct fal_rule {
    const char *name;
    fal_path path;
    fal_carrier carrier;
    fal_carrier_learning learning;
    const char *meaning; /* what carries the error down: a line of the manual */
} fal_rule;

extern const fal_rule fal_rules[]; /* fal_rule_count() */

fal_status fal_rule_find(const char *name, const fal_rule **rule);

/* Whether a B of its own brings the layer its error, past the layers above. */
int fal_rule_is_direct(const fal_rule *rule);

/* Whether it has a feedback law; a random matrix by it; and one that stays. */
int fal_rule_has_law(const fal_rule *rule);
int fal_rule_has_matrix(const fal_rule *rule);
int fal_rule_keeps_matrix(const fal_rule *rule);

/* Whether the matrix learns; else it may be drawn whenever it is read, in place of being
 * kept. */
int fal_rule_learns_feedback(const fal_rule *rule);
int fal_rule_may_regenerate(const fal_rule *rule);

/* Whether W, or its sign, takes part in what carries the error down through a layer. A
 * direct row's W does: what is below it may be of another row. */
int fal_rule_carries_by_weight(const fal_rule *rule);

/* Whether the step that a layer's weights make changes what carries the error down
 * through it: those weights, or feedback that learns with them. */
int fal_rule_carrier_moves(const fal_rule *rule);

#endif
