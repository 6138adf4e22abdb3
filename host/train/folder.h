/* What run folders need of the file system: making, locking, holding. */
#ifndef FAL_FOLDER_H
#define FAL_FOLDER_H

#include "falign.h"

/* FOLDER/NAME; for fal_release. */
char *fal_folder_path(const char *folder, const char *name);

/* Makes a folder and the parents that are missing. *made = length of the shortest
 * part of the path that had to be made; 0: the folder was there. */
fal_status fal_folder_make(const char *folder, size_t *made);

/* Takes back fal_folder_make, as far as the folders are empty. */
void fal_folder_unmake(const char *folder, size_t made);

/* Locks a file in the folder for this process. Errors: ARGUMENT (another holds
 * it), FILE; *gone = 1: the folder was there no more. */
fal_status fal_folder_lock(const char *folder, int *lock, int *gone);
void fal_folder_unlock(const char *folder, int lock);

/* A file descriptor of the folder, by which to see whether the name still means it.
 * Errors: FILE. */
fal_status fal_folder_hold(const char *folder, int *place);
int fal_folder_is_same(const char *path, int place);

#endif
