/* Names of classes, in the order of the labels. */
#ifndef FAL_CLASS_NAMES_H
#define FAL_CLASS_NAMES_H

#include "falign.h"

/* The classes of a known kind of labels. */
typedef struct fal_classes {
    size_t count;
    const char *const *names; /* NULL: the numbers */
    const char *file;         /* names them where a folder has it; NULL: none */
} fal_classes;

/* Each must be there, UTF-8, not empty and at most 4096 bytes long; `what` names the
 * caller's purpose. */
fal_status fal_class_names_check(const char *what, const char *const *names,
                                 size_t count);

/* *copy = the names in one block, for fal_release; NULL for NULL. */
fal_status fal_class_names_copy(const char *const **copy, const char *const *names,
                                size_t count);

/* Reads FOLDER/FILE: UTF-8, one name a line, as many as there are classes. *names is
 * for fal_release, NULL where there is no such file. */
fal_status fal_class_names_load(const char *const **names, const char *folder,
                                const char *file, size_t classes);

#endif
