/* A data set in a folder: pairs of files that belong together. */
#ifndef FAL_FOLDER_H
#define FAL_FOLDER_H

#include "data/format.h"
#include "data/known.h"

/* One call of fal_dataset_open_with. */
typedef struct fal_request {
    const char *name;
    fal_split split;
    size_t samples;         /* 0: all */
    const fal_known *known; /* NULL: a folder of the caller's */
} fal_request;

fal_status fal_folder_read(fal_dataset **dataset, const fal_request *request,
                           const char *folder, const fal_format *format);

/* Counts and the sample's shape, from the headers of all four files; the files must
 * all be there and agree. */
fal_status fal_folder_inspect(fal_dataset_info *info, const fal_known *known,
                              const char *folder, const fal_format *format);

#endif
