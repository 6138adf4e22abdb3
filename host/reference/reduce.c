#include "reference/reduce.h"

#include <math.h>

void fal_reference_column_sums(const float *x, size_t rows, size_t columns,
                               double *sums, double *magnitudes)
{
    for (size_t c = 0; c < columns; c++) {
        sums[c] = magnitudes[c] = 0;
        for (size_t r = 0; r < rows; r++) {
            sums[c] += x[r * columns + c];
            magnitudes[c] += fabs(x[r * columns + c]);
        }
    }
}
