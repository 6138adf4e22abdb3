/* For tests of models and trainers: a device, random arrays, tensors in double. The
 * device is the one of FALIGN_DEVICE, FALIGN_KERNELS and FALIGN_VECTOR. */
#ifndef FAL_TEST_LEARNING_H
#define FAL_TEST_LEARNING_H

#include "device/device.h"
#include "device/memory.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static fal_device *device;

static inline void must(fal_status status)
{
    if (status)
        fail_msg("%s", fal_error_message());
}

static inline void expect_message(const char *part)
{
    if (!strstr(fal_error_message(), part))
        fail_msg("'%s' is not in: %s", part, fal_error_message());
}

static inline void expect_error(fal_status status, fal_status expected,
                                const char *part)
{
    if (status != expected)
        fail_msg("status %d, not %d: %s", status, expected, fal_error_message());
    expect_message(part);
}

/* FALIGN_TEST_GEMM: who makes its products; not set: as "auto" chooses. */
static inline int open_device(void **state)
{
    fal_device_options options = FAL_DEVICE_OPTIONS;
    (void)state;
    options.gemm = getenv("FALIGN_TEST_GEMM");
    must(fal_device_open(&device, &options));
    return 0;
}

static inline int close_device(void **state)
{
    (void)state;
    fal_device_destroy(device);
    return 0;
}

/* ---- random numbers, none of the library's ------------------------------- */

static uint64_t noise = 1;

/* In [-1, 1), exact in float. */
static inline double uniform(void)
{
    noise = noise * 6364136223846793005u + 1442695040888963407u;
    return (double)(int32_t)(uint32_t)(noise >> 32) / 2147483648.0;
}

static inline void *room(size_t count, size_t size)
{
    void *block = fal_allocate(count, size);
    assert_non_null(block);
    return block;
}

static inline float *random_floats(size_t count, double bound)
{
    float *values = room(count, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(bound * uniform());
    return values;
}

static inline int32_t *random_labels(size_t count, size_t classes)
{
    int32_t *labels = room(count, sizeof *labels);
    for (size_t i = 0; i < count; i++)
        labels[i] = (int32_t)((uniform() + 1) / 2 * (double)classes);
    return labels;
}

/* `count` samples of `width` numbers with labels, or with targets if `real`; freed
 * by free_arrays. */
static inline fal_arrays random_arrays(size_t count, size_t width, size_t outputs,
                                       int real)
{
    fal_arrays arrays = FAL_ARRAYS;
    arrays.count = count;
    arrays.channels = width;
    arrays.inputs = random_floats(count * width, 1);
    if (real) {
        arrays.targets = random_floats(count * outputs, 1);
        arrays.outputs = outputs;
    } else {
        arrays.labels = random_labels(count, outputs);
        arrays.classes = outputs;
    }
    return arrays;
}

static inline void free_arrays(fal_arrays *arrays)
{
    fal_release((void *)arrays->inputs);
    fal_release((void *)arrays->labels);
    fal_release((void *)arrays->targets);
}

static inline fal_dataset *dataset_of(const fal_arrays *arrays)
{
    fal_dataset *dataset = NULL;
    must(fal_dataset_create(&dataset, arrays));
    return dataset;
}

/* Rows first … first + count − 1 of arrays of floats. */
static inline fal_arrays rows_of(const fal_arrays *arrays, size_t first,
                                 size_t count)
{
    fal_arrays part = *arrays;
    size_t width = arrays->height * arrays->width * arrays->channels;
    part.count = count;
    part.inputs = (const float *)arrays->inputs + first * width;
    if (arrays->labels)
        part.labels = arrays->labels + first;
    if (arrays->targets)
        part.targets = arrays->targets + first * arrays->outputs;
    return part;
}

/* ---- models and trainers ------------------------------------------------- */

static inline fal_model *model_of(const char *network, uint64_t seed)
{
    fal_model *model = NULL;
    fal_model_options options = FAL_MODEL_OPTIONS;
    options.seed = seed;
    must(fal_model_create(&model, device, network, &options));
    return model;
}

static inline fal_trainer *trainer_of(fal_model *model,
                                      const fal_trainer_options *options)
{
    fal_trainer *trainer = NULL;
    must(fal_trainer_create(&trainer, model, options));
    return trainer;
}

/* dense<number>.<what> */
static inline const char *tensor_name(size_t number, const char *what)
{
    static char name[64];
    snprintf(name, sizeof name, "dense%zu.%s", number, what);
    return name;
}

static inline float *trainer_floats(fal_trainer *trainer, const char *name,
                                    size_t *count)
{
    size_t shape[4], dimensions;
    must(fal_trainer_tensor_shape(trainer, name, shape, &dimensions));
    *count = shape[0] * shape[1] * shape[2] * shape[3];
    float *values = room(*count, sizeof *values);
    must(fal_trainer_tensor(trainer, name, values, *count));
    return values;
}

static inline float *model_floats(fal_model *model, const char *name, size_t *count)
{
    size_t shape[4], dimensions;
    must(fal_model_tensor_shape(model, name, shape, &dimensions));
    *count = shape[0] * shape[1] * shape[2] * shape[3];
    float *values = room(*count, sizeof *values);
    must(fal_model_tensor(model, name, values, *count));
    return values;
}

/* All tensors of a model behind one another. */
static inline float *all_weights(fal_model *model, size_t *count)
{
    float *all = NULL;
    *count = 0;
    for (size_t i = 0; i < fal_model_tensor_count(model); i++) {
        size_t n;
        float *part = model_floats(model, fal_model_tensor_name(model, i), &n);
        all = fal_resize(all, *count + n, sizeof *all);
        assert_non_null(all);
        memcpy(all + *count, part, n * sizeof *all);
        *count += n;
        fal_release(part);
    }
    return all;
}

static inline void expect_equal_models(fal_model *a, fal_model *b)
{
    size_t n, m;
    float *x = all_weights(a, &n), *y = all_weights(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n * sizeof *x);
    fal_release(x);
    fal_release(y);
}

#endif
