/* Checkpoints: the model, the trainer's feedback, what its optimizer keeps and all its
 * counters in one safetensors file, by which another trainer goes on bit for bit. The
 * last tensor of the file, four bytes, is the CRC-32 of all that comes before. */
#include "train/checkpoint.h"
#include "device/memory.h"
#include "files/atomic.h"
#include "train/model_file.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* Of what is in the metadata and how it is meant. */
static const char format[] = "2";

static const char sum_name[] = "checksum";

enum { LISTS = 3, SUM = 4 };

static void all_lists(const fal_trainer *t, const fal_tensor_list *lists[LISTS])
{
    lists[0] = &t->model->tensors;
    lists[1] = &t->feedback_tensors;
    lists[2] = &t->optimizer_tensors;
}

/* Little end first. */
static void put_sum(unsigned char sum[SUM], const unsigned char *bytes, size_t size)
{
    uLong value = crc32_z(0, bytes, size);
    for (size_t i = 0; i < SUM; i++)
        sum[i] = (unsigned char)(value >> (8 * i));
}

void fal_trainer_leave_fit(fal_trainer *t)
{
    fal_notes_release(&t->data_notes);
    fal_release(t->resumed_from);
    t->resumed_from = NULL;
    t->place = (fal_place){0};
    t->goes_on = 0;
}

/* ---- writing ------------------------------------------------------------- */

/* A trainer that is between fits has no place in the data. */
static void note_place(fal_trainer *t, fal_notes *notes)
{
    int within = t->place.data || t->goes_on;
    fal_notes_text(notes, "within_fit", within ? "yes" : "no");
    if (within && t->data_notes.count == 0)
        fal_checkpoint_describe_data(t->place.data, &t->data_notes);
    if (t->data_notes.status) {
        notes->status = t->data_notes.status;
        fal_notes_release(&t->data_notes);
    }
    for (size_t i = 0; within && i < t->data_notes.count; i++)
        fal_notes_text(notes, t->data_notes.items[i].key,
                       t->data_notes.items[i].value);
}

/* Into the file `path`, a tensor at a time, or where that is NULL, into memory. */
static fal_status write_from(const fal_trainer *t, const fal_notes *notes,
                             const char *path, unsigned char **bytes, size_t *size)
{
    const fal_tensor_list *lists[LISTS];
    fal_tensor_source *sources;
    size_t count;
    all_lists(t, lists);
    fal_status status = fal_tensor_sources(lists, LISTS, 1, &sources, &count);
    if (status)
        return status;
    sources[count++] = (fal_tensor_source){.name = sum_name,
                                           .type = FAL_TENSOR_U8,
                                           .shape = {SUM},
                                           .dimensions = 1,
                                           .is_sum = 1};
    status = path ? fal_safetensors_write(path, sources, count, notes->items,
                                          notes->count)
                  : fal_safetensors_compose(bytes, size, sources, count,
                                            notes->items, notes->count);
    fal_release(sources);
    return status;
}

/* *bytes is for fal_release. */
static fal_status compose(fal_trainer *t, const char *path, unsigned char **bytes,
                          size_t *size)
{
    fal_notes notes = FAL_NOTES;
    fal_status status = fal_ring_flush(&t->ring);
    if (!status && t->ring.diverged)
        return fal_fail(
            FAL_ERROR_DIVERGED,
            "checkpoint, step %llu: the loss is no longer finite, so "
            "there is nothing to go on from; lower the learning rate",
            (unsigned long long)(t->step - (t->ring.begun - t->ring.diverged_at)) +
                1);
    fal_model_note(t->model, &notes);
    fal_notes_text(&notes, "checkpoint", format);
    fal_checkpoint_describe(t, &notes);
    note_place(t, &notes);
    fal_counters_note(t, &notes);
    fal_decays_note(t, &notes);
    if (!status)
        status = notes.status;
    fal_trainer_redraw(t);
    if (!status)
        status = write_from(t, &notes, path, bytes, size);
    fal_notes_release(&notes);
    return status;
}

fal_status fal_trainer_checkpoint(fal_trainer *trainer, const char *path)
{
    if (!trainer || !path)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_checkpoint: needs a trainer and a path");
    return compose(trainer, path, NULL, NULL);
}

static fal_status hand_over(void *to, size_t room, const unsigned char *bytes,
                            size_t size)
{
    if (room < size)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_checkpoint_bytes: %zu bytes are too few, it "
                        "takes %zu; ask with NULL for how many",
                        room, size);
    memcpy(to, bytes, size);
    return FAL_OK;
}

fal_status fal_trainer_checkpoint_bytes(fal_trainer *trainer, void *to, size_t room,
                                        size_t *needed)
{
    unsigned char *bytes = NULL;
    size_t size;
    if (!trainer || (!to && !needed))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_checkpoint_bytes: needs a trainer, and room "
                        "or a place for how much that must be");
    fal_status status = compose(trainer, NULL, &bytes, &size);
    if (!status && to)
        status = hand_over(to, room, bytes, size);
    fal_release(bytes);
    if (!status && needed)
        *needed = size;
    return status;
}

