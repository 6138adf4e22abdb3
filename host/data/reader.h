/* The bytes of a data file, unpacked where it is gzipped. Memory grows with what was
 * read, never with what a header claims, so that a wrong size costs nothing. */
#ifndef FAL_READER_H
#define FAL_READER_H

#include "falign.h"

typedef struct fal_reader fal_reader;

/* Errors: FILE (missing, no rights, a folder or a pipe in its place), MEMORY. `path`
 * outlives the reader. */
fal_status fal_reader_open(fal_reader **reader, const char *path);
void fal_reader_close(fal_reader *reader);

/* Bytes of the file, as it lies there. */
size_t fal_reader_size(const fal_reader *reader);

/* Up to `bytes` bytes; fewer only at the end of the file. Errors: FILE, FORMAT (a
 * gzip stream that is broken, ends early or is followed by something else). */
fal_status fal_reader_some(fal_reader *reader, void *into, size_t bytes,
                           size_t *got);

/* A header's part. `before` bytes of the header were read already; at the end of the
 * file the message says how many of all of them there are. */
fal_status fal_reader_header(fal_reader *reader, void *into, size_t bytes,
                             const char *part, size_t before);

/* The content that a header announced: *values = the first `bytes` of its `total`
 * bytes, for fal_release; the rest is read too, and must end where the file does. */
fal_status fal_reader_content(fal_reader *reader, uint8_t **values, size_t bytes,
                              size_t total);

#endif
