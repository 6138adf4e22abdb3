#include "data/cifar.h"
#include "data/reader.h"
#include "device/error.h"
#include "device/memory.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, COLORS = 3, MOST_LABELS = 2 };

/* ---- classes ------------------------------------------------------------- */

static const char *const things[] = {"airplane", "automobile", "bird", "cat",
                                     "deer",     "dog",        "frog", "horse",
                                     "ship",     "truck"};

static const char *const fine[] = {
    "apple",    "aquarium_fish", "baby",       "bear",         "beaver",
    "bed",      "bee",           "beetle",     "bicycle",      "bottle",
    "bowl",     "boy",           "bridge",     "bus",          "butterfly",
    "camel",    "can",           "castle",     "caterpillar",  "cattle",
    "chair",    "chimpanzee",    "clock",      "cloud",        "cockroach",
    "couch",    "crab",          "crocodile",  "cup",          "dinosaur",
    "dolphin",  "elephant",      "flatfish",   "forest",       "fox",
    "girl",     "hamster",       "house",      "kangaroo",     "keyboard",
    "lamp",     "lawn_mower",    "leopard",    "lion",         "lizard",
    "lobster",  "man",           "maple_tree", "motorcycle",   "mountain",
    "mouse",    "mushroom",      "oak_tree",   "orange",       "orchid",
    "otter",    "palm_tree",     "pear",       "pickup_truck", "pine_tree",
    "plain",    "plate",         "poppy",      "porcupine",    "possum",
    "rabbit",   "raccoon",       "ray",        "road",         "rocket",
    "rose",     "sea",           "seal",       "shark",        "shrew",
    "skunk",    "skyscraper",    "snail",      "snake",        "spider",
    "squirrel", "streetcar",     "sunflower",  "sweet_pepper", "table",
    "tank",     "telephone",     "television", "tiger",        "tractor",
    "train",    "trout",         "tulip",      "turtle",       "wardrobe",
    "whale",    "willow_tree",   "wolf",       "woman",        "worm"};

static const char *const coarse[] = {"aquatic_mammals",
                                     "fish",
                                     "flowers",
                                     "food_containers",
                                     "fruit_and_vegetables",
                                     "household_electrical_devices",
                                     "household_furniture",
                                     "insects",
                                     "large_carnivores",
                                     "large_man-made_outdoor_things",
                                     "large_natural_outdoor_scenes",
                                     "large_omnivores_and_herbivores",
                                     "medium_mammals",
                                     "non-insect_invertebrates",
                                     "people",
                                     "reptiles",
                                     "small_mammals",
                                     "trees",
                                     "vehicles_1",
                                     "vehicles_2"};

const fal_classes fal_cifar10_classes = {10, things, "batches.meta.txt"};
const fal_classes fal_cifar100_classes = {100, fine, "fine_label_names.txt"};
const fal_classes fal_cifar100_coarse_classes = {20, coarse,
                                                 "coarse_label_names.txt"};

/* ---- records ------------------------------------------------------------- */

struct kind {
    const char *name;
    size_t labels; /* label bytes before the pixels */
    const fal_classes *classes[MOST_LABELS];
    const char *label_names[MOST_LABELS];
};

static const struct kind ten = {"CIFAR-10", 1, {&fal_cifar10_classes}, {"label"}};
static const struct kind hundred = {
    "CIFAR-100",
    2,
    {&fal_cifar100_coarse_classes, &fal_cifar100_classes},
    {"coarse label", "fine label"}};

static size_t record_bytes(const struct kind *kind)
{
    return kind->labels + COLORS * PLANE;
}

static fal_status count_bytes(size_t *bytes, const char *path)
{
    fal_reader *reader;
    fal_status status = fal_reader_open(&reader, path);
    if (status)
        return status;
    *bytes = fal_reader_size(reader);
    fal_reader_close(reader);
    return FAL_OK;
}

static fal_status count_records(size_t *count, const char *path,
                                const struct kind *kind)
{
    size_t bytes, record = record_bytes(kind);
    fal_status status = count_bytes(&bytes, path);
    if (status)
        return status;
    if (bytes == 0)
        return fal_fail(FAL_ERROR_FORMAT, "reading '%s': empty; get the file again",
                        path);
    if (bytes % record)
        return fal_fail(FAL_ERROR_FORMAT,
                        "reading '%s': truncated, record %zu has %zu of the %zu "
                        "bytes of a %s record; get the file again",
                        path, bytes / record, bytes % record, record, kind->name);
    *count = bytes / record;
    return FAL_OK;
}

/* Records of the whole split. The batches it comes in are of one size: a batch cut
 * off between two records shows. */
static fal_status count_all(size_t *count, const fal_part *part,
                            const struct kind *kind)
{
    size_t first = 0, total = 0;
    for (size_t i = 0; i < FAL_MOST_FILES && part->paths[i]; i++) {
        size_t n = 0;
        fal_status status = count_records(&n, part->paths[i], kind);
        if (status)
            return status;
        if (i > 0 && n != first)
            return fal_fail(FAL_ERROR_FORMAT,
                            "reading '%s': has %zu records, '%s' has %zu; the "
                            "batches must be of one size, get the files again",
                            part->paths[i], n, part->paths[0], first);
        first = n;
        total += n;
    }
    *count = total;
    return FAL_OK;
}

/* ---- reading ------------------------------------------------------------- */

