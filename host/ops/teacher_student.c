#include "ops/teacher_student.h"
#include "ops/grid.h"
#include "ops/random.h"
#include "ops/sizes.h"

#include <math.h>

/* cl/teacher_student.cl: rows at a time, what divides the pitch in either family, and
 * how much of a row a turn does on GPU-like devices. */
enum { ROWS = 4, CPU_UNIT = 32, SLICE = 256 };

/* A launch of so many steps takes milliseconds: more would not be faster. */
enum { CPU_STEPS = 8192, MOST_TURNS = 32767 };

enum { MOST_INPUTS = 1 << 20, MOST_RUNS = 32768 };

/* cl/teacher_student.cl: committee */
typedef struct committee {
    cl_int response, direct;
    cl_uint inputs, students, fields, pitch;
    cl_float unit, rate_weights, rate_outputs, noise;
} committee;

static int is_cpu(const fal_device *device)
{
    return device->facts.family == FAL_FAMILY_CPU;
}

fal_status fal_teacher_student_check(const fal_teacher_student *is)
{
    size_t fields = is->students + is->teachers;
    if (is->students == 0 || is->teachers == 0 || fields > FAL_TEACHER_FIELDS)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "teacher and student: %zu and %zu units; each needs one, "
                        "and together at most %d",
                        is->teachers, is->students, FAL_TEACHER_FIELDS);
    if (is->inputs > MOST_INPUTS)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "teacher and student: %zu inputs; at most %d", is->inputs,
                        MOST_INPUTS);
    if (!(is->rate > 0) || !(is->noise >= 0) || !isfinite(is->rate + is->noise))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "teacher and student: rate %g, noise %g; give a rate above "
                        "0 and a noise of at least 0",
                        is->rate, is->noise);
    return FAL_OK;
}

/* A row has room for the noise, which is drawn behind the sample. */
static size_t pitch_of(const fal_device *device, const fal_teacher_student *is)
{
    return fal_rounded(fal_rounded(is->inputs, 4) + 1,
                       is_cpu(device) ? CPU_UNIT : SLICE);
}

static size_t rows_of(const fal_teacher_student *is)
{
    return fal_rounded(is->students + is->teachers, ROWS);
}

fal_teacher_places fal_teacher_places_of(const fal_device *device,
                                         const fal_teacher_student *is)
{
    size_t pitch = pitch_of(device, is), outputs = rows_of(is) * pitch;
    return (fal_teacher_places){.pitch = pitch,
                                .outputs = outputs,
                                .feedback = outputs + FAL_TEACHER_FIELDS,
                                .stride = outputs + 2 * FAL_TEACHER_FIELDS +
                                          2 * pitch};
}

/* A step's own turn, those of drawing, and for every ROWS rows their slices; on GPU-like
 * devices. */
static size_t turns_of(const fal_device *device, const fal_teacher_student *is)
{
    size_t slices = pitch_of(device, is) / SLICE;
    size_t groups = rows_of(is) / ROWS + fal_rounded(is->students, ROWS) / ROWS;
    return 1 + slices + groups * (1 + slices);
}

size_t fal_teacher_steps(const fal_device *device, const fal_teacher_student *is)
{
    return is_cpu(device) ? CPU_STEPS : MOST_TURNS / turns_of(device, is);
}

static committee describe(const fal_device *device, const fal_teacher_student *is)
{
    double n = (double)is->inputs;
    return (committee){.response = (cl_int)is->response,
                       .direct = is->direct != 0,
                       .inputs = (cl_uint)is->inputs,
                       .students = (cl_uint)is->students,
                       .fields = (cl_uint)(is->students + is->teachers),
                       .pitch = (cl_uint)pitch_of(device, is),
                       .unit = (float)(1 / sqrt(n)),
                       .rate_weights = (float)(is->rate / sqrt(n)),
                       .rate_outputs = (float)(is->rate / n),
                       .noise = (float)is->noise};
}

static fal_status check(const fal_device *device, const fal_teacher_work *work)
{
    fal_status status = fal_teacher_student_check(&work->is);
    if (status)
        return status;
    if (work->is.inputs == 0 || work->runs == 0 || work->runs > MOST_RUNS)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "teacher and student: %zu runs of %zu inputs; both at "
                        "least 1, and at most %d runs",
                        work->runs, work->is.inputs, MOST_RUNS);
    if (fal_teacher_steps(device, &work->is) == 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "teacher and student: %zu inputs and %zu units take more "
                        "than the %d loop turns that a step has on such a device; "
                        "give fewer",
                        work->is.inputs, work->is.students + work->is.teachers,
                        (int)MOST_TURNS);
    return FAL_OK;
}

fal_status fal_teacher_student_add(fal_launches *list, const fal_teacher_work *work)
{
    fal_status status = check(list->device, work);
    if (status)
        return status;
    const fal_random random = {FAL_NORMAL, 1, 0, work->purpose, 0, 0, 0};
    const fal_kernel_numbers numbers = fal_random_describe(&random);
    const committee c = describe(list->device, &work->is);
    fal_teacher_places places = fal_teacher_places_of(list->device, &work->is);
    size_t items = fal_is_cpu_like(list) ? 1 : FAL_GROUP;
    fal_launch_begin(list, "teacher_student");
    fal_launch_bytes(list, sizeof numbers, &numbers);
    fal_launch_bytes(list, sizeof c, &c);
    fal_launch_view(list, work->seeds);
    fal_launch_view(list, work->states);
    fal_launch_ulong(list, places.stride);
    fal_launch_step(list, sizeof(fal_teacher_span));
    return fal_launch_end(list, (const size_t[3]){work->runs * items, 1, 1},
                          (const size_t[3]){items, 1, 1});
}
