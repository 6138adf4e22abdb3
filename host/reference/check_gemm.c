/* Products in every form. Bounds: reference/gemm.h. */
#include "reference/check.h"
#include "reference/checker.h"
#include "reference/gemm.h"

static fal_reference_operand operand(fal_checker *c, fal_operand *of, size_t rows,
                                     size_t columns)
{
    int stored = of->source == FAL_SOURCE_ROWS;
    size_t down = stored ? rows : columns;
    of->pitch = (stored ? columns : rows) + 3;
    const float *values = fal_checker_floats(c, down * of->pitch, -1, 1);
    of->data = fal_checker_put(c, down * of->pitch, values);
    return (fal_reference_operand){values, of->pitch, of->source};
}

/* B as the same numbers as A, so that C is symmetric; so must be what is added. */
static fal_reference_operand turned(fal_product *p, fal_reference_operand a)
{
    p->b = p->a;
    p->b.source = p->a.source == FAL_SOURCE_ROWS ? FAL_SOURCE_COLUMNS
                                                 : FAL_SOURCE_ROWS;
    return (fal_reference_operand){a.data, a.pitch, p->b.source};
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

fal_status fal_check_gemm(fal_device *device, const fal_product *shape,
                          int with_output, double *worst)
{
    fal_product p = *shape;
    const size_t cells = p.m * (p.pitch = p.n + 5);
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    fal_reference_product reference = {
        .m = p.m,
        .n = p.n,
        .k = p.k,
        .a = operand(&c, &p.a, p.m, p.k),
        .pitch = p.pitch,
        .activation = p.activation,
        .derivative = p.derivative,
    };
    reference.b = p.symmetric ? turned(&p, reference.a)
                              : operand(&c, &p.b, p.k, p.n);
    const float *old = cells_of(&c, &p);
    double *expected = fal_checker_room(&c, p.m * p.n, sizeof *expected);
    double *bound = fal_checker_room(&c, p.m * p.n, sizeof *bound);
    reference.old = p.accumulate ? old : NULL;
    p.c = fal_checker_put(&c, cells, old);
    add_epilogue(&c, &p, with_output, &reference);
    fal_checker_run(&c, c.status ? c.status : fal_gemm_add(&c.launches, &p, 1));
    const float *got = fal_checker_get(&c, p.c);
    if (got)
        fal_reference_gemm(&reference, expected, bound);
    /* What lies between the rows of C stays */
    for (size_t i = 0; got && i < cells; i++) {
        size_t r = i / p.pitch, column = i % p.pitch, at = r * p.n + column;
        int inside = column < p.n;
        fal_checker_note(&c, got[i], inside ? expected[at] : old[i],
                         inside ? bound[at] : 0);
    }
    /* To the last bit */
    for (size_t i = 0; got && p.symmetric && i < cells; i++)
        if (i % p.pitch < p.n)
            fal_checker_note(&c, got[i], got[i % p.pitch * p.pitch + i / p.pitch],
                             0);
    return fal_checker_end(&c);
}