struct task {
    const struct kind *kind;
    const fal_part *part;
    fal_block *block;
    fal_role role;
    size_t done; /* samples of the block */
};

static fal_status check_labels(const struct task *task, const char *path,
                               size_t number, const uint8_t *record)
{
    const struct kind *kind = task->kind;
    for (size_t i = 0; i < kind->labels; i++)
        if (record[i] >= kind->classes[i]->count)
            return fal_fail(FAL_ERROR_FORMAT,
                            "reading '%s': the %s of record %zu, byte %zu, is %d; "
                            "%s has 0 to %zu; get the file again",
                            path, kind->label_names[i], number,
                            number * record_bytes(kind) + i, record[i], kind->name,
                            kind->classes[i]->count - 1);
    return FAL_OK;
}

/* Planes to pixels */
static void interleave(uint8_t *to, const uint8_t *planes)
{
    for (size_t i = 0; i < PLANE; i++)
        for (size_t c = 0; c < COLORS; c++)
            to[COLORS * i + c] = planes[PLANE * c + i];
}

static size_t label_place(const struct task *task)
{
    return task->part->coarse ? 0 : task->kind->labels - 1;
}

static void take_record(struct task *task, const uint8_t *record)
{
    if (task->role == FAL_ANSWERS)
        ((int32_t *)task->block->values)[task->done] = record[label_place(task)];
    else
        interleave((uint8_t *)task->block->values + task->done * COLORS * PLANE,
                   record + task->kind->labels);
    task->done++;
}

/* The file's size says how many records there are; it may have changed since. */
static fal_status read_records(struct task *task, fal_reader *reader,
                               const char *path)
{
    uint8_t record[MOST_LABELS + COLORS * PLANE];
    const size_t bytes = record_bytes(task->kind);
    fal_status status = FAL_OK;
    for (size_t n = 0; !status && task->done < task->block->kept; n++) {
        size_t got;
        status = fal_reader_some(reader, record, bytes, &got);
        if (!status && got == 0)
            return FAL_OK;
        if (!status && got < bytes)
            status = fal_fail(FAL_ERROR_FORMAT,
                              "reading '%s': truncated, record %zu has %zu of %zu "
                              "bytes; get the file again",
                              path, n, got, bytes);
        if (!status)
            status = check_labels(task, path, n, record);
        if (!status)
            take_record(task, record);
    }
    return status;
}

static fal_status read_files(struct task *task)
{
    const fal_part *part = task->part;
    fal_status status = FAL_OK;
    for (size_t i = 0; i < FAL_MOST_FILES && part->paths[i] && !status; i++) {
        fal_reader *reader;
        status = fal_reader_open(&reader, part->paths[i]);
        if (status)
            return status;
        status = read_records(task, reader, part->paths[i]);
        fal_reader_close(reader);
    }
    if (!status && task->done < task->block->kept)
        status = fal_fail(FAL_ERROR_FORMAT,
                          "reading '%s': the files have %zu records, their sizes "
                          "said %zu; get them again",
                          task->block->path, task->done, task->block->kept);
    return status;
}

static fal_status inspect(fal_block *block, const fal_part *part, fal_role role,
                          const struct kind *kind)
{
    size_t count = 0;
    struct task task = {.kind = kind, .part = part};
    fal_status status = count_all(&count, part, kind);
    if (status)
        return status;
    *block = (fal_block){.path = part->paths[0], .type = FAL_BYTES, .count = count};
    if (role == FAL_ANSWERS) {
        block->is_label = 1;
        block->classes = kind->classes[label_place(&task)];
    } else {
        block->height = block->width = SIDE;
        block->channels = COLORS;
    }
    return FAL_OK;
}

static fal_status read(fal_block *block, const fal_part *part, fal_role role,
                       size_t keep, const struct kind *kind)
{
    fal_block made;
    struct task task = {kind, part, &made, role, 0};
    fal_status status = inspect(&made, part, role, kind);
    if (status)
        return status;
    made.kept = keep && keep < made.count ? keep : made.count;
    made.values = fal_allocate(made.kept, role == FAL_ANSWERS ? sizeof(int32_t)
                                                              : COLORS * PLANE);
    status = made.values ? read_files(&task) : FAL_ERROR_MEMORY;
    if (status)
        fal_release(made.values);
    else
        *block = made;
    return status;
}

/* ---- the formats --------------------------------------------------------- */

static fal_status read_ten(fal_block *block, const fal_part *part, fal_role role,
                           size_t keep)
{
    return read(block, part, role, keep, &ten);
}

static fal_status inspect_ten(fal_block *block, const fal_part *part, fal_role role)
{
    return inspect(block, part, role, &ten);
}

static fal_status read_hundred(fal_block *block, const fal_part *part,
                               fal_role role, size_t keep)
{
    return read(block, part, role, keep, &hundred);
}

static fal_status inspect_hundred(fal_block *block, const fal_part *part,
                                  fal_role role)
{
    return inspect(block, part, role, &hundred);
}

const fal_format fal_cifar10 = {
    "CIFAR-10",
    {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
      "data_batch_4.bin", "data_batch_5.bin"},
     {"test_batch.bin"}},
    NULL,
    read_ten,
    inspect_ten};

const fal_format fal_cifar100 = {"CIFAR-100",
                                 {{"train.bin"}, {"test.bin"}},
                                 NULL,
                                 read_hundred,
                                 inspect_hundred};
