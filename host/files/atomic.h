/* Files that are whole or absent: written beside and renamed, read all at once.
 *
 *     fal_file_writer w;
 *     fal_status status = fal_file_begin(&w, path);
 *     if (status == FAL_OK)
 *         status = fal_file_write(&w, data, bytes);
 *     if (status == FAL_OK)
 *         status = fal_file_commit(&w);
 *
 * A writer that fails has already removed its temporary file; abandoning it once
 * more does no harm. Until the commit the old file is as it was. A symbolic link is
 * replaced, not followed. */
#ifndef FAL_ATOMIC_H
#define FAL_ATOMIC_H

#include "falign.h"

typedef struct fal_file_writer {
    char *path, *temporary; /* NULL: nothing is open */
    int file;
} fal_file_writer;

/* Errors: FILE (folder missing, not writable, no place), MEMORY. */
fal_status fal_file_begin(fal_file_writer *w, const char *path);
fal_status fal_file_write(fal_file_writer *w, const void *data, size_t bytes);
fal_status fal_file_commit(fal_file_writer *w);

/* Removes what was written, keeps the error message. */
void fal_file_abandon(fal_file_writer *w);

/* All of a regular file of at most `limit` bytes, with a zero byte behind it. Free
 * *data with fal_release. Errors: FILE, MEMORY. */
fal_status fal_file_read(const char *path, size_t limit, unsigned char **data,
                         size_t *size);

/* For tests: the n-th fal_file_write or fal_file_commit from now (1 is the next) on
 * this thread fails as if the disk were full; 0 never. */
void fal_file_fail_at(long n);

#endif
