/* Data sets by name or folder. A name is a folder FOLDER/NAME. */
#include "data/folder.h"
#include "device/error.h"
#include "device/memory.h"
#include "device/options.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PLACES = 4096 };

static const fal_dataset_options defaults = FAL_DATASET_OPTIONS;

static fal_status open_folder(fal_dataset **dataset, const fal_request *request)
{
    const fal_format *format;
    const char *missing;
    fal_status status = fal_format_find(&format, &missing, request->name);
    if (status)
        return status;
    if (format)
        return fal_folder_read(dataset, request, request->name, format);
    return fal_fail(
        FAL_ERROR_FILE,
        "opening data set '%s': %s; give a known name, or a folder with "
        "IDX files, CIFAR's binary files or train-x.npy, train-y.npy, test-x.npy, "
        "test-y.npy",
        request->name, missing);
}

static fal_status open_place(fal_dataset **dataset, const fal_request *request,
                             const char *path, int *found, char *places)
{
    const fal_format *format;
    const char *missing;
    fal_status status = fal_format_find(&format, &missing, path);
    *found = format != NULL;
    if (format)
        return fal_folder_read(dataset, request, path, format);
    size_t used = strlen(places);
    snprintf(places + used, PLACES - used, "%s'%s' (%s)", used ? ", " : "", path,
             missing);
    return status;
}

static fal_status open_known(fal_dataset **dataset, const fal_request *request,
                             const fal_places *list)
{
    char places[PLACES] = "";
    int found = 0;
    for (size_t i = 0; i < list->count && !found; i++) {
        char *path;
        fal_status status = fal_text_format(&path, "%s/%s", list->folders[i],
                                            request->known->folder);
        if (status)
            return status;
        status = open_place(dataset, request, path, &found, places);
        fal_release(path);
        if (status)
            return status;
    }
    if (found)
        return FAL_OK;
    return fal_fail(FAL_ERROR_FILE, "opening data set '%s': not found in %s; %s",
                    request->name, *places ? places : "an empty list of folders",
                    request->known->advice);
}

static fal_status check_call(fal_dataset **dataset, const char *name,
                             fal_split split)
{
    if (!dataset || !name || !*name)
        return fal_fail(FAL_ERROR_ARGUMENT, "opening a data set: %s; give both",
                        !dataset ? "dataset is NULL" : "the name is NULL or empty");
    if (split != FAL_SPLIT_TRAIN && split != FAL_SPLIT_TEST)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "opening data set '%s': split is %d; give FAL_SPLIT_TRAIN or "
            "FAL_SPLIT_TEST",
            name, (int)split);
    return FAL_OK;
}

/* A name that is not known may be a folder here. */
static fal_status open_other(fal_dataset **dataset, const fal_request *request)
{
    struct stat facts;
    if (strchr(request->name, '/') || stat(request->name, &facts) == 0)
        return open_folder(dataset, request);
    return fal_known_fail(request->name);
}

fal_status fal_dataset_open_with(fal_dataset **dataset, const char *name,
                                 fal_split split,
                                 const fal_dataset_options *options)
{
    fal_dataset_options o;
    fal_places places;
    fal_status status = fal_options_read(&o, sizeof o, &defaults, options,
                                         "fal_dataset_options");
    if (!status)
        status = check_call(dataset, name, split);
    if (!status)
        status = fal_places_find(&places, &o, "opening a data set");
    if (status)
        return status;
    fal_request request = {name, split, o.samples, fal_known_find(name)};
    status = request.known ? open_known(dataset, &request, &places)
                           : open_other(dataset, &request);
    fal_places_release(&places);
    return status;
}

fal_status fal_dataset_open(fal_dataset **dataset, const char *name,
                            fal_split split)
{
    return fal_dataset_open_with(dataset, name, split, NULL);
}
