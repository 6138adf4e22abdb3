#include "data/folder.h"
#include "data/class_names.h"
#include "data/dataset.h"
#include "device/error.h"
#include "device/memory.h"

#include <stdio.h>
#include <string.h>

static void release(fal_part *part)
{
    for (size_t i = 0; i < FAL_MOST_FILES; i++)
        fal_release(part->paths[i]);
    for (int role = 0; role < 2; role++)
        fal_release(part->blocks[role].values);
}

static fal_status find(fal_part *part, const fal_format *format,
                       const fal_known *known, const char *folder, fal_split split)
{
    fal_status status = FAL_OK;
    *part = (fal_part){.coarse = known && known->coarse};
    for (size_t i = 0; i < FAL_MOST_FILES && format->files[split][i] && !status;
         i++)
        status = fal_format_path(&part->paths[i], format, folder, split, i);
    return status;
}

static fal_status check_there(const fal_part *part, const fal_format *format,
                              const char *folder, fal_split split)
{
    char names[256] = "";
    size_t missing = 0;
    for (size_t i = 0; i < FAL_MOST_FILES && format->files[split][i]; i++) {
        size_t used = strlen(names);
        if (!part->paths[i])
            snprintf(names + used, sizeof names - used, "%s%s",
                     missing++ ? ", " : "", format->files[split][i]);
    }
    if (!missing)
        return FAL_OK;
    return fal_fail(FAL_ERROR_FILE,
                    "opening '%s': the folder has no %s; put %s there", folder,
                    names, missing == 1 ? "it" : "them");
}

/* The split's files, which must all be there, in the format of the known set. */
static fal_status find_all(fal_part *part, const fal_format *format,
                           const fal_known *known, const char *folder,
                           fal_split split)
{
    fal_status status = find(part, format, known, folder, split);
    if (!status && known && known->format &&
        strcmp(known->format, format->name) != 0)
        return fal_fail(FAL_ERROR_FORMAT,
                        "opening '%s': the folder has %s files, %s comes in %s "
                        "files; put those there",
                        folder, format->name, known->name, known->format);
    return status ? status : check_there(part, format, folder, split);
}

/* ---- what must agree ----------------------------------------------------- */

static fal_status check_counts(const fal_part *part)
{
    const fal_block *x = part->blocks + FAL_INPUTS, *y = part->blocks + FAL_ANSWERS;
    if (x->count == y->count)
        return FAL_OK;
    return fal_fail(FAL_ERROR_FORMAT,
                    "reading '%s': has %zu samples, '%s' has %zu %s; get or write "
                    "the files again",
                    x->path, x->count, y->path, y->count,
                    y->is_label ? "labels" : "targets");
}

static const char *type_name(fal_type type)
{
    return type == FAL_BYTES ? "bytes" : "floats";
}

static fal_status check_inputs_alike(const fal_part *a, const fal_part *b)
{
    const fal_block *x = a->blocks + FAL_INPUTS, *z = b->blocks + FAL_INPUTS;
    if (x->type == z->type && x->height == z->height && x->width == z->width &&
        x->channels == z->channels)
        return FAL_OK;
    return fal_fail(FAL_ERROR_FORMAT,
                    "reading '%s': has samples of %zux%zux%zu %s, '%s' of "
                    "%zux%zux%zu %s; give both splits one shape and type",
                    x->path, x->height, x->width, x->channels, type_name(x->type),
                    z->path, z->height, z->width, z->channels, type_name(z->type));
}

static fal_status check_answers_alike(const fal_part *a, const fal_part *b)
{
    const fal_block *y = a->blocks + FAL_ANSWERS, *z = b->blocks + FAL_ANSWERS;
    if (y->is_label != z->is_label)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has labels, '%s' real targets; give both "
                        "splits the same",
                        (y->is_label ? y : z)->path, (y->is_label ? z : y)->path);
    if (!y->is_label && y->outputs != z->outputs)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has %zu targets a sample, '%s' %zu; give "
                        "both splits the same",
                        y->path, y->outputs, z->path, z->outputs);
    return FAL_OK;
}

/* ---- classes ------------------------------------------------------------- */

static size_t count_classes(const fal_block *labels)
{
    const int32_t *label = labels->values;
    size_t most = 0;
    for (size_t i = 0; i < labels->kept; i++)
        most = (size_t)label[i] > most ? (size_t)label[i] : most;
    return most + 1;
}

static fal_status check_known_labels(const fal_known *known,
                                     const fal_block *answers)
{
    const int32_t *label = answers->values;
    if (!answers->is_label)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has real targets, %s has labels; put the "
                        "right files there",
                        answers->path, known->name);
    for (size_t i = 0; i < answers->kept; i++)
        if ((size_t)label[i] >= known->classes->count)
            return fal_fail(
                FAL_ERROR_FORMAT,
                "reading '%s': the label of sample %zu is %d, %s has 0 to "
                "%zu; get the file again",
                answers->path, i, (int)label[i], known->name,
                known->classes->count - 1);
    return FAL_OK;
}

/* A folder's classes: one more than the highest label of both splits, so that a
 * class missing from one of them does not make them differ. What there is of the
 * other split must be like this one. */
