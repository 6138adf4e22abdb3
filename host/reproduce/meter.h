/* How far a study is: on a terminal one live line, else a plain line a part. */
#ifndef REPRODUCE_METER_H
#define REPRODUCE_METER_H

#include "reproduce/study.h"

typedef struct fal_meter {
    int silent, terminal, color;
    const char *name;      /* of the experiment */
    double began, updated; /* seconds of a clock */
    double expected;       /* seconds of the parts that this call runs */
    double done;           /* of those that are finished */
    double under_way;      /* of those that run: what they have done of theirs */
    size_t parts;          /* of the study */
    size_t finished;       /* of them, with those of earlier calls */
} fal_meter;

/* `silent`: shows nothing. */
void fal_meter_begin(fal_meter *meter, const fal_study *study, size_t finished,
                     int silent);

/* The parts that run have done `seconds` of what is expected of them. */
void fal_meter_move(fal_meter *meter, const char *key, double seconds);

/* A part is done; it took `seconds`. */
void fal_meter_part(fal_meter *meter, const fal_part *part, double seconds);

#endif
