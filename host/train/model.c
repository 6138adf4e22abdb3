/* Models: creation, standardisation, tensors by name. */
#include "train/model.h"
#include "data/class_names.h"
#include "data/dataset.h"
#include "data/random.h"
#include "data/resize.h"
#include "data/standardize.h"
#include "device/memory.h"
#include "device/options.h"
#include "ops/loss.h"
#include "train/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const fal_model_options defaults = FAL_MODEL_OPTIONS;

#define TEXT_OF(number) #number
#define VERSION(major, minor, patch)                                               \
    TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *fal_version(void)
{
    return VERSION(FAL_VERSION_MAJOR, FAL_VERSION_MINOR, FAL_VERSION_PATCH);
}

void fal_model_options_init(fal_model_options *options, size_t size)
{
    fal_options_init(options, size, &defaults, sizeof defaults);
}

static fal_status fill(fal_model *model, fal_random random, const fal_slot *slot,
                       size_t rows, size_t columns)
{
    return fal_random_fill(model->device, &random,
                           fal_arena_view(&model->parameters, *slot), rows, columns,
                           1);
}

fal_random fal_model_law(fal_law law, const fal_layer *layer)
{
    size_t kernel = layer->kernel ? layer->kernel * layer->kernel : 1;
    fal_random random = fal_law_resolve(law, layer->inputs, kernel * layer->outputs,
                                        layer->outputs);
    random.channels = (uint32_t)layer->in.channels;
    return random;
}

static fal_status draw_layer(fal_model *model, const fal_layer *layer,
                             uint64_t seed)
{
    fal_random random = fal_model_law(model->weight_law, layer);
    random.seed = seed;
    random.layer = layer->number;
    random.purpose = FAL_PURPOSE_WEIGHT;
    fal_status status = fill(model, random, &layer->weight, layer->inputs,
                             layer->outputs);
    if (status || !layer->has_bias)
        return status;
    random.purpose = FAL_PURPOSE_BIAS;
    random.channels = 1;
    if (model->weight_law.kind != FAL_LAW_FAN_IN)
        random.distribution = FAL_ZERO;
    return fill(model, random, &layer->bias, 1, layer->outputs);
}

/* Gains and variances start at 1; the arenas are full of zeros. */
static fal_status start_layer(fal_model *model, const fal_layer *layer,
                              uint64_t seed)
{
    if (layer->number)
        return draw_layer(model, layer, seed);
    fal_status status = FAL_OK;
    if (layer->has_weight)
        status = fal_arena_fill_slot(&model->parameters, layer->weight, 1);
    if (layer->has_state && !status)
        status = fal_arena_fill_slot(&model->state, layer->running_var, 1);
    return status;
}

static fal_status make_scales(fal_model *model)
{
    size_t channels = model->network.input.channels;
    fal_arena_begin(&model->scales, model->device, "standardisation");
    model->mean = fal_allocate(channels, sizeof *model->mean);
    model->deviation = model->mean
                           ? fal_allocate(channels, sizeof *model->deviation)
                           : NULL;
    if (!model->deviation)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < channels; i++)
        model->deviation[i] = 1;
    fal_slot *const slots[3] = {&model->byte_scale, &model->float_scale,
                                &model->shift};
    fal_status status = FAL_OK;
    for (size_t i = 0; i < 3 && !status; i++)
        status = fal_arena_place(&model->scales, channels, slots[i]);
    if (!status)
        status = fal_arena_make(&model->scales);
    return status ? status
                  : fal_model_set_scales(model, model->mean, model->deviation);
}

/* Doubles hold what the device's floats cannot. */
static fal_status check_scales(const float *values, size_t channels)
{
    for (size_t i = 0; i < 3 * channels; i++)
        if (!isfinite(values[i]))
            return fal_fail(FAL_ERROR_ARGUMENT,
                            "standardisation, channel %zu: its mean or deviation "
                            "is too large or too small for float32; scale the data",
                            i % channels);
    return FAL_OK;
}

