#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"
#include "files/json.h"
#include "files/tensors.h"

#include <string.h>

static fal_status check_source(const fal_tensor_source *t, const char *path)
{
    const char *why = NULL;
    if (strcmp(t->name, FAL_METADATA_NAME) == 0)
        why = "the format keeps this name for itself; choose another";
    else if (t->dimensions > 4)
        why = "it has more than 4 dimensions; reshape it";
    else if (fal_tensor_bytes(t->type, t->shape, t->dimensions) == SIZE_MAX)
        why = "its shape is too large; use a smaller network";
    if (!why)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT, "writing file '%s', tensor '%.200s': %s",
                    path, t->name, why);
}

/* names[count] is room to sort in. */
static fal_status check_unique(const char **names, size_t count, const char *what,
                               const char *path)
{
    const char *twice = fal_names_sort(names, count, sizeof *names);
    if (!twice)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "writing file '%s', %s '%.200s': the name is there twice; "
                    "rename one",
                    path, what, twice);
}

static fal_status check_sources(const fal_tensor_source *tensors, size_t count,
                                const fal_metadata *metadata, size_t metadata_count,
                                const char *path)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < count && status == FAL_OK; i++)
        status = check_source(&tensors[i], path);
    if (status != FAL_OK)
        return status;
    const char **names = fal_allocate(count + metadata_count, sizeof *names);
    if (!names)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++)
        names[i] = tensors[i].name;
    for (size_t i = 0; i < metadata_count; i++)
        names[count + i] = metadata[i].key;
    status = check_unique(names, count, "tensor", path);
    if (status == FAL_OK)
        status = check_unique(names + count, metadata_count, "metadata", path);
    fal_release(names);
    return status;
}

static void put_metadata(fal_json *j, const fal_metadata *metadata, size_t count)
{
    if (count == 0)
        return;
    fal_json_key(j, FAL_METADATA_NAME);
    fal_json_begin_object(j);
    for (size_t i = 0; i < count; i++) {
        fal_json_key(j, metadata[i].key);
        fal_json_string(j, metadata[i].value ? metadata[i].value : "");
    }
    fal_json_end_object(j);
}

static void put_tensor(fal_json *j, const fal_tensor_source *t, uint64_t begin,
                       uint64_t end)
{
    fal_json_key(j, t->name);
    fal_json_begin_object(j);
    fal_json_key(j, "dtype");
    fal_json_string(j, fal_tensor_type_names[t->type]);
    fal_json_key(j, "shape");
    fal_json_begin_array(j);
    for (size_t i = 0; i < t->dimensions; i++)
        fal_json_unsigned(j, t->shape[i]);
    fal_json_end_array(j);
    fal_json_key(j, "data_offsets");
    fal_json_begin_array(j);
    fal_json_unsigned(j, begin);
    fal_json_unsigned(j, end);
    fal_json_end_array(j);
    fal_json_end_object(j);
}

static void put_header(fal_json *j, const fal_tensor_source *tensors, size_t count,
                       const fal_metadata *metadata, size_t metadata_count)
{
    uint64_t begin = 0;
    fal_json_begin_object(j);
    put_metadata(j, metadata, metadata_count);
    for (size_t i = 0; i < count; i++) {
        const fal_tensor_source *t = &tensors[i];
        uint64_t end = begin + fal_tensor_bytes(t->type, t->shape, t->dimensions);
        put_tensor(j, t, begin, end);
        begin = end;
    }
    fal_json_end_object(j);
}

static fal_status write_header(fal_file_writer *w, const fal_json *j)
{
    unsigned char size[8];
    size_t padding = (8 - j->length % 8) % 8;
    uint64_t length = j->length + padding;
    for (size_t i = 0; i < sizeof size; i++)
        size[i] = (unsigned char)(length >> (8 * i));
    fal_status status = fal_file_write(w, size, sizeof size);
    if (status == FAL_OK)
        status = fal_file_write(w, j->text, j->length);
    if (status == FAL_OK && padding > 0)
        status = fal_file_write(w, "        ", padding);
    return status;
}

