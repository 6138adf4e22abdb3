#include "data/npy.h"
#include "data/npy_header.h"
#include "data/reader.h"
#include "device/error.h"
#include "device/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the values are little-endian; swap bytes where they are read"
#endif

/* numpy's own limit for headers it trusts is 10,000. */
enum { LONGEST_HEADER = 1 << 16 };

/* ---- types --------------------------------------------------------------- */

struct type {
    const char *code; /* of the header, without the byte order */
    const char *name;
    size_t bytes;
    int is_input, is_answer;
    fal_npy_kind kind;
};

static const struct type types[] = {
    {"u1", "uint8", 1, 1, 1, FAL_NPY_LABELS},
    {"f4", "float32", 4, 1, 1, FAL_NPY_FLOATS},
    {"f8", "float64", 8, 0, 1, FAL_NPY_FLOATS},
    {"b1", "bool", 1, 0, 1, FAL_NPY_LABELS},
    {"i1", "int8", 1, 0, 1, FAL_NPY_LABELS},
    {"i2", "int16", 2, 0, 1, FAL_NPY_LABELS},
    {"u2", "uint16", 2, 0, 1, FAL_NPY_LABELS},
    {"i4", "int32", 4, 0, 1, FAL_NPY_LABELS},
    {"u4", "uint32", 4, 0, 1, FAL_NPY_LABELS},
    {"i8", "int64", 8, 0, 1, FAL_NPY_LABELS},
    {"u8", "uint64", 8, 0, 1, FAL_NPY_LABELS},
    {"f2", "float16", 2, 0, 0, FAL_NPY_FLOATS},
};

static const struct type *find_type(const char *code)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(code, types[i].code) == 0)
            return types + i;
    return NULL;
}

/* What the file holds, in words. */
static void name_type(const fal_npy_header *header, const struct type *type,
                      char *text, size_t room)
{
    char kind = header->type[0] ? header->type[1] : 0;
    if (header->is_record)
        snprintf(text, room, "records (a structured type)");
    else if (kind == 'O')
        snprintf(text, room, "Python objects");
    else if (kind == 'U' || kind == 'S')
        snprintf(text, room, "texts");
    else if (type)
        snprintf(text, room, "%s", type->name);
    else
        snprintf(text, room, "numpy's type '%s'", header->type);
}

static fal_status fail_type(const char *path, const fal_npy_header *header,
                            const struct type *type, fal_npy_use use)
{
    char what[64];
    name_type(header, type, what, sizeof what);
    if (use == FAL_NPY_INPUTS)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': holds %s; inputs are uint8 or float32: save "
                        "x.astype(\"float32\")",
                        path, what);
    return fal_fail(FAL_ERROR_FORMAT,
                    "reading '%s': holds %s; give labels as whole numbers, save "
                    "y.astype(\"int64\"), or real targets, save "
                    "y.astype(\"float32\")",
                    path, what);
}

static fal_status set_type(fal_npy *npy, const char *path,
                           const fal_npy_header *header, fal_npy_use use)
{
    const struct type *type = NULL;
    if (!header->is_record && *header->type && strchr("<|=>", *header->type))
        type = find_type(header->type + 1);
    if (!type || !(use == FAL_NPY_INPUTS ? type->is_input : type->is_answer))
        return fail_type(path, header, type, use);
    if (*header->type == '>')
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': holds %s in big-endian order; save "
                        "%s.astype(\"%s\")",
                        path, type->name, use == FAL_NPY_INPUTS ? "x" : "y",
                        type->name);
    npy->type = type->name;
    npy->bytes = type->bytes;
    npy->kind = type->kind;
    if (use == FAL_NPY_INPUTS && type->bytes == 1)
        npy->kind = FAL_NPY_BYTES;
    return FAL_OK;
}

/* ---- shape --------------------------------------------------------------- */

