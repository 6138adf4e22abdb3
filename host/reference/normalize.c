#include "reference/normalize.h"

#include <math.h>

static const double EPSILON = 1e-5;

static size_t all(const fal_reference_norm *n)
{
    return n->rows * n->positions * n->channels;
}

size_t fal_reference_norm_groups(const fal_reference_norm *n)
{
    return n->by_sample ? n->rows : n->channels;
}

size_t fal_reference_norm_values(const fal_reference_norm *n)
{
    return all(n) / fal_reference_norm_groups(n);
}

size_t fal_reference_norm_group(const fal_reference_norm *n, size_t i)
{
    return n->by_sample ? i / (n->positions * n->channels) : i % n->channels;
}

size_t fal_reference_norm_member(const fal_reference_norm *n, size_t g, size_t k)
{
    return n->by_sample ? g * n->positions * n->channels + k : k * n->channels + g;
}

double fal_reference_norm_xhat(const fal_reference_norm *n, const double *mean,
                               const double *variance, size_t i)
{
    size_t g = fal_reference_norm_group(n, i);
    return (n->x[i] - mean[g]) / sqrt(variance[g] + EPSILON);
}

void fal_reference_norm_statistics(const fal_reference_norm *n, double *mean,
                                   double *variance)
{
    size_t groups = fal_reference_norm_groups(n);
    double values = (double)fal_reference_norm_values(n);
    for (size_t g = 0; g < groups; g++)
        mean[g] = variance[g] = 0;
    for (size_t i = 0; i < all(n); i++)
        mean[fal_reference_norm_group(n, i)] += n->x[i] / values;
    for (size_t i = 0; i < all(n); i++) {
        size_t g = fal_reference_norm_group(n, i);
        double d = n->x[i] - mean[g];
        variance[g] += d * d / values;
    }
}

static double gain_of(const fal_reference_norm *n, size_t i)
{
    return n->gain ? n->gain[i % n->channels] : 1;
}

void fal_reference_norm_forward(const fal_reference_norm *n, const double *mean,
                                const double *variance, double *y)
{
    for (size_t i = 0; i < all(n); i++)
        y[i] = gain_of(n, i) * fal_reference_norm_xhat(n, mean, variance, i) +
               (n->bias ? n->bias[i % n->channels] : 0);
}

/* dL/dx of group g: (u − mean of u − xhat · mean of u·xhat)/√(variance + ε), u the
 * signal times the gain. */
static void turn_group(const fal_reference_norm *n, const double *mean,
                       const double *variance, size_t g, double *signal)
{
    size_t values = fal_reference_norm_values(n);
    double plain = 0, weighted = 0;
    for (size_t k = 0; k < values; k++) {
        size_t i = fal_reference_norm_member(n, g, k);
        double u = gain_of(n, i) * signal[i] / (double)values;
        plain += u;
        weighted += u * fal_reference_norm_xhat(n, mean, variance, i);
    }
    for (size_t k = 0; k < values; k++) {
        size_t i = fal_reference_norm_member(n, g, k);
        double xhat = fal_reference_norm_xhat(n, mean, variance, i);
        signal[i] = (gain_of(n, i) * signal[i] - plain - xhat * weighted) /
                    sqrt(variance[g] + EPSILON);
    }
}

void fal_reference_norm_backward(const fal_reference_norm *n, const double *mean,
                                 const double *variance, double *signal,
                                 double *dgain, double *dbias)
{
    for (size_t c = 0; c < n->channels; c++)
        dgain[c] = dbias[c] = 0;
    for (size_t i = 0; i < all(n); i++) {
        dgain[i % n->channels] += signal[i] *
                                  fal_reference_norm_xhat(n, mean, variance, i);
        dbias[i % n->channels] += signal[i];
    }
    for (size_t g = 0; g < fal_reference_norm_groups(n); g++)
        turn_group(n, mean, variance, g, signal);
}
