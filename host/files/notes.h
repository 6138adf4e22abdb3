/* The metadata of a file while it is put together: texts by name. The first failure
 * stays in `status` and makes all later calls do nothing, as in json.h. */
#ifndef FAL_NOTES_H
#define FAL_NOTES_H

#include "files/safetensors.h"

typedef struct fal_notes {
    fal_metadata *items; /* keys are the caller's, values copies */
    size_t count;
    fal_status status;
} fal_notes;

#define FAL_NOTES                                                                  \
    {                                                                              \
        NULL, 0, FAL_OK                                                            \
    }

void fal_notes_text(fal_notes *notes, const char *key, const char *text);
void fal_notes_whole(fal_notes *notes, const char *key, uint64_t value);

/* So many digits that the same double comes back. */
void fal_notes_real(fal_notes *notes, const char *key, double value);
void fal_notes_release(fal_notes *notes);

/* What the three wrote, from a file. Errors: FORMAT (not there, or no such number;
 * names file and key). */
fal_status fal_notes_read_whole(const fal_safetensors *file, const char *key,
                                uint64_t *value);
fal_status fal_notes_read_real(const fal_safetensors *file, const char *key,
                               double *value);

#endif
