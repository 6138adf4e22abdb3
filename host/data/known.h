/* Data sets known by name, and where names are looked for. */
#ifndef FAL_KNOWN_H
#define FAL_KNOWN_H

#include "data/class_names.h"

/* What is known beyond the files. */
typedef struct fal_known {
    const char *name;
    const char *folder; /* its own in one of the places */
    const char *format; /* the only one it comes in; NULL: any */
    const fal_classes *classes;
    const char *advice; /* how to get it */
    int coarse;         /* of two labels a sample the coarse one */
} fal_known;

extern const fal_known fal_known_sets[];
extern const size_t fal_known_count;

/* NULL where the name is not known. */
const fal_known *fal_known_find(const char *name);
fal_status fal_known_fail(const char *unknown);

/* Where to look: the options' folders, or the library's own. */
typedef struct fal_places {
    const char *const *folders;
    size_t count;
    const char *own[2];
    char *cache;
} fal_places;

/* `places` stays where it is, and `options` as it is, until the release; `what`
 * begins the error's message. Errors: ARGUMENT (folders that are NULL), MEMORY. */
fal_status fal_places_find(fal_places *places, const fal_dataset_options *options,
                           const char *what);
void fal_places_release(fal_places *places);

/* Formatted, for fal_release. */
fal_status fal_text_format(char **text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
