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
        .b = operand(&c, &p.b, p.k, p.n),
        .pitch = p.pitch,
        .activation = p.activation,
        .derivative = p.derivative,
    };
    const float *old = fal_checker_floats(&c, cells, -1, 1);
    const float *output = fal_checker_floats(&c, cells, -1, 1);
    const float *bias = fal_checker_floats(&c, p.n, -1, 1);
    double *expected = fal_checker_room(&c, p.m * p.n, sizeof *expected);
    double *bound = fal_checker_room(&c, p.m * p.n, sizeof *bound);
    reference.old = p.accumulate ? old : NULL;
    reference.bias = bias;
    reference.output = with_output ? output : NULL;
    p.c = fal_checker_put(&c, cells, old);
    p.bias = fal_checker_put(&c, p.n, bias);
    p.output = with_output ? fal_checker_put(&c, cells, output)
                           : (fal_view){NULL, 0};
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
    return fal_checker_end(&c);
}
