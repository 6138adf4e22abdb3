#include "data/known.h"
#include "data/cifar.h"
#include "device/error.h"
#include "device/memory.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const clothes[] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
static const char *const digits[] = {"0", "1", "2", "3", "4",
                                     "5", "6", "7", "8", "9"};
static const fal_classes clothes_classes = {10, clothes, NULL};
static const fal_classes digit_classes = {10, digits, NULL};

const fal_known fal_known_sets[] = {
    {"fashion-mnist", "fashion-mnist", NULL, &clothes_classes,
     "install the Debian package dataset-fashion-mnist, or put its IDX files into "
     "one of these folders",
     0},
    {"mnist", "mnist", NULL, &digit_classes,
     "put its four IDX files into one of these folders", 0},
    {"cifar-10", "cifar-10-batches-bin", "CIFAR-10", &fal_cifar10_classes,
     "unpack cifar-10-binary.tar.gz of www.cs.toronto.edu/~kriz/cifar.html in one "
     "of these folders",
     0},
    {"cifar-100", "cifar-100-binary", "CIFAR-100", &fal_cifar100_classes,
     "unpack cifar-100-binary.tar.gz of www.cs.toronto.edu/~kriz/cifar.html in one "
     "of these folders",
     0},
    {"cifar-100-coarse", "cifar-100-binary", "CIFAR-100",
     &fal_cifar100_coarse_classes,
     "unpack cifar-100-binary.tar.gz of www.cs.toronto.edu/~kriz/cifar.html in one "
     "of these folders",
     1},
};

enum { KNOWN = sizeof fal_known_sets / sizeof *fal_known_sets };
const size_t fal_known_count = KNOWN;

const fal_known *fal_known_find(const char *name)
{
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(name, fal_known_sets[i].name) == 0)
            return fal_known_sets + i;
    return NULL;
}

fal_status fal_known_fail(const char *unknown)
{
    const char *names[KNOWN];
    for (size_t i = 0; i < KNOWN; i++)
        names[i] = fal_known_sets[i].name;
    fal_status status = fal_fail_unknown("data set", unknown, names, KNOWN);
    return fal_fail_within(status, "no folder '%.200s' is here", unknown);
}

/* ---- places -------------------------------------------------------------- */

fal_status fal_text_format(char **text, const char *format, ...)
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

static fal_status check_options(const fal_dataset_options *options,
                                const char *what)
{
    if (!options->folders && options->folder_count)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "%s: folders is NULL, folder_count %zu; set both or neither", what,
            options->folder_count);
    for (size_t i = 0; i < options->folder_count; i++)
        if (!options->folders[i])
            return fal_fail(FAL_ERROR_ARGUMENT,
                            "%s: folders[%zu] is NULL; give paths", what, i);
    return FAL_OK;
}

fal_status fal_places_find(fal_places *places, const fal_dataset_options *options,
                           const char *what)
{
    char *home = NULL;
    *places = (fal_places){.folders = options->folders,
                           .count = options->folder_count};
    fal_status status = check_options(options, what);
    if (status || options->folders)
        return status;
    status = find_home(&home);
    if (!status && home)
        status = fal_text_format(&places->cache, "%s/.cache/falign/datasets", home);
    fal_release(home);
    if (status)
        return status;
    places->folders = places->own;
    if (places->cache)
        places->own[places->count++] = places->cache;
    places->own[places->count++] = "/usr/share/datasets";
    return FAL_OK;
}

void fal_places_release(fal_places *places)
{
    fal_release(places->cache);
}
