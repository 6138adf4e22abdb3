#include "train/model_file.h"
#include "data/class_names.h"
#include "device/memory.h"
#include "files/json.h"
#include "train/checkpoint.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static fal_status fetch(void *user, void *values, size_t bytes)
{
    return fal_tensor_read(user, values, bytes / sizeof(float));
}

static void note_json(fal_notes *notes, const char *key, fal_json *json)
{
    if (notes->status == FAL_OK)
        notes->status = json->status;
    fal_notes_text(notes, key, json->text);
    fal_json_release(json);
}

void fal_numbers_note(fal_notes *notes, const char *key, const double *values,
                      size_t count)
{
    fal_json json = FAL_JSON;
    fal_json_begin_array(&json);
    for (size_t i = 0; i < count; i++)
        fal_json_number(&json, values[i]);
    fal_json_end_array(&json);
    note_json(notes, key, &json);
}

static void note_names(fal_notes *notes, const fal_model *model)
{
    fal_json json = FAL_JSON;
    fal_json_begin_array(&json);
    for (size_t i = 0; i < model->network.outputs; i++)
        fal_json_string(&json, model->class_names[i]);
    fal_json_end_array(&json);
    note_json(notes, "class_names", &json);
}

static void note_sizes(const fal_model *model, fal_notes *notes)
{
    char text[FAL_SHAPE_TEXT];
    fal_shape_print(text, model->raw);
    fal_notes_text(notes, "samples", text);
    snprintf(text, sizeof text, "%zux%zu", model->resized.height,
             model->resized.width);
    fal_notes_text(notes, "resize", text);
}

void fal_model_note(const fal_model *model, fal_notes *notes)
{
    char input[64];
    fal_shape in = model->network.input;
    snprintf(input, sizeof input, "%zux%zux%zu", in.height, in.width, in.channels);
    fal_notes_text(notes, "network", model->network.text);
    fal_notes_text(notes, "input", input);
    fal_notes_whole(notes, "classes", model->network.outputs);
    fal_numbers_note(notes, "mean", model->mean, in.channels);
    fal_numbers_note(notes, "deviation", model->deviation, in.channels);
    fal_notes_text(notes, "falign", fal_version());
    /* The rest stands there only where it is so. */
    if (!model->standardized)
        fal_notes_text(notes, "standardized", "no");
    if (model->class_names)
        note_names(notes, model);
    if (model->real_targets)
        fal_notes_text(notes, "targets", "real");
    if (model->raw.height)
        note_sizes(model, notes);
}

fal_status fal_tensor_sources(const fal_tensor_list *const *lists, size_t count,
                              size_t more, fal_tensor_source **sources,
                              size_t *filled)
{
    size_t tensors = 0;
    for (size_t l = 0; l < count; l++)
        tensors += lists[l]->count;
    fal_tensor_source *next = fal_allocate(tensors + more, sizeof *next);
    if (!next)
        return FAL_ERROR_MEMORY;
    *sources = next;
    *filled = tensors;
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
    return FAL_OK;
}

fal_status fal_model_write(const fal_model *model, const char *path,
                           const fal_tensor_list *const *lists, size_t count)
{
    fal_notes notes = FAL_NOTES;
    fal_tensor_source *sources = NULL;
    size_t tensors;
    fal_model_note(model, &notes);
    fal_status status = notes.status;
    if (!status)
        status = fal_tensor_sources(lists, count, 0, &sources, &tensors);
    if (!status)
        status = fal_safetensors_write(path, sources, tensors, notes.items,
                                       notes.count);
    fal_release(sources);
    fal_notes_release(&notes);
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

/* All are looked at before the first is changed; those that are drawn are neither. */
fal_status fal_tensor_list_load(const fal_tensor_list *list,
                                const fal_safetensors *file, int required)
{
    fal_status status = FAL_OK;
    for (int write = 0; write < 2; write++)
        for (size_t i = 0; i < list->count && !status; i++)
            if (!list->items[i].random &&
                (required || fal_safetensors_find(file, list->items[i].name)))
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

fal_status fal_numbers_read(const fal_safetensors *file, const char *key,
                            int positive, double *values, size_t count)
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
        "file '%s': its metadata '%s' must be an array of %zu %snumbers",
        fal_safetensors_path(file), key, count, positive ? "positive " : "");
}

