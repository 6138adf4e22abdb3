/* Gram matrices; where the device lacks double precision, those of the host. */
#include "reference/check.h"
#include "reference/checker.h"
#include "reference/gram.h"

#include "analysis/gram.h"

fal_status fal_check_gram(fal_device *device, size_t rows, size_t columns,
                          int by_column, int symmetric, double *worst)
{
    const size_t count = rows * columns, side = by_column ? columns : rows;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    const float *a = fal_checker_floats(&c, count, -1, 1);
    const float *b = symmetric ? a : fal_checker_floats(&c, count, -1, 1);
    double *expected = fal_checker_room(&c, side * side, sizeof *expected);
    double *bound = fal_checker_room(&c, side * side, sizeof *bound);
    fal_gram gram = {.a = fal_checker_put(&c, count, a),
                     .rows = rows,
                     .columns = columns,
                     .by_column = by_column,
                     .out = fal_checker_room(&c, side * side, sizeof *gram.out)};
    gram.b = symmetric ? gram.a : fal_checker_put(&c, count, b);
    if (!c.status)
        c.status = fal_grams_compute(device, &gram, 1);
    if (!c.status) {
        fal_reference_gram(a, b, rows, columns, by_column, expected, bound);
        for (size_t i = 0; i < side * side; i++)
            fal_checker_note(&c, gram.out[i], expected[i], bound[i]);
    }
    fal_checker_get(&c, gram.a);
    return fal_checker_end(&c);
}
