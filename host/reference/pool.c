#include "reference/pool.h"
#include "reference/activation.h"

#include <math.h>

/* Element of x at row r and column c of window `window`, of channel c. */
static size_t element(const fal_pool *s, size_t window, size_t r, size_t c,
                      size_t channel)
{
    size_t column = window % s->out_width * s->stride + c;
    size_t row = window / s->out_width % s->out_height * s->stride + r;
    size_t image = window / s->out_width / s->out_height;
    return ((image * s->height + row) * s->width + column) * s->channels + channel;
}

/* Of the maximum: as PyTorch, the first of equal ones; a NaN is larger than anything,
 * NaN too. */
static size_t largest(const fal_pool *s, const double *x, size_t window,
                      size_t channel)
{
    size_t at = element(s, window, 0, 0, channel);
    for (size_t r = 0; r < s->high; r++)
        for (size_t c = 0; c < s->wide; c++) {
            size_t i = element(s, window, r, c, channel);
            if (x[i] > x[at] || isnan(x[i]))
                at = i;
        }
    return at;
}

void fal_reference_pool(const fal_pool *s, const double *x, double *y)
{
    size_t windows = s->images * s->out_height * s->out_width;
    for (size_t i = 0; i < windows * s->channels; i++) {
        size_t window = i / s->channels, channel = i % s->channels;
        double sum = 0;
        for (size_t r = 0; r < s->high; r++)
            for (size_t c = 0; c < s->wide; c++)
                sum += x[element(s, window, r, c, channel)];
        y[i] = s->average ? sum / ((double)s->high * (double)s->wide)
                          : x[largest(s, x, window, channel)];
    }
}

void fal_reference_pool_backward(const fal_pool *s, const double *x,
                                 const double *signal, double *into)
{
    size_t windows = s->images * s->out_height * s->out_width;
    size_t all = s->images * s->height * s->width * s->channels;
    for (size_t i = 0; i < all && !s->accumulate; i++)
        into[i] = 0;
    for (size_t i = 0; i < windows * s->channels; i++) {
        size_t window = i / s->channels, channel = i % s->channels;
        if (!s->average) {
            into[largest(s, x, window, channel)] += signal[i];
            continue;
        }
        double share = signal[i] / ((double)s->high * (double)s->wide);
        for (size_t r = 0; r < s->high; r++)
            for (size_t c = 0; c < s->wide; c++)
                into[element(s, window, r, c, channel)] += share;
    }
    for (size_t i = 0; i < all; i++)
        into[i] = fal_reference_derive(s->derivative, into[i], x[i]);
}
