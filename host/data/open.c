/* Data sets by name or folder. A name is a folder FOLDER/NAME that holds IDX files;
 * what is known about it beyond its files stands in one table. */
#include "data/class_names.h"
#include "data/dataset.h"
#include "data/idx.h"
#include "device/error.h"
#include "device/memory.h"
#include "device/options.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct known {
    const char *name;
    size_t classes;
    const char *const *class_names;
    const char *advice; /* how to get it */
};

static const char *const clothes[] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
static const char *const digits[] = {"0", "1", "2", "3", "4",
                                     "5", "6", "7", "8", "9"};

static const struct known known_sets[] = {
    {"fashion-mnist", 10, clothes,
     "install the Debian package dataset-fashion-mnist, or put its IDX files into "
     "one "
     "of these folders"},
    {"mnist", 10, digits, "put its four IDX files into one of these folders"},
};

enum { KNOWN_SETS = sizeof known_sets / sizeof *known_sets };

/* One call of fal_dataset_open_with. */
struct request {
    const char *name;
    const char *split; /* how file names begin */
    const char *other; /* the same of the other split */
    size_t samples;
    const struct known *known; /* NULL: a folder */
};

static fal_status format_text(char **text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static fal_status format_text(char **text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *made = fal_allocate(length < 0 ? 0 : (size_t)length + 1, 1);
    if (!made)
        return FAL_ERROR_MEMORY;
    va_start(arguments, format);
    vsnprintf(made, (size_t)length + 1, format, arguments);
    va_end(arguments);
    *text = made;
    return FAL_OK;
}

static int is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* *path = the first file FOLDER/SPLIT-KIND that there is, in the spellings in use,
 * or NULL. Something there that cannot be read counts: reading it says what is
 * wrong. */
static fal_status find_file(char **path, const char *folder, const char *split,
                            const char *kind)
{
    int labels = strcmp(kind, "labels") == 0;
    *path = NULL;
    for (int d = labels ? 1 : 3; d <= (labels ? 1 : 4); d++)
        for (int i = 0; i < 4; i++) {
            struct stat facts;
            char *name;
            fal_status status = format_text(&name, "%s/%s-%s%cidx%d-ubyte%s",
                                            folder, split, kind, i < 2 ? '-' : '.',
                                            d, i % 2 ? ".gz" : "");
            if (status)
                return status;
            if (stat(name, &facts) == 0 || (errno != ENOENT && errno != ENOTDIR)) {
                *path = name;
                return FAL_OK;
            }
            fal_release(name);
        }
    return FAL_OK;
}

static size_t highest(const fal_idx *labels)
{
    size_t most = 0;
    for (size_t i = 0; i < labels->kept; i++)
        most = labels->values[i] > most ? labels->values[i] : most;
    return most;
}

static fal_status check_known_labels(const struct request *request,
                                     const char *path, const fal_idx *labels)
{
    for (size_t i = 0; i < labels->kept; i++)
        if (labels->values[i] >= request->known->classes)
            return fal_fail(
                FAL_ERROR_FORMAT,
                "reading '%s': the label of sample %zu is %d, %s has 0 to "
                "%zu; get the file again",
                path, i, labels->values[i], request->known->name,
                request->known->classes - 1);
    return FAL_OK;
}

/* A folder's classes: one more than the highest label of both splits, so that a
 * class missing from one of them does not make them differ. */
static fal_status count_classes(const struct request *request, const char *folder,
                                const fal_idx *labels, size_t *classes)
{
    fal_idx other;
    char *path;
    *classes = highest(labels) + 1;
    fal_status status = find_file(&path, folder, request->other, "labels");
    if (status || !path)
        return status;
    status = fal_idx_read(&other, path, 1, 1, 0);
    fal_release(path);
    if (status)
        return status;
    if (highest(&other) + 1 > *classes)
        *classes = highest(&other) + 1;
    fal_release(other.values);
    return FAL_OK;
}

static fal_status check_counts(const struct request *request,
                               const char *image_path, const fal_idx *images,
                               const char *label_path, const fal_idx *labels)
{
    if (images->shape[0] != labels->shape[0])
        return fal_fail(FAL_ERROR_FORMAT,
                        "opening data set '%s': '%s' has %zu images, '%s' has %zu "
                        "labels; get the files again",
                        request->name, image_path, images->shape[0], label_path,
                        labels->shape[0]);
    if (request->samples > images->shape[0])
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "opening data set '%s': %zu samples asked for, there are %zu; "
            "ask for at most so many, or 0 for all",
            request->name, request->samples, images->shape[0]);
    return FAL_OK;
}

