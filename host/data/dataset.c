#include "data/dataset.h"
#include "data/class_names.h"
#include "device/error.h"
#include "device/memory.h"
#include "device/options.h"

#include <string.h>

static const fal_arrays default_arrays = FAL_ARRAYS;
static const fal_dataset_options default_options = FAL_DATASET_OPTIONS;

void fal_arrays_init(fal_arrays *arrays, size_t size)
{
    fal_options_init(arrays, size, &default_arrays, sizeof default_arrays);
}

void fal_dataset_options_init(fal_dataset_options *options, size_t size)
{
    fal_options_init(options, size, &default_options, sizeof default_options);
}

size_t fal_arrays_features(const fal_arrays *arrays)
{
    return arrays->height * arrays->width * arrays->channels;
}

size_t fal_arrays_stride(const fal_arrays *arrays)
{
    size_t item = arrays->type == FAL_BYTES ? sizeof(uint8_t) : sizeof(float);
    return fal_arrays_features(arrays) * item;
}

/* Kernels count in 32 bits. */
static fal_status check_size(const char *what, const char *name, size_t value)
{
    if (value == 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "%s: arrays.%s is 0; give at least 1",
                        what, name);
    if (value > INT32_MAX)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "%s: arrays.%s is %zu; the most is 2147483647", what, name,
                        value);
    return FAL_OK;
}

static fal_status check_sizes(const char *what, const fal_arrays *a)
{
    const struct {
        const char *name;
        size_t value;
    } sizes[] = {
        {"count", a->count},
        {"height", a->height},
        {"width", a->width},
        {"channels", a->channels},
        {a->labels ? "classes" : "outputs", a->labels ? a->classes : a->outputs},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        fal_status status = check_size(what, sizes[i].name, sizes[i].value);
        if (status)
            return status;
    }
    if (a->height * a->width > INT32_MAX ||
        a->height * a->width * a->channels > INT32_MAX)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "%s: a sample of %zux%zux%zu numbers is too large; the most "
            "is 2147483647",
            what, a->height, a->width, a->channels);
    return FAL_OK;
}

/* Where size_t has 32 bits the bytes may not be countable. */
static fal_status check_bytes(const char *what, const fal_arrays *a)
{
    size_t target_bytes = a->targets ? a->outputs * sizeof(float) : 0;
    if (fal_arrays_features(a) > SIZE_MAX / 2 / sizeof(float) ||
        a->outputs > SIZE_MAX / 2 / sizeof(float) ||
        fal_arrays_stride(a) > SIZE_MAX / 2 / a->count ||
        target_bytes > SIZE_MAX / 2 / a->count)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "%s: %zu samples of %zux%zux%zu numbers are more bytes than "
            "this machine can address; give fewer samples",
            what, a->count, a->height, a->width, a->channels);
    return FAL_OK;
}

static fal_status check_labels(const char *what, const fal_arrays *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->labels[i] < 0 || (size_t)a->labels[i] >= a->classes)
            return fal_fail(FAL_ERROR_ARGUMENT,
                            "%s: the label of sample %zu is %d, outside 0 to %zu; "
                            "labels count from 0 to classes - 1",
                            what, i, (int)a->labels[i], a->classes - 1);
    return FAL_OK;
}

static fal_status check_pointers(const char *what, const fal_arrays *a)
{
    if (a->type != FAL_BYTES && a->type != FAL_FLOATS)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "%s: arrays.type is %d; give FAL_BYTES or FAL_FLOATS", what,
                        (int)a->type);
    if (!a->inputs)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "%s: arrays.inputs is NULL; give the samples' numbers",
                        what);
    if (a->labels && a->targets)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "%s: both arrays.labels and arrays.targets are given; set one "
            "of them to NULL",
            what);
    if (!a->labels && !a->targets)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "%s: neither arrays.labels nor arrays.targets is given; give "
            "labels with classes, or targets with outputs",
            what);
    if (a->labels && a->outputs)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "%s: arrays.outputs is %zu with labels; outputs go with "
                        "targets, set it to 0",
                        what, a->outputs);
    if (a->targets && a->classes)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "%s: arrays.classes is %zu with targets; classes go with "
                        "labels, set it to 0",
                        what, a->classes);
    if (a->targets && a->class_names)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "%s: arrays.class_names are given with targets; names go "
                        "with labels, set them to NULL",
                        what);
    return FAL_OK;
}

