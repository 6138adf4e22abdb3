/* Online learning of a student from a teacher, many runs at once. Kernel:
 * cl/teacher_student.cl; science §5B. */
#ifndef FAL_OPS_TEACHER_STUDENT_H
#define FAL_OPS_TEACHER_STUDENT_H

#include "device/launch.h"

/* g of every unit: erf(x/√2), max(x, 0), x. */
typedef enum fal_response {
    FAL_RESPONSE_ERF = 0,
    FAL_RESPONSE_RELU = 1,
    FAL_RESPONSE_LINEAR = 2
} fal_response;

/* A student Σ_k v_k g(w_k·x/√N) of a teacher Σ_m A_m g(B_m·x/√N). */
typedef struct fal_teacher_student {
    fal_response response;
    int direct;      /* 1: F carries the error to the students (dfa), 0: v (bp) */
    size_t inputs;   /* N; theory does without */
    size_t students; /* K */
    size_t teachers; /* M; K + M <= FAL_TEACHER_FIELDS */
    double rate;     /* η */
    double noise;    /* σ of the teacher's output */
} fal_teacher_student;

enum { FAL_TEACHER_FIELDS = 64 };

/* Where a run's numbers lie, in floats from its start: w_k and B_m in rows `pitch`
 * apart, the students first; z = (−v, A); F; scratch. All that is not set is 0. */
typedef struct fal_teacher_places {
    size_t pitch, outputs, feedback, stride;
} fal_teacher_places;

fal_teacher_places fal_teacher_places_of(const fal_device *device,
                                         const fal_teacher_student *is);

typedef struct fal_teacher_work {
    fal_teacher_student is;
    size_t runs;
    uint32_t purpose; /* of the samples' random numbers: data/random.h */
    fal_view seeds;   /* uint [runs][2]: low and high half */
    fal_view states;  /* [runs][stride] */
} fal_teacher_work;

/* What changes from launch to launch, for fal_launches_step: steps first,
 * first + 1, …, as many as fal_teacher_steps allows. */
typedef struct fal_teacher_span {
    cl_uint first, steps;
} fal_teacher_span;

/* Results of a run do not depend on the other runs. */
fal_status fal_teacher_student_add(fal_launches *list,
                                   const fal_teacher_work *work);

/* The most steps of a launch: thousands, but on GPU-like devices fewer loop turns an
 * item than 32,768; 0 where one step has more. */
size_t fal_teacher_steps(const fal_device *device, const fal_teacher_student *is);

/* Whether there is such a student: sizes and numbers. */
fal_status fal_teacher_student_check(const fal_teacher_student *is);

#endif
