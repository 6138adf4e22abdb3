#include "data/folder.h"
#include "data/class_names.h"
#include "data/dataset.h"
#include "device/error.h"
#include "device/memory.h"

/* The files of one split, both of them or those that there are. */
struct part {
    char *paths[2]; /* by role; NULL: not there */
    fal_block blocks[2];
};

static void release(struct part *part)
{
    for (int role = 0; role < 2; role++) {
        fal_release(part->paths[role]);
        fal_release(part->blocks[role].values);
    }
}

static fal_status find(struct part *part, const fal_format *format,
                       const char *folder, fal_split split)
{
    *part = (struct part){.paths = {NULL, NULL}};
    fal_status status = format->find(&part->paths[FAL_INPUTS], folder, split,
                                     FAL_INPUTS);
    if (!status)
        status = format->find(&part->paths[FAL_ANSWERS], folder, split,
                              FAL_ANSWERS);
    return status;
}

static fal_status check_there(const struct part *part, const fal_format *format,
                              const char *folder, fal_split split)
{
    for (int role = 0; role < 2; role++)
        if (!part->paths[role])
            return fal_fail(FAL_ERROR_FILE,
                            "opening '%s': the folder has no %s; put it there",
                            folder, format->files[split][role]);
    return FAL_OK;
}

/* ---- what must agree ----------------------------------------------------- */

static fal_status check_counts(const struct part *part)
{
    const fal_block *x = part->blocks + FAL_INPUTS, *y = part->blocks + FAL_ANSWERS;
    if (x->count == y->count)
        return FAL_OK;
    return fal_fail(FAL_ERROR_FORMAT,
                    "reading '%s': has %zu samples, '%s' has %zu %s; get or write "
                    "the files again",
                    part->paths[FAL_INPUTS], x->count, part->paths[FAL_ANSWERS],
                    y->count, y->is_label ? "labels" : "targets");
}

static const char *type_name(fal_type type)
{
    return type == FAL_BYTES ? "bytes" : "floats";
}

static fal_status check_inputs_alike(const struct part *a, const struct part *b)
{
    const fal_block *x = a->blocks + FAL_INPUTS, *z = b->blocks + FAL_INPUTS;
    if (x->type == z->type && x->height == z->height && x->width == z->width &&
        x->channels == z->channels)
        return FAL_OK;
    return fal_fail(FAL_ERROR_FORMAT,
                    "reading '%s': has samples of %zux%zux%zu %s, '%s' of "
                    "%zux%zux%zu %s; give both splits one shape and type",
                    a->paths[FAL_INPUTS], x->height, x->width, x->channels,
                    type_name(x->type), b->paths[FAL_INPUTS], z->height, z->width,
                    z->channels, type_name(z->type));
}

static fal_status check_answers_alike(const struct part *a, const struct part *b)
{
    const fal_block *y = a->blocks + FAL_ANSWERS, *z = b->blocks + FAL_ANSWERS;
    if (y->is_label != z->is_label)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has labels, '%s' real targets; give both "
                        "splits the same",
                        (y->is_label ? a : b)->paths[FAL_ANSWERS],
                        (y->is_label ? b : a)->paths[FAL_ANSWERS]);
    if (!y->is_label && y->outputs != z->outputs)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has %zu targets a sample, '%s' %zu; give "
                        "both splits the same",
                        a->paths[FAL_ANSWERS], y->outputs, b->paths[FAL_ANSWERS],
                        z->outputs);
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

static fal_status check_known_labels(const fal_known *known, const char *path,
                                     const fal_block *answers)
{
    const int32_t *label = answers->values;
    if (!answers->is_label)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has real targets, %s has labels; put the "
                        "right files there",
                        path, known->name);
    for (size_t i = 0; i < answers->kept; i++)
        if ((size_t)label[i] >= known->classes)
            return fal_fail(
                FAL_ERROR_FORMAT,
                "reading '%s': the label of sample %zu is %d, %s has 0 to "
                "%zu; get the file again",
                path, i, (int)label[i], known->name, known->classes - 1);
    return FAL_OK;
}

/* A folder's classes: one more than the highest label of both splits, so that a
 * class missing from one of them does not make them differ. What there is of the
 * other split must be like this one. */
