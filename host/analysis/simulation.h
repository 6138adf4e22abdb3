/* Runs of online learning on the device (science §5B): a fresh sample x ~ N(0, I_N) a
 * step, err = y − ŷ + σ·N(0, 1),
 *
 *   v_k += η/N·g(a_k)·err        w_k += η/√N·F_k·g'(a_k)·err·x   (bp: v_k for F_k),
 *
 * beside the equations of host/analysis/teacher_student.h. Many runs share each
 * launch; what a run gives does not depend on the others. Step t of a run takes the
 * random numbers of draw t of its noise seed. */
#ifndef FAL_SIMULATION_H
#define FAL_SIMULATION_H

#include "analysis/teacher_student.h"

typedef struct fal_simulation fal_simulation;

/* Where a run starts. */
typedef struct fal_start {
    float *weights;         /* w [K][N] */
    float *outputs;         /* v [K] */
    float *feedback;        /* F [K] */
    float *teacher;         /* B [M][N] */
    float *teacher_outputs; /* A [M] */
    float *room;
} fal_start;

/* All N(0, 1): w and v by `seed`, F by `feedback_seed`, B and A by `data_seed`. The
 * caller may change what it likes. */
fal_status fal_start_draw(fal_start *start, const fal_teacher_student *is,
                          uint64_t seed, uint64_t feedback_seed,
                          uint64_t data_seed);
void fal_start_release(fal_start *start);

/* `runs` runs of one kind. Errors: ARGUMENT (sizes, rate or noise), DEVICE_MEMORY … */
fal_status fal_simulation_create(fal_simulation **simulation, fal_device *device,
                                 const fal_teacher_student *is, size_t runs);
void fal_simulation_destroy(fal_simulation *simulation);

/* Puts a run to its start; needed before the first step, of every run. */
fal_status fal_simulation_set(fal_simulation *simulation, size_t run,
                              const fal_start *start, uint64_t noise_seed);

/* So many steps more, of all runs. Enqueues, does not wait. Errors: ARGUMENT (more
 * than 2³² − 1 steps in all). */
fal_status fal_simulation_advance(fal_simulation *simulation, uint64_t steps);
uint64_t fal_simulation_steps(const fal_simulation *simulation);

/* What a run has learnt so far: w [K][N] and v [K]; either may be NULL. Waits. */
fal_status fal_simulation_read(const fal_simulation *simulation, size_t run,
                               float *weights, float *outputs);

/* Its order parameters, those of theory: *order must be made for the same sizes. */
fal_status fal_simulation_measure(const fal_simulation *simulation, size_t run,
                                  fal_order *order);

#endif
