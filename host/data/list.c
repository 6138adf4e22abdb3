/* The known data sets, and where each is or was looked for. */
#include "data/folder.h"
#include "device/error.h"
#include "device/memory.h"
#include "device/options.h"

static const fal_dataset_options defaults = FAL_DATASET_OPTIONS;

struct listing {
    const fal_places *places;
    fal_dataset_visit visit;
    void *user;
};

/* What is in one place; *fault, for fal_release, says what is wrong with files that
 * there are. */
static fal_status inspect(fal_dataset_info *info, char **fault,
                          const fal_known *known)
{
    const fal_format *format;
    fal_status status = fal_format_find(&format, &info->missing, info->folder);
    if (!status && format) {
        info->missing = NULL;
        status = fal_folder_inspect(info, known, info->folder, format);
    }
    if (!status || status == FAL_ERROR_MEMORY)
        return status;
    info->damaged = 1;
    info->missing = *fault = fal_copy_text(fal_error_message());
    return *fault ? FAL_OK : FAL_ERROR_MEMORY;
}

/* Visits the place if there are files, and then *found = 1; or if `misses`. */
static fal_status visit_place(const struct listing *listing, const fal_known *known,
                              const char *folder, int misses, int *found)
{
    char *path, *fault = NULL;
    fal_dataset_info info = {
        .size = sizeof info, .name = known->name, .classes = known->classes->count};
    fal_status status = fal_text_format(&path, "%s/%s", folder, known->folder);
    if (status)
        return status;
    info.folder = path;
    status = inspect(&info, &fault, known);
    *found = !info.missing || fault;
    if (!status && (*found || misses) && listing->visit(&info, listing->user))
        status = fal_fail(FAL_STOPPED,
                          "listing data sets: stopped by the callback");
    fal_release(fault);
    fal_release(path);
    return status;
}

static fal_status visit_places(const struct listing *listing,
                               const fal_known *known, int misses, int *found)
{
    fal_status status = FAL_OK;
    *found = 0;
    for (size_t i = 0; i < listing->places->count && !status && !*found; i++)
        status = visit_place(listing, known, listing->places->folders[i], misses,
                             found);
    return status;
}

/* The place that opening takes, damaged or not; where there is none, a second time,
 * all places. */
static fal_status visit_known(const struct listing *listing, const fal_known *known)
{
    int found;
    fal_status status = visit_places(listing, known, 0, &found);
    if (!status && !found)
        status = visit_places(listing, known, 1, &found);
    return status;
}

fal_status fal_dataset_list(const fal_dataset_options *options,
                            fal_dataset_visit visit, void *user)
{
    fal_dataset_options o;
    fal_places places;
    fal_status status = fal_options_read(&o, sizeof o, &defaults, options,
                                         "fal_dataset_options");
    if (!status && !visit)
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "listing data sets: visit is NULL; give a function");
    if (!status)
        status = fal_places_find(&places, &o, "listing data sets");
    if (status)
        return status;
    struct listing listing = {&places, visit, user};
    for (size_t i = 0; i < fal_known_count && !status; i++)
        status = visit_known(&listing, fal_known_sets + i);
    fal_places_release(&places);
    return status;
}