/* x = v·scale + shift; bytes hold 255 v. */
fal_status fal_model_set_scales(fal_model *model, const double *mean,
                                const double *deviation)
{
    size_t n = model->network.input.channels;
    float *values = fal_allocate(3 * n, sizeof *values);
    if (!values)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < n; i++) {
        values[i] = (float)(1 / (255 * deviation[i]));
        values[n + i] = (float)(1 / deviation[i]);
        values[2 * n + i] = (float)(-mean[i] / deviation[i]);
    }
    fal_status status = check_scales(values, n);
    if (!status)
        status = fal_arena_write(&model->scales, model->byte_scale, values);
    if (!status)
        status = fal_arena_write(&model->scales, model->float_scale, values + n);
    if (!status)
        status = fal_arena_write(&model->scales, model->shift, values + 2 * n);
    fal_release(values);
    if (!status && mean != model->mean) {
        memcpy(model->mean, mean, n * sizeof *mean);
        memcpy(model->deviation, deviation, n * sizeof *deviation);
    }
    return status;
}

static fal_status describe_defaults(const fal_model_options *options,
                                    fal_network_defaults *network)
{
    *network = (fal_network_defaults){.activation = options->activation,
                                      .norm = options->norm,
                                      .no_bias = options->no_bias};
    if (!options->data)
        return FAL_OK;
    const fal_arrays *data = &options->data->arrays;
    network->input = (fal_shape){data->height, data->width, data->channels};
    network->outputs = data->labels ? data->classes : data->outputs;
    return FAL_OK;
}

static fal_status list_state(fal_model *model, const fal_layer *layer)
{
    fal_tensor tensor = {.arena = &model->state,
                         .slot = layer->running_mean,
                         .shape = {layer->outputs},
                         .dimensions = 1};
    fal_status status = fal_tensor_add(&model->tensors, tensor, layer->name,
                                       "running_mean");
    tensor.slot = layer->running_var;
    return status ? status
                  : fal_tensor_add(&model->tensors, tensor, layer->name,
                                   "running_var");
}

static fal_status list_tensors(fal_model *model)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < model->network.count && !status; i++) {
        const fal_layer *layer = &model->network.layers[i];
        status = fal_tensor_add_layer(&model->tensors, &model->parameters, layer,
                                      "");
        if (layer->has_state && !status)
            status = list_state(model, layer);
    }
    return status;
}

static fal_status sketch(fal_model *model, const char *network,
                         const fal_model_options *options)
{
    fal_network_defaults network_defaults;
    const char *law = options->weight_law ? options->weight_law : "fan-in";
    fal_status status = fal_law_parse(law, 0, "weight law", &model->weight_law);
    if (!status)
        status = describe_defaults(options, &network_defaults);
    if (!status)
        status = fal_network_parse(&model->network, network, &network_defaults);
    if (status)
        return status;
    fal_arena_begin(&model->parameters, model->device, "weights and biases");
    fal_arena_begin(&model->state, model->device, "running statistics");
    status = fal_network_place(&model->network, &model->parameters);
    if (!status)
        status = fal_network_place_state(&model->network, &model->state);
    if (!status)
        status = list_tensors(model);
    if (!status && options->data)
        status = fal_model_adapt(model, options->data, NULL);
    return status;
}

fal_status fal_model_sketch(fal_model **sketched, fal_device *device,
                            const char *network, const fal_model_options *options)
{
    fal_model *model = fal_allocate(1, sizeof *model);
    if (!model)
        return FAL_ERROR_MEMORY;
    model->device = device;
    fal_status status = sketch(model, network, options ? options : &defaults);
    if (status)
        fal_model_destroy(model);
    else
        *sketched = model;
    return status;
}

fal_status fal_model_furnish(fal_model *model)
{
    fal_status status = fal_arena_make(&model->parameters);
    if (!status)
        status = fal_arena_make(&model->state);
    return status ? status : make_scales(model);
}