/* Gives images->values away on success. */
static fal_status adopt(fal_dataset **dataset, const fal_idx *images,
                        const fal_idx *labels, size_t classes,
                        const char *const *class_names)
{
    fal_arrays arrays = FAL_ARRAYS;
    arrays.count = images->kept;
    arrays.height = images->shape[1];
    arrays.width = images->shape[2];
    arrays.channels = images->dimensions == 4 ? images->shape[3] : 1;
    arrays.type = FAL_BYTES;
    arrays.inputs = images->values;
    arrays.classes = classes;
    arrays.class_names = class_names;
    int32_t *wide = fal_allocate(images->kept, sizeof *wide);
    if (!wide)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < images->kept; i++)
        wide[i] = labels->values[i];
    arrays.labels = wide;
    fal_status status = fal_dataset_adopt(dataset, &arrays, images->values, wide,
                                          NULL);
    if (status)
        fal_release(wide);
    return status;
}

static fal_status adopt_named(fal_dataset **dataset, const struct request *request,
                              const char *folder, const fal_idx *images,
                              const fal_idx *labels, size_t classes)
{
    const char *const *names;
    if (request->known)
        return adopt(dataset, images, labels, classes, request->known->class_names);
    fal_status status = fal_class_names_load(&names, folder, classes);
    if (!status)
        status = adopt(dataset, images, labels, classes, names);
    fal_release((void *)names);
    return status;
}

/* All labels are read, as they give the number of classes. */
static fal_status join_labels(fal_dataset **dataset, const struct request *request,
                              const char *folder, const char *image_path,
                              const fal_idx *images, const char *label_path)
{
    fal_idx labels;
    size_t classes = request->known ? request->known->classes : 0;
    fal_status status = fal_idx_read(&labels, label_path, 1, 1, 0);
    if (status)
        return status;
    status = check_counts(request, image_path, images, label_path, &labels);
    if (!status && request->known)
        status = check_known_labels(request, label_path, &labels);
    else if (!status)
        status = count_classes(request, folder, &labels, &classes);
    if (!status)
        status = adopt_named(dataset, request, folder, images, &labels, classes);
    fal_release(labels.values);
    return status;
}

static fal_status read_pair(fal_dataset **dataset, const struct request *request,
                            const char *folder, const char *image_path)
{
    fal_idx images;
    char *label_path;
    fal_status status = find_file(&label_path, folder, request->split, "labels");
    if (status)
        return status;
    if (!label_path)
        return fal_fail(FAL_ERROR_FILE,
                        "opening data set '%s', '%s': no %s-labels-idx1-ubyte[.gz] "
                        "beside the images; put it there",
                        request->name, folder, request->split);
    status = fal_idx_read(&images, image_path, 3, 4, request->samples);
    if (!status) {
        status = join_labels(dataset, request, folder, image_path, &images,
                             label_path);
        if (status)
            fal_release(images.values);
    }
    fal_release(label_path);
    return status;
}

/* *found = 0 when the folder has no images of the split. */
static fal_status read_folder(fal_dataset **dataset, const struct request *request,
                              const char *folder, int *found)
{
    char *image_path;
    fal_status status = find_file(&image_path, folder, request->split, "images");
    *found = image_path != NULL;
    if (status || !image_path)
        return status;
    status = read_pair(dataset, request, folder, image_path);
    fal_release(image_path);
    return status;
}

static fal_status open_folder(fal_dataset **dataset, const struct request *request)
{
    int found;
    if (!is_folder(request->name))
        return fal_fail(
            FAL_ERROR_FILE,
            "opening data set '%s': %s; give a folder with IDX files, or a "
            "known name",
            request->name,
            access(request->name, F_OK) == 0 ? "is not a folder" : strerror(errno));
    fal_status status = read_folder(dataset, request, request->name, &found);
    if (status || found)
        return status;
    return fal_fail(FAL_ERROR_FILE,
                    "opening data set '%s': the folder has no "
                    "%s-images-idx3-ubyte[.gz]; give a folder with IDX files",
                    request->name, request->split);
}

/* Looks in FOLDER/NAME; on a miss adds it and why to `places`. */
static fal_status try_folder(fal_dataset **dataset, const struct request *request,
                             const char *folder, int *found, char *places,
                             size_t room)
{
    char *path;
    fal_status status = format_text(&path, "%s/%s", folder, request->known->name);
    if (status)
        return status;
    int exists = is_folder(path);
    *found = 0;
    if (exists)
        status = read_folder(dataset, request, path, found);
    if (!status && !*found) {
        size_t used = strlen(places);
        const char *comma = used ? ", " : "";
        if (exists)
            snprintf(places + used, room - used,
                     "%s'%s' (no %s-images-idx3-ubyte[.gz])", comma, path,
                     request->split);
        else
            snprintf(places + used, room - used, "%s'%s' (no such folder)", comma,
                     path);
    }
    fal_release(path);
    return status;
}

