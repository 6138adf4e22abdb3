#include "analysis/fixed_point.h"
#include "device/memory.h"

#include <math.h>
#include <string.h>

static const double near_share = 1e-3;

/* ---- vectors ------------------------------------------------------------- */

static double inner(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static double norm(const double *a, size_t n)
{
    return sqrt(inner(a, a, n));
}

static double cosine_of(double ab, double aa, double bb)
{
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

/* y = matrix x, column by column */
static void apply(const double *matrix, const double *x, size_t n, double *y)
{
    memset(y, 0, n * sizeof *y);
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < n; i++)
            y[i] += matrix[j * n + i] * x[j];
}

/* ---- Newton's steps ------------------------------------------------------ */

/* step = −matrix^+ u; `matrix` stays, `room` is [n][n]. */
static fal_status newton(const double *matrix, const double *u, size_t n,
                         double *room, double *step)
{
    memcpy(room, matrix, n * n * sizeof *room);
    for (size_t i = 0; i < n; i++)
        step[i] = -u[i];
    return fal_least_squares(room, n, step);
}

/* theta + part * step with |u| below `bound`, or part too small to matter. */
static double search(fal_field *field, fal_field_way way, const double *theta,
                     const double *step, double bound, double *trial, double *u)
{
    const size_t n = field->parameters;
    for (double part = 1; part > 1e-6; part /= 2) {
        for (size_t i = 0; i < n; i++)
            trial[i] = theta[i] + part * step[i];
        fal_field_update(field, trial, way, u);
        if (norm(u, n) < bound)
            return norm(u, n);
    }
    return bound;
}

static fal_status polish(fal_field *field, fal_field_way way, double *theta,
                         size_t *steps, double *room)
{
    enum { MOST = 100 };
    const size_t n = field->parameters;
    double *matrix = room, *copy = room + n * n, *u = copy + n * n, *step = u + n,
           *trial = step + n;
    fal_field_update(field, theta, way, u);
    for (double bound = norm(u, n); *steps < MOST && bound > 0; ++*steps) {
        fal_status status = fal_field_jacobian(field, theta, way, matrix);
        if (!status)
            status = newton(matrix, u, n, copy, step);
        if (status)
            return status;
        double reached = search(field, way, theta, step, bound, trial, u);
        if (!(reached < bound))
            break;
        memcpy(theta, trial, n * sizeof *theta);
        bound = reached;
    }
    return FAL_OK;
}

fal_status fal_fixed_point_polish(fal_field *field, fal_field_way way,
                                  double *theta, size_t *steps)
{
    const size_t n = field->parameters;
    size_t unread, *count = steps ? steps : &unread;
    double *room = fal_allocate(2 * n * n + 3 * n, sizeof *room);
    if (!room)
        return FAL_ERROR_MEMORY;
    *count = 0;
    fal_status status = polish(field, way, theta, count, room);
    fal_release(room);
    return status;
}

/* ---- the count of (i) ---------------------------------------------------- */

/* B_k V_k of hidden unit k. */
static double sign_product(const fal_field_layer *hidden,
                           const fal_field_layer *output, const double *theta,
                           size_t k)
{
    const double b = hidden->direct ? hidden->direct[k] : output->carrier[k];
    return b * theta[output->place + k];
}

static size_t dense_layers(const fal_field *field)
{
    size_t count = 0;
    for (size_t l = 0; l < field->count; l++)
        count += (size_t)field->layers[l].has_weight;
    return count;
}

static void count_opposed(fal_fixed_point *point, const fal_field *field,
                          const double *theta)
{
    if (dense_layers(field) != 2 || field->outputs != 1)
        return;
    const fal_field_layer *hidden = fal_field_weights(field, 1);
    const fal_field_layer *output = fal_field_weights(field, 2);
    if (!hidden->direct && !output->carrier)
        return;
    point->has_count = 1;
    point->unit_inputs = hidden->inputs + (size_t)hidden->has_bias;
    for (size_t k = 0; k < hidden->outputs; k++) {
        const double product = sign_product(hidden, output, theta, k);
        point->opposed += product < 0;
        point->has_count = point->has_count && product != 0;
    }
}

int fal_fixed_point_is_fixed(const fal_fixed_point *point)
{
    return point->update_step <= near_share * point->weight_norm;
}

int fal_fixed_point_is_critical(const fal_fixed_point *point)
{
    return point->gradient_step <= near_share * point->weight_norm;
}

int fal_fixed_point_is_counted(const fal_fixed_point *point)
{
    return point->has_count && fal_fixed_point_is_fixed(point) &&
           fal_fixed_point_is_critical(point) &&
           point->hessian.positive == point->hessian.side;
}

/* ---- at a point ---------------------------------------------------------- */

/* J and minus H, and room. */
struct work {
    size_t n;
    double *jacobian, *negative, *matrix; /* [n][n] */
    double *u, *descent, *step, *other;   /* [n] */
    double *vector;                       /* [2][n] */
};

/* The length of Newton's step to where `field` is zero; INFINITY where there is no such
 * place in reach, for its matrix does not turn any way into it, beyond rounding. */
static fal_status find_step(const double *matrix, const double *field, double scale,
                            struct work *w, double *length)
{
    const size_t n = w->n;
    fal_status status = newton(matrix, field, n, w->matrix, w->step);
    if (status)
        return status;
    apply(matrix, w->step, n, w->other);
    for (size_t i = 0; i < n; i++)
        w->other[i] += field[i];
    const double rounding = 1e-12 * scale * norm(matrix, n * n);
    const double left = norm(w->other, n), all = norm(field, n);
    *length = left > all / 2 && all > rounding ? INFINITY : norm(w->step, n);
    return FAL_OK;
}

static fal_status find_norms(fal_fixed_point *point, fal_field *field,
                             const double *theta, struct work *w)
{
    const size_t n = w->n;
    fal_status status = fal_field_jacobian(field, theta, FAL_FIELD_TRUE,
                                           w->negative);
    if (!status)
        status = fal_field_jacobian(field, theta, FAL_FIELD_RULE, w->jacobian);
    if (status)
        return status;
    fal_field_update(field, theta, FAL_FIELD_TRUE, w->descent);
    point->loss = fal_field_update(field, theta, FAL_FIELD_RULE, w->u);
    point->weight_norm = norm(theta, n);
    point->update_norm = norm(w->u, n);
    point->gradient_norm = norm(w->descent, n);
    point->cosine = cosine_of(inner(w->u, w->descent, n), inner(w->u, w->u, n),
                              inner(w->descent, w->descent, n));
    status = find_step(w->jacobian, w->u, point->weight_norm, w,
                       &point->update_step);
    return status ? status
                  : find_step(w->negative, w->descent, point->weight_norm, w,
                              &point->gradient_step);
}

/* Of complex vectors, so that the phase of an eigenvector does not count. */
static double cosine_along(struct work *w)
{
    const size_t n = w->n;
    double ab = 0, aa = 0, bb = 0;
    for (size_t part = 0; part < 2; part++) {
        apply(w->negative, w->vector + part * n, n, w->step);
        apply(w->jacobian, w->vector + part * n, n, w->other);
        ab += inner(w->step, w->other, n);
        aa += inner(w->step, w->step, n);
        bb += inner(w->other, w->other, n);
    }
    return cosine_of(ab, aa, bb);
}

static fal_status find_jacobian(fal_fixed_point *point, struct work *w)
{
    const size_t n = w->n;
    memcpy(w->matrix, w->jacobian, n * n * sizeof *w->matrix);
    fal_status status = fal_spectrum_find(&point->jacobian, w->matrix, n, w->vector,
                                          &point->least_stable);
    if (!status)
        point->along = point->least_stable < n ? cosine_along(w) : NAN;
    return status;
}

static fal_status find_hessian(fal_fixed_point *point, struct work *w)
{
    for (size_t i = 0; i < w->n * w->n; i++)
        w->matrix[i] = -w->negative[i];
    return fal_spectrum_symmetric(&point->hessian, w->matrix, w->n);
}

/* Q = ½(−H J + (−H J)^T); its lower triangle is enough. */
static fal_status find_stability(fal_fixed_point *point, struct work *w)
{
    const size_t n = w->n;
    for (size_t j = 0; j < n; j++)
        apply(w->negative, w->jacobian + j * n, n, w->matrix + j * n);
    for (size_t j = 0; j < n; j++)
        for (size_t i = j; i < n; i++)
            w->matrix[j * n + i] = (w->matrix[j * n + i] + w->matrix[i * n + j]) /
                                   2;
    return fal_spectrum_symmetric(&point->stability, w->matrix, n);
}

fal_status fal_fixed_point_find(fal_fixed_point *point, fal_field *field,
                                const double *theta)
{
    const size_t n = field->parameters;
    double *room = fal_allocate(3 * n * n + 6 * n, sizeof *room);
    *point = (fal_fixed_point){0};
    if (!room)
        return FAL_ERROR_MEMORY;
    double *vectors = room + 3 * n * n;
    struct work work = {n,
                        room,
                        room + n * n,
                        room + 2 * n * n,
                        vectors,
                        vectors + n,
                        vectors + 2 * n,
                        vectors + 3 * n,
                        vectors + 4 * n};
    count_opposed(point, field, theta);
    fal_status status = find_norms(point, field, theta, &work);
    if (!status)
        status = find_jacobian(point, &work);
    if (!status)
        status = find_hessian(point, &work);
    if (!status)
        status = find_stability(point, &work);
    fal_release(room);
    if (status)
        fal_fixed_point_release(point);
    return status;
}

void fal_fixed_point_release(fal_fixed_point *point)
{
    fal_spectrum_release(&point->jacobian);
    fal_spectrum_release(&point->hessian);
    fal_spectrum_release(&point->stability);
    *point = (fal_fixed_point){0};
}
