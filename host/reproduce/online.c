#include "reproduce/online.h"
#include "device/memory.h"

#include <math.h>

static fal_status set(fal_online *o, size_t run)
{
    fal_start start;
    uint64_t seed = o->first_seed + run;
    fal_status status = fal_start_draw(&start, &o->is, seed, seed, seed);
    if (status)
        return status;
    for (size_t m = 0; m < o->is.teachers; m++)
        start.teacher_outputs[m] = 1;
    for (size_t k = 0; o->random_signs && k < o->is.students; k++)
        start.feedback[k] = start.feedback[k] > 0 ? 1 : -1;
    status = fal_simulation_set(o->simulation, run, &start, seed);
    fal_start_release(&start);
    return status;
}

fal_status fal_online_begin(fal_online *o)
{
    fal_device *device;
    fal_status status = fal_study_device(o->study, &device);
    if (!status)
        status = fal_simulation_create(&o->simulation, device, &o->is, o->runs);
    if (!status)
        status = fal_order_create(&o->order, &o->is);
    for (size_t run = 0; run < o->runs && !status; run++)
        status = set(o, run);
    return status;
}

void fal_online_release(fal_online *o)
{
    fal_simulation_destroy(o->simulation);
    fal_order_release(&o->order);
    o->simulation = NULL;
}

/* In pieces that take a tenth of a second or so: Ctrl-C is looked at between them. */
static fal_status advance(fal_online *o, double time)
{
    const uint64_t piece = 1 + 50000000 / (o->is.inputs * o->runs);
    const double n = (double)o->is.inputs, end = o->times[o->count - 1];
    uint64_t to = (uint64_t)llround(time * n);
    fal_status status = FAL_OK;
    while (!status && fal_simulation_steps(o->simulation) < to) {
        uint64_t now = fal_simulation_steps(o->simulation);
        status = fal_simulation_advance(o->simulation,
                                        to - now < piece ? to - now : piece);
        if (!status)
            status = fal_simulation_measure(o->simulation, 0, &o->order);
        fal_study_progress(o->study, (double)now / (n * end));
        if (fal_study_stopped(o->study))
            return FAL_STOPPED;
    }
    return status;
}

fal_status fal_online_run(fal_online *o, fal_online_visit visit, void *user)
{
    fal_status status = FAL_OK;
    for (size_t t = 0; t < o->count && !status; t++) {
        status = advance(o, o->times[t]);
        for (size_t run = 0; run < o->runs && !status; run++) {
            status = fal_simulation_measure(o->simulation, run, &o->order);
            if (!status)
                status = visit(o, t, run, user);
        }
    }
    return status;
}

double *fal_online_times(double from, double to, size_t a_decade, size_t *count)
{
    size_t intervals = (size_t)ceil((double)a_decade * log10(to / from) - 1e-9);
    double *times = fal_allocate(intervals + 1, sizeof *times);
    for (size_t i = 0; times && i <= intervals; i++)
        times[i] = from * pow(to / from, (double)i / (double)intervals);
    *count = intervals + 1;
    return times;
}

void fal_online_logarithms(double *errors, size_t count)
{
    for (size_t i = 0; errors && i < count; i++)
        errors[i] = log10(fmax(errors[i], FAL_ONLINE_ROUNDING));
}

/* Measured: a number of a sample 1.3 ns, and .17 ns for every field. */
double fal_online_seconds(const fal_teacher_student *is, size_t runs, double end)
{
    double n = (double)is->inputs, fields = (double)(is->students + is->teachers);
    return end * n * (double)runs * (150 + n * (1.3 + .1 * fields)) * 1e-9;
}
