#include "analysis/degeneracy.h"
#include "analysis/alignment.h"
#include "device/memory.h"

#include <math.h>

static double length_of(const float *vector, size_t count)
{
    return sqrt(fal_inner_of(vector, vector, count).aa);
}

/* With s the sum of all unit vectors u_j, u_i has the cosines u_i s - 1 with the
 * others, together. */
fal_status fal_degeneracy(const float *const *vectors, size_t runs, size_t count,
                          double *each, double *mean)
{
    double *sum = fal_allocate(count, sizeof *sum), all = 0;
    if (!sum)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < runs; i++) {
        double length = length_of(vectors[i], count);
        for (size_t k = 0; k < count; k++)
            sum[k] += (double)vectors[i][k] / length;
    }
    for (size_t i = 0; i < runs; i++) {
        double length = length_of(vectors[i], count), inner = 0;
        for (size_t k = 0; k < count; k++)
            inner += (double)vectors[i][k] * sum[k];
        double own = runs > 1 ? (inner / length - 1) / (double)(runs - 1) : NAN;
        if (each)
            each[i] = own;
        all += own;
    }
    *mean = all / (double)runs;
    fal_release(sum);
    return FAL_OK;
}