static fal_status compare_other(const fal_request *request, const char *folder,
                                const fal_format *format, const struct part *part,
                                size_t *classes)
{
    struct part other;
    fal_block *x = other.blocks + FAL_INPUTS, *y = other.blocks + FAL_ANSWERS;
    fal_split split = request->split == FAL_SPLIT_TRAIN ? FAL_SPLIT_TEST
                                                        : FAL_SPLIT_TRAIN;
    fal_status status = find(&other, format, folder, split);
    if (!status && other.paths[FAL_INPUTS]) {
        status = format->inspect(x, other.paths[FAL_INPUTS], FAL_INPUTS);
        if (!status)
            status = check_inputs_alike(part, &other);
    }
    if (!status && other.paths[FAL_ANSWERS]) {
        status = format->inspect(y, other.paths[FAL_ANSWERS], FAL_ANSWERS);
        if (!status)
            status = check_answers_alike(part, &other);
        if (!status && y->is_label)
            status = format->read(y, other.paths[FAL_ANSWERS], FAL_ANSWERS, 0);
        if (!status && y->is_label && count_classes(y) > *classes)
            *classes = count_classes(y);
    }
    release(&other);
    return status;
}

static fal_status find_classes(const fal_request *request, const char *folder,
                               const fal_format *format, const struct part *part,
                               size_t *classes)
{
    const fal_block *answers = part->blocks + FAL_ANSWERS;
    if (request->known) {
        *classes = request->known->classes;
        return check_known_labels(request->known, part->paths[FAL_ANSWERS],
                                  answers);
    }
    *classes = answers->is_label ? count_classes(answers) : 0;
    return compare_other(request, folder, format, part, classes);
}

/* ---- reading ------------------------------------------------------------- */

/* All labels are read, as they give the number of classes. */
static fal_status read_blocks(struct part *part, const fal_request *request,
                              const fal_format *format)
{
    fal_block *x = part->blocks + FAL_INPUTS, *y = part->blocks + FAL_ANSWERS;
    fal_status status = format->read(x, part->paths[FAL_INPUTS], FAL_INPUTS,
                                     request->samples);
    if (!status)
        status = format->read(y, part->paths[FAL_ANSWERS], FAL_ANSWERS, 0);
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
static fal_status adopt(fal_dataset **dataset, struct part *part, size_t classes,
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

static fal_status adopt_named(fal_dataset **dataset, const fal_request *request,
                              const char *folder, struct part *part, size_t classes)
{
    const char *const *names;
    if (request->known)
        return adopt(dataset, part, classes, request->known->class_names);
    if (classes == 0)
        return adopt(dataset, part, 0, NULL);
    fal_status status = fal_class_names_load(&names, folder, classes);
    if (!status)
        status = adopt(dataset, part, classes, names);
    fal_release((void *)names);
    return status;
}

fal_status fal_folder_read(fal_dataset **dataset, const fal_request *request,
                           const char *folder, const fal_format *format)
{
    struct part part;
    size_t classes = 0;
    fal_status status = find(&part, format, folder, request->split);
    if (!status)
        status = check_there(&part, format, folder, request->split);
    if (!status)
        status = read_blocks(&part, request, format);
    if (!status)
        status = find_classes(request, folder, format, &part, &classes);
    if (!status)
        status = adopt_named(dataset, request, folder, &part, classes);
    release(&part);
    return status;
}

/* ---- inspecting ---------------------------------------------------------- */

static fal_status inspect_split(struct part *part, const fal_format *format,
                                const char *folder, fal_split split)
{
    fal_status status = find(part, format, folder, split);
    if (!status)
        status = check_there(part, format, folder, split);
    for (int role = 0; role < 2 && !status; role++)
        status = format->inspect(part->blocks + role, part->paths[role],
                                 (fal_role)role);
    return status ? status : check_counts(part);
}

fal_status fal_folder_inspect(fal_dataset_info *info, const fal_known *known,
                              const char *folder, const fal_format *format)
{
    struct part train, test = {.paths = {NULL, NULL}};
    const fal_block *x = train.blocks + FAL_INPUTS;
    fal_status status = inspect_split(&train, format, folder, FAL_SPLIT_TRAIN);
    if (!status)
        status = inspect_split(&test, format, folder, FAL_SPLIT_TEST);
    if (!status)
        status = check_inputs_alike(&train, &test);
    if (!status) {
        info->train = x->count;
        info->test = test.blocks[FAL_INPUTS].count;
        info->height = x->height;
        info->width = x->width;
        info->channels = x->channels;
        info->classes = known->classes;
    }
    release(&train);
    release(&test);
    return status;
}
