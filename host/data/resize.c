/* Images in another size, each channel by itself, as Image.resize with BILINEAR of
 * Pillow 10 makes them, bit for bit (Pillow 13 begins with the columns where that is
 * less work, which may be one off in a byte): an output is the mean of the inputs under
 * a triangle about its place, which is two inputs wide, or two outputs where the image
 * shrinks (antialiasing). First along the rows, then along the columns; bytes are
 * rounded after each, with weights in units of 2^-22, floats are summed in double. */
#include "data/resize.h"
#include "device/error.h"
#include "device/memory.h"

#include <math.h>
#include <string.h>

enum { BITS = 22 };

/* One direction: output i is the sum over t < count[i] of weights[i][t] times the input
 * first[i] + t; of bytes by `fixed`. */
typedef struct axis {
    size_t from, to, most;
    size_t *first, *count; /* [to] */
    double *weights;       /* [to][most] */
    int32_t *fixed;        /* [to][most] */
} axis;

/* ---- weights ------------------------------------------------------------- */

static double triangle(double x)
{
    return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

static void find_weights(axis *a, size_t i)
{
    double scale = (double)a->from / (double)a->to, wide = fmax(scale, 1);
    double center = ((double)i + .5) * scale, sum = 0;
    double low = fmax(trunc(center - wide + .5), 0);
    double high = fmin(trunc(center + wide + .5), (double)a->from);
    double *weights = a->weights + i * a->most;
    a->first[i] = (size_t)low;
    a->count[i] = (size_t)(high - low);
    for (size_t t = 0; t < a->count[i]; t++) {
        weights[t] = triangle((low + (double)t - center + .5) / wide);
        sum += weights[t];
    }
    for (size_t t = 0; t < a->count[i]; t++) {
        weights[t] /= sum;
        a->fixed[i * a->most + t] = (int32_t)(.5 + weights[t] * (1 << BITS));
    }
}

static void release_axis(axis *a)
{
    fal_release(a->first);
    fal_release(a->weights);
    fal_release(a->fixed);
}

/* For release_axis, also after a failure. */
static fal_status make_axis(axis *a, size_t from, size_t to)
{
    double wide = fmax((double)from / (double)to, 1);
    *a = (axis){.from = from, .to = to, .most = 2 * (size_t)ceil(wide) + 1};
    a->first = fal_allocate(2 * to, sizeof *a->first);
    a->weights = fal_allocate(to * a->most, sizeof *a->weights);
    a->fixed = fal_allocate(to * a->most, sizeof *a->fixed);
    if (!a->first || !a->weights || !a->fixed)
        return FAL_ERROR_MEMORY;
    a->count = a->first + to;
    for (size_t i = 0; i < to; i++)
        find_weights(a, i);
    return FAL_OK;
}

/* ---- one direction ------------------------------------------------------- */

/* to[outer][axis->to][inner] from from[outer][axis->from][inner] */
static void pass_floats(const axis *a, const float *from, size_t outer,
                        size_t inner, float *to)
{
    for (size_t o = 0; o < outer; o++, from += a->from * inner)
        for (size_t i = 0; i < a->to; i++)
            for (size_t k = 0; k < inner; k++) {
                const float *v = from + a->first[i] * inner + k;
                double sum = 0;
                for (size_t t = 0; t < a->count[i]; t++)
                    sum += a->weights[i * a->most + t] * (double)v[t * inner];
                *to++ = (float)sum;
            }
}

static void pass_bytes(const axis *a, const uint8_t *from, size_t outer,
                       size_t inner, uint8_t *to)
{
    for (size_t o = 0; o < outer; o++, from += a->from * inner)
        for (size_t i = 0; i < a->to; i++)
            for (size_t k = 0; k < inner; k++) {
                const uint8_t *v = from + a->first[i] * inner + k;
                int32_t sum = 1 << (BITS - 1);
                for (size_t t = 0; t < a->count[i]; t++)
                    sum += a->fixed[i * a->most + t] * v[t * inner];
                sum >>= BITS;
                *to++ = (uint8_t)(sum > 255 ? 255 : sum);
            }
}

static void pass(fal_type type, const axis *a, const void *from, size_t outer,
                 size_t inner, void *to)
{
    if (a->from == a->to)
        memcpy(to, from,
               outer * a->to * inner * (type == FAL_BYTES ? 1 : sizeof(float)));
    else if (type == FAL_BYTES)
        pass_bytes(a, from, outer, inner, to);
    else
        pass_floats(a, from, outer, inner, to);
}

/* ---- all samples --------------------------------------------------------- */

static fal_status resize_all(const fal_arrays *arrays, const axis *rows,
                             const axis *columns, void *to)
{
    size_t channels = arrays->channels, wide = columns->to * channels;
    size_t item = arrays->type == FAL_BYTES ? 1 : sizeof(float);
    const unsigned char *from = arrays->inputs;
    unsigned char *out = to, *between = fal_allocate(rows->from * wide, item);
    if (!between)
        return FAL_ERROR_MEMORY;
    for (size_t n = 0; n < arrays->count; n++) {
        pass(arrays->type, columns, from + n * fal_arrays_stride(arrays),
             rows->from, channels, between);
        pass(arrays->type, rows, between, 1, wide,
             out + n * rows->to * wide * item);
    }
    fal_release(between);
    return FAL_OK;
}

static fal_status make_inputs(const fal_arrays *from, fal_arrays *to)
{
    axis rows = {0}, columns = {0};
    void *inputs = fal_allocate(to->count, fal_arrays_stride(to));
    fal_status status = inputs ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status)
        status = make_axis(&rows, from->height, to->height);
    if (!status)
        status = make_axis(&columns, from->width, to->width);
    if (!status)
        status = resize_all(from, &rows, &columns, inputs);
    release_axis(&rows);
    release_axis(&columns);
    if (status)
        fal_release(inputs);
    else
        to->inputs = inputs;
    return status;
}

