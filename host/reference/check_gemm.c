/* Products in every form. Bounds: reference/gemm.h, reference/optimize.h. */
#include "reference/check.h"
#include "reference/checker.h"
#include "reference/gemm.h"
#include "reference/optimize.h"

/* A row of ones is not stored. */
static fal_reference_operand operand(fal_checker *c, fal_operand *of, size_t rows,
                                     size_t columns)
{
    int stored = of->source == FAL_SOURCE_ROWS;
    size_t kept = rows - (of->source == FAL_SOURCE_COLUMNS_ONES);
    size_t down = stored ? rows : columns;
    of->pitch = (stored ? columns : kept) + 3;
    const float *values = fal_checker_floats(c, down * of->pitch, -1, 1);
    of->data = fal_checker_put(c, down * of->pitch, values);
    return (fal_reference_operand){values, of->pitch, of->source};
}

/* The draw of this step */
enum { DRAW = 5 };

/* A matrix of signs, with zeros; stored transposed. */
static fal_reference_operand signs(fal_checker *c, fal_product *p)
{
    p->b.pitch = p->k + 3;
    size_t count = p->n * p->b.pitch;
    float *values = fal_checker_floats(c, count, -1, 1);
    for (size_t i = 0; values && i < count; i += 5)
        values[i] = i % 2 ? 0.f : -0.f;
    p->b.data = fal_checker_put(c, count, values);
    return (fal_reference_operand){values, p->b.pitch, p->b.source};
}

/* B as `values` says it is made: its elements as the reference takes them. */
static fal_reference_operand made(fal_checker *c, fal_product *p)
{
    fal_reference_operand stored = {0};
    const float *magnitude = NULL;
    fal_values values = p->values;
    if (values.redrawn)
        values.random.draw = DRAW;
    if (values.kind != FAL_VALUES_RANDOM)
        stored = signs(c, p);
    if (values.kind == FAL_VALUES_MAGNITUDE_SIGN) {
        magnitude = fal_checker_floats(c, p->n * stored.pitch, -1, 1);
        p->values.magnitude = fal_checker_put(c, p->n * stored.pitch, magnitude);
    }
    float *elements = fal_checker_room(c, p->k * p->n, sizeof *elements);
    if (!c->status)
        fal_reference_values(&values, stored, magnitude, p->k, p->n, elements);
    return (fal_reference_operand){elements, p->n, FAL_SOURCE_ROWS};
}

static fal_reference_operand right(fal_checker *c, fal_product *p)
{
    return p->values.kind == FAL_VALUES_STORED ? operand(c, &p->b, p->k, p->n)
                                               : made(c, p);
}

/* B as the same numbers as A, so that C is symmetric; so must be what is added. */
static fal_reference_operand turned(fal_product *p, fal_reference_operand a)
{
    p->b = p->a;
    p->b.source = p->a.source == FAL_SOURCE_ROWS ? FAL_SOURCE_COLUMNS
                                                 : FAL_SOURCE_ROWS;
    return (fal_reference_operand){a.data, a.pitch, p->b.source};
}

/* The sizes and operands of both; no epilogue yet. */
static fal_reference_product begin(fal_checker *c, fal_product *p)
{
    p->pitch = p->n + 5;
    const fal_reference_operand a = operand(c, &p->a, p->m, p->k);
    return (fal_reference_product){
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .a = a,
        .b = p->symmetric ? turned(p, a) : right(c, p),
        .pitch = p->pitch,
        .b_units = fal_reference_values_units(&p->values),
    };
}

static float *cells_of(fal_checker *c, const fal_product *p)
{
    float *values = fal_checker_floats(c, p->m * p->pitch, -1, 1);
    for (size_t i = 0; values && p->symmetric && i < p->m; i++)
        for (size_t j = 0; j < i; j++)
            values[j * p->pitch + i] = values[i * p->pitch + j];
    return values;
}