static fal_status compare_other(const fal_request *request, const char *folder,
                                const fal_format *format, const fal_part *part,
                                size_t *classes)
{
    fal_part other;
    fal_block *x = other.blocks + FAL_INPUTS, *y = other.blocks + FAL_ANSWERS;
    fal_split split = request->split == FAL_SPLIT_TRAIN ? FAL_SPLIT_TEST
                                                        : FAL_SPLIT_TRAIN;
    fal_status status = find(&other, format, NULL, folder, split);
    if (!status && other.paths[FAL_INPUTS]) {
        status = format->inspect(x, &other, FAL_INPUTS);
        if (!status)
            status = check_inputs_alike(part, &other);
    }
    if (!status && other.paths[FAL_ANSWERS]) {
        status = format->inspect(y, &other, FAL_ANSWERS);
        if (!status)
            status = check_answers_alike(part, &other);
        if (!status && y->is_label)
            status = format->read(y, &other, FAL_ANSWERS, 0);
        if (!status && y->is_label && count_classes(y) > *classes)
            *classes = count_classes(y);
    }
    release(&other);
    return status;
}

static fal_status find_classes(fal_classes *classes, const fal_request *request,
                               const char *folder, const fal_format *format,
                               const fal_part *part)
{
    const fal_block *answers = part->blocks + FAL_ANSWERS;
    if (request->known) {
        *classes = *request->known->classes;
        return check_known_labels(request->known, answers);
    }
    if (answers->classes) {
        *classes = *answers->classes;
        return FAL_OK;
    }
    *classes = (fal_classes){.count = answers->is_label ? count_classes(answers)
                                                        : 0};
    return compare_other(request, folder, format, part, &classes->count);
}

/* ---- reading ------------------------------------------------------------- */

/* All labels are read, as they give the number of classes. */
static fal_status read_blocks(fal_part *part, const fal_request *request,
                              const fal_format *format)
{
    fal_block *x = part->blocks + FAL_INPUTS, *y = part->blocks + FAL_ANSWERS;
    fal_status status = format->read(x, part, FAL_INPUTS, request->samples);
    if (!status)
        status = format->read(y, part, FAL_ANSWERS, 0);
    if (!status)
        status = check_counts(part);
    if (!status && request->samples > x->count)
        status = fal_fail(
            FAL_ERROR_ARGUMENT,
            "opening data set '%s': %zu samples asked for, there are %zu; "
            "ask for no more than these",
            request->name, request->samples, x->count);
    return status;
}

/* Gives the values away on success. */
static fal_status adopt(fal_dataset **dataset, fal_part *part, size_t classes,
                        const char *const *class_names)
{
    fal_block *x = part->blocks + FAL_INPUTS, *y = part->blocks + FAL_ANSWERS;
    fal_arrays arrays = FAL_ARRAYS;
    arrays.count = x->kept;
    arrays.height = x->height;
    arrays.width = x->width;
    arrays.channels = x->channels;
    arrays.type = x->type;
    arrays.inputs = x->values;
    arrays.labels = y->is_label ? y->values : NULL;
    arrays.targets = y->is_label ? NULL : y->values;
    arrays.classes = classes;
    arrays.class_names = class_names;
    arrays.outputs = y->is_label ? 0 : y->outputs;
    fal_status status = fal_dataset_adopt(dataset, &arrays, x->values,
                                          y->is_label ? y->values : NULL,
                                          y->is_label ? NULL : y->values);
    if (!status)
        x->values = y->values = NULL;
    return status;
}

/* The folder's own names come first; what a known set's classes are called is not
 * the folder's to say anew. */
static fal_status adopt_named(fal_dataset **dataset, const fal_request *request,
                              const char *folder, fal_part *part,
                              const fal_classes *classes)
{
    const char *const *names = NULL;
    fal_status status = FAL_OK;
    if (!request->known && classes->count)
        status = fal_class_names_load(&names, folder, "classes.txt",
                                      classes->count);
    if (!status && !names && classes->file)
        status = fal_class_names_load(&names, folder, classes->file,
                                      classes->count);
    if (!status)
        status = adopt(dataset, part, classes->count,
                       names ? names : classes->names);
    fal_release((void *)names);
    return status;
}

fal_status fal_folder_read(fal_dataset **dataset, const fal_request *request,
                           const char *folder, const fal_format *format)
{
    fal_part part;
    fal_classes classes;
    fal_status status = find_all(&part, format, request->known, folder,
                                 request->split);
    if (!status)
        status = read_blocks(&part, request, format);
    if (!status)
        status = find_classes(&classes, request, folder, format, &part);
    if (!status)
        status = adopt_named(dataset, request, folder, &part, &classes);
    release(&part);
    return status;
}

/* ---- inspecting ---------------------------------------------------------- */

static fal_status inspect_split(fal_part *part, const fal_format *format,
                                const fal_known *known, const char *folder,
                                fal_split split)
{
    fal_status status = find_all(part, format, known, folder, split);
    for (int role = 0; role < 2 && !status; role++)
        status = format->inspect(part->blocks + role, part, (fal_role)role);
    return status ? status : check_counts(part);
}

fal_status fal_folder_inspect(fal_dataset_info *info, const fal_known *known,
                              const char *folder, const fal_format *format)
{
    fal_part train, test = {.paths = {NULL}};
    const fal_block *x = train.blocks + FAL_INPUTS;
    fal_status status = inspect_split(&train, format, known, folder,
                                      FAL_SPLIT_TRAIN);
    if (!status)
        status = inspect_split(&test, format, known, folder, FAL_SPLIT_TEST);
    if (!status)
        status = check_inputs_alike(&train, &test);
    if (!status) {
        info->train = x->count;
        info->test = test.blocks[FAL_INPUTS].count;
        info->height = x->height;
        info->width = x->width;
        info->channels = x->channels;
        info->classes = known->classes->count;
    }
    release(&train);
    release(&test);
    return status;
}
