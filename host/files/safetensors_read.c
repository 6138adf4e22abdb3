#include "device/error.h"
#include "device/memory.h"
#include "device/text.h"
#include "files/atomic.h"
#include "files/tensors.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t header_limit = 100000000; /* the format's */

/* Each value of the header takes about 100 bytes of memory, and two of the file. */
enum { VALUE_LIMIT = 1 << 22 };

struct fal_safetensors {
    char *path;
    unsigned char *text; /* the header's, until it is parsed */
    size_t length;       /* bytes of the text */
    unsigned char *data; /* what follows the header */
    size_t data_size;
    cJSON *header; /* holds all texts */
    fal_tensor_view *tensors;
    size_t count;
    fal_metadata *metadata;
    size_t metadata_count;
};

/* `tensor` may be NULL: the file as a whole. */
static fal_status bad(const fal_safetensors *f, const char *tensor,
                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static fal_status bad(const fal_safetensors *f, const char *tensor,
                      const char *format, ...)
{
    char why[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    return fal_fail(
        FAL_ERROR_FORMAT,
        "file '%s'%s%.200s%s: %s; use a whole safetensors file of float32 "
        "tensors",
        f->path, tensor ? ", tensor '" : "", tensor ? tensor : "",
        tensor ? "'" : "", why);
}

/* ---- the header's text ----------------------------------------------------- */

/* Whole numbers are all that the format has; cJSON also takes 01, 1.0 and 1e0. */
static fal_status check_number(const fal_safetensors *f, size_t i, size_t *step)
{
    const char *number = (const char *)f->text + i;
    *step = strspn(number, "+-.0123456789eE");
    if (strspn(number, "0123456789") == *step && (*number != '0' || *step == 1))
        return FAL_OK;
    return bad(f, NULL, "the header has a number that is not whole at its byte %zu",
               i);
}

/* Of a character in a JSON string; an escape is one step. */
static fal_status check_in_string(const fal_safetensors *f, size_t i, size_t *step)
{
    const unsigned char *at = f->text + i;
    size_t left = f->length - i;
    if (*at < 0x20)
        return bad(f, NULL, "the header has a control character at its byte %zu",
                   i);
    if (*at == '\\' && left >= 6 && memcmp(at, "\\u0000", 6) == 0)
        return bad(f, NULL, "the header has \\u0000 at its byte %zu", i);
    if (*at == '\\' && left >= 2 && at[1] < 0x80)
        *step = 2;
    return FAL_OK;
}

static fal_status check_between(const fal_safetensors *f, size_t i, size_t *step,
                                size_t *values)
{
    unsigned char c = f->text[i];
    *values += c == ',' || c == '[' || c == '{';
    if (*values > VALUE_LIMIT)
        return bad(f, NULL, "the header has more than %d values", VALUE_LIMIT);
    if (c < 0x20 && (!c || !strchr("\t\r\n", c)))
        return bad(f, NULL, "the header has a control character at its byte %zu",
                   i);
    if (c && strchr("+-.0123456789", c))
        return check_number(f, i, step);
    return FAL_OK;
}

/* Refuses what cJSON would let pass, and what would take too much memory. */
static fal_status check_text(const fal_safetensors *f)
{
    size_t step, values = 0;
    int in_string = 0;
    for (size_t i = 0; i < f->length; i += step) {
        step = fal_utf8_length(f->text + i, f->length - i);
        if (step == 0)
            return bad(f, NULL, "the header is not UTF-8 at its byte %zu", i);
        fal_status status = in_string ? check_in_string(f, i, &step)
                                      : check_between(f, i, &step, &values);
        if (status != FAL_OK)
            return status;
        in_string ^= f->text[i] == '"';
    }
    return FAL_OK;
}

static fal_status parse_text(fal_safetensors *f)
{
    const char *text = (const char *)f->text, *end = NULL;
    fal_status status = check_text(f);
    if (status != FAL_OK)
        return status;
    f->header = cJSON_ParseWithLengthOpts(text, f->length, &end, 0);
    if (!f->header)
        return bad(f, NULL, "the header is not JSON, at its byte %td",
                   end ? end - text : 0);
    if (!cJSON_IsObject(f->header) || *text != '{')
        return bad(f, NULL, "the header is not a JSON object");
    while (end < text + f->length && strchr(" \t\r\n", *end))
        end++;
    if (end < text + f->length)
        return bad(f, NULL, "the header is not JSON, at its byte %td", end - text);
    return FAL_OK;
}

static fal_status read_length(fal_safetensors *f, fal_file_reader *r)
{
    unsigned char bytes[8];
    uint64_t length = 0;
    if (r->size < sizeof bytes)
        return bad(f, NULL, "it has %zu bytes, cut off before the header", r->size);
    fal_status status = fal_file_next(r, bytes, sizeof bytes);
    if (status != FAL_OK)
        return status;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | bytes[i];
    if (length > header_limit)
        return bad(f, NULL,
                   "it is no safetensors file: a header of %ju bytes is more than "
                   "the format's %zu",
                   (uintmax_t)length, header_limit);
    if (length > r->size - sizeof bytes)
        return bad(f, NULL, "it is cut off: a header of %ju bytes, a file of %zu",
                   (uintmax_t)length, r->size);
    f->length = (size_t)length;
    f->data_size = r->size - sizeof bytes - f->length;
    return FAL_OK;
}

static fal_status read_text(fal_safetensors *f, fal_file_reader *r)
{
    fal_status status = read_length(f, r);
    if (status != FAL_OK)
        return status;
    f->text = fal_allocate(f->length + 1, 1); /* ends with a zero byte */
    if (!f->text)
        return FAL_ERROR_MEMORY;
    status = fal_file_next(r, f->text, f->length);
    if (status == FAL_OK)
        status = parse_text(f);
    fal_release(f->text);
    f->text = NULL;
    return status;
}

/* ---- what it says ---------------------------------------------------------- */

static fal_status read_metadata(fal_safetensors *f, const cJSON *object)
{
    const cJSON *item;
    size_t count = 0;
    if (f->metadata)
        return bad(f, NULL, "%s is there twice", FAL_METADATA_NAME);
    if (!cJSON_IsObject(object))
        return bad(f, NULL, "%s is not a JSON object", FAL_METADATA_NAME);
    cJSON_ArrayForEach(item, object) count++;
    f->metadata = fal_allocate(count, sizeof *f->metadata);
    if (!f->metadata)
        return FAL_ERROR_MEMORY;
    cJSON_ArrayForEach(item, object)
    {
        if (!cJSON_IsString(item))
            return bad(f, NULL, "metadata '%.200s' is not a text", item->string);
        f->metadata[f->metadata_count++] = (fal_metadata){item->string,
                                                          item->valuestring};
    }
    const char *twice = fal_names_sort(f->metadata, count, sizeof *f->metadata);
    if (twice)
        return bad(f, NULL, "metadata '%.200s' is there twice", twice);
    return FAL_OK;
}

/* "[16,784]" */
static void print_shape(char *text, size_t room, const size_t *shape,
                        size_t dimensions)
{
    size_t used = (size_t)snprintf(text, room, "[");
    for (size_t i = 0; i < dimensions; i++)
        used += (size_t)snprintf(text + used, room - used, i ? ",%zu" : "%zu",
                                 shape[i]);
    snprintf(text + used, room - used, "]");
}

/* Doubles count exactly below 2^53, far above what a file can hold. That numbers are
 * whole was seen in the text. */
static int whole_number(const cJSON *item, size_t *value)
{
    double d = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (!(d >= 0) || d >= 9007199254740992.0 || (uint64_t)d > SIZE_MAX)
        return 0;
    *value = (size_t)d;
    return 1;
}

/* Up to `room` whole numbers of an array; *count is -1 if it has other content. */
static void whole_numbers(const cJSON *array, size_t *values, int room, int *count)
{
    const cJSON *item;
    *count = cJSON_IsArray(array) ? 0 : -1;
    if (*count < 0)
        return;
    cJSON_ArrayForEach(item, array)
    {
        if (*count < room && !whole_number(item, &values[*count])) {
            *count = -1;
            return;
        }
        if (++*count > room)
            return;
    }
}

static fal_status read_type(const fal_safetensors *f, const cJSON *item,
                            fal_tensor_view *t)
{
    if (!cJSON_IsString(item))
        return bad(f, t->name, "it has no dtype text");
    for (int i = 0; i < FAL_TENSOR_TYPES; i++)
        if (strcmp(item->valuestring, fal_tensor_type_names[i]) == 0) {
            t->type = (fal_tensor_type)i;
            return FAL_OK;
        }
    return bad(f, t->name, "dtype '%.40s' is none of F32, I64, U8",
               item->valuestring);
}

static fal_status read_shape(const fal_safetensors *f, const cJSON *item,
                             fal_tensor_view *t)
{
    int dimensions;
    whole_numbers(item, t->shape, 4, &dimensions);
    if (dimensions < 0)
        return bad(f, t->name, "its shape is not an array of whole numbers");
    if (dimensions > 4)
        return bad(f, t->name, "it has more than 4 dimensions");
    t->dimensions = (size_t)dimensions;
    t->bytes = fal_tensor_bytes(t->type, t->shape, t->dimensions);
    if (t->bytes == SIZE_MAX)
        return bad(f, t->name, "its shape is larger than any memory");
    t->count = t->bytes / fal_tensor_type_sizes[t->type];
    return FAL_OK;
}

static fal_status read_offsets(const fal_safetensors *f, const cJSON *item,
                               fal_tensor_view *t)
{
    size_t place[2] = {0};
    int count;
    char shape[128];
    whole_numbers(item, place, 2, &count);
    if (count != 2)
        return bad(f, t->name, "its data_offsets are not two whole numbers");
    if (place[0] > place[1])
        return bad(f, t->name, "its data ends at %zu, before it begins at %zu",
                   place[1], place[0]);
    if (place[1] > f->data_size)
        return bad(f, t->name,
                   "its data ends at %zu, but the file has %zu bytes of it",
                   place[1], f->data_size);
    print_shape(shape, sizeof shape, t->shape, t->dimensions);
    if (place[1] - place[0] != t->bytes)
        return bad(f, t->name,
                   "shape %s of %s takes %zu bytes, its offsets give %zu", shape,
                   fal_tensor_type_names[t->type], t->bytes, place[1] - place[0]);
    t->begin = place[0];
    return FAL_OK;
}

static fal_status read_tensor(const fal_safetensors *f, const cJSON *object,
                              fal_tensor_view *t)
{
    static const char *const fields[] = {"dtype", "shape", "data_offsets"};
    const cJSON *item, *found[3] = {NULL};
    t->name = object->string;
    if (!cJSON_IsObject(object))
        return bad(f, t->name, "its description is not a JSON object");
    cJSON_ArrayForEach(item, object)
    {
        int i = 0;
        while (i < 3 && strcmp(item->string, fields[i]) != 0)
            i++;
        if (i == 3 || found[i])
            return bad(f, t->name, "its field '%.40s' is %s", item->string,
                       i == 3 ? "unknown" : "there twice");
        found[i] = item;
    }
    fal_status status = read_type(f, found[0], t);
    if (status == FAL_OK)
        status = read_shape(f, found[1], t);
    if (status == FAL_OK)
        status = read_offsets(f, found[2], t);
    return status;
}

static fal_status read_tensors(fal_safetensors *f)
{
    const cJSON *item;
    size_t count = 0;
    fal_status status = FAL_OK;
    cJSON_ArrayForEach(item, f->header) count++;
    f->tensors = fal_allocate(count, sizeof *f->tensors);
    if (!f->tensors)
        return FAL_ERROR_MEMORY;
    cJSON_ArrayForEach(item, f->header)
    {
        if (strcmp(item->string, FAL_METADATA_NAME) == 0)
            status = read_metadata(f, item);
        else
            status = read_tensor(f, item, &f->tensors[f->count++]);
        if (status != FAL_OK)
            return status;
    }
    return FAL_OK;
}

/* In the data's order; an empty tensor comes before what begins at its place. */
static int compare_places(const void *a, const void *b)
{
    const fal_tensor_view *s = a, *t = b;
    if (s->begin != t->begin)
        return s->begin < t->begin ? -1 : 1;
    return (s->bytes > t->bytes) - (s->bytes < t->bytes);
}

static fal_status check_places(fal_safetensors *f)
{
    size_t end = 0;
    if (f->count > 1)
        qsort(f->tensors, f->count, sizeof *f->tensors, compare_places);
    for (size_t i = 0; i < f->count; i++) {
        const fal_tensor_view *t = &f->tensors[i];
        if (t->begin < end)
            return bad(f, t->name,
                       "its data overlaps another's: it begins at %zu, "
                       "the one before ends at %zu",
                       t->begin, end);
        if (t->begin > end)
            return bad(f, t->name, "there is a gap of %zu bytes before its data",
                       t->begin - end);
        end += t->bytes;
    }
    if (end != f->data_size)
        return bad(f, NULL, "its last %zu bytes belong to no tensor",
                   f->data_size - end);
    return FAL_OK;
}

static fal_status check_tensors(fal_safetensors *f)
{
    const char *twice = fal_names_sort(f->tensors, f->count, sizeof *f->tensors);
    if (twice)
        return bad(f, twice, "the name is there twice");
    fal_status status = check_places(f);
    if (status == FAL_OK)
        fal_names_sort(f->tensors, f->count, sizeof *f->tensors);
    return status;
}

/* ---- the file -------------------------------------------------------------- */

static fal_status read_data(fal_safetensors *f, fal_file_reader *r)
{
    f->data = fal_allocate(f->data_size, 1);
    if (!f->data)
        return fal_fail_within(FAL_ERROR_MEMORY, "file '%s'", f->path);
    for (size_t i = 0; i < f->count; i++)
        f->tensors[i].data = f->data + f->tensors[i].begin;
    return fal_file_next(r, f->data, f->data_size);
}

/* The data only after all that the header says is consistent: what is no model
 * costs no memory, however large it is. */
static fal_status read_file(fal_safetensors *f, fal_file_reader *r)
{
    fal_status status = read_text(f, r);
    if (status == FAL_OK)
        status = read_tensors(f);
    if (status == FAL_OK)
        status = check_tensors(f);
    if (status == FAL_OK)
        status = read_data(f, r);
    return status;
}

static fal_status read_into(fal_safetensors **file, fal_file_reader *r)
{
    fal_safetensors *f = fal_allocate(1, sizeof *f);
    if (!f)
        return FAL_ERROR_MEMORY;
    f->path = fal_copy_text(r->path);
    fal_status status = f->path ? read_file(f, r) : FAL_ERROR_MEMORY;
    if (status == FAL_OK)
        *file = f;
    else
        fal_safetensors_close(f);
    return status;
}

fal_status fal_safetensors_open(fal_safetensors **file, const char *path)
{
    fal_file_reader r;
    fal_status status = fal_file_open(&r, path, SIZE_MAX);
    if (status != FAL_OK)
        return status;
    status = read_into(file, &r);
    fal_file_close(&r);
    return status;
}

fal_status fal_safetensors_read(fal_safetensors **file, const char *path,
                                const void *bytes, size_t size)
{
    fal_file_reader r;
    fal_file_open_memory(&r, path, bytes, size);
    return read_into(file, &r);
}

void fal_safetensors_close(fal_safetensors *file)
{
    if (!file)
        return;
    cJSON_Delete(file->header);
    fal_release(file->tensors);
    fal_release(file->metadata);
    fal_release(file->data);
    fal_release(file->text);
    fal_release(file->path);
    fal_release(file);
}

size_t fal_safetensors_count(const fal_safetensors *file)
{
    return file->count;
}

const fal_tensor_view *fal_safetensors_at(const fal_safetensors *file, size_t index)
{
    return index < file->count ? &file->tensors[index] : NULL;
}

const fal_tensor_view *fal_safetensors_find(const fal_safetensors *file,
                                            const char *name)
{
    return fal_names_find(file->tensors, file->count, sizeof *file->tensors, name);
}

const char *fal_safetensors_path(const fal_safetensors *file)
{
    return file->path;
}

const char *fal_safetensors_metadata(const fal_safetensors *file, const char *key)
{
    const fal_metadata *found = fal_names_find(file->metadata, file->metadata_count,
                                               sizeof *found, key);
    return found ? found->value : NULL;
}

static int same_shape(const fal_tensor_view *t, const size_t *shape,
                      size_t dimensions)
{
    if (t->dimensions != dimensions)
        return 0;
    for (size_t i = 0; i < dimensions; i++)
        if (t->shape[i] != shape[i])
            return 0;
    return 1;
}

fal_status fal_safetensors_check(const fal_safetensors *file, const char *name,
                                 const size_t *shape, size_t dimensions)
{
    const fal_tensor_view *t = fal_safetensors_find(file, name);
    char needed[128], there[128];
    print_shape(needed, sizeof needed, shape, dimensions);
    if (!t)
        return bad(file, name, "it is missing, shape %s is needed", needed);
    print_shape(there, sizeof there, t->shape, t->dimensions);
    if (t->type != FAL_TENSOR_F32)
        return bad(file, name, "dtype %s, F32 is needed",
                   fal_tensor_type_names[t->type]);
    if (!same_shape(t, shape, dimensions))
        return bad(file, name, "shape %s, %s is needed", there, needed);
    return FAL_OK;
}

/* A network with one such number answers nothing but NaN. */
static fal_status check_finite(const fal_safetensors *file,
                               const fal_tensor_view *t, const float *values)
{
    char where[128];
    size_t place[4], i = 0;
    while (i < t->count && isfinite(values[i]))
        i++;
    if (i == t->count)
        return FAL_OK;
    size_t left = i;
    for (size_t d = t->dimensions; d-- > 0; left /= t->shape[d])
        place[d] = left % t->shape[d];
    print_shape(where, sizeof where, place, t->dimensions);
    return bad(file, t->name, "the number at %s is %s, finite ones are needed",
               where, isnan(values[i]) ? "NaN" : "infinite");
}

fal_status fal_safetensors_bits(const fal_safetensors *file, const char *name,
                                const size_t *shape, size_t dimensions,
                                float *values)
{
    fal_status status = fal_safetensors_check(file, name, shape, dimensions);
    if (status != FAL_OK)
        return status;
    const fal_tensor_view *t = fal_safetensors_find(file, name);
    if (t->bytes > 0)
        memcpy(values, t->data, t->bytes);
    return FAL_OK;
}

fal_status fal_safetensors_floats(const fal_safetensors *file, const char *name,
                                  const size_t *shape, size_t dimensions,
                                  float *values)
{
    fal_status status = fal_safetensors_bits(file, name, shape, dimensions, values);
    if (status != FAL_OK)
        return status;
    return check_finite(file, fal_safetensors_find(file, name), values);
}
