#include "data/format.h"
#include "data/cifar.h"
#include "data/idx.h"
#include "data/known.h"
#include "data/npy.h"
#include "device/error.h"
#include "device/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* What cannot be looked at counts as there. */
static int is_there(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* ---- IDX ----------------------------------------------------------------- */

/* Images have 3 dimensions or, in colour, 4; each file has two spellings in use,
 * and may be gzipped. */
static fal_status find_idx(char **path, const char *folder, fal_split split,
                           size_t role)
{
    const char *begin = split == FAL_SPLIT_TRAIN ? "train" : "t10k";
    const char *kind = role == FAL_ANSWERS ? "labels" : "images";
    *path = NULL;
    for (int d = role == FAL_ANSWERS ? 1 : 3; d <= (role == FAL_ANSWERS ? 1 : 4);
         d++)
        for (int i = 0; i < 4; i++) {
            char *name;
            fal_status status = fal_text_format(
                &name, "%s/%s-%s%cidx%d-ubyte%s", folder, begin, kind,
                i < 2 ? '-' : '.', d, i % 2 ? ".gz" : "");
            if (status)
                return status;
            if (is_there(name)) {
                *path = name;
                return FAL_OK;
            }
            fal_release(name);
        }
    return FAL_OK;
}

static void set_idx_facts(fal_block *block, const fal_idx *idx, const char *path,
                          fal_role role)
{
    *block = (fal_block){.path = path,
                         .type = FAL_BYTES,
                         .is_label = role == FAL_ANSWERS,
                         .count = idx->shape[0],
                         .kept = idx->kept,
                         .values = idx->values};
    if (role == FAL_INPUTS) {
        block->height = idx->shape[1];
        block->width = idx->shape[2];
        block->channels = idx->dimensions == 4 ? idx->shape[3] : 1;
    }
}

/* Labels become int32_t. */
static fal_status widen(fal_block *block)
{
    uint8_t *narrow = block->values;
    int32_t *wide = fal_allocate(block->kept, sizeof *wide);
    for (size_t i = 0; wide && i < block->kept; i++)
        wide[i] = narrow[i];
    fal_release(narrow);
    block->values = wide;
    return wide ? FAL_OK : FAL_ERROR_MEMORY;
}

static fal_status read_idx(fal_block *block, const fal_part *part, fal_role role,
                           size_t keep)
{
    fal_idx idx;
    const char *path = part->paths[role];
    int labels = role == FAL_ANSWERS;
    fal_status status = fal_idx_read(&idx, path, labels ? 1 : 3, labels ? 1 : 4,
                                     keep);
    if (status)
        return status;
    set_idx_facts(block, &idx, path, role);
    return labels ? widen(block) : FAL_OK;
}

static fal_status inspect_idx(fal_block *block, const fal_part *part, fal_role role)
{
    fal_idx idx;
    const char *path = part->paths[role];
    int labels = role == FAL_ANSWERS;
    fal_status status = fal_idx_inspect(&idx, path, labels ? 1 : 3, labels ? 1 : 4);
    if (!status)
        set_idx_facts(block, &idx, path, role);
    return status;
}

/* ---- NPY ----------------------------------------------------------------- */

static fal_status set_npy_facts(fal_block *block, const fal_npy *npy,
                                const char *path, fal_role role)
{
    *block = (fal_block){.path = path,
                         .type = npy->kind == FAL_NPY_BYTES ? FAL_BYTES
                                                            : FAL_FLOATS,
                         .is_label = npy->kind == FAL_NPY_LABELS,
                         .count = npy->shape[0],
                         .kept = npy->kept,
                         .values = npy->values};
    if (role == FAL_INPUTS)
        return fal_npy_sample(npy, path, &block->height, &block->width,
                              &block->channels);
    block->outputs = npy->item;
    if (block->is_label && npy->item != 1)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': has %zu whole numbers a sample; labels have "
                        "one (of one-hot labels save y.argmax(1)), real targets "
                        "are y.astype(\"float32\")",
                        path, npy->item);
    return FAL_OK;
}

static fal_npy_use use_of(fal_role role)
{
    return role == FAL_INPUTS ? FAL_NPY_INPUTS : FAL_NPY_ANSWERS;
}

static fal_status read_npy(fal_block *block, const fal_part *part, fal_role role,
                           size_t keep)
{
    fal_npy npy;
    fal_block made;
    const char *path = part->paths[role];
    fal_status status = fal_npy_read(&npy, path, use_of(role), keep);
    if (status)
        return status;
    status = set_npy_facts(&made, &npy, path, role);
    if (status)
        fal_release(npy.values);
    else
        *block = made;
    return status;
}

static fal_status inspect_npy(fal_block *block, const fal_part *part, fal_role role)
{
    fal_npy npy;
    const char *path = part->paths[role];
    fal_status status = fal_npy_inspect(&npy, path, use_of(role));
    return status ? status : set_npy_facts(block, &npy, path, role);
}

/* ---- which --------------------------------------------------------------- */

static const fal_format idx = {
    "IDX",
    {{"train-images-idx3-ubyte[.gz]", "train-labels-idx1-ubyte[.gz]"},
     {"t10k-images-idx3-ubyte[.gz]", "t10k-labels-idx1-ubyte[.gz]"}},
    find_idx,
    read_idx,
    inspect_idx};

static const fal_format npy = {
    "NPY",
    {{"train-x.npy", "train-y.npy"}, {"test-x.npy", "test-y.npy"}},
    NULL,
    read_npy,
    inspect_npy};

static const fal_format *const formats[] = {&idx, &npy, &fal_cifar10,
                                            &fal_cifar100};

fal_status fal_format_path(char **path, const fal_format *format,
                           const char *folder, fal_split split, size_t number)
{
    if (format->find)
        return format->find(path, folder, split, number);
    *path = NULL;
    fal_status status = fal_text_format(path, "%s/%s", folder,
                                        format->files[split][number]);
    if (status || is_there(*path))
        return status;
    fal_release(*path);
    *path = NULL;
    return FAL_OK;
}

/* Any file of any split makes the folder one of this format. */
static fal_status has_files(const fal_format *format, const char *folder, int *has)
{
    fal_status status = FAL_OK;
    *has = 0;
    for (size_t i = 0; i < 2 * FAL_MOST_FILES && !status && !*has; i++) {
        fal_split split = (fal_split)(i / FAL_MOST_FILES);
        size_t number = i % FAL_MOST_FILES;
        char *path = NULL;
        if (format->files[split][number])
            status = fal_format_path(&path, format, folder, split, number);
        *has = path != NULL;
        fal_release(path);
    }
    return status;
}

/* NULL where the path is a folder. */
static const char *fault_of(const char *folder)
{
    struct stat facts;
    if (stat(folder, &facts) == 0)
        return S_ISDIR(facts.st_mode) ? NULL : "is not a folder";
    return errno == ENOENT ? "no such folder" : strerror(errno);
}

fal_status fal_format_find(const fal_format **format, const char **missing,
                           const char *folder)
{
    const fal_format *found = NULL;
    *format = NULL;
    *missing = fault_of(folder);
    if (*missing)
        return FAL_OK;
    *missing = "no data files";
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        int has;
        fal_status status = has_files(formats[i], folder, &has);
        if (status)
            return status;
        if (has && found)
            return fal_fail(FAL_ERROR_FORMAT,
                            "opening '%s': the folder has %s and %s files; keep "
                            "those of one format",
                            folder, found->name, formats[i]->name);
        if (has)
            found = formats[i];
    }
    *format = found;
    return FAL_OK;
}