/* `p` has its operands and C; the rest of what it refers to. */
static void add_epilogue(fal_checker *c, fal_product *p, int with_output,
                         fal_reference_product *reference)
{
    static const float factor = 1.25f;
    const size_t cells = p->m * p->pitch;
    const fal_view none = {NULL, 0};
    const float *other = cells_of(c, p), *output = cells_of(c, p);
    const float *bias = fal_checker_floats(c, p->n, -1, 1);
    int scaled = p->alpha != 0;
    reference->bias = p->symmetric ? NULL : bias;
    reference->output = with_output ? output : NULL;
    reference->other = p->beta != 0 ? other : NULL;
    reference->alpha = (double)p->alpha * (double)factor;
    reference->beta = p->beta;
    reference->identity = p->identity;
    p->bias = p->symmetric ? none : fal_checker_put(c, p->n, bias);
    p->output = with_output ? fal_checker_put(c, cells, output) : none;
    p->other = p->beta != 0 ? fal_checker_put(c, cells, other) : none;
    p->scale = scaled ? fal_checker_put(c, 1, &factor) : none;
}

/* What lies between the rows of C stays. */
static void compare(fal_checker *c, const fal_reference_product *r,
                    const float *from, fal_view view, const double *expected,
                    const double *bound)
{
    const float *got = fal_checker_get(c, view);
    for (size_t i = 0; got && i < r->m * r->pitch; i++) {
        size_t column = i % r->pitch, at = i / r->pitch * r->n + column;
        int inside = column < r->n;
        fal_checker_note(c, got[i], inside ? expected[at] : from[i],
                         inside ? bound[at] : 0);
    }
}

/* Both sides of the diagonal are the same to the last bit. */
static void compare_turned(fal_checker *c, const fal_reference_product *r,
                           fal_view view)
{
    const float *got = fal_checker_get(c, view);
    for (size_t i = 0; got && i < r->m * r->pitch; i++)
        if (i % r->pitch < r->n)
            fal_checker_note(c, got[i], got[i % r->pitch * r->pitch + i / r->pitch],
                             0);
}

fal_status fal_check_gemm(fal_device *device, const fal_product *shape,
                          int with_output, double *worst)
{
    fal_product p = *shape;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    fal_reference_product r = begin(&c, &p);
    const size_t cells = p.m * p.pitch;
    const float *old = cells_of(&c, &p);
    double *expected = fal_checker_room(&c, p.m * p.n, sizeof *expected);
    double *bound = fal_checker_room(&c, p.m * p.n, sizeof *bound);
    r.old = p.accumulate ? old : NULL;
    r.activation = p.activation;
    r.derivative = p.derivative;
    p.c = fal_checker_put(&c, cells, old);
    add_epilogue(&c, &p, with_output, &r);
    fal_status status = c.status ? c.status : fal_gemm_add(&c.launches, &p, 1);
    fal_update_step numbers = {.draw = DRAW};
    if (!status)
        status = fal_launches_step(&c.launches, sizeof numbers, &numbers);
    fal_checker_run(&c, status);
    if (!c.status)
        fal_reference_gemm(&r, expected, bound);
    compare(&c, &r, old, p.c, expected, bound);
    if (p.symmetric)
        compare_turned(&c, &r, p.c);
    return fal_checker_end(&c);
}

/* C is what is added, too. */
fal_status fal_check_gemm_blend(fal_device *device, const fal_product *shape,
                                int halted, double *worst)
{
    const int32_t flag = halted;
    fal_product p = *shape;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    fal_reference_product r = begin(&c, &p);
    const float *old = cells_of(&c, &p);
    double *expected = fal_checker_room(&c, p.m * p.n, sizeof *expected);
    double *bound = fal_checker_room(&c, p.m * p.n, sizeof *bound);
    r.other = old;
    r.alpha = p.alpha;
    r.beta = p.beta;
    p.c = p.other = fal_checker_put(&c, p.m * p.pitch, old);
    p.halted = fal_checker_put(&c, 1, &flag);
    fal_checker_run(&c, c.status ? c.status : fal_gemm_add(&c.launches, &p, 1));
    if (!c.status)
        fal_reference_gemm(&r, expected, bound);
    for (size_t i = 0; i < p.m * p.n && !c.status && halted; i++) {
        expected[i] = (double)old[i / p.n * p.pitch + i % p.n];
        bound[i] = 0;
    }
    compare(&c, &r, old, p.c, expected, bound);
    return fal_checker_end(&c);
}

