#include "analysis/alignment.h"

#include <math.h>

/* Sums that do not wait for each other. */
enum { LANES = 8 };

static fal_inner short_inner(const float *a, const float *b, size_t n)
{
    fal_inner sum = {0, 0, 0};
    for (size_t i = 0; i < n; i++) {
        sum.ab += (double)a[i] * (double)b[i];
        sum.aa += (double)a[i] * (double)a[i];
        sum.bb += (double)b[i] * (double)b[i];
    }
    return sum;
}

fal_inner fal_inner_of(const float *a, const float *b, size_t n)
{
    double ab[LANES] = {0}, aa[LANES] = {0}, bb[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            double x = (double)a[i + j], y = (double)b[i + j];
            ab[j] += x * y;
            aa[j] += x * x;
            bb[j] += y * y;
        }
    fal_inner sum = short_inner(a + i, b + i, n - i);
    for (size_t j = 0; j < LANES; j++)
        fal_inner_add(&sum, (fal_inner){ab[j], aa[j], bb[j]});
    return sum;
}

void fal_inner_add(fal_inner *sum, fal_inner part)
{
    sum->ab += part.ab;
    sum->aa += part.aa;
    sum->bb += part.bb;
}

double fal_cosine(fal_inner inner)
{
    if (inner.aa == 0 || inner.bb == 0)
        return NAN;
    double cosine = inner.ab / sqrt(inner.aa * inner.bb);
    if (cosine > 1)
        return 1;
    return cosine < -1 ? -1 : cosine;
}
