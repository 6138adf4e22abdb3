#include "data/reader.h"
#include "device/error.h"
#include "device/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { PIECE = 1 << 16, FIRST_ROOM = 1 << 20, LARGEST_READ = 1 << 30, GZIP = 16 };

/* stream.next_in, avail_in are what was read from the file and not yet handed out,
 * for plain files too. */
struct fal_reader {
    const char *path;
    int file, packed, ended;
    size_t size;
    int streams; /* gzip streams that ended; a file may hold several */
    z_stream stream;
    uint8_t piece[PIECE];
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- the file ------------------------------------------------------------ */

static fal_status fill(fal_reader *reader)
{
    ssize_t n;
    if (reader->stream.avail_in)
        return FAL_OK;
    do
        n = read(reader->file, reader->piece, PIECE);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return fal_fail(FAL_ERROR_FILE, "reading '%s': %s; check the file",
                        reader->path, strerror(errno));
    reader->stream.next_in = reader->piece;
    reader->stream.avail_in = (uInt)n;
    return FAL_OK;
}

/* Without O_NONBLOCK opening a pipe would wait for its writer. */
static fal_status open_file(fal_reader *reader)
{
    struct stat facts;
    reader->file = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (reader->file < 0 || fstat(reader->file, &facts))
        return fal_fail(FAL_ERROR_FILE,
                        "opening '%s': %s; check the path and its rights",
                        reader->path, strerror(errno));
    if (!S_ISREG(facts.st_mode))
        return fal_fail(FAL_ERROR_FILE, "opening '%s': %s; put a file there",
                        reader->path,
                        S_ISDIR(facts.st_mode) ? "is a folder" : "is not a file");
    reader->size = (size_t)facts.st_size;
    return FAL_OK;
}

/* ---- gzip ---------------------------------------------------------------- */

static void *allocate(void *unused, uInt count, uInt size)
{
    (void)unused;
    return fal_allocate(count, size);
}

static void release(void *unused, void *block)
{
    (void)unused;
    fal_release(block);
}

static fal_status start_unpacking(fal_reader *reader)
{
    const uint8_t *b = reader->piece;
    if (reader->stream.avail_in < 2 || b[0] != 0x1f || b[1] != 0x8b)
        return FAL_OK;
    reader->stream.zalloc = allocate;
    reader->stream.zfree = release;
    if (inflateInit2(&reader->stream, GZIP + MAX_WBITS) != Z_OK)
        return fal_fail(FAL_ERROR_MEMORY, "reading '%s': no memory for zlib",
                        reader->path);
    reader->packed = 1;
    return FAL_OK;
}

static fal_status fail_gzip(const fal_reader *reader, const char *why)
{
    return fal_fail(FAL_ERROR_FORMAT,
                    "reading '%s': broken gzip data: %s; get the file again",
                    reader->path, why);
}

static fal_status end_stream(fal_reader *reader)
{
    reader->streams++;
    fal_status status = fill(reader);
    reader->ended = !status && reader->stream.avail_in == 0;
    if (!status && !reader->ended)
        inflateReset(&reader->stream);
    return status;
}

static fal_status unpack(fal_reader *reader, uint8_t *into, size_t room,
                         size_t *got)
{
    z_stream *s = &reader->stream;
    if (s->avail_in == 0)
        return fail_gzip(reader, "unexpected end of file");
    s->next_out = into;
    s->avail_out = (uInt)smaller(room, LARGEST_READ);
    uInt before = s->avail_out;
    int code = inflate(s, Z_NO_FLUSH);
    *got = before - s->avail_out;
    if (code == Z_STREAM_END)
        return end_stream(reader);
    if (code == Z_OK || code == Z_BUF_ERROR)
        return FAL_OK;
    if (code == Z_MEM_ERROR)
        return fal_fail(FAL_ERROR_MEMORY, "reading '%s': no memory for zlib",
                        reader->path);
    return fail_gzip(reader, reader->streams && s->total_out == 0
                                 ? "something else follows it"
                             : s->msg ? s->msg
                                      : "unknown kind");
}

/* ---- reading ------------------------------------------------------------- */

static size_t copy(fal_reader *reader, uint8_t *into, size_t room)
{
    size_t n = smaller(room, reader->stream.avail_in);
    memcpy(into, reader->stream.next_in, n);
    reader->stream.next_in += n;
    reader->stream.avail_in -= (uInt)n;
    reader->ended = n == 0;
    return n;
}

fal_status fal_reader_some(fal_reader *reader, void *into, size_t bytes,
                           size_t *got)
{
    fal_status status = FAL_OK;
    uint8_t *to = into;
    *got = 0;
    while (!status && *got < bytes && !reader->ended) {
        size_t n = 0, room = bytes - *got;
        status = fill(reader);
        if (!status && reader->packed)
            status = unpack(reader, to + *got, room, &n);
        else if (!status)
            n = copy(reader, to + *got, room);
        *got += n;
    }
    return status;
}

static fal_status fail_truncated(const fal_reader *reader, const char *part,
                                 size_t bytes, size_t got)
{
    return fal_fail(FAL_ERROR_FORMAT,
                    "reading '%s': truncated, the %s takes %zu bytes, there are "
                    "only %zu; get the file again",
                    reader->path, part, bytes, got);
}

fal_status fal_reader_header(fal_reader *reader, void *into, size_t bytes,
                             const char *part, size_t before)
{
    size_t got;
    fal_status status = fal_reader_some(reader, into, bytes, &got);
    if (status || got == bytes)
        return status;
    if (before + got == 0)
        return fal_fail(FAL_ERROR_FORMAT, "reading '%s': empty; get the file again",
                        reader->path);
    return fail_truncated(reader, part, before + bytes, before + got);
}

/* The first `bytes` bytes of the content, in a block that doubles. */
static fal_status read_kept(fal_reader *reader, uint8_t **values, size_t bytes,
                            size_t total)
{
    size_t room = 0, used = 0;
    while (used < bytes) {
        if (used == room) {
            room = smaller(bytes, room ? 2 * room : FIRST_ROOM);
            uint8_t *grown = fal_resize(*values, room, 1);
            if (!grown)
                return FAL_ERROR_MEMORY;
            *values = grown;
        }
        size_t got;
        fal_status status = fal_reader_some(reader, *values + used, room - used,
                                            &got);
        if (status)
            return status;
        used += got;
        if (used < room)
            return fail_truncated(reader, "content by the header", total, used);
    }
    return FAL_OK;
}

/* Reads on to the end: exactly the rest of `total` bytes must follow. */
static fal_status skip_rest(fal_reader *reader, size_t used, size_t total)
{
    uint8_t piece[1 << 14];
    size_t got;
    do {
        fal_status status = fal_reader_some(reader, piece, sizeof piece, &got);
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

fal_status fal_reader_content(fal_reader *reader, uint8_t **values, size_t bytes,
                              size_t total)
{
    uint8_t *made = NULL;
    fal_status status = read_kept(reader, &made, bytes, total);
    if (!status)
        status = skip_rest(reader, bytes, total);
    if (status)
        fal_release(made);
    else
        *values = made;
    return status;
}

/* ---- opening and closing ------------------------------------------------- */

fal_status fal_reader_open(fal_reader **reader, const char *path)
{
    fal_reader *made = fal_allocate(1, sizeof *made);
    if (!made)
        return FAL_ERROR_MEMORY;
    made->path = path;
    fal_status status = open_file(made);
    if (!status)
        status = fill(made);
    if (!status)
        status = start_unpacking(made);
    if (status)
        fal_reader_close(made);
    else
        *reader = made;
    return status;
}

size_t fal_reader_size(const fal_reader *reader)
{
    return reader->size;
}

void fal_reader_close(fal_reader *reader)
{
    if (!reader)
        return;
    if (reader->packed)
        inflateEnd(&reader->stream);
    if (reader->file >= 0)
        close(reader->file);
    fal_release(reader);
}