/* ---- updates ------------------------------------------------------------- */

enum { WEIGHTS, MOMENTS, SQUARES, FEEDBACK, PLANES };

/* What lies as C does: before, after, how far off. The gradient stands where the
 * weights' new values come. */
typedef struct planes {
    const float *from[PLANES];
    fal_view view[PLANES];
    double *expected[PLANES], *bound[PLANES];
} planes;

static planes put_planes(fal_checker *c, const fal_product *p)
{
    static const double low[] = {-1, -.1, 0, -1}, high[] = {1, .1, .01, 1};
    planes made;
    for (int i = 0; i < PLANES; i++) {
        made.from[i] = fal_checker_floats(c, p->m * p->pitch, low[i], high[i]);
        made.view[i] = fal_checker_put(c, p->m * p->pitch, made.from[i]);
        made.expected[i] = fal_checker_room(c, p->m * p->n, sizeof(double));
        made.bound[i] = fal_checker_room(c, p->m * p->n, sizeof(double));
    }
    return made;
}

static void set(planes *s, int plane, size_t at, double expected, double bound)
{
    s->expected[plane][at] = expected;
    s->bound[plane][at] = bound;
}

/* Update t of every weight; what the rule does not keep stays, all of it if halted.
 */
static void expect_update(planes *s, const fal_reference_product *r,
                          const fal_update *u, uint64_t t, double rate, int halted)
{
    int squares = u->rule != FAL_SGD, moments = squares || u->momentum != 0;
    for (size_t at = 0; at < r->m * r->n; at++) {
        size_t i = at / r->n * r->pitch + at % r->n;
        double gradient = s->expected[WEIGHTS][at], error = s->bound[WEIGHTS][at];
        fal_reference_parameter p = {
            s->from[WEIGHTS][i], moments ? s->from[MOMENTS][i] : 0,
            squares ? s->from[SQUARES][i] : 0, s->from[FEEDBACK][i]};
        fal_reference_parameter to = fal_reference_update(u, t, rate, gradient, p);
        fal_reference_parameter b = fal_reference_update_bound(u, t, rate, gradient,
                                                               error, p);
        for (int plane = 0; plane < PLANES; plane++)
            set(s, plane, at, s->from[plane][i], 0);
        if (!halted)
            set(s, WEIGHTS, at, to.weight, b.weight);
        if (!halted && moments)
            set(s, MOMENTS, at, to.moment, b.moment);
        if (!halted && squares)
            set(s, SQUARES, at, to.square, b.square);
        if (!halted && u->decoupled)
            set(s, FEEDBACK, at, to.feedback, b.feedback);
    }
}

fal_status fal_check_gemm_update(fal_device *device, const fal_product *shape,
                                 const fal_update *settings, uint64_t t, int halted,
                                 double *worst)
{
    const double rate = .01;
    const fal_update_step numbers = fal_update_at(t, rate);
    const int32_t flag = halted;
    const fal_view none = {NULL, 0};
    fal_product p = *shape;
    fal_update u = *settings;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    fal_reference_product r = begin(&c, &p);
    planes s = put_planes(&c, &p);
    p.c = s.view[WEIGHTS];
    u.squares = u.rule != FAL_SGD ? s.view[SQUARES] : none;
    u.moment = u.rule != FAL_SGD || u.momentum != 0 ? s.view[MOMENTS] : none;
    u.feedback = u.decoupled ? s.view[FEEDBACK] : none;
    u.halted = fal_checker_put(&c, 1, &flag);
    p.update = &u;
    fal_status status = c.status ? c.status : fal_gemm_add(&c.launches, &p, 1);
    if (!status)
        status = fal_launches_step(&c.launches, sizeof numbers, &numbers);
    fal_checker_run(&c, status);
    if (!c.status) {
        fal_reference_gemm(&r, s.expected[WEIGHTS], s.bound[WEIGHTS]);
        expect_update(&s, &r, &u, t, rate, halted);
    }
    for (int i = 0; i < PLANES; i++)
        compare(&c, &r, s.from[i], s.view[i], s.expected[i], s.bound[i]);
    return fal_checker_end(&c);
}