static fal_status check_sizes(const fal_arrays *arrays, size_t height, size_t width)
{
    if (arrays->height == 1 && arrays->width == 1)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "resizing: the samples are rows of %zu numbers, not images; "
            "leave the size as it is",
            arrays->channels);
    if (height == 0 || width == 0 || height > INT32_MAX || width > INT32_MAX ||
        (double)height * (double)width * (double)arrays->channels > INT32_MAX)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "resizing to %zux%zu: each must be at least 1, and an image "
            "have at most 2147483647 numbers",
            height, width);
    return FAL_OK;
}

fal_status fal_arrays_resize(fal_arrays *resized, const fal_arrays *arrays,
                             size_t height, size_t width)
{
    fal_arrays made = *arrays;
    fal_status status = check_sizes(arrays, height, width);
    made.height = height;
    made.width = width;
    if (!status)
        status = make_inputs(arrays, &made);
    if (!status)
        *resized = made;
    return status;
}

fal_status fal_dataset_resize(fal_dataset **resized, const fal_dataset *dataset,
                              size_t height, size_t width)
{
    fal_arrays arrays;
    fal_dataset *made = NULL;
    if (!resized || !dataset)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "resizing a data set: %s is NULL; give both",
                        dataset ? "resized" : "dataset");
    fal_status status = fal_arrays_resize(&arrays, &dataset->arrays, height, width);
    if (status)
        return status;
    status = fal_dataset_derive(&made, dataset, &arrays, (void *)arrays.inputs);
    if (status) {
        fal_release((void *)arrays.inputs);
        return status;
    }
    if (height != dataset->arrays.height || width != dataset->arrays.width) {
        made->raw_height = dataset->arrays.height;
        made->raw_width = dataset->arrays.width;
    }
    *resized = made;
    return FAL_OK;
}
