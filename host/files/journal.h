/* A file that grows by whole pieces, such as lines or records: whoever reads it sees
 * all of a piece or nothing, but for the last one while it is being written. */
#ifndef FAL_JOURNAL_H
#define FAL_JOURNAL_H

#include "falign.h"

typedef struct fal_journal {
    char *path; /* NULL: not open */
    int file;
} fal_journal;

/* Opens what is there, or an empty file. Errors: FILE, MEMORY. */
fal_status fal_journal_open(fal_journal *journal, const char *path);

/* The piece is in the file when this returns, or none of it is. Errors: FILE. */
fal_status fal_journal_add(const fal_journal *journal, const void *data,
                           size_t bytes);

/* Keeps the first `bytes`. Errors: FILE. */
fal_status fal_journal_cut(const fal_journal *journal, size_t bytes);

/* Waits until all is on the disk: some file systems find out late that there was no
 * room. Does nothing where none is open. Errors: FILE. */
fal_status fal_journal_flush(const fal_journal *journal);
void fal_journal_close(fal_journal *journal);

#endif
