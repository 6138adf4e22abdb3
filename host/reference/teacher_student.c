/* Bounds, in u = 2^-24: a number of the sample 21 u (reference/check_data.c); a field
 * 128 u of the root of its terms' squares, for its sum's roundings are many and fall
 * to either side; erf 16 ulp = 32 u, exp 3 ulp = 6 u; a product or sum 1 u. */
#include "reference/teacher_student.h"
#include "data/random.h"

#include <math.h>

static const double U = 0x1p-24;

/* A unit's g and g', and the error e of the outputs, with their bounds */
typedef struct unit {
    double g, slope, g_bound, slope_bound;
} unit;

typedef struct error {
    double value, bound;
} error;

static unit respond(fal_response response, double a, double bound)
{
    const double root_2_pi = .79788456080286535588;
    if (response == FAL_RESPONSE_LINEAR)
        return (unit){a, 1, bound, 0};
    if (response == FAL_RESPONSE_RELU)
        return (unit){a > 0 ? a : 0, a > 0, bound, fabs(a) <= bound};
    double g = erf(a / sqrt(2)), slope = root_2_pi * exp(-a * a / 2);
    return (unit){g, slope, slope * bound + 36 * U * fabs(g),
                  slope * (fabs(a) * bound + (10 + 2 * a * a) * U)};
}

static unit respond_to(const fal_reference_learner *l, const double *row,
                       const double *sample)
{
    double sum = 0, squares = 0, root = sqrt((double)l->is.inputs);
    for (size_t i = 0; i < l->is.inputs; i++) {
        sum += row[i] * sample[i];
        squares += row[i] * row[i] * sample[i] * sample[i];
    }
    return respond(l->is.response, sum / root, 128 * U * sqrt(squares) / root);
}

static double draw(const fal_reference_learner *l, uint32_t step, uint64_t element)
{
    return (double)fal_random_gaussian(l->seed, l->purpose, 0, step, element, 1);
}

static void add(error *sum, double z, unit of)
{
    sum->value += z * of.g;
    sum->bound += fabs(z) * (of.g_bound + 8 * U * fabs(of.g));
}

/* How far η·carrier·by·e may be off, where `by` is g or g' */
static double bound_of(double factor, double by, double by_bound, error e)
{
    return fabs(factor) *
           (fabs(by) * e.bound + by_bound * (fabs(e.value) + e.bound) +
            30 * U * fabs(by * e.value));
}

static void learn(const fal_reference_learner *l, size_t k, unit by, error e,
                  fal_reference_step *step)
{
    size_t n = l->is.inputs;
    double to_weights = l->is.rate / sqrt((double)n) *
                        (l->is.direct ? l->feedback[k] : l->outputs[k]);
    double to_output = l->is.rate / (double)n;
    step->weight_bounds[k] = bound_of(to_weights, by.slope, by.slope_bound, e);
    step->output_bounds[k] = bound_of(to_output, by.g, by.g_bound, e);
    for (size_t i = 0; i < n; i++)
        l->weights[k * n + i] += to_weights * by.slope * e.value * step->sample[i];
    l->outputs[k] += to_output * by.g * e.value;
}

void fal_reference_teacher_student(const fal_reference_learner *l, uint32_t number,
                                   fal_reference_step *step)
{
    const fal_teacher_student *is = &l->is;
    size_t n = is->inputs;
    unit students[FAL_TEACHER_FIELDS];
    double noise = is->noise * draw(l, number, (n + 3) / 4 * 4);
    error e = {noise, 24 * U * fabs(noise)};
    for (size_t i = 0; i < n; i++)
        step->sample[i] = draw(l, number, i);
    for (size_t m = 0; m < is->teachers; m++)
        add(&e, l->teacher_outputs[m],
            respond_to(l, l->teacher + m * n, step->sample));
    for (size_t k = 0; k < is->students; k++) {
        students[k] = respond_to(l, l->weights + k * n, step->sample);
        add(&e, -l->outputs[k], students[k]);
    }
    for (size_t k = 0; k < is->students; k++)
        learn(l, k, students[k], e, step);
}