static fal_status open_known(fal_dataset **dataset, const struct request *request,
                             const char *const *folders, size_t count)
{
    char places[4096] = "";
    for (size_t i = 0; i < count; i++) {
        int found;
        fal_status status = try_folder(dataset, request, folders[i], &found, places,
                                       sizeof places);
        if (status || found)
            return status;
    }
    return fal_fail(FAL_ERROR_FILE, "opening data set '%s': not found in %s; %s",
                    request->name, *places ? places : "an empty list of folders",
                    request->known->advice);
}

/* *home = the home folder in the password database, or NULL where there is none. */
static fal_status find_home(char **home)
{
    struct passwd entry, *result = NULL;
    size_t room = 1024;
    char *buffer = NULL;
    int code = ERANGE;
    *home = NULL;
    while (code == ERANGE && room < (1 << 24)) {
        room *= 4;
        char *grown = fal_resize(buffer, room, 1);
        if (!grown) {
            fal_release(buffer);
            return FAL_ERROR_MEMORY;
        }
        buffer = grown;
        code = getpwuid_r(getuid(), &entry, buffer, room, &result);
    }
    fal_status status = FAL_OK;
    if (code == 0 && result && result->pw_dir && *result->pw_dir) {
        *home = fal_copy_text(result->pw_dir);
        status = *home ? FAL_OK : FAL_ERROR_MEMORY;
    }
    fal_release(buffer);
    return status;
}

static fal_status open_known_by_default(fal_dataset **dataset,
                                        const struct request *request)
{
    const char *folders[2];
    size_t count = 0;
    char *home, *cache = NULL;
    fal_status status = find_home(&home);
    if (!status && home)
        status = format_text(&cache, "%s/.cache/falign/datasets", home);
    fal_release(home);
    if (status)
        return status;
    if (cache)
        folders[count++] = cache;
    folders[count++] = "/usr/share/datasets";
    status = open_known(dataset, request, folders, count);
    fal_release(cache);
    return status;
}

static const struct known *find_known(const char *name)
{
    for (size_t i = 0; i < KNOWN_SETS; i++)
        if (strcmp(name, known_sets[i].name) == 0)
            return known_sets + i;
    return NULL;
}

static fal_status fail_unknown(const char *name)
{
    const char *names[KNOWN_SETS];
    for (size_t i = 0; i < KNOWN_SETS; i++)
        names[i] = known_sets[i].name;
    return fal_fail_unknown("data set", name, names, KNOWN_SETS);
}

static fal_status check_call(fal_dataset **dataset, const char *name,
                             fal_split split, const fal_dataset_options *options)
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
    if (!options->folders && options->folder_count)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "opening data set '%s': folders is NULL, folder_count %zu; set "
            "both or neither",
            name, options->folder_count);
    for (size_t i = 0; i < options->folder_count; i++)
        if (!options->folders[i])
            return fal_fail(
                FAL_ERROR_ARGUMENT,
                "opening data set '%s': folders[%zu] is NULL; give paths", name, i);
    return FAL_OK;
}

fal_status fal_dataset_open_with(fal_dataset **dataset, const char *name,
                                 fal_split split,
                                 const fal_dataset_options *options)
{
    static const fal_dataset_options defaults = FAL_DATASET_OPTIONS;
    fal_dataset_options o;
    fal_status status = fal_options_read(&o, sizeof o, &defaults, options,
                                         "fal_dataset_options");
    if (!status)
        status = check_call(dataset, name, split, &o);
    if (status)
        return status;
    int train = split == FAL_SPLIT_TRAIN;
    struct request request = {name, train ? "train" : "t10k",
                              train ? "t10k" : "train", o.samples,
                              find_known(name)};
    if (request.known && o.folders)
        return open_known(dataset, &request, o.folders, o.folder_count);
    if (request.known)
        return open_known_by_default(dataset, &request);
    if (strchr(name, '/') || is_folder(name))
        return open_folder(dataset, &request);
    return fail_unknown(name);
}

fal_status fal_dataset_open(fal_dataset **dataset, const char *name,
                            fal_split split)
{
    return fal_dataset_open_with(dataset, name, split, NULL);
}
