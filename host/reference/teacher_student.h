/* One step of a student that learns online from a teacher (cl/teacher_student.cl), in
 * double, with the step's own random numbers. */
#ifndef FAL_REFERENCE_TEACHER_STUDENT_H
#define FAL_REFERENCE_TEACHER_STUDENT_H

#include "ops/teacher_student.h"

/* A run: w [K][N], v, F [K], B [M][N], A [M] and what its samples come from. */
typedef struct fal_reference_learner {
    fal_teacher_student is;
    uint64_t seed;
    uint32_t purpose;
    double *weights, *outputs;
    const double *feedback, *teacher, *teacher_outputs;
} fal_reference_learner;

/* Of a step: its sample x [N], and how far float32 may be off in the change of w_k, in
 * units of |x|, and in that of v_k. */
typedef struct fal_reference_step {
    double *sample;
    double weight_bounds[FAL_TEACHER_FIELDS], output_bounds[FAL_TEACHER_FIELDS];
} fal_reference_step;

/* Makes step number `number`; step->sample is the caller's room. */
void fal_reference_teacher_student(const fal_reference_learner *learner,
                                   uint32_t number, fal_reference_step *step);

#endif
