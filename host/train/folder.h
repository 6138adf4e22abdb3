/* What run folders need of the file system: making, locking, looking, clearing. */
#ifndef FAL_FOLDER_H
#define FAL_FOLDER_H

#include "falign.h"

/* All that falign ever writes into a run folder, but for the lock. */
typedef struct fal_run_file {
    const char *name;
    const char *meaning; /* a line of the manual */
} fal_run_file;

extern const fal_run_file fal_run_files[];
extern const size_t fal_run_file_count;

/* FOLDER/NAME; for fal_release. */
char *fal_folder_path(const char *folder, const char *name);

/* Makes a folder and the parents that are missing. *made = length of the shortest
 * part of the path that had to be made; 0: the folder was there. */
fal_status fal_folder_make(const char *folder, size_t *made);

/* Takes back fal_folder_make, as far as the folders are empty. */
void fal_folder_unmake(const char *folder, size_t made);

/* Locks a file in the folder for this process. Errors: ARGUMENT (another holds
 * it), FILE. */
fal_status fal_folder_lock(const char *folder, int *lock);
void fal_folder_unlock(const char *folder, int lock);

/* Whether files of a run, or run folders of a comparison, are there. */
fal_status fal_folder_holds_run(const char *folder, int *holds);

/* Removes them: falign's own names, then run folders that are empty. */
fal_status fal_folder_clear(const char *folder);

#endif
