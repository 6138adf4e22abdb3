/* A header is believed only as far as the content bears it out: memory grows with
 * what was read, so that a wrong size costs nothing. */
#include "data/idx.h"
#include "device/error.h"
#include "device/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { PIECE = 1 << 20 };

struct reader {
    gzFile file;
    const char *path;
};

static fal_status fail_to_open(const char *path)
{
    const char *why = errno ? strerror(errno) : "no memory for zlib";
    return fal_fail(FAL_ERROR_FILE,
                    "opening '%s': %s; check the path and its rights", path, why);
}

static fal_status open_reader(struct reader *reader, const char *path)
{
    struct stat facts;
    errno = 0;
    if (stat(path, &facts))
        return fail_to_open(path);
    if (!S_ISREG(facts.st_mode))
        return fal_fail(FAL_ERROR_FILE, "opening '%s': %s; give an IDX file", path,
                        S_ISDIR(facts.st_mode) ? "is a folder" : "is not a file");
    errno = 0;
    reader->path = path;
    reader->file = gzopen(path, "rb");
    if (!reader->file)
        return fail_to_open(path);
    gzbuffer(reader->file, 1 << 17);
    return FAL_OK;
}

/* Reads up to `bytes` (at most 2^30); fewer only at the end of the file. A gzip
 * stream that ends early is an error too. */
static fal_status read_some(struct reader *reader, void *into, size_t bytes,
                            size_t *got)
{
    int code = Z_OK, n = gzread(reader->file, into, (unsigned)bytes);
    const char *text = gzerror(reader->file, &code);
    *got = n < 0 ? 0 : (size_t)n;
    if (code == Z_ERRNO)
        return fal_fail(FAL_ERROR_FILE, "reading '%s': %s; check the file",
                        reader->path, strerror(errno));
    if (code == Z_MEM_ERROR)
        return fal_fail(FAL_ERROR_MEMORY, "reading '%s': no memory for zlib",
                        reader->path);
    if (n < 0 || (code != Z_OK && code != Z_STREAM_END)) {
        /* zlib's text begins with the path. */
        size_t length = strlen(reader->path);
        int prefixed = strncmp(text, reader->path, length) == 0;
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': broken gzip data%s; get the file again",
                        reader->path, prefixed ? text + length : "");
    }
    return FAL_OK;
}

static fal_status fail_truncated(const struct reader *reader, const char *part,
                                 unsigned long long bytes, unsigned long long got)
{
    return fal_fail(
        FAL_ERROR_FORMAT,
        "reading '%s': truncated, the %s takes %llu bytes, there are only "
        "%llu; get the file again",
        reader->path, part, bytes, got);
}

static fal_status check_magic(const struct reader *reader, const uint8_t magic[4],
                              size_t least, size_t most)
{
    if (magic[0] || magic[1] || magic[2] < 8 || magic[2] > 14)
        return fal_fail(
            FAL_ERROR_FORMAT,
            "reading '%s': starts with %02x %02x %02x %02x, IDX files of "
            "bytes start with 00 00 08; give an IDX file, gzipped or not",
            reader->path, magic[0], magic[1], magic[2], magic[3]);
    if (magic[2] != 8)
        return fal_fail(
            FAL_ERROR_FORMAT,
            "reading '%s': holds values of IDX type %02x; only unsigned "
            "bytes, type 08, are read",
            reader->path, magic[2]);
    if (magic[3] < least || magic[3] > most)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has %d dimensions, %s; give the right file",
                        reader->path, magic[3],
                        most == 1 ? "labels have 1" : "images have 3 or 4");
    return FAL_OK;
}

static fal_status set_shape(const struct reader *reader, fal_idx *idx,
                            const uint8_t *bytes)
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
                            reader->path, i + 1, n);
        if (n > SIZE_MAX / 8 / total)
            return fal_fail(
                FAL_ERROR_FORMAT,
                "reading '%s': the dimensions multiply to more than this "
                "machine can address; get the file again",
                reader->path);
        total *= n;
        idx->shape[i] = n;
    }
    idx->item = total / idx->shape[0];
    if (idx->item > INT32_MAX)
        return fal_fail(
            FAL_ERROR_FORMAT,
            "reading '%s': an item has %zu bytes, the most is 2147483647; "
            "get the file again",
            reader->path, idx->item);
    return FAL_OK;
}

static fal_status read_header(struct reader *reader, fal_idx *idx, size_t least,
                              size_t most)
{
    uint8_t magic[4] = {0}, sizes[16];
    size_t got;
    fal_status status = read_some(reader, magic, 4, &got);
    if (status)
        return status;
    if (got == 0)
        return fal_fail(FAL_ERROR_FORMAT, "reading '%s': empty; get the file again",
                        reader->path);
    if (got < 4)
        return fail_truncated(reader, "magic number", 4, got);
    status = check_magic(reader, magic, least, most);
    if (status)
        return status;
    idx->dimensions = magic[3];
    status = read_some(reader, sizes, 4 * idx->dimensions, &got);
    if (status)
        return status;
    if (got < 4 * idx->dimensions)
        return fail_truncated(reader, "header", 4 + 4 * idx->dimensions, 4 + got);
    return set_shape(reader, idx, sizes);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The first `bytes` bytes of the values, in a block that doubles. */
static fal_status read_kept(struct reader *reader, fal_idx *idx, size_t bytes)
{
    size_t room = 0, used = 0, total = idx->item * idx->shape[0];
    while (used < bytes) {
        if (used == room) {
            room = smaller(bytes, room ? 2 * room : PIECE);
            uint8_t *grown = fal_resize(idx->values, room, 1);
            if (!grown)
                return FAL_ERROR_MEMORY;
            idx->values = grown;
        }
        size_t got, piece = smaller(room - used, 1 << 30);
        fal_status status = read_some(reader, idx->values + used, piece, &got);
        if (status)
            return status;
        used += got;
        if (got < piece)
            return fail_truncated(reader, "content by the header", total, used);
    }
    return FAL_OK;
}

/* Reads on to the end: exactly the rest of `total` bytes must follow. */
static fal_status skip_rest(struct reader *reader, size_t used, size_t total)
{
    uint8_t piece[1 << 14];
    size_t got;
    do {
        fal_status status = read_some(reader, piece, sizeof piece, &got);
        if (status)
            return status;
        if (got > total - used)
            return fal_fail(
                FAL_ERROR_FORMAT,
                "reading '%s': data follow after the %zu bytes that the "
                "header says; get the file again",
                reader->path, total);
        used += got;
    } while (got == sizeof piece);
    if (used < total)
        return fail_truncated(reader, "content by the header", total, used);
    return FAL_OK;
}

static fal_status read_file(struct reader *reader, fal_idx *idx, size_t least,
                            size_t most, size_t keep)
{
    fal_status status = read_header(reader, idx, least, most);
    if (status)
        return status;
    idx->kept = keep ? smaller(keep, idx->shape[0]) : idx->shape[0];
    status = read_kept(reader, idx, idx->kept * idx->item);
    if (status)
        return status;
    return skip_rest(reader, idx->kept * idx->item, idx->shape[0] * idx->item);
}

fal_status fal_idx_read(fal_idx *idx, const char *path, size_t least, size_t most,
                        size_t keep)
{
    struct reader reader;
    fal_idx made = {0};
    fal_status status = open_reader(&reader, path);
    if (status)
        return status;
    status = read_file(&reader, &made, least, most, keep);
    gzclose_r(reader.file);
    if (status)
        fal_release(made.values);
    else
        *idx = made;
    return status;
}
