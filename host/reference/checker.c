#include "reference/checker.h"
#include "data/random.h"
#include "device/memory.h"

#include <math.h>
#include <string.h>

/* Elements on either side, filled with a pattern that is a NaN as a float. */
enum { GUARD = 37 };
static const uint32_t PATTERN = 0x7fd5a5a5;

void fal_checker_begin(fal_checker *checker, fal_device *device, double *worst)
{
    memset(checker, 0, sizeof *checker);
    checker->device = checker->launches.device = device;
    checker->worst = worst;
}

static void keep(fal_checker *checker, fal_status status)
{
    if (!checker->status)
        checker->status = status;
}

void *fal_checker_room(fal_checker *checker, size_t count, size_t size)
{
    if (checker->status)
        return NULL;
    if (checker->block_count == FAL_CHECKER_BLOCKS) {
        keep(checker, fal_fail(FAL_ERROR_MEMORY, "check: more than %d blocks",
                               FAL_CHECKER_BLOCKS));
        return NULL;
    }
    void *block = fal_allocate(count, size);
    if (!block)
        keep(checker, FAL_ERROR_MEMORY);
    else
        checker->blocks[checker->block_count++] = block;
    return block;
}

static uint32_t word(fal_checker *checker)
{
    return fal_random_word(0xc4ec, 0, 0, 0, checker->drawn++);
}

float *fal_checker_floats(fal_checker *checker, size_t count, double low,
                          double high)
{
    float *values = fal_checker_room(checker, count, sizeof *values);
    for (size_t i = 0; values && i < count; i++)
        values[i] = (float)(low + (high - low) * (word(checker) * 0x1p-32));
    return values;
}

int32_t *fal_checker_ints(fal_checker *checker, size_t count, size_t limit)
{
    int32_t *values = fal_checker_room(checker, count, sizeof *values);
    for (size_t i = 0; values && i < count; i++)
        values[i] = (int32_t)(word(checker) % limit);
    return values;
}

void fal_checker_spoil(fal_checker *checker, float *values, size_t count,
                       size_t every)
{
    const float wild[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f};
    if (checker->status)
        return;
    for (size_t i = every / 2, n = 0; i < count; i += every, n++)
        values[i] = wild[n % 5];
}

fal_view fal_checker_put(fal_checker *checker, size_t count, const void *values)
{
    size_t whole = count + 2 * (size_t)GUARD, bytes = whole * sizeof(uint32_t);
    fal_guarded *guarded = &checker->guarded[checker->guarded_count];
    if (checker->status)
        return (fal_view){NULL, 0};
    uint32_t *words = fal_allocate(whole, sizeof *words);
    if (!words) {
        keep(checker, FAL_ERROR_MEMORY);
        return (fal_view){NULL, 0};
    }
    for (size_t i = 0; i < whole; i++)
        words[i] = PATTERN;
    if (values)
        memcpy(words + GUARD, values, count * sizeof *words);
    keep(checker,
         fal_buffer_create(checker->device, bytes, "check", &guarded->buffer));
    if (!checker->status) {
        guarded->count = count;
        checker->guarded_count++;
        keep(checker, fal_write(checker->device, guarded->buffer, 0, bytes, words));
    }
    fal_release(words);
    return (fal_view){guarded->buffer, GUARD};
}

void fal_checker_run(fal_checker *checker, fal_status added)
{
    keep(checker, added);
    if (!checker->status)
        keep(checker, fal_launches_run(&checker->launches));
}

static const fal_guarded *find(const fal_checker *checker, fal_view view)
{
    size_t i = 0;
    while (checker->guarded[i].buffer != view.buffer)
        i++;
    return &checker->guarded[i];
}

void *fal_checker_get(fal_checker *checker, fal_view view)
{
    if (checker->status)
        return NULL;
    size_t count = find(checker, view)->count, whole = count + 2 * (size_t)GUARD;
    uint32_t *words = fal_checker_room(checker, whole, sizeof *words);
    if (!words)
        return NULL;
    keep(checker,
         fal_read(checker->device, view.buffer, 0, whole * sizeof *words, words));
    for (size_t i = 0; i < GUARD && !checker->status; i++)
        if (words[i] != PATTERN || words[whole - 1 - i] != PATTERN)
            keep(checker, fal_fail(FAL_ERROR_DEVICE,
                                   "check of %zu elements on device %s: a kernel "
                                   "wrote %s them",
                                   count, checker->device->facts.name,
                                   words[i] != PATTERN ? "before" : "behind"));
    return checker->status ? NULL : words + GUARD;
}

void fal_checker_note(fal_checker *checker, double got, double expected,
                      double bound)
{
    double error = INFINITY;
    if (isnan(expected) ? isnan(got) : got == expected)
        return;
    if (isfinite(expected) && isfinite(got))
        error = fabs(got - expected) / bound;
    if (!(error <= *checker->worst))
        *checker->worst = error;
}

fal_status fal_checker_end(fal_checker *checker)
{
    fal_launches_release(&checker->launches);
    for (size_t i = 0; i < checker->block_count; i++)
        fal_release(checker->blocks[i]);
    for (size_t i = 0; i < checker->guarded_count; i++)
        fal_buffer_destroy(checker->device, checker->guarded[i].buffer);
    return checker->status;
}
