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
 * replaced, not followed. Writer and reader also work on memory in a file's place. */
#ifndef FAL_ATOMIC_H
#define FAL_ATOMIC_H

#include "falign.h"

typedef struct fal_file_writer {
    char *path, *temporary; /* NULL: nothing is open */
    int file;
    unsigned char *memory; /* where the next byte goes; NULL: into the file */
    uint32_t sum;          /* CRC-32 of all that was written */
} fal_file_writer;

/* Errors: FILE (folder missing, not writable, no place), MEMORY. */
fal_status fal_file_begin(fal_file_writer *w, const char *path);
fal_status fal_file_write(fal_file_writer *w, const void *data, size_t bytes);

/* Instead of a file: what is written goes into `memory`, which has room for it; there
 * is nothing to commit. */
void fal_file_begin_memory(fal_file_writer *w, void *memory);
fal_status fal_file_commit(fal_file_writer *w);

/* Removes what was written, keeps the error message. */
void fal_file_abandon(fal_file_writer *w);

/* What stands between the name of a file and two numbers in the name of its
 * temporary file; a process that is killed leaves that behind. */
#define FAL_FILE_TEMPORARY ".tmp-"

/* All of a regular file of at most `limit` bytes, with a zero byte behind it. Free
 * *data with fal_release. Errors: FILE, MEMORY. */
fal_status fal_file_read(const char *path, size_t limit, unsigned char **data,
                         size_t *size);

/* The same a part at a time, where the beginning says what the rest must be. */
typedef struct fal_file_reader {
    const char *path; /* the caller's */
    int file;
    size_t size;                 /* bytes of the whole file */
    const unsigned char *memory; /* the next byte; NULL: from the file */
} fal_file_reader;

/* Errors: FILE. */
fal_status fal_file_open(fal_file_reader *r, const char *path, size_t limit);

/* The `size` bytes at `memory`, which stay the caller's, instead of a file; `path` is
 * what messages call them. */
void fal_file_open_memory(fal_file_reader *r, const char *path, const void *memory,
                          size_t size);

/* Exactly the next `bytes`. Errors: FILE (also where the file became shorter). */
fal_status fal_file_next(fal_file_reader *r, void *to, size_t bytes);
void fal_file_close(fal_file_reader *r);

#endif
