#include "data/standardize.h"
#include "device/error.h"
#include "device/memory.h"

#include <math.h>
#include <string.h>

/* Of all values of a channel. Bytes are summed as integers, so their sums are exact
 * in any order: at most 2^16 for each of less than 2^47 bytes. */
struct moments {
    uint64_t byte_sum, byte_squares;
    double sum;     /* of floats */
    double mean;    /* of floats, after the first pass */
    double rest;    /* sum of v - mean: what rounding left of it */
    double squares; /* sum of (v - mean)^2 */
    double largest; /* |v| */
};

static void add_bytes(struct moments *m, const uint8_t *v, size_t pixels,
                      size_t step)
{
    uint64_t sum = 0, squares = 0;
    unsigned largest = 0;
    for (size_t i = 0; i < pixels; i++) {
        unsigned value = v[i * step];
        sum += value;
        squares += value * value;
        largest = value > largest ? value : largest;
    }
    m->byte_sum += sum;
    m->byte_squares += squares;
    if (largest > m->largest)
        m->largest = largest;
}

static void add_floats(struct moments *m, const float *v, size_t pixels,
                       size_t step)
{
    double sum = 0, largest = m->largest;
    for (size_t i = 0; i < pixels; i++) {
        double value = v[i * step];
        sum += value;
        largest = fabs(value) > largest ? fabs(value) : largest;
    }
    m->sum += sum;
    m->largest = largest;
}

static void add_squares(struct moments *m, const float *v, size_t pixels,
                        size_t step)
{
    double rest = 0, squares = 0;
    for (size_t i = 0; i < pixels; i++) {
        double away = v[i * step] - m->mean;
        rest += away;
        squares += away * away;
    }
    m->rest += rest;
    m->squares += squares;
}

/* Sums about the whole number nearest the mean, exact in integers: the difference
 * below then loses nothing, and equal bytes have deviation 0. */
static void finish_bytes(const struct moments *m, uint64_t n, double *mean,
                         double *variance)
{
    uint64_t centre = (m->byte_sum + n / 2) / n;
    uint64_t squares = m->byte_squares - 2 * centre * m->byte_sum +
                       n * centre * centre;
    double rest = m->byte_sum >= n * centre ? (double)(m->byte_sum - n * centre)
                                            : -(double)(n * centre - m->byte_sum);
    *mean = (double)m->byte_sum / (double)n;
    *variance = ((double)squares - rest * rest / (double)n) / (double)n;
}

static void finish(const struct moments *m, fal_type type, double n, double *mean,
                   double *deviation)
{
    double centre, variance, unit = type == FAL_BYTES ? 255 : 1;
    if (type == FAL_BYTES) {
        finish_bytes(m, (uint64_t)n, &centre, &variance);
    } else {
        centre = m->mean + m->rest / n;
        variance = (m->squares - m->rest * m->rest / n) / n;
    }
    double spread = variance > 0 ? sqrt(variance) : 0;
    *mean = centre / unit;
    *deviation = spread <= ldexp(m->largest, -24) ? 1 : spread / unit;
}

static fal_status fail_not_finite(const fal_arrays *arrays)
{
    size_t features = arrays->height * arrays->width * arrays->channels, i = 0;
    const float *v = arrays->inputs;
    while (isfinite(v[i]))
        i++;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "standardising the inputs, sample %zu, number %zu: %g is not "
                    "finite; remove such samples, or standardize \"none\"",
                    i / features, i % features, v[i]);
}

static fal_status scan_floats(const fal_arrays *arrays, struct moments *m,
                              size_t sets, double n)
{
    size_t step = sets,
           pixels = arrays->height * arrays->width * arrays->channels / sets;
    const float *v = arrays->inputs;
    for (size_t i = 0; i < arrays->count; i++)
        for (size_t c = 0; c < sets; c++)
            add_floats(m + c, v + i * pixels * sets + c, pixels, step);
    for (size_t c = 0; c < sets; c++) {
        if (!isfinite(m[c].sum))
            return fail_not_finite(arrays);
        m[c].mean = m[c].sum / n;
    }
    for (size_t i = 0; i < arrays->count; i++)
        for (size_t c = 0; c < sets; c++)
            add_squares(m + c, v + i * pixels * sets + c, pixels, step);
    return FAL_OK;
}

static void scan_bytes(const fal_arrays *arrays, struct moments *m, size_t sets)
{
    size_t pixels = arrays->height * arrays->width * arrays->channels / sets;
    const uint8_t *v = arrays->inputs;
    for (size_t i = 0; i < arrays->count; i++)
        for (size_t c = 0; c < sets; c++)
            add_bytes(m + c, v + i * pixels * sets + c, pixels, sets);
}

/* `sets` is the number of channels, or 1 for all values in one set. */
static fal_status measure(const fal_arrays *arrays, size_t sets, double *mean,
                          double *deviation)
{
    size_t features = arrays->height * arrays->width * arrays->channels;
    double n = (double)arrays->count * (double)(features / sets);
    struct moments *m = fal_allocate(sets, sizeof *m);
    if (!m)
        return FAL_ERROR_MEMORY;
    fal_status status = FAL_OK;
    if (arrays->type == FAL_BYTES)
        scan_bytes(arrays, m, sets);
    else
        status = scan_floats(arrays, m, sets, n);
    for (size_t c = 0; c < arrays->channels && !status; c++)
        finish(m + (sets == 1 ? 0 : c), arrays->type, n, mean + c, deviation + c);
    fal_release(m);
    return status;
}

fal_status fal_standardization(const fal_arrays *arrays, const char *how,
                               double *mean, double *deviation)
{
    static const char *const known[] = {"channel", "global", "none"};
    if (!how || strcmp(how, "channel") == 0)
        return measure(arrays, arrays->channels, mean, deviation);
    if (strcmp(how, "global") == 0)
        return measure(arrays, 1, mean, deviation);
    if (strcmp(how, "none") != 0)
        return fal_fail_unknown("standardisation", how, known, 3);
    for (size_t c = 0; c < arrays->channels; c++) {
        mean[c] = 0;
        deviation[c] = 1;
    }
    return FAL_OK;
}