/* What the file says is wrong, not what the caller asked. */
static fal_status in_file(fal_status status, const char *path)
{
    if (status == FAL_OK)
        return status;
    return fal_fail_within(status == FAL_ERROR_ARGUMENT ? FAL_ERROR_FORMAT : status,
                           "file '%s'", path);
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

static fal_status read_names(fal_model_facts *facts, const fal_safetensors *file,
                             size_t count)
{
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
                          fal_safetensors_path(file), count);
    if (!status)
        status = fal_class_names_copy(&facts->class_names, names, count);
    cJSON_Delete(array);
    fal_release(names);
    return status;
}

/* Sizes with x between them: whether the text is `count` of them. */
static int take_sizes(const char *text, size_t *sizes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *end = NULL;
        unsigned long long size = isdigit((unsigned char)*text)
                                      ? strtoull(text, &end, 10)
                                      : 0;
        if (size < 1 || size > INT32_MAX || *end != (i + 1 < count ? 'x' : 0))
            return 0;
        sizes[i] = (size_t)size;
        text = end + 1;
    }
    return 1;
}

/* `samples` HxWxC become `resize` HxW, which the network must take. */
static fal_status read_sizes(fal_model_facts *facts, const fal_model *model,
                             const fal_safetensors *file)
{
    size_t raw[3], resized[2];
    const char *samples = fal_safetensors_metadata(file, "samples");
    const char *resize = fal_safetensors_metadata(file, "resize");
    if (!samples && !resize)
        return FAL_OK;
    if (samples && resize && take_sizes(samples, raw, 3) &&
        take_sizes(resize, resized, 2)) {
        facts->raw = (fal_shape){raw[0], raw[1], raw[2]};
        facts->resized = (fal_shape){resized[0], resized[1], raw[2]};
        if ((double)raw[0] * (double)raw[1] * (double)raw[2] <= INT32_MAX &&
            fal_shape_takes(model->network.input, facts->resized))
            return FAL_OK;
    }
    return fal_fail(
        FAL_ERROR_FORMAT,
        "file '%s': its metadata 'samples' and 'resize' must be HxWxC and "
        "HxW, and images of that size go into the network",
        fal_safetensors_path(file));
}

fal_status fal_model_facts_read(fal_model_facts *facts, const fal_model *model,
                                const fal_safetensors *file)
{
    size_t n = model->network.input.channels;
    const char *targets = fal_safetensors_metadata(file, "targets");
    *facts = (fal_model_facts){
        .mean = fal_allocate(2 * n, sizeof(double)),
        .standardized = !fal_safetensors_metadata(file, "standardized"),
        .real_targets = targets && strcmp(targets, "real") == 0};
    if (!facts->mean)
        return FAL_ERROR_MEMORY;
    facts->deviation = facts->mean + n;
    fal_status status = fal_numbers_read(file, "mean", 0, facts->mean, n);
    if (!status)
        status = fal_numbers_read(file, "deviation", 1, facts->deviation, n);
    if (!status)
        status = read_sizes(facts, model, file);
    return status ? status : read_names(facts, file, model->network.outputs);
}

fal_status fal_model_facts_take(fal_model *model, fal_model_facts *facts)
{
    fal_status status = fal_model_set_scales(model, facts->mean, facts->deviation);
    if (status)
        return status;
    const char *const *names = model->class_names;
    model->class_names = facts->class_names;
    facts->class_names = names;
    model->standardized = facts->standardized;
    model->real_targets = facts->real_targets;
    model->raw = facts->raw;
    model->resized = facts->resized;
    return FAL_OK;
}

void fal_model_facts_release(fal_model_facts *facts)
{
    fal_release(facts->mean);
    fal_release((void *)facts->class_names);
    *facts = (fal_model_facts){0};
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
    fal_model_facts facts = {0};
    fal_status status = in_file(fal_model_sketch(&model, device, network, NULL),
                                path);
    if (!status)
        status = check_tensors(&model->tensors, file);
    if (!status)
        status = fal_model_furnish(model);
    if (!status)
        status = fal_tensor_list_load(&model->tensors, file, 1);
    if (!status)
        status = fal_model_facts_read(&facts, model, file);
    if (!status)
        status = in_file(fal_model_facts_take(model, &facts), path);
    fal_model_facts_release(&facts);
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
        status = fal_checkpoint_check_sum(file);
    if (!status)
        status = load(model, device, file, name);
    fal_safetensors_close(file);
    fal_release(name);
    return status;
}