fal_status fal_model_create(fal_model **created, fal_device *device,
                            const char *network, const fal_model_options *given)
{
    fal_model_options options;
    fal_model *model = NULL;
    fal_status status = fal_options_read(&options, sizeof options, &defaults, given,
                                         "fal_model_options");
    if (!status && (!created || !device || !network))
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "fal_model_create: needs a device and a network's text");
    if (!status)
        status = fal_model_sketch(&model, device, network, &options);
    if (!status)
        status = fal_model_furnish(model);
    for (size_t i = 0; !status && i < model->network.count; i++)
        status = start_layer(model, &model->network.layers[i], options.seed);
    if (status)
        fal_model_destroy(model);
    else
        *created = model;
    return status;
}

void fal_model_destroy(fal_model *model)
{
    if (!model)
        return;
    fal_arena_release(&model->parameters);
    fal_arena_release(&model->state);
    fal_arena_release(&model->scales);
    fal_network_release(&model->network);
    fal_tensor_list_release(&model->tensors);
    fal_release(model->mean);
    fal_release(model->deviation);
    fal_release((void *)model->class_names);
    fal_release(model);
}

const char *fal_model_network(const fal_model *model)
{
    return model ? model->network.text : NULL;
}

fal_status fal_model_describe(const fal_model *model, fal_model_info *info)
{
    if (!model || !info)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_model_describe: needs a model and an info");
    fal_shape in = model->raw.height ? model->raw : model->network.input;
    const fal_model_info found = {.size = sizeof found,
                                  .height = in.height,
                                  .width = in.width,
                                  .channels = in.channels,
                                  .outputs = model->network.outputs,
                                  .real_targets = model->real_targets};
    return fal_options_write(info, &found, sizeof found, "fal_model_info");
}

const char *fal_model_class_name(const fal_model *model, size_t index)
{
    int known = model && model->class_names && index < model->network.outputs;
    return known ? model->class_names[index] : NULL;
}

int fal_model_resizes(const fal_model *model, const fal_arrays *samples)
{
    fal_shape raw = model->raw;
    return raw.height > 0 && raw.height == samples->height &&
           raw.width == samples->width && raw.channels == samples->channels;
}

/* As the data are; but what comes as before is resized as before. */
static void adapt_size(fal_model *model, const fal_dataset *data)
{
    const fal_arrays *a = &data->arrays;
    if (fal_model_resizes(model, a))
        return;
    model->raw = model->resized = (fal_shape){0};
    if (data->raw_height == 0)
        return;
    model->raw = (fal_shape){data->raw_height, data->raw_width, a->channels};
    model->resized = (fal_shape){a->height, a->width, a->channels};
}

fal_status fal_model_adapt(fal_model *model, const fal_dataset *data,
                           const char *standardize)
{
    const fal_arrays *arrays = &data->arrays;
    int fits = arrays->classes == model->network.outputs;
    const char *const *names;
    fal_status status = fal_class_names_copy(
        &names, fits ? arrays->class_names : NULL, arrays->classes);
    if (!status && standardize && !model->standardized)
        status = fal_model_standardize(model, data, standardize);
    if (status) {
        fal_release((void *)names);
        return status;
    }
    fal_release((void *)model->class_names);
    model->class_names = names;
    model->real_targets = arrays->targets != NULL;
    adapt_size(model, data);
    return FAL_OK;
}

static const char *const losses[] = {"cross-entropy", "mse"};

fal_status fal_loss_find(const char *name, int *loss)
{
    for (int i = 0; i < 2; i++)
        if (strcmp(name ? name : losses[0], losses[i]) == 0) {
            *loss = i;
            return FAL_OK;
        }
    return fal_fail_unknown("loss", name, losses, 2);
}

const char *fal_loss_name(int loss)
{
    return losses[loss];
}

static const char *const reductions[] = {"mean", "sum"};

fal_status fal_reduction_find(const char *name, int *sums)
{
    for (int i = 0; i < 2; i++)
        if (strcmp(name ? name : reductions[0], reductions[i]) == 0) {
            *sums = i;
            return FAL_OK;
        }
    return fal_fail_unknown("loss reduction", name, reductions, 2);
}

const char *fal_reduction_name(int sums)
{
    return reductions[sums];
}