/* ---- what was read ------------------------------------------------------- */

/* A checkpoint, before anything is changed by it. */
struct reading {
    fal_trainer *trainer;
    const char *path;
    fal_safetensors *file;
    fal_counters counters;
    float *decays; /* [2][layers] */
    fal_model_facts model;
    fal_notes data;
    int within_fit;
    float *values; /* of all tensors, one behind the other … */
    float *before; /* … and those that the trainer had */
};

static void close_reading(struct reading *r)
{
    fal_safetensors_close(r->file);
    fal_model_facts_release(&r->model);
    fal_notes_release(&r->data);
    fal_release(r->decays);
    fal_release(r->values);
    fal_release(r->before);
}

/* ---- whether it can be taken --------------------------------------------- */

static fal_status check_format(const struct reading *r)
{
    const char *found = fal_safetensors_metadata(r->file, "checkpoint");
    if (!found)
        return fal_fail(FAL_ERROR_FORMAT,
                        "file '%s': it is no checkpoint; give a checkpoint."
                        "safetensors",
                        r->path);
    if (strcmp(found, format) == 0)
        return FAL_OK;
    return fal_fail(FAL_ERROR_FORMAT,
                    "file '%s': a checkpoint of format '%.40s', falign %s reads "
                    "format %s; go on with the falign that wrote it",
                    r->path, found, fal_version(), format);
}

static fal_status check_sum(const char *path, const unsigned char *bytes,
                            size_t size)
{
    unsigned char sum[SUM];
    if (size >= SUM)
        put_sum(sum, bytes, size - SUM);
    if (size >= SUM && memcmp(sum, bytes + size - SUM, SUM) == 0)
        return FAL_OK;
    return fal_fail(FAL_ERROR_FORMAT,
                    "file '%s': its checksum is not that of its content, so it is "
                    "damaged; use a whole copy",
                    path);
}

fal_status fal_checkpoint_check_sum(const fal_safetensors *file)
{
    const char *path = fal_safetensors_path(file);
    unsigned char *bytes;
    size_t size;
    if (!fal_safetensors_metadata(file, "checkpoint"))
        return FAL_OK;
    fal_status status = fal_file_read(path, SIZE_MAX, &bytes, &size);
    if (status)
        return status;
    status = check_sum(path, bytes, size);
    fal_release(bytes);
    return status;
}

static fal_status check_owner(const struct reading *r)
{
    fal_notes notes = FAL_NOTES;
    fal_notes_text(&notes, "network", r->trainer->model->network.text);
    fal_checkpoint_describe(r->trainer, &notes);
    fal_status status = notes.status;
    if (!status)
        status = fal_checkpoint_compare(r->file, &notes);
    fal_notes_release(&notes);
    return status;
}

/* What is said of any data, the file says of those it belongs to. */
static fal_status note_data(struct reading *r)
{
    const fal_arrays none = FAL_ARRAYS;
    fal_notes keys = FAL_NOTES;
    const char *within = fal_safetensors_metadata(r->file, "within_fit");
    r->within_fit = within && strcmp(within, "yes") == 0;
    if (r->within_fit)
        fal_checkpoint_describe_data(&none, &keys);
    r->data.status = keys.status;
    for (size_t i = 0; i < keys.count; i++) {
        const char *text = fal_safetensors_metadata(r->file, keys.items[i].key);
        fal_notes_text(&r->data, keys.items[i].key, text ? text : "");
    }
    fal_notes_release(&keys);
    return r->data.status;
}

/* ---- tensors ------------------------------------------------------------- */

typedef fal_status (*tensor_visit)(const struct reading *r,
                                   const fal_tensor *tensor, float *values);

/* Each tensor with its part of `values`. */
static fal_status visit_tensors(const struct reading *r, float *values,
                                tensor_visit visit)
{
    const fal_tensor_list *lists[LISTS];
    fal_status status = FAL_OK;
    all_lists(r->trainer, lists);
    for (size_t l = 0; l < LISTS; l++)
        for (size_t i = 0; i < lists[l]->count && !status; i++) {
            const fal_tensor *tensor = &lists[l]->items[i];
            status = visit(r, tensor, values);
            values += fal_tensor_floats(tensor);
        }
    return status;
}

static fal_status from_file(const struct reading *r, const fal_tensor *tensor,
                            float *values)
{
    return fal_safetensors_bits(r->file, tensor->name, tensor->shape,
                                tensor->dimensions, values);
}

static fal_status from_device(const struct reading *r, const fal_tensor *tensor,
                              float *values)
{
    (void)r;
    return fal_tensor_read(tensor, values, fal_tensor_floats(tensor));
}

/* What is drawn whenever it is read needs no writing. */
static fal_status to_device(const struct reading *r, const fal_tensor *tensor,
                            float *values)
{
    (void)r;
    if (tensor->random)
        return FAL_OK;
    return fal_tensor_write(tensor, values, fal_tensor_floats(tensor));
}

