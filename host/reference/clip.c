#include "reference/clip.h"

#include <math.h>

double fal_reference_clip(const float *x, size_t count, double limit)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i] * (double)x[i];
    double scale = limit / (sqrt(sum) + 1e-6);
    return scale > 1 ? 1 : scale;
}