static fal_status store_sum(fal_file_writer *w)
{
    const uint32_t value = w->sum;
    unsigned char sum[4];
    for (size_t i = 0; i < sizeof sum; i++)
        sum[i] = (unsigned char)(value >> (8 * i));
    return fal_file_write(w, sum, sizeof sum);
}

/* A fetched tensor has memory only while it is written. */
static fal_status store(fal_file_writer *w, const fal_tensor_source *t)
{
    size_t bytes = fal_tensor_bytes(t->type, t->shape, t->dimensions);
    if (bytes == 0)
        return FAL_OK;
    if (t->is_sum)
        return store_sum(w);
    if (t->data)
        return fal_file_write(w, t->data, bytes);
    void *values = fal_allocate(bytes, 1);
    fal_status status = values ? t->fetch(t->user, values, bytes)
                               : FAL_ERROR_MEMORY;
    if (status == FAL_OK)
        status = fal_file_write(w, values, bytes);
    fal_release(values);
    return status;
}

static fal_status write_all(fal_file_writer *w, const fal_json *header,
                            const fal_tensor_source *tensors, size_t count)
{
    fal_status status = write_header(w, header);
    for (size_t i = 0; i < count && status == FAL_OK; i++)
        status = store(w, &tensors[i]);
    return status;
}

static fal_status write_file(const char *path, const fal_json *header,
                             const fal_tensor_source *tensors, size_t count)
{
    fal_file_writer w;
    fal_status status = fal_file_begin(&w, path);
    if (status == FAL_OK)
        status = write_all(&w, header, tensors, count);
    if (status == FAL_OK)
        status = fal_file_commit(&w);
    if (status != FAL_OK)
        fal_file_abandon(&w);
    return status;
}

/* Bytes of the whole file. */
static size_t file_size(const fal_json *header, const fal_tensor_source *tensors,
                        size_t count)
{
    size_t size = 8 + (header->length + 7) / 8 * 8;
    for (size_t i = 0; i < count; i++)
        size += fal_tensor_bytes(tensors[i].type, tensors[i].shape,
                                 tensors[i].dimensions);
    return size;
}

static fal_status write_memory(unsigned char **bytes, size_t *size,
                               const fal_json *header,
                               const fal_tensor_source *tensors, size_t count)
{
    fal_file_writer w;
    size_t whole = file_size(header, tensors, count);
    unsigned char *block = fal_allocate(whole, 1);
    if (!block)
        return FAL_ERROR_MEMORY;
    fal_file_begin_memory(&w, block);
    fal_status status = write_all(&w, header, tensors, count);
    if (status != FAL_OK) {
        fal_release(block);
        return status;
    }
    *bytes = block;
    *size = whole;
    return FAL_OK;
}

/* Into the file `path`, or where that is NULL, into memory. */
static fal_status compose(const char *path, unsigned char **bytes, size_t *size,
                          const fal_tensor_source *tensors, size_t count,
                          const fal_metadata *metadata, size_t metadata_count)
{
    fal_json header = FAL_JSON;
    fal_status status = check_sources(tensors, count, metadata, metadata_count,
                                      path ? path : "in memory");
    if (status != FAL_OK)
        return status;
    put_header(&header, tensors, count, metadata, metadata_count);
    status = header.status;
    if (status == FAL_OK)
        status = path ? write_file(path, &header, tensors, count)
                      : write_memory(bytes, size, &header, tensors, count);
    fal_json_release(&header);
    return status;
}

fal_status fal_safetensors_write(const char *path, const fal_tensor_source *tensors,
                                 size_t count, const fal_metadata *metadata,
                                 size_t metadata_count)
{
    return compose(path, NULL, NULL, tensors, count, metadata, metadata_count);
}

fal_status fal_safetensors_compose(unsigned char **bytes, size_t *size,
                                   const fal_tensor_source *tensors, size_t count,
                                   const fal_metadata *metadata,
                                   size_t metadata_count)
{
    return compose(NULL, bytes, size, tensors, count, metadata, metadata_count);
}