static fal_status read_tensors(struct reading *r)
{
    const fal_tensor_list *lists[LISTS];
    size_t floats = 0;
    all_lists(r->trainer, lists);
    for (size_t l = 0; l < LISTS; l++)
        for (size_t i = 0; i < lists[l]->count; i++)
            floats += fal_tensor_floats(&lists[l]->items[i]);
    r->values = fal_allocate(floats, sizeof *r->values);
    r->before = r->values ? fal_allocate(floats, sizeof *r->before) : NULL;
    fal_status status = r->before ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status)
        status = visit_tensors(r, r->values, from_file);
    return status ? status : visit_tensors(r, r->before, from_device);
}

/* ---- taking it ----------------------------------------------------------- */

static fal_status read_all(struct reading *r, const unsigned char *bytes,
                           size_t size)
{
    fal_status status = fal_safetensors_read(&r->file, r->path, bytes, size);
    if (!status)
        status = check_format(r);
    if (!status)
        status = check_sum(r->path, bytes, size);
    if (!status)
        status = check_owner(r);
    if (!status)
        status = note_data(r);
    if (!status)
        status = fal_counters_read(&r->counters, r->file);
    if (!status)
        status = fal_decays_read(&r->decays, r->trainer, r->file);
    if (!status)
        status = fal_model_facts_read(&r->model, r->trainer->model, r->file);
    return status ? status : read_tensors(r);
}

/* After the device failed in between. */
static void undo(const struct reading *r)
{
    const fal_trainer *t = r->trainer;
    if (t->ring.diverged)
        fal_arena_fill_slot(&t->workspace.arena, t->workspace.halted, 1);
    visit_tensors(r, r->before, to_device);
    fal_trainer_take_decays(r->trainer, r->decays + t->model->network.count);
    fal_model_set_scales(t->model, t->model->mean, t->model->deviation);
}

static fal_status change_device(struct reading *r)
{
    fal_trainer *t = r->trainer;
    fal_status status = fal_arena_clear_slot(&t->workspace.arena,
                                             t->workspace.halted);
    if (!status)
        status = visit_tensors(r, r->values, to_device);
    if (!status)
        status = fal_trainer_take_decays(t, r->decays);
    if (!status)
        status = fal_model_facts_take(t->model, &r->model);
    if (status)
        undo(r);
    return status;
}

/* Nothing here can fail. */
static void change_counters(struct reading *r, char *path)
{
    fal_trainer *t = r->trainer;
    fal_trainer_leave_fit(t);
    t->ring.begun = t->ring.summed = 0;
    t->ring.lost = t->ring.diverged = 0;
    t->last_rows = 0;
    fal_counters_take(t, &r->counters);
    t->data_notes = r->data;
    r->data = (fal_notes)FAL_NOTES;
    t->goes_on = r->within_fit;
    t->resumed_from = path;
}

static fal_status resume(fal_trainer *t, const char *path,
                         const unsigned char *bytes, size_t size)
{
    struct reading r = {.trainer = t, .path = path, .data = FAL_NOTES};
    char *name = fal_copy_text(path);
    fal_status status = name ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status && t->place.data)
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "resuming from '%s': a fit is running; resume before or "
                          "after it",
                          path);
    if (!status)
        status = read_all(&r, bytes, size);
    if (!status)
        status = fal_ring_flush(&t->ring);
    if (!status)
        status = change_device(&r);
    if (!status)
        change_counters(&r, name);
    else
        fal_release(name);
    close_reading(&r);
    return status;
}

fal_status fal_trainer_resume(fal_trainer *trainer, const char *path)
{
    unsigned char *bytes = NULL;
    size_t size;
    char *name = NULL;
    if (!trainer || !path)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_resume: needs a trainer and a path");
    fal_status status = fal_model_path(path, "checkpoint.safetensors", &name);
    if (!status)
        status = fal_file_read(name, SIZE_MAX, &bytes, &size);
    if (!status)
        status = resume(trainer, name, bytes, size);
    fal_release(bytes);
    fal_release(name);
    return status;
}

fal_status fal_trainer_resume_bytes(fal_trainer *trainer, const void *bytes,
                                    size_t size)
{
    if (!trainer || !bytes)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "fal_trainer_resume_bytes: needs a trainer and bytes");
    return resume(trainer, "checkpoint in memory", bytes, size);
}

static fal_status read_step(uint64_t *step, const char *path)
{
    struct reading r = {.path = path, .data = FAL_NOTES};
    unsigned char *bytes = NULL;
    size_t size;
    fal_status status = fal_file_read(path, SIZE_MAX, &bytes, &size);
    if (!status)
        status = fal_safetensors_read(&r.file, path, bytes, size);
    if (!status)
        status = check_format(&r);
    if (!status)
        status = check_sum(r.path, bytes, size);
    if (!status)
        status = fal_notes_read_whole(r.file, "step", step);
    close_reading(&r);
    fal_release(bytes);
    return status;
}

fal_status fal_checkpoint_feedback(fal_trainer *trainer, const char *path)
{
    uint64_t step = 0;
    fal_status status = read_step(&step, path);
    if (!status && trainer->feedback.count > 0)
        status = fal_trainer_load_feedback(trainer, path);
    if (!status)
        trainer->step = step;
    return status;
}
