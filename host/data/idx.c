#include "data/idx.h"
#include "data/reader.h"
#include "device/error.h"
#include "device/memory.h"

static fal_status check_magic(const char *path, const uint8_t magic[4],
                              size_t least, size_t most)
{
    if (magic[0] || magic[1] || magic[2] < 8 || magic[2] > 14)
        return fal_fail(
            FAL_ERROR_FORMAT,
            "reading '%s': starts with %02x %02x %02x %02x, IDX files of "
            "bytes start with 00 00 08; give an IDX file, gzipped or not",
            path, magic[0], magic[1], magic[2], magic[3]);
    if (magic[2] != 8)
        return fal_fail(
            FAL_ERROR_FORMAT,
            "reading '%s': holds values of IDX type %02x; only unsigned "
            "bytes, type 08, are read",
            path, magic[2]);
    if (magic[3] < least || magic[3] > most)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has %d dimensions, %s; give the right file",
                        path, magic[3],
                        most == 1    ? "labels have 1"
                        : least == 1 ? "1 to 4 can be read"
                                     : "images have 3 or 4");
    return FAL_OK;
}

static fal_status set_shape(const char *path, fal_idx *idx, const uint8_t *bytes)
{
    size_t total = 1;
    for (size_t i = 0; i < idx->dimensions; i++) {
        const uint8_t *b = bytes + 4 * i;
        size_t n = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 |
                   b[3];
        if (n == 0 || n > INT32_MAX)
            return fal_fail(FAL_ERROR_FORMAT,
                            "reading '%s': dimension %zu is %zu, not within 1 to "
                            "2147483647; get the file again",
                            path, i + 1, n);
        if (n > SIZE_MAX / 8 / total)
            return fal_fail(
                FAL_ERROR_FORMAT,
                "reading '%s': the dimensions multiply to more than this "
                "machine can address; get the file again",
                path);
        total *= n;
        idx->shape[i] = n;
    }
    idx->item = total / idx->shape[0];
    if (idx->item > INT32_MAX)
        return fal_fail(
            FAL_ERROR_FORMAT,
            "reading '%s': an item has %zu bytes, the most is 2147483647; "
            "get the file again",
            path, idx->item);
    return FAL_OK;
}

static fal_status read_header(fal_reader *reader, const char *path, fal_idx *idx,
                              size_t least, size_t most)
{
    uint8_t magic[4], sizes[16];
    fal_status status = fal_reader_header(reader, magic, 4, "magic number", 0);
    if (!status)
        status = check_magic(path, magic, least, most);
    if (status)
        return status;
    idx->dimensions = magic[3];
    status = fal_reader_header(reader, sizes, 4 * idx->dimensions, "header", 4);
    return status ? status : set_shape(path, idx, sizes);
}

static fal_status read_values(fal_reader *reader, fal_idx *idx, size_t keep)
{
    idx->kept = keep && keep < idx->shape[0] ? keep : idx->shape[0];
    return fal_reader_content(reader, &idx->values, idx->kept * idx->item,
                              idx->shape[0] * idx->item);
}

static fal_status read_file(fal_idx *idx, const char *path, size_t least,
                            size_t most, size_t keep, int values)
{
    fal_reader *reader;
    fal_idx made = {0};
    fal_status status = fal_reader_open(&reader, path);
    if (status)
        return status;
    status = read_header(reader, path, &made, least, most);
    if (!status && values)
        status = read_values(reader, &made, keep);
    fal_reader_close(reader);
    if (!status)
        *idx = made;
    return status;
}

fal_status fal_idx_read(fal_idx *idx, const char *path, size_t least, size_t most,
                        size_t keep)
{
    return read_file(idx, path, least, most, keep, 1);
}

fal_status fal_idx_inspect(fal_idx *idx, const char *path, size_t least,
                           size_t most)
{
    return read_file(idx, path, least, most, 0, 0);
}
