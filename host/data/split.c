/* Splitting samples off a data set. */
#include "data/dataset.h"
#include "data/random.h"
#include "device/error.h"
#include "device/memory.h"

#include <math.h>
#include <string.h>

/* Which samples go where. */
struct split {
    const fal_dataset *dataset;
    const fal_arrays *from; /* its arrays */
    unsigned char *is_part; /* [from->count] */
    size_t part;            /* samples that do */
};

static fal_status count_part(struct split *split, double share)
{
    size_t count = split->from->count;
    if (!(share > 0 && share < 1))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "splitting a data set: its share %g must be above 0 and "
                        "below 1",
                        share);
    split->part = (size_t)round(share * (double)count);
    if (split->part > 0 && split->part < count)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "splitting a data set: a share of %g of %zu sample%s is %s; "
                    "give a %s share, or more samples",
                    share, count, count == 1 ? "" : "s",
                    split->part ? "all of them" : "none of them",
                    split->part ? "smaller" : "larger");
}

static fal_status draw_part(struct split *split, uint64_t seed)
{
    size_t count = split->from->count;
    uint32_t *order = fal_allocate(count, sizeof *order);
    split->is_part = fal_allocate(count, 1);
    if (order && split->is_part) {
        fal_shuffle(seed, FAL_PURPOSE_VALIDATION, 0, order, count);
        for (size_t i = 0; i < split->part; i++)
            split->is_part[order[i]] = 1;
    }
    fal_status status = order && split->is_part ? FAL_OK : FAL_ERROR_MEMORY;
    fal_release(order);
    return status;
}

/* The items of `from` that belong to one side; NULL for NULL. */
static void *take_items(const struct split *split, int part, const void *from,
                        size_t size, fal_status *status)
{
    size_t count = part ? split->part : split->from->count - split->part;
    if (!from || *status)
        return NULL;
    unsigned char *to = fal_allocate(count, size);
    if (!to)
        *status = FAL_ERROR_MEMORY;
    for (size_t i = 0, taken = 0; to && taken < count; i++)
        if (split->is_part[i] == part)
            memcpy(to + taken++ * size, (const unsigned char *)from + i * size,
                   size);
    return to;
}

static fal_status take(fal_dataset **dataset, const struct split *split, int part)
{
    const fal_arrays *from = split->from;
    fal_arrays arrays = *from;
    fal_status status = FAL_OK;
    void *inputs = take_items(split, part, from->inputs, fal_arrays_stride(from),
                              &status);
    int32_t *labels = take_items(split, part, from->labels, sizeof *labels,
                                 &status);
    float *targets = take_items(split, part, from->targets,
                                from->outputs * sizeof *targets, &status);
    arrays.count = part ? split->part : from->count - split->part;
    arrays.inputs = inputs;
    arrays.labels = labels;
    arrays.targets = targets;
    arrays.borrow = 0;
    if (!status)
        status = fal_dataset_adopt(dataset, &arrays, inputs, labels, targets);
    if (status) {
        fal_release(inputs);
        fal_release(labels);
        fal_release(targets);
        return status;
    }
    (*dataset)->raw_height = split->dataset->raw_height;
    (*dataset)->raw_width = split->dataset->raw_width;
    return FAL_OK;
}

fal_status fal_dataset_split(fal_dataset **rest, fal_dataset **part,
                             const fal_dataset *dataset, double share,
                             uint64_t seed)
{
    if (!rest || !part || !dataset)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "splitting a data set: %s is NULL; give all three",
                        !dataset ? "dataset"
                        : !rest  ? "rest"
                                 : "part");
    struct split split = {.dataset = dataset, .from = &dataset->arrays};
    fal_dataset *trained = NULL, *held = NULL;
    fal_status status = count_part(&split, share);
    if (!status)
        status = draw_part(&split, seed);
    if (!status)
        status = take(&trained, &split, 0);
    if (!status)
        status = take(&held, &split, 1);
    fal_release(split.is_part);
    if (status) {
        fal_dataset_destroy(trained);
        return status;
    }
    *rest = trained;
    *part = held;
    return FAL_OK;
}