static fal_status check_shape(const char *path, const fal_npy_header *header)
{
    if (header->dimensions == 0 || header->dimensions > FAL_NPY_DIMENSIONS)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has %zu dimensions, not 1 to %d; the first "
                        "counts the samples",
                        path, header->dimensions, FAL_NPY_DIMENSIONS);
    for (size_t i = 0; i < header->dimensions; i++)
        if (header->shape[i] == 0 || header->shape[i] > INT32_MAX)
            return fal_fail(FAL_ERROR_FORMAT,
                            "reading '%s': dimension %zu is %zu, not within 1 to "
                            "2147483647; check what was saved",
                            path, i + 1, header->shape[i]);
    if (header->fortran_order && header->dimensions > 1)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': is in Fortran order; save "
                        "numpy.ascontiguousarray of it",
                        path);
    return FAL_OK;
}

static fal_status set_shape(fal_npy *npy, const char *path,
                            const fal_npy_header *header)
{
    size_t total = 1;
    npy->dimensions = header->dimensions;
    for (size_t i = 0; i < header->dimensions; i++) {
        if (header->shape[i] > SIZE_MAX / 16 / total)
            return fal_fail(FAL_ERROR_FORMAT,
                            "reading '%s': the dimensions multiply to more than "
                            "this machine can address; check what was saved",
                            path);
        total *= header->shape[i];
        npy->shape[i] = header->shape[i];
    }
    npy->item = total / npy->shape[0];
    if (npy->item > INT32_MAX)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': a sample has %zu numbers, the most is "
                        "2147483647; check what was saved",
                        path, npy->item);
    return FAL_OK;
}

fal_status fal_npy_sample(const fal_npy *inputs, const char *path, size_t *height,
                          size_t *width, size_t *channels)
{
    const size_t *shape = inputs->shape;
    if (inputs->dimensions == 1)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has 1 dimension; inputs are [samples] "
                        "[numbers], [samples][height][width] or [samples][height]"
                        "[width][channels]: save x.reshape(len(x), -1)",
                        path);
    *height = inputs->dimensions == 2 ? 1 : shape[1];
    *width = inputs->dimensions == 2 ? 1 : shape[2];
    *channels = inputs->dimensions == 2   ? shape[1]
                : inputs->dimensions == 3 ? 1
                                          : shape[3];
    return FAL_OK;
}

/* ---- header -------------------------------------------------------------- */

/* *length = the dictionary's bytes, *before = those in front of it. */
static fal_status read_length(fal_reader *reader, const char *path, size_t *length,
                              size_t *before)
{
    static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    uint8_t head[8], size[4] = {0};
    fal_status status = fal_reader_header(reader, head, sizeof head, "magic number",
                                          0);
    if (status)
        return status;
    if (memcmp(head, magic, sizeof magic) != 0)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': does not start as .npy files do; write the "
                        "file with numpy.save",
                        path);
    if (head[6] < 1 || head[6] > 3 || head[7] != 0)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': is of .npy version %d.%d, only 1.0, 2.0 and "
                        "3.0 are read; write the file with numpy.save",
                        path, head[6], head[7]);
    size_t bytes = head[6] == 1 ? 2 : 4;
    status = fal_reader_header(reader, size, bytes, "header's length", sizeof head);
    *before = sizeof head + bytes;
    *length = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 |
              (size_t)size[3] << 24;
    return status;
}

static fal_status read_header(fal_reader *reader, fal_npy_header *header,
                              const char *path)
{
    size_t length = 0, before = 0;
    fal_status status = read_length(reader, path, &length, &before);
    if (status)
        return status;
    if (length > LONGEST_HEADER)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': the header has %zu bytes, the most is %d; "
                        "write the file with numpy.save",
                        path, length, LONGEST_HEADER);
    char *text = fal_allocate(length + 1, 1);
    if (!text)
        return FAL_ERROR_MEMORY;
    status = fal_reader_header(reader, text, length, "header", before);
    if (!status)
        status = fal_npy_header_parse(header, path, text, length);
    fal_release(text);
    return status;
}

static fal_status inspect(fal_reader *reader, fal_npy *npy, const char *path,
                          fal_npy_use use)
{
    fal_npy_header header;
    fal_status status = read_header(reader, &header, path);
    if (!status)
        status = set_type(npy, path, &header, use);
    if (!status)
        status = check_shape(path, &header);
    return status ? status : set_shape(npy, path, &header);
}

/* ---- values -------------------------------------------------------------- */

