/* Names of classes, in the order of the labels. */
#ifndef FAL_CLASS_NAMES_H
#define FAL_CLASS_NAMES_H

#include "falign.h"

/* Each must be there, UTF-8, not empty and at most 4096 bytes long; `what` names the
 * caller's purpose. */
fal_status fal_class_names_check(const char *what, const char *const *names,
                                 size_t count);

/* *copy = the names in one block, for fal_release; NULL for NULL. */
fal_status fal_class_names_copy(const char *const **copy, const char *const *names,
                                size_t count);

/* Reads FOLDER/classes.txt: UTF-8, one name a line, as many as there are classes.
 * *names is for fal_release, NULL where there is no such file. */
fal_status fal_class_names_load(const char *const **names, const char *folder,
                                size_t classes);

#endif
