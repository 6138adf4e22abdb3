#include "train/model_file.h"
#include "data/class_names.h"
#include "device/memory.h"
#include "files/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static fal_status fetch(void *user, void *values, size_t bytes)
{
    return fal_tensor_read(user, values, bytes / sizeof(float));
}

static fal_status numbers_text(const double *values, size_t count, fal_json *json)
{
    fal_json_begin_array(json);
    for (size_t i = 0; i < count; i++)
        fal_json_number(json, values[i]);
    fal_json_end_array(json);
    return json->status;
}

static fal_status names_text(const fal_model *model, fal_json *json)
{
    fal_json_begin_array(json);
    for (size_t i = 0; model->class_names && i < model->network.outputs; i++)
        fal_json_string(json, model->class_names[i]);
    fal_json_end_array(json);
    return json->status;
}

static fal_status write_sources(const fal_model *model, const char *path,
                                const fal_tensor_source *sources, size_t count)
{
    fal_json mean = FAL_JSON, deviation = FAL_JSON, names = FAL_JSON;
    char input[64], classes[32];
    fal_shape in = model->network.input;
    snprintf(input, sizeof input, "%zux%zux%zu", in.height, in.width, in.channels);
    snprintf(classes, sizeof classes, "%zu", model->network.outputs);
    fal_status status = numbers_text(model->mean, in.channels, &mean);
    if (!status)
        status = numbers_text(model->deviation, in.channels, &deviation);
    if (!status)
        status = names_text(model, &names);
    fal_metadata metadata[9] = {
        {"network", model->network.text},
        {"input", input},
        {"classes", classes},
        {"mean", mean.text},
        {"deviation", deviation.text},
        {"falign", fal_version()},
    };
    size_t entries = 6;
    /* The rest stands there only where it is so. */
    if (!model->standardized)
        metadata[entries++] = (fal_metadata){"standardized", "no"};
    if (model->class_names)
        metadata[entries++] = (fal_metadata){"class_names", names.text};
    if (model->real_targets)
        metadata[entries++] = (fal_metadata){"targets", "real"};
    if (!status)
        status = fal_safetensors_write(path, sources, count, metadata, entries);
    fal_json_release(&mean);
    fal_json_release(&deviation);
    fal_json_release(&names);
    return status;
}

fal_status fal_model_write(const fal_model *model, const char *path,
                           const fal_tensor_list *const *lists, size_t count)
{
    size_t tensors = 0;
    for (size_t l = 0; l < count; l++)
        tensors += lists[l]->count;
    fal_tensor_source *sources = fal_allocate(tensors, sizeof *sources),
                      *next = sources;
    if (!sources)
        return FAL_ERROR_MEMORY;
    for (size_t l = 0; l < count; l++)
        for (size_t i = 0; i < lists[l]->count; i++, next++) {
            fal_tensor *tensor = &lists[l]->items[i];
            *next = (fal_tensor_source){.name = tensor->name,
                                        .type = FAL_TENSOR_F32,
                                        .dimensions = tensor->dimensions,
                                        .fetch = fetch,
                                        .user = tensor};
            memcpy(next->shape, tensor->shape, sizeof next->shape);
        }
    fal_status status = write_sources(model, path, sources, tensors);
    fal_release(sources);
    return status;
}

fal_status fal_model_save(fal_model *model, const char *path)
{
    if (!model || !path)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_model_save: needs a model and a path");
    const fal_tensor_list *const lists[] = {&model->tensors};
    return fal_model_write(model, path, lists, 1);
}

/* Reads a tensor's numbers and, if `write`, hands them to the device. */
static fal_status load_tensor(const fal_tensor *tensor, const fal_safetensors *file,
                              int write)
{
    size_t floats = fal_tensor_floats(tensor);
    float *values = fal_allocate(floats, sizeof *values);
    if (!values)
        return FAL_ERROR_MEMORY;
    fal_status status = fal_safetensors_floats(file, tensor->name, tensor->shape,
                                               tensor->dimensions, values);
    if (!status && write)
        status = fal_tensor_write(tensor, values, floats);
    fal_release(values);
    return status;
}

/* All are looked at before the first is changed. */
fal_status fal_tensor_list_load(const fal_tensor_list *list,
                                const fal_safetensors *file, int required)
{
    fal_status status = FAL_OK;
    for (int write = 0; write < 2; write++)
        for (size_t i = 0; i < list->count && !status; i++)
            if (required || fal_safetensors_find(file, list->items[i].name))
                status = load_tensor(&list->items[i], file, write);
    return status;
}

/* A few bytes of text can ask for gigabytes: whether the file has them comes first. */
static fal_status check_tensors(const fal_tensor_list *list,
                                const fal_safetensors *file)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < list->count && !status; i++)
        status = fal_safetensors_check(file, list->items[i].name,
                                       list->items[i].shape,
                                       list->items[i].dimensions);
    return status;
}

fal_status fal_model_path(const char *path, const char *name, char **file)
{
    struct stat facts;
    int is_folder = stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
    size_t size = strlen(path) + strlen(name) + 2;
    char *text = fal_allocate(size, 1);
    if (!text)
        return FAL_ERROR_MEMORY;
    snprintf(text, size, "%s%s%s", path, is_folder ? "/" : "",
             is_folder ? name : "");
    *file = text;
    return FAL_OK;
}