static fal_status check_finite(const fal_npy *npy, const char *path,
                               const float *values)
{
    for (size_t i = 0; i < npy->kept * npy->item; i++)
        if (!isfinite(values[i]))
            return fal_fail(FAL_ERROR_FORMAT,
                            "reading '%s', sample %zu, number %zu: %g is not a "
                            "finite float32; remove or mend such samples",
                            path, i / npy->item, i % npy->item, values[i]);
    return FAL_OK;
}

/* A label of any integer type, sign-extended to 64 bits; uint64 past their half
 * becomes negative and is refused with the negative ones. */
static int64_t label_at(const fal_npy *npy, const uint8_t *values, size_t i)
{
    uint64_t label = 0;
    memcpy(&label, values + i * npy->bytes, npy->bytes);
    unsigned unused = 64 - 8 * (unsigned)npy->bytes;
    if (*npy->type == 'i')
        return (int64_t)(label << unused) >> unused;
    return (int64_t)label;
}

static fal_status fail_label(const fal_npy *npy, const char *path, int64_t label,
                             size_t sample)
{
    char text[32];
    if (*npy->type == 'u')
        snprintf(text, sizeof text, "%llu", (unsigned long long)label);
    else
        snprintf(text, sizeof text, "%lld", (long long)label);
    return fal_fail(FAL_ERROR_FORMAT,
                    "reading '%s': the label of sample %zu is %s, not within 0 to "
                    "2147483646; labels count from 0",
                    path, sample, text);
}

static fal_status make_labels(const fal_npy *npy, const char *path,
                              const uint8_t *values, int32_t *labels)
{
    for (size_t i = 0; i < npy->kept * npy->item; i++) {
        int64_t label = label_at(npy, values, i);
        if (label < 0 || label >= INT32_MAX)
            return fail_label(npy, path, label, i / npy->item);
        labels[i] = (int32_t)label;
    }
    return FAL_OK;
}

static void narrow(const uint8_t *values, size_t count, float *floats)
{
    for (size_t i = 0; i < count; i++) {
        double value;
        memcpy(&value, values + i * sizeof value, sizeof value);
        floats[i] = (float)value;
    }
}

/* npy->values from what the file holds; takes `values`. */
static fal_status convert(fal_npy *npy, const char *path, uint8_t *values)
{
    fal_status status = FAL_OK;
    size_t count = npy->kept * npy->item;
    npy->values = values;
    if (npy->kind == FAL_NPY_LABELS || npy->bytes == sizeof(double)) {
        npy->values = fal_allocate(count, sizeof(int32_t));
        if (!npy->values)
            status = FAL_ERROR_MEMORY;
        else if (npy->kind == FAL_NPY_LABELS)
            status = make_labels(npy, path, values, npy->values);
        else
            narrow(values, count, npy->values);
        fal_release(values);
    }
    if (!status && npy->kind == FAL_NPY_FLOATS)
        status = check_finite(npy, path, npy->values);
    if (status)
        fal_release(npy->values);
    return status;
}

static fal_status read_values(fal_reader *reader, fal_npy *npy, const char *path,
                              size_t keep)
{
    uint8_t *values;
    size_t stride = npy->item * npy->bytes;
    npy->kept = keep && keep < npy->shape[0] ? keep : npy->shape[0];
    fal_status status = fal_reader_content(reader, &values, npy->kept * stride,
                                           npy->shape[0] * stride);
    return status ? status : convert(npy, path, values);
}

static fal_status read_file(fal_npy *npy, const char *path, fal_npy_use use,
                            size_t keep, int values)
{
    fal_reader *reader;
    fal_npy made = {.type = NULL};
    fal_status status = fal_reader_open(&reader, path);
    if (status)
        return status;
    status = inspect(reader, &made, path, use);
    if (!status && values)
        status = read_values(reader, &made, path, keep);
    fal_reader_close(reader);
    if (!status)
        *npy = made;
    return status;
}

fal_status fal_npy_read(fal_npy *npy, const char *path, fal_npy_use use,
                        size_t keep)
{
    return read_file(npy, path, use, keep, 1);
}

fal_status fal_npy_inspect(fal_npy *npy, const char *path, fal_npy_use use)
{
    return read_file(npy, path, use, 0, 0);
}
