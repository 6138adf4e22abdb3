#include "cli/inputs.h"
#include "data/idx.h"
#include "data/npy.h"
#include "data/reader.h"
#include "device/error.h"
#include "device/memory.h"

#include <stdio.h>
#include <string.h>

/* What both formats say. */
struct content {
    size_t dimensions, shape[4], item;
    fal_type type;
    void *values;
};

/* ---- reading ------------------------------------------------------------- */

/* *magic = the first bytes, zeros behind the end of the file. */
static fal_status read_magic(const char *path, uint8_t magic[6])
{
    fal_reader *reader;
    size_t got;
    memset(magic, 0, 6);
    fal_status status = fal_reader_open(&reader, path);
    if (status)
        return status;
    status = fal_reader_some(reader, magic, 6, &got);
    fal_reader_close(reader);
    return status;
}

static fal_status read_idx(struct content *content, const char *path)
{
    fal_idx idx;
    fal_status status = fal_idx_read(&idx, path, 1, 4, 0);
    if (status)
        return status;
    *content = (struct content){.dimensions = idx.dimensions,
                                .item = idx.item,
                                .type = FAL_BYTES,
                                .values = idx.values};
    memcpy(content->shape, idx.shape, sizeof idx.shape);
    return FAL_OK;
}

static fal_status read_npy(struct content *content, const char *path)
{
    fal_npy npy;
    fal_status status = fal_npy_read(&npy, path, FAL_NPY_INPUTS, 0);
    if (status)
        return status;
    *content = (struct content){.dimensions = npy.dimensions,
                                .item = npy.item,
                                .type = npy.kind == FAL_NPY_BYTES ? FAL_BYTES
                                                                  : FAL_FLOATS,
                                .values = npy.values};
    memcpy(content->shape, npy.shape, sizeof npy.shape);
    return FAL_OK;
}

static fal_status read_content(struct content *content, const char *path)
{
    uint8_t magic[6];
    fal_status status = read_magic(path, magic);
    if (status)
        return status;
    if (memcmp(magic, "\x93NUMPY", 6) == 0)
        return read_npy(content, path);
    if (magic[0] == 0 && magic[1] == 0)
        return read_idx(content, path);
    return fal_fail(FAL_ERROR_FORMAT,
                    "reading '%s': is neither an IDX file nor one of numpy.save; "
                    "give one of these, gzipped or not",
                    path);
}

/* ---- shape --------------------------------------------------------------- */

/* Whether `shape` is one sample: the model's input; the same without its last
 * dimension of 1; or its numbers in a row. Of a model that takes a row, a sample may
 * have any shape. */
static int is_sample(const size_t *shape, size_t dimensions,
                     const fal_model_info *model)
{
    const size_t in[3] = {model->height, model->width, model->channels};
    size_t size = 1;
    for (size_t i = 0; i < dimensions; i++)
        size *= shape[i];
    if (size != in[0] * in[1] * in[2])
        return 0;
    int takes_row = in[0] == 1 && in[1] == 1;
    size_t least = in[2] == 1 ? 2 : 3;
    return takes_row || dimensions <= 1 ||
           (dimensions >= least && dimensions <= 3 &&
            memcmp(shape, in, dimensions * sizeof *in) == 0);
}

static void print_shape(char *text, size_t room, const size_t *shape,
                        size_t dimensions)
{
    size_t used = 0;
    for (size_t i = 0; i < dimensions && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, "[%zu]", shape[i]);
}

static fal_status fail_shape(const struct content *content, const char *path,
                             const fal_model_info *model)
{
    char is[128], wanted[128];
    const size_t in[3] = {model->height, model->width, model->channels};
    int takes_row = in[0] == 1 && in[1] == 1;
    print_shape(is, sizeof is, content->shape, content->dimensions);
    print_shape(wanted, sizeof wanted, takes_row ? in + 2 : in,
                takes_row    ? 1
                : in[2] == 1 ? 2
                             : 3);
    return fal_fail(FAL_ERROR_FORMAT,
                    "reading '%s': its shape is %s, the model takes %s or "
                    "[count]%s; give samples of that size",
                    path, is, wanted, wanted);
}

static fal_status take(cli_inputs *inputs, const struct content *content,
                       const char *path, const fal_model_info *model)
{
    size_t number = content->type == FAL_BYTES ? 1 : sizeof(float);
    size_t numbers = content->shape[0] * content->item, count = 0;
    if (is_sample(content->shape, content->dimensions, model))
        count = 1;
    else if (is_sample(content->shape + 1, content->dimensions - 1, model))
        count = content->shape[0];
    if (count == 0)
        return fail_shape(content, path, model);
    *inputs = (cli_inputs){.count = count,
                           .type = content->type,
                           .stride = numbers / count * number,
                           .values = content->values};
    return FAL_OK;
}

fal_status cli_inputs_read(cli_inputs *inputs, const char *path,
                           const fal_model_info *model)
{
    struct content content = {0};
    fal_status status = read_content(&content, path);
    if (!status)
        status = take(inputs, &content, path, model);
    if (status)
        fal_release(content.values);
    return status;
}

fal_status cli_inputs_take(cli_inputs *inputs, const char *name,
                           const fal_dataset *data, const fal_model_info *model)
{
    fal_arrays arrays = FAL_ARRAYS;
    fal_status status = fal_dataset_describe(data, &arrays);
    if (status)
        return status;
    const struct content content = {
        .dimensions = 4,
        .shape = {arrays.count, arrays.height, arrays.width, arrays.channels},
        .item = arrays.height * arrays.width * arrays.channels,
        .type = arrays.type,
        .values = (void *)(uintptr_t)arrays.inputs};
    if (!is_sample(content.shape + 1, 3, model))
        return fail_shape(&content, name, model);
    return take(inputs, &content, name, model);
}
