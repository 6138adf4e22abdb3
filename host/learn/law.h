/* Laws of random tensors: weights, biases and feedback. */
#ifndef FAL_LAW_H
#define FAL_LAW_H

#include "ops/random.h"

typedef enum fal_law_kind {
    FAL_LAW_FAN_IN,        /* U(±1/√fan_in), biases too */
    FAL_LAW_XAVIER,        /* U(±√(6/(fan_in + fan_out))) */
    FAL_LAW_XAVIER_NORMAL, /* N(0, 2/(fan_in + fan_out)) */
    FAL_LAW_NORMAL,        /* N(0, value²) */
    FAL_LAW_UNIFORM,       /* U(±value) */
    FAL_LAW_ZERO,
    FAL_LAW_WEIGHTS, /* feedback only: the weight law */
    FAL_LAW_UNITS    /* feedback only: U(±1/√units) */
} fal_law_kind;

typedef struct fal_law {
    fal_law_kind kind;
    double value;
} fal_law;

/* By kind. `name` ends in : and what stands for a number where the law takes one. */
typedef struct fal_law_row {
    const char *name;
    int feedback_only;
    const char *meaning; /* a line of the manual */
} fal_law_row;

extern const fal_law_row fal_laws[];
extern const size_t fal_law_count;

/* `feedback`: "weights" and "units" are known too. `what` names the option. */
fal_status fal_law_parse(const char *text, int feedback, const char *what,
                         fal_law *law);

/* Its text, which fal_law_parse takes. */
enum { FAL_LAW_TEXT = 48 };
void fal_law_print(char text[FAL_LAW_TEXT], fal_law law);

/* Distribution and scale of a tensor; WEIGHTS must have been replaced before. */
fal_random fal_law_resolve(fal_law law, size_t fan_in, size_t fan_out,
                           size_t units);

double fal_law_deviation(const fal_random *random);

#endif
