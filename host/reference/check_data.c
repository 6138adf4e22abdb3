/* Random tensors and batches.
 *
 * Uniform numbers agree to the bit. Gaussians, in u = 2^-24: log 6 (halved by the
 * root), sqrt 6, cospi and sinpi 8, two products and the reference's own
 * rounding 4. A batch's value is a product and a sum. */
#include "reference/check.h"
#include "reference/checker.h"
#include "reference/gather.h"
#include "reference/random.h"

#include "ops/gather.h"
#include "ops/optimize.h"

#include <math.h>

static const double U = 0x1p-24, TINY = 0x1p-120;

fal_status fal_check_random(fal_device *device, const fal_random *random,
                            size_t rows, size_t columns, int turned, double *worst)
{
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    fal_view to = fal_checker_put(&c, rows * columns, NULL);
    if (!c.status)
        c.status = fal_random_fill(device, random, to, rows, columns, turned);
    const float *got = fal_checker_get(&c, to);
    double units = random->distribution == FAL_NORMAL ? 21 * U : 0;
    for (size_t i = 0; got && i < rows * columns; i++) {
        double expected = fal_reference_random(random, rows, columns, turned,
                                               i / columns, i % columns);
        fal_checker_note(&c, got[i], expected, units * fabs(expected));
    }
    return fal_checker_end(&c);
}

enum { DRAW = 9 };

static double expected_input(const fal_gather *g, const void *sample, size_t row,
                             size_t i, const float *scale, const float *shift)
{
    const size_t at = fal_reference_augment(&g->augmentation, DRAW, row, g->lines,
                                            g->width, g->channels, i);
    return at == SIZE_MAX ? (double)shift[i % g->channels]
                          : fal_reference_gather(sample, g->type, at, g->channels,
                                                 scale, shift);
}

static void compare_inputs(fal_checker *c, const fal_gather *g, const void *stored,
                           const uint32_t *order, const float *scale,
                           const float *shift, const float *got)
{
    size_t size = g->type == FAL_BYTES ? 1 : sizeof(float);
    for (size_t r = 0; r < g->rows; r++)
        for (size_t i = 0; i < g->width; i++) {
            const void *sample = (const char *)stored + order[r] * g->width * size;
            double expected = expected_input(g, sample, r, i, scale, shift);
            double magnitude = fabs(expected) + 2 * fabs(shift[i % g->channels]);
            fal_checker_note(c, got[r * g->width + i], expected,
                             2 * U * magnitude + TINY);
        }
}

static void compare_copies(fal_checker *c, size_t rows, size_t width,
                           const float *stored, const uint32_t *order,
                           const float *got)
{
    for (size_t i = 0; got && i < rows * width; i++)
        fal_checker_note(c, got[i], stored[order[i / width] * width + i % width],
                         0);
}

static void compare_labels(fal_checker *c, size_t rows, const int32_t *stored,
                           const uint32_t *order, const int32_t *got)
{
    for (size_t r = 0; got && r < rows; r++)
        fal_checker_note(c, got[r], stored[order[r]], 0);
}

/* A stored array as gather reads it, from the start of a buffer. */
static cl_mem store(fal_checker *c, size_t bytes, const void *values)
{
    cl_mem buffer = NULL;
    if (c->status)
        return NULL;
    c->status = fal_buffer_create(c->device, bytes, "check", &buffer);
    if (!c->status)
        c->status = fal_write(c->device, buffer, 0, bytes, values);
    return buffer;
}

fal_status fal_check_gather(fal_device *device, fal_type type, size_t rows,
                            size_t width, size_t channels, size_t outputs,
                            size_t lines, const fal_augmentation *augmentation,
                            double *worst)
{
    const size_t samples = 2 * rows + 3;
    const uint32_t start = (uint32_t)rows / 2;
    const fal_augmentation none = {0};
    const fal_update_step now = {.draw = DRAW};
    const size_t wide = outputs ? outputs : 1, places = rows + start;
    fal_checker c;
    fal_checker_begin(&c, device, worst);
    float *floats = fal_checker_floats(&c, samples * width, -1, 1);
    uint8_t *bytes = fal_checker_room(&c, samples * width, 1);
    for (size_t i = 0; bytes && i < samples * width; i++)
        bytes[i] = (uint8_t)(127 * (floats[i] + 1));
    const void *stored = type == FAL_BYTES ? (const void *)bytes : floats;
    uint32_t *order = (uint32_t *)fal_checker_ints(&c, places, samples);
    int32_t *labels = fal_checker_ints(&c, samples, 10);
    float *targets = fal_checker_floats(&c, samples * wide, -1, 1);
    float *scale = fal_checker_floats(&c, channels, .5, 2);
    float *shift = fal_checker_floats(&c, channels, -1, 1);
    cl_mem stores[4] = {
        store(&c, samples * width * (type == FAL_BYTES ? 1 : sizeof(float)),
              stored),
        store(&c, places * sizeof *order, order),
        store(&c, samples * sizeof *labels, labels),
        store(&c, samples * wide * sizeof *targets, targets)};
    fal_gather g = {.type = type,
                    .stored = stores[0],
                    .order = stores[1],
                    .labels = outputs ? NULL : stores[2],
                    .targets = outputs ? stores[3] : NULL,
                    .rows = rows,
                    .width = width,
                    .channels = channels,
                    .outputs = outputs,
                    .lines = lines,
                    .augmentation = augmentation ? *augmentation : none,
                    .scale = fal_checker_put(&c, channels, scale),
                    .shift = fal_checker_put(&c, channels, shift),
                    .inputs = fal_checker_put(&c, rows * width, NULL)};
    fal_view copies = fal_checker_put(&c, rows * wide, NULL);
    *(outputs ? &g.batch_targets : &g.batch_labels) = copies;
    unsigned place = 0;
    fal_status status = c.status ? c.status
                                 : fal_gather_add(&c.launches, &g, &place);
    if (!status)
        status = fal_launch_set(&c.launches, 0, place, sizeof start, &start);
    if (!status)
        status = fal_launches_step(&c.launches, sizeof now, &now);
    fal_checker_run(&c, status);
    const float *inputs = fal_checker_get(&c, g.inputs);
    const void *copied = fal_checker_get(&c, copies);
    if (copied) {
        compare_inputs(&c, &g, stored, order + start, scale, shift, inputs);
        if (outputs)
            compare_copies(&c, rows, outputs, targets, order + start, copied);
        else
            compare_labels(&c, rows, labels, order + start, copied);
    }
    for (int i = 0; i < 4; i++)
        fal_buffer_destroy(device, stores[i]);
    return fal_checker_end(&c);
}