/* The array that a metadata text of `count` items is; NULL: it is none, or so long
 * that an item has more than `room` bytes. */
static cJSON *read_array(const fal_safetensors *file, const char *key, size_t count,
                         size_t room)
{
    const char *text = fal_safetensors_metadata(file, key);
    int fits = text && strlen(text) / room <= count;
    return fits ? cJSON_ParseWithOpts(text, NULL, 1) : NULL;
}

/* A metadata text "[…]" of `count` finite numbers, above 0 if `positive`. */
static fal_status read_numbers(const fal_safetensors *file, const char *path,
                               const char *key, int positive, double *values,
                               size_t count)
{
    cJSON *array = read_array(file, key, count, 64);
    size_t n = 0;
    int good = cJSON_IsArray(array);
    const cJSON *number = NULL;
    cJSON_ArrayForEach(number, array)
    {
        good = good && cJSON_IsNumber(number) && isfinite(number->valuedouble) &&
               (!positive || number->valuedouble > 0);
        if (good && n < count)
            values[n] = number->valuedouble;
        n++;
    }
    cJSON_Delete(array);
    if (good && n == count)
        return FAL_OK;
    return fal_fail(
        FAL_ERROR_FORMAT,
        "file '%s': its metadata '%s' must be an array of %zu %snumbers", path, key,
        count, positive ? "positive " : "");
}

/* What the file says is wrong, not what the caller asked. */
static fal_status in_file(fal_status status, const char *path)
{
    if (status == FAL_OK)
        return status;
    return fal_fail_within(status == FAL_ERROR_ARGUMENT ? FAL_ERROR_FORMAT : status,
                           "file '%s'", path);
}

static fal_status load_scales(fal_model *model, const fal_safetensors *file,
                              const char *path)
{
    size_t n = model->network.input.channels;
    double *values = fal_allocate(2 * n, sizeof *values);
    if (!values)
        return FAL_ERROR_MEMORY;
    fal_status status = read_numbers(file, path, "mean", 0, values, n);
    if (!status)
        status = read_numbers(file, path, "deviation", 1, values + n, n);
    if (!status)
        status = in_file(fal_model_set_scales(model, values, values + n), path);
    if (!status)
        model->standardized = !fal_safetensors_metadata(file, "standardized");
    fal_release(values);
    return status;
}

/* Whether a JSON array is `count` good names; they stay the array's. */
static int take_names(const cJSON *array, const char **names, size_t count)
{
    const cJSON *item = NULL;
    size_t n = 0;
    if (!cJSON_IsArray(array))
        return 0;
    cJSON_ArrayForEach(item, array)
    {
        if (n < count)
            names[n] = cJSON_GetStringValue(item);
        n++;
    }
    return n == count && !fal_class_names_check("metadata", names, count);
}

static fal_status load_names(fal_model *model, const fal_safetensors *file,
                             const char *path)
{
    size_t count = model->network.outputs;
    if (!fal_safetensors_metadata(file, "class_names"))
        return FAL_OK;
    const char **names = fal_allocate(count, sizeof *names);
    if (!names)
        return FAL_ERROR_MEMORY;
    cJSON *array = read_array(file, "class_names", count, 1 << 16);
    fal_status status = FAL_OK;
    if (!take_names(array, names, count))
        status = fal_fail(FAL_ERROR_FORMAT,
                          "file '%s': its metadata 'class_names' must be an array "
                          "of %zu texts, none empty",
                          path, count);
    if (!status)
        status = fal_class_names_copy(&model->class_names, names, count);
    cJSON_Delete(array);
    fal_release(names);
    return status;
}

static fal_status load_meaning(fal_model *model, const fal_safetensors *file,
                               const char *path)
{
    const char *targets = fal_safetensors_metadata(file, "targets");
    model->real_targets = targets && strcmp(targets, "real") == 0;
    return load_names(model, file, path);
}

static fal_status load(fal_model **loaded, fal_device *device,
                       const fal_safetensors *file, const char *path)
{
    const char *network = fal_safetensors_metadata(file, "network");
    if (!network)
        return fal_fail(FAL_ERROR_FORMAT,
                        "file '%s': no metadata 'network'; falign did not write it",
                        path);
    fal_model *model = NULL;
    fal_status status = in_file(fal_model_sketch(&model, device, network, NULL),
                                path);
    if (!status)
        status = check_tensors(&model->tensors, file);
    if (!status)
        status = fal_model_furnish(model);
    if (!status)
        status = fal_tensor_list_load(&model->tensors, file, 1);
    if (!status)
        status = load_scales(model, file, path);
    if (!status)
        status = load_meaning(model, file, path);
    if (status)
        fal_model_destroy(model);
    else
        *loaded = model;
    return status;
}

fal_status fal_model_load(fal_model **model, fal_device *device, const char *path)
{
    if (!model || !device || !path)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_model_load: needs a device and a path");
    fal_safetensors *file = NULL;
    char *name = NULL;
    fal_status status = fal_model_path(path, "model.safetensors", &name);
    if (!status)
        status = fal_safetensors_open(&file, name);
    if (!status)
        status = load(model, device, file, name);
    fal_safetensors_close(file);
    fal_release(name);
    return status;
}