fal_status fal_arrays_read(fal_arrays *into, const fal_arrays *given,
                           const char *what)
{
    fal_arrays arrays;
    if (!given)
        return fal_fail(FAL_ERROR_ARGUMENT, "%s: arrays is NULL; give the samples",
                        what);
    fal_status status = fal_options_read(&arrays, sizeof arrays, &default_arrays,
                                         given, "fal_arrays");
    if (!status)
        status = check_pointers(what, &arrays);
    if (!status)
        status = check_sizes(what, &arrays);
    if (!status)
        status = check_bytes(what, &arrays);
    if (!status && arrays.labels)
        status = check_labels(what, &arrays);
    if (!status && arrays.class_names)
        status = fal_class_names_check(what, arrays.class_names, arrays.classes);
    if (!status)
        *into = arrays;
    return status;
}

fal_status fal_dataset_adopt(fal_dataset **dataset, const fal_arrays *arrays,
                             void *inputs, int32_t *labels, float *targets)
{
    fal_dataset *made = fal_allocate(1, sizeof *made);
    if (!made)
        return FAL_ERROR_MEMORY;
    made->arrays = *arrays;
    made->inputs = inputs;
    made->labels = labels;
    made->targets = targets;
    fal_status status = fal_class_names_copy(&made->arrays.class_names,
                                             arrays->class_names, arrays->classes);
    if (status)
        fal_release(made);
    else
        *dataset = made;
    return status;
}

/* A copy of `count` items, or NULL for NULL. */
static void *copy(const void *from, size_t count, size_t size, fal_status *status)
{
    if (!from || *status)
        return NULL;
    void *to = fal_allocate(count, size);
    if (to)
        memcpy(to, from, count * size);
    else
        *status = FAL_ERROR_MEMORY;
    return to;
}

fal_status fal_dataset_derive(fal_dataset **derived, const fal_dataset *from,
                              const fal_arrays *arrays, void *inputs)
{
    fal_arrays a = *arrays;
    fal_status status = FAL_OK;
    int32_t *labels = copy(a.labels, a.count, sizeof *labels, &status);
    float *targets = copy(a.targets, a.count, a.outputs * sizeof *targets, &status);
    a.labels = labels;
    a.targets = targets;
    a.borrow = inputs == NULL;
    if (!status)
        status = fal_dataset_adopt(derived, &a, inputs, labels, targets);
    if (status) {
        fal_release(labels);
        fal_release(targets);
        return status;
    }
    (*derived)->raw_height = from->raw_height;
    (*derived)->raw_width = from->raw_width;
    return FAL_OK;
}

static fal_status create_copy(fal_dataset **dataset, fal_arrays *a)
{
    fal_status status = FAL_OK;
    void *inputs = copy(a->inputs, a->count, fal_arrays_stride(a), &status);
    int32_t *labels = copy(a->labels, a->count, sizeof *labels, &status);
    float *targets = copy(a->targets, a->count, a->outputs * sizeof *targets,
                          &status);
    a->inputs = inputs;
    a->labels = labels;
    a->targets = targets;
    if (!status)
        status = fal_dataset_adopt(dataset, a, inputs, labels, targets);
    if (status) {
        fal_release(inputs);
        fal_release(labels);
        fal_release(targets);
    }
    return status;
}

fal_status fal_dataset_create(fal_dataset **dataset, const fal_arrays *arrays)
{
    fal_arrays sound;
    if (!dataset)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "making a data set: dataset is NULL; give "
                        "the place of the result");
    fal_status status = fal_arrays_read(&sound, arrays, "making a data set");
    if (status)
        return status;
    if (sound.borrow)
        return fal_dataset_adopt(dataset, &sound, NULL, NULL, NULL);
    return create_copy(dataset, &sound);
}

fal_status fal_dataset_describe(const fal_dataset *dataset, fal_arrays *arrays)
{
    if (!dataset || !arrays)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "describing a data set: %s is NULL; give both",
                        dataset ? "arrays" : "dataset");
    return fal_options_write(arrays, &dataset->arrays, sizeof dataset->arrays,
                             "fal_arrays");
}

void fal_dataset_destroy(fal_dataset *dataset)
{
    if (!dataset)
        return;
    fal_release(dataset->inputs);
    fal_release(dataset->labels);
    fal_release(dataset->targets);
    fal_release((void *)dataset->arrays.class_names);
    fal_release(dataset);
}
