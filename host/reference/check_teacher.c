/* Steps of students that learn online: several runs in one launch, each against its
 * own reference. */
#include "reference/check.h"
#include "reference/checker.h"
#include "reference/teacher_student.h"

#include <math.h>
#include <string.h>

static const double U = 0x1p-24;

/* Of the samples' random numbers; any would do. */
enum { PURPOSE = 16 };

/* States of `runs` runs with random numbers where they belong. */
static float *make_states(fal_checker *c, const fal_teacher_work *work,
                          const fal_teacher_places *places)
{
    const fal_teacher_student *is = &work->is;
    size_t fields = is->students + is->teachers;
    float *states = fal_checker_room(c, work->runs * places->stride,
                                     sizeof *states);
    for (size_t run = 0; states && run < work->runs; run++) {
        float *state = states + run * places->stride;
        float *rows = fal_checker_floats(c, fields * is->inputs, -1.5, 1.5);
        float *others = fal_checker_floats(c, fields + is->students, -1.5, 1.5);
        if (c->status)
            return NULL;
        for (size_t r = 0; r < fields; r++)
            memcpy(state + r * places->pitch, rows + r * is->inputs,
                   is->inputs * sizeof *rows);
        memcpy(state + places->outputs, others, fields * sizeof *others);
        memcpy(state + places->feedback, others + fields,
               is->students * sizeof *others);
    }
    return states;
}

static double *doubles(fal_checker *c, size_t rows, size_t columns,
                       const float *from, size_t pitch, double sign)
{
    double *to = fal_checker_room(c, rows * columns, sizeof *to);
    for (size_t i = 0; to && i < rows * columns; i++)
        to[i] = sign * (double)from[i / columns * pitch + i % columns];
    return to;
}

/* Notes the run's step number `number`, from one state to the next. */
static void compare(fal_checker *c, const fal_teacher_work *work,
                    const fal_teacher_places *places, uint64_t seed,
                    uint32_t number, const float *from, const float *to)
{
    const fal_teacher_student *is = &work->is;
    size_t k = is->students, m = is->teachers, n = is->inputs,
           pitch = places->pitch;
    const float *outputs = from + places->outputs;
    fal_reference_step step = {.sample = fal_checker_room(c, n, sizeof(double))};
    const fal_reference_learner learner = {
        *is,
        seed,
        work->purpose,
        doubles(c, k, n, from, pitch, 1),
        doubles(c, 1, k, outputs, k, -1),
        doubles(c, 1, k, from + places->feedback, k, 1),
        doubles(c, m, n, from + k * pitch, pitch, 1),
        doubles(c, 1, m, outputs + k, m, 1)};
    if (c->status)
        return;
    fal_reference_teacher_student(&learner, number, &step);
    for (size_t i = 0; i < k * n; i++) {
        double expected = learner.weights[i];
        fal_checker_note(c, to[i / n * pitch + i % n], expected,
                         step.weight_bounds[i / n] * fabs(step.sample[i % n]) +
                             2 * U * fabs(expected));
    }
    for (size_t i = 0; i < k; i++)
        fal_checker_note(c, -to[places->outputs + i], learner.outputs[i],
                         step.output_bounds[i] + 2 * U * fabs(learner.outputs[i]));
}

/* What must be as it was: teachers, A and F; and zeros where nothing lies. */
static void compare_rest(fal_checker *c, const fal_teacher_work *work,
                         const fal_teacher_places *places, const float *from,
                         const float *to)
{
    const fal_teacher_student *is = &work->is;
    for (size_t i = 0; i < places->feedback + FAL_TEACHER_FIELDS; i++) {
        size_t row = i / places->pitch, column = i % places->pitch;
        int is_weight = row < is->students && column < is->inputs;
        int is_output = i >= places->outputs && i < places->outputs + is->students;
        if (!is_weight && !is_output)
            fal_checker_note(c, to[i], from[i], 0);
    }
}

/* Launches steps first, first + 1, …; `seeds` are [runs][2]. */
static fal_status launch(fal_checker *c, const fal_teacher_work *work,
                         fal_teacher_span span)
{
    fal_status status = c->launches.count
                            ? FAL_OK
                            : fal_teacher_student_add(&c->launches, work);
    return status ? status : fal_launches_step(&c->launches, sizeof span, &span);
}

fal_status fal_check_teacher_student(fal_device *device,
                                     const fal_teacher_student *is, size_t runs,
                                     double *worst)
{
    const fal_teacher_places places = fal_teacher_places_of(device, is);
    fal_teacher_work work = {.is = *is, .runs = runs, .purpose = PURPOSE};
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    const float *from = make_states(&c, &work, &places);
    const cl_uint *seeds = (cl_uint *)fal_checker_ints(&c, 2 * runs, INT32_MAX);
    work.states = fal_checker_put(&c, runs * places.stride, from);
    work.seeds = fal_checker_put(&c, 2 * runs, seeds);
    for (cl_uint number = 7; number < 9 && !c.status; number++) {
        fal_checker_run(&c, launch(&c, &work, (fal_teacher_span){number, 1}));
        const float *to = fal_checker_get(&c, work.states);
        for (size_t run = 0; to && run < runs; run++) {
            size_t at = run * places.stride;
            uint64_t seed = seeds[2 * run] | (uint64_t)seeds[2 * run + 1] << 32;
            compare(&c, &work, &places, seed, number, from + at, to + at);
            compare_rest(&c, &work, &places, from + at, to + at);
        }
        from = to;
    }
    return fal_checker_end(&c);
}
