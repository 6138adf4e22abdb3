#include "reference/gram.h"

#include <math.h>

void fal_reference_gram(const float *a, const float *b, size_t rows, size_t columns,
                        int by_column, double *out, double *bound)
{
    size_t side = by_column ? columns : rows, terms = by_column ? rows : columns;
    size_t line = by_column ? 1 : columns, place = by_column ? columns : 1;
    for (size_t i = 0; i < side; i++)
        for (size_t j = 0; j < side; j++) {
            double sum = 0, magnitude = 0;
            for (size_t k = 0; k < terms; k++) {
                double term = (double)a[i * line + k * place] *
                              (double)b[j * line + k * place];
                sum += term;
                magnitude += fabs(term);
            }
            out[i * side + j] = sum;
            if (bound)
                bound[i * side + j] = (double)(terms + 8) * 0x1p-52 * magnitude;
        }
}
