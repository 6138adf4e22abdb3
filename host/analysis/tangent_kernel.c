#include "analysis/tangent_kernel.h"
#include "analysis/eigenvalues.h"
#include "device/memory.h"

#include <math.h>

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static double value_of(fal_activation of, double a)
{
    switch (of.phi) {
    case FAL_RELU:
        return a < 0 ? 0 : a;
    case FAL_LEAKY:
        return a < 0 ? (double)of.slope * a : a;
    case FAL_SCALE:
        return (double)of.slope * a;
    case FAL_TANH:
        return tanh(a);
    case FAL_SIGMOID:
        return 1 / (1 + exp(-a));
    default:
        return a;
    }
}

/* From the value h = phi(a). */
static double derivative_of(fal_activation of, double h)
{
    switch (of.phi) {
    case FAL_RELU:
        return h > 0 ? 1 : 0;
    case FAL_LEAKY:
        return h > 0 ? 1 : (double)of.slope;
    case FAL_SCALE:
        return (double)of.slope;
    case FAL_TANH:
        return 1 - h * h;
    case FAL_SIGMOID:
        return h * (1 - h);
    default:
        return 1;
    }
}

/* What one unit adds, below the diagonal and on it. */
static void add_unit(const double *h, const double *slopes, size_t n,
                     double carried, double *output, double *hidden)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            output[i * n + j] += h[i] * h[j];
            hidden[i * n + j] += carried * slopes[i] * slopes[j];
        }
}

static void add_units(const fal_two_layers *net, const float *x, size_t n,
                      double *room, double *output, double *hidden)
{
    double *h = room, *slopes = room + n;
    for (size_t r = 0; r < net->units; r++) {
        for (size_t i = 0; i < n; i++) {
            double a = dot(net->w + r * net->inputs, x + i * net->inputs,
                           net->inputs);
            h[i] = value_of(net->activation, a);
            slopes[i] = derivative_of(net->activation, h[i]);
        }
        add_unit(h, slopes, n, (double)net->b[r] * (double)net->beta[r], output,
                 hidden);
    }
}

fal_status fal_tangent_kernel(const fal_two_layers *net, const float *x, size_t n,
                              double *output, double *hidden)
{
    double square = net->scale * net->scale;
    double *room = fal_allocate(2 * n, sizeof *room);
    if (!room)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < n * n; i++)
        output[i] = hidden[i] = 0;
    add_units(net, x, n, room, output, hidden);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            size_t here = i * n + j, mirrored = j * n + i;
            output[here] *= square;
            hidden[here] *= square * dot(x + i * net->inputs, x + j * net->inputs,
                                         net->inputs);
            output[mirrored] = output[here];
            hidden[mirrored] = hidden[here];
        }
    fal_release(room);
    return FAL_OK;
}

fal_status fal_tangent_extremes_of(const fal_two_layers *net, const float *x,
                                   size_t n, fal_tangent_extremes *extremes)
{
    double *output = fal_allocate(n * (2 * n + 1), sizeof *output);
    if (!output)
        return FAL_ERROR_MEMORY;
    double *whole = output + n * n, *values = whole + n * n;
    fal_tangent_extremes found = {0, 0, 0};
    fal_status status = fal_tangent_kernel(net, x, n, output, whole);
    for (size_t i = 0; i < n * n && !status; i++)
        whole[i] += output[i];
    if (!status)
        status = fal_eigenvalues(output, n, values);
    found.output_least = values[0];
    if (!status)
        status = fal_eigenvalues(whole, n, values);
    found.least = values[0];
    found.most = values[n - 1];
    if (!status)
        *extremes = found;
    fal_release(output);
    return status;
}