static fal_status sizes_differ(const fal_model *model, fal_shape samples)
{
    char input[FAL_SHAPE_TEXT], sample[FAL_SHAPE_TEXT], raw[FAL_SHAPE_TEXT];
    fal_shape_print(input, model->network.input);
    fal_shape_print(sample, samples);
    fal_shape_print(raw, model->raw);
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "data set: its samples have the size %s, the network's input "
                    "has %s%s%s; give data of that size",
                    sample, input, model->raw.height ? ", or resized " : "",
                    model->raw.height ? raw : "");
}

fal_status fal_model_fits(const fal_model *model, const fal_arrays *data, int loss)
{
    const fal_network *network = &model->network;
    fal_shape samples = {data->height, data->width, data->channels};
    if (!fal_model_resizes(model, data) &&
        !fal_shape_takes(network->input, samples))
        return sizes_differ(model, samples);
    if (data->labels && data->classes > network->outputs)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "data set: it has %zu classes, the network only %zu output"
                        "%s; end the network in dense %zu, or give other data",
                        data->classes, network->outputs,
                        network->outputs == 1 ? "" : "s", data->classes);
    if (data->targets && data->outputs != network->outputs)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "data set: its targets have %zu numbers a sample, the "
                        "network %zu outputs; end the network in dense %zu",
                        data->outputs, network->outputs, data->outputs);
    if (data->targets && loss == FAL_CROSS_ENTROPY)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "data set: cross-entropy needs labels, it has real targets; use the "
            "loss mse (--loss mse), or store classes as whole numbers");
    return FAL_OK;
}

fal_status fal_model_resize(const fal_model *model, fal_arrays *arrays, void **own)
{
    *own = NULL;
    if (!fal_model_resizes(model, arrays))
        return FAL_OK;
    fal_status status = fal_arrays_resize(arrays, arrays, model->resized.height,
                                          model->resized.width);
    if (!status)
        *own = (void *)arrays->inputs;
    return status;
}

fal_status fal_model_standardize(fal_model *model, const fal_dataset *data,
                                 const char *how)
{
    if (!model || !data)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_model_standardize: needs a model and a data set");
    fal_arrays arrays = data->arrays;
    void *own = NULL;
    fal_status status = fal_model_fits(model, &arrays, FAL_SQUARED_ERROR);
    if (!status)
        status = fal_model_resize(model, &arrays, &own);
    if (status)
        return status;
    fal_shape in = model->network.input;
    arrays.height = in.height, arrays.width = in.width,
    arrays.channels = in.channels;
    double *mean = fal_allocate(2 * in.channels, sizeof *mean);
    status = mean ? fal_standardization(&arrays, how, mean, mean + in.channels)
                  : FAL_ERROR_MEMORY;
    fal_release(own);
    if (!status)
        status = fal_model_set_scales(model, mean, mean + in.channels);
    if (!status)
        model->standardized = 1;
    fal_release(mean);
    return status;
}

size_t fal_model_tensor_count(const fal_model *model)
{
    return model ? model->tensors.count : 0;
}

const char *fal_model_tensor_name(const fal_model *model, size_t index)
{
    return model && index < model->tensors.count ? model->tensors.items[index].name
                                                 : NULL;
}

static fal_status find_tensor(const fal_model *model, const char *name,
                              const fal_tensor **tensor)
{
    if (!model)
        return fal_fail(FAL_ERROR_ARGUMENT, "tensors need a model and a name");
    return fal_tensor_find(&model->tensors, name, tensor);
}

fal_status fal_model_tensor_shape(const fal_model *model, const char *name,
                                  size_t shape[4], size_t *dimensions)
{
    const fal_tensor *tensor;
    fal_status status = find_tensor(model, name, &tensor);
    if (!status)
        fal_tensor_shape(tensor, shape, dimensions);
    return status;
}

fal_status fal_model_tensor(fal_model *model, const char *name, float *values,
                            size_t count)
{
    const fal_tensor *tensor;
    fal_status status = find_tensor(model, name, &tensor);
    return status ? status : fal_tensor_read(tensor, values, count);
}

fal_status fal_model_tensor_set(fal_model *model, const char *name,
                                const float *values, size_t count)
{
    const fal_tensor *tensor;
    fal_status status = find_tensor(model, name, &tensor);
    return status ? status : fal_tensor_write(tensor, values, count);
}
