#include "analysis/simulation.h"
#include "data/random.h"
#include "device/memory.h"

#include <string.h>

/* ---- starts --------------------------------------------------------------- */

/* Layers of the random numbers of w and v, of B and A */
enum { FIELD_LAYER = 1, OUTPUT_LAYER = 2 };

static float *drawn(float *into, size_t count, uint64_t seed, uint32_t purpose,
                    uint32_t layer)
{
    for (size_t i = 0; i < count; i++)
        into[i] = fal_random_gaussian(seed, purpose, layer, 0, i, 1);
    return into + count;
}

fal_status fal_start_draw(fal_start *start, const fal_teacher_student *is,
                          uint64_t seed, uint64_t feedback_seed, uint64_t data_seed)
{
    size_t n = is->inputs, k = is->students, m = is->teachers;
    fal_status status = fal_teacher_student_check(is);
    if (status)
        return status;
    float *room = fal_allocate(k * n + 2 * k + m * n + m, sizeof *room);
    if (!room)
        return FAL_ERROR_MEMORY;
    *start = (fal_start){.weights = room, .room = room};
    start->outputs = drawn(room, k * n, seed, FAL_PURPOSE_WEIGHT, FIELD_LAYER);
    start->feedback = drawn(start->outputs, k, seed, FAL_PURPOSE_WEIGHT,
                            OUTPUT_LAYER);
    start->teacher = drawn(start->feedback, k, feedback_seed, FAL_PURPOSE_FEEDBACK,
                           FIELD_LAYER);
    start->teacher_outputs = drawn(start->teacher, m * n, data_seed,
                                   FAL_PURPOSE_TEACHER, FIELD_LAYER);
    drawn(start->teacher_outputs, m, data_seed, FAL_PURPOSE_TEACHER, OUTPUT_LAYER);
    return FAL_OK;
}

void fal_start_release(fal_start *start)
{
    fal_release(start->room);
    *start = (fal_start){.room = NULL};
}

/* ---- runs ----------------------------------------------------------------- */

struct fal_simulation {
    fal_device *device;
    fal_teacher_work work;
    fal_teacher_places places;
    fal_launches launches;
    uint64_t steps;
    float *state; /* of one run, on its way */
};

fal_status fal_simulation_create(fal_simulation **simulation, fal_device *device,
                                 const fal_teacher_student *is, size_t runs)
{
    fal_status status = fal_teacher_student_check(is);
    if (status)
        return status;
    fal_simulation *s = fal_allocate(1, sizeof *s);
    if (!s)
        return FAL_ERROR_MEMORY;
    s->device = s->launches.device = device;
    s->work = (fal_teacher_work){
        .is = *is, .runs = runs, .purpose = FAL_PURPOSE_SAMPLE};
    s->places = fal_teacher_places_of(device, is);
    s->state = fal_allocate(s->places.stride, sizeof *s->state);
    status = s->state ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status)
        status = fal_buffer_create(device, runs * s->places.stride * sizeof(float),
                                   "teachers and students", &s->work.states.buffer);
    if (!status)
        status = fal_buffer_create(device, runs * 2 * sizeof(cl_uint),
                                   "seeds of runs", &s->work.seeds.buffer);
    if (!status)
        status = fal_teacher_student_add(&s->launches, &s->work);
    if (status)
        fal_simulation_destroy(s);
    else
        *simulation = s;
    return status;
}

void fal_simulation_destroy(fal_simulation *simulation)
{
    if (!simulation)
        return;
    fal_launches_release(&simulation->launches);
    fal_buffer_destroy(simulation->device, simulation->work.states.buffer);
    fal_buffer_destroy(simulation->device, simulation->work.seeds.buffer);
    fal_release(simulation->state);
    fal_release(simulation);
}

static void copy_rows(float *to, size_t to_pitch, const float *from,
                      size_t from_pitch, size_t rows, size_t columns)
{
    for (size_t r = 0; r < rows; r++)
        memcpy(to + r * to_pitch, from + r * from_pitch, columns * sizeof *to);
}

fal_status fal_simulation_set(fal_simulation *s, size_t run, const fal_start *start,
                              uint64_t noise_seed)
{
    const fal_teacher_student *is = &s->work.is;
    size_t bytes = s->places.stride * sizeof(float), pitch = s->places.pitch;
    size_t k = is->students, n = is->inputs;
    const cl_uint seed[2] = {(cl_uint)noise_seed, (cl_uint)(noise_seed >> 32)};
    float *state = s->state, *outputs = state + s->places.outputs;
    memset(state, 0, bytes);
    copy_rows(state, pitch, start->weights, n, k, n);
    copy_rows(state + k * pitch, pitch, start->teacher, n, is->teachers, n);
    for (size_t i = 0; i < k; i++) {
        outputs[i] = -start->outputs[i];
        state[s->places.feedback + i] = start->feedback[i];
    }
    memcpy(outputs + k, start->teacher_outputs, is->teachers * sizeof *outputs);
    fal_status status = fal_write(s->device, s->work.states.buffer, run * bytes,
                                  bytes, state);
    return status ? status
                  : fal_write(s->device, s->work.seeds.buffer, run * sizeof seed,
                              sizeof seed, seed);
}

fal_status fal_simulation_advance(fal_simulation *s, uint64_t steps)
{
    const uint64_t most = fal_teacher_steps(s->device, &s->work.is);
    fal_status status = FAL_OK;
    if (steps > UINT32_MAX - s->steps)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "simulation: step %llu + %llu; a run has at most 2^32 - 1",
                        (unsigned long long)s->steps, (unsigned long long)steps);
    while (steps > 0 && !status) {
        const uint64_t now = steps < most ? steps : most;
        const fal_teacher_span span = {(cl_uint)s->steps, (cl_uint)now};
        status = fal_launches_step(&s->launches, sizeof span, &span);
        if (!status)
            status = fal_launches_run(&s->launches);
        s->steps += now, steps -= now;
    }
    return status;
}

uint64_t fal_simulation_steps(const fal_simulation *simulation)
{
    return simulation->steps;
}

/* All but the scratch, into s->state */
static fal_status fetch(const fal_simulation *s, size_t run)
{
    size_t count = s->places.feedback + s->work.is.students;
    return fal_read(s->device, s->work.states.buffer,
                    run * s->places.stride * sizeof(float), count * sizeof(float),
                    s->state);
}

fal_status fal_simulation_read(const fal_simulation *s, size_t run, float *weights,
                               float *outputs)
{
    const fal_teacher_student *is = &s->work.is;
    fal_status status = fetch(s, run);
    if (status)
        return status;
    if (weights)
        copy_rows(weights, is->inputs, s->state, s->places.pitch, is->students,
                  is->inputs);
    for (size_t i = 0; outputs && i < is->students; i++)
        outputs[i] = -s->state[s->places.outputs + i];
    return FAL_OK;
}

fal_status fal_simulation_measure(const fal_simulation *s, size_t run,
                                  fal_order *order)
{
    size_t k = s->work.is.students, pitch = s->places.pitch;
    fal_status status = fetch(s, run);
    if (status)
        return status;
    fal_order_measure(order, s->state, s->state + k * pitch, pitch,
                      s->work.is.inputs);
    for (size_t i = 0; i < order->fields; i++)
        order->outputs[i] = s->state[s->places.outputs + i];
    for (size_t i = 0; i < k; i++)
        order->feedback[i] = s->state[s->places.feedback + i];
    order->time = (double)s->steps / (double)s->work.is.inputs;
    return FAL_OK;
}
