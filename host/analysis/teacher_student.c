#include "analysis/teacher_student.h"
#include "device/memory.h"

#include <math.h>
#include <string.h>

static const double LONGEST_STEP = .05;

/* Slopes of the four stages, where they are taken, and the state they start from */
enum { STAGES = 4, ROOMS = STAGES + 1 };

static size_t size_of(const fal_order *order)
{
    return order->fields * order->fields + order->fields;
}

fal_status fal_order_create(fal_order *order, const fal_teacher_student *is)
{
    fal_status status = fal_teacher_student_check(is);
    if (status)
        return status;
    *order = (fal_order){.is = *is, .fields = is->students + is->teachers};
    order->covariance = fal_allocate(size_of(order), sizeof(double));
    order->feedback = fal_allocate(is->students, sizeof(double));
    order->room = fal_allocate(ROOMS * size_of(order), sizeof(double));
    if (!order->covariance || !order->feedback || !order->room) {
        fal_order_release(order);
        return FAL_ERROR_MEMORY;
    }
    order->outputs = order->covariance + order->fields * order->fields;
    return FAL_OK;
}

void fal_order_release(fal_order *order)
{
    fal_release(order->covariance);
    fal_release(order->feedback);
    fal_release(order->room);
    *order = (fal_order){.fields = 0};
}

static double overlap(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum / (double)n;
}

static const float *row_of(const fal_order *order, const float *weights,
                           const float *teacher, size_t pitch, size_t field)
{
    size_t k = order->is.students;
    return field < k ? weights + field * pitch : teacher + (field - k) * pitch;
}

void fal_order_measure(fal_order *order, const float *weights, const float *teacher,
                       size_t pitch, size_t inputs)
{
    size_t fields = order->fields;
    for (size_t a = 0; a < fields; a++)
        for (size_t b = a; b < fields; b++) {
            double value = overlap(row_of(order, weights, teacher, pitch, a),
                                   row_of(order, weights, teacher, pitch, b),
                                   inputs);
            order->covariance[a * fields + b] = value;
            order->covariance[b * fields + a] = value;
        }
}

static fal_fields fields_of(const fal_order *order)
{
    return (fal_fields){order->is.response, order->fields, order->covariance};
}

double fal_order_error(const fal_order *order)
{
    const fal_fields f = fields_of(order);
    double sum = 0;
    for (size_t a = 0; a < order->fields; a++)
        for (size_t b = 0; b < order->fields; b++)
            sum += order->outputs[a] * order->outputs[b] * fal_i2(&f, a, b);
    return sum;
}

/* ---- the equations -------------------------------------------------------- */

/* What brings the error to student i */
static double carrier(const fal_order *order, size_t i)
{
    return order->is.direct ? order->feedback[i] : -order->outputs[i];
}

/* ⟨g'(i) b error⟩ */
static double drift(const fal_order *order, const fal_fields *f, size_t i, size_t b)
{
    double sum = 0;
    for (size_t a = 0; a < order->fields; a++)
        sum += order->outputs[a] * fal_i3(f, i, b, a);
    return sum;
}

/* ⟨g'(i) g'(k) (error + noise)²⟩; of I4's last two fields it needs one order. */
static double spread(const fal_order *order, const fal_fields *f, size_t i,
                     size_t k)
{
    const double *z = order->outputs;
    double sum = order->is.noise * order->is.noise * fal_j2(f, i, k);
    for (size_t a = 0; a < order->fields; a++) {
        double rest = .5 * z[a] * fal_i4(f, i, k, a, a);
        for (size_t b = 0; b < a; b++)
            rest += z[b] * fal_i4(f, i, k, a, b);
        sum += 2 * z[a] * rest;
    }
    return sum;
}

static double output_rate(const fal_order *order, const fal_fields *f, size_t i)
{
    double sum = 0;
    for (size_t a = 0; a < order->fields; a++)
        sum += order->outputs[a] * fal_i2(f, i, a);
    return -order->is.rate * sum;
}

static void set(const fal_order *order, double *rates, size_t a, size_t b,
                double value)
{
    rates[a * order->fields + b] = rates[b * order->fields + a] = value;
}

void fal_order_rates(const fal_order *order, double *rates)
{
    const fal_fields f = fields_of(order);
    size_t students = order->is.students;
    double rate = order->is.rate;
    memset(rates, 0, size_of(order) * sizeof *rates);
    for (size_t i = 0; i < students; i++) {
        double by = rate * carrier(order, i);
        for (size_t n = students; n < order->fields; n++)
            set(order, rates, i, n, by * drift(order, &f, i, n));
        for (size_t k = 0; k <= i; k++) {
            double with = rate * carrier(order, k);
            set(order, rates, i, k,
                by * drift(order, &f, i, k) + with * drift(order, &f, k, i) +
                    by * with * spread(order, &f, i, k));
        }
        rates[order->fields * order->fields + i] = output_rate(order, &f, i);
    }
}

/* ---- solving -------------------------------------------------------------- */

static void step(fal_order *order, double h)
{
    static const double share[STAGES] = {1, 2, 2, 1},
                        ahead[STAGES] = {0, .5, .5, 1};
    size_t size = size_of(order);
    double *state = order->covariance, *start = order->room;
    memcpy(start, state, size * sizeof *state);
    for (size_t s = 0; s < STAGES; s++) {
        double *slope = start + (s + 1) * size;
        for (size_t i = 0; i < size && s > 0; i++)
            state[i] = start[i] + ahead[s] * h * slope[i - size];
        fal_order_rates(order, slope);
    }
    for (size_t i = 0; i < size; i++) {
        double sum = 0;
        for (size_t s = 0; s < STAGES; s++)
            sum += share[s] * start[(s + 1) * size + i];
        state[i] = start[i] + h / 6 * sum;
    }
}

fal_status fal_order_advance(fal_order *order, double time)
{
    if (order->is.response == FAL_RESPONSE_RELU)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "teacher and student of relu units: their overlaps have no "
                        "closed equations; simulate them, or take erf or linear");
    double span = time - order->time;
    if (!(span > 0))
        return FAL_OK;
    double steps = ceil(span / LONGEST_STEP * (1 - 1e-12));
    for (double i = 0; i < steps; i++)
        step(order, span / steps);
    order->time = time;
    return FAL_OK;
}
