#include "train/checkpoint.h"
#include "train/augment.h"
#include "data/dataset.h"
#include "device/memory.h"
#include "train/model_file.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* ---- what it belongs to -------------------------------------------------- */

/* Where what carries the error is drawn by the law of the weights and not in the file,
 * that law counts; a model that was loaded may have another. */
static int is_by_weights(const fal_trainer *t)
{
    int by_weights = !t->has_feedback_law ||
                     t->feedback_law.kind == FAL_LAW_WEIGHTS;
    for (unsigned l = 1; l <= t->model->network.weights && by_weights; l++)
        if (fal_trainer_has_law(t, l) && t->feedback_slots[l - 1].count == 0 &&
            t->routes[l - 1].rule->path == FAL_PATH_LAYERS)
            return 1;
    return 0;
}

static void note_feedback(const fal_trainer *t, fal_notes *notes)
{
    char law[FAL_LAW_TEXT] = "default";
    if (is_by_weights(t))
        fal_law_print(law, t->model->weight_law);
    else if (t->has_feedback_law)
        fal_law_print(law, t->feedback_law);
    fal_notes_text(notes, "feedback_law", law);
    fal_notes_text(notes, "feedback", t->regenerates ? "regenerated" : "stored");
}

/* Of a convolution that has its error directly; all have it alike. */
static void note_dfa_conv(const fal_trainer *t, fal_notes *notes)
{
    const fal_network *network = &t->model->network;
    unsigned l = 1;
    while (l < network->weights && !(fal_network_weight_layer(network, l)->kernel &&
                                     fal_trainer_is_direct(t, l)))
        l++;
    if (l < network->weights)
        fal_notes_text(notes, "dfa_conv",
                       t->routes[l - 1].spreads ? "channel" : "map");
}

/* "30,60"; "" of other schedules. */
static void note_milestones(const fal_schedule *schedule, fal_notes *notes)
{
    char text[1024] = "";
    size_t used = 0;
    for (size_t i = 0; i < schedule->milestone_count && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%llu",
                                 i ? "," : "",
                                 (unsigned long long)schedule->milestones[i]);
    fal_notes_text(notes, "milestones", text);
}

static void note_schedule(const fal_trainer *t, fal_notes *notes)
{
    fal_notes_text(notes, "schedule", fal_schedules[t->schedule.kind].name);
    fal_notes_whole(notes, "warmup", t->schedule.warmup);
    note_milestones(&t->schedule, notes);
    fal_notes_real(notes, "decay", t->schedule.decay);
    fal_notes_whole(notes, "steps", t->options.steps);
}

static void note_optimizer(const fal_trainer *t, fal_notes *notes)
{
    const fal_trainer_options *o = &t->options;
    fal_notes_text(notes, "optimizer", fal_optimizer_names[t->optimizer]);
    fal_notes_real(notes, "learning_rate", o->learning_rate);
    fal_notes_real(notes, "learning_rate_adamw", o->learning_rate_adamw);
    fal_notes_real(notes, "momentum", o->momentum);
    fal_notes_text(notes, "nesterov", o->nesterov ? "yes" : "no");
    fal_notes_real(notes, "weight_decay", o->weight_decay);
    fal_notes_text(notes, "weight_decay_schedule",
                   fal_decay_schedule_names[t->decay_schedule]);
    fal_notes_whole(notes, "weight_decay_steps", o->weight_decay_steps);
    fal_notes_real(notes, "clip", o->clip);
}

/* Of a rule that has one. */
static void note_mirror(const fal_trainer *t, fal_notes *notes)
{
    if (!t->mirrors)
        return;
    fal_notes_real(notes, "mirror_rate", t->options.mirror_rate);
    fal_notes_real(notes, "mirror_decay", t->options.mirror_decay);
}

static void note_augmentation(const fal_trainer *t, fal_notes *notes)
{
    char text[FAL_AUGMENTATION_TEXT];
    fal_augmentation_print(text, &t->augmentation);
    fal_notes_text(notes, "augment", text);
}

void fal_checkpoint_describe(const fal_trainer *t, fal_notes *notes)
{
    const fal_trainer_options *o = &t->options;
    fal_notes_text(notes, "rule", t->rule->name);
    note_feedback(t, notes);
    note_dfa_conv(t, notes);
    note_mirror(t, notes);
    fal_notes_text(notes, "loss", fal_loss_name((int)t->loss));
    fal_notes_text(notes, "loss_reduction", fal_reduction_name(t->sums_loss));
    note_optimizer(t, notes);
    note_schedule(t, notes);
    fal_notes_whole(notes, "batch", o->batch);
    fal_notes_whole(notes, "log_steps", o->log_steps);
    fal_notes_text(notes, "shuffle", o->no_shuffle ? "no" : "yes");
    fal_notes_text(notes, "standardize", o->standardize);
    note_augmentation(t, notes);
    fal_notes_whole(notes, "feedback_seed", o->feedback_seed);
    fal_notes_whole(notes, "data_seed", o->data_seed);
    fal_notes_whole(notes, "noise_seed", o->noise_seed);
}

static uLong add_sum(uLong sum, const void *bytes, size_t size)
{
    return bytes ? crc32_z(sum, bytes, size) : sum;
}

static void note_sum(const fal_arrays *data, fal_notes *notes)
{
    char text[16];
    uLong sum = add_sum(0, data->inputs, data->count * fal_arrays_stride(data));
    sum = add_sum(sum, data->labels, data->count * sizeof *data->labels);
    sum = add_sum(sum, data->targets,
                  data->count * data->outputs * sizeof *data->targets);
    snprintf(text, sizeof text, "%08lx", sum);
    fal_notes_text(notes, "data_checksum", text);
}

void fal_checkpoint_describe_data(const fal_arrays *data, fal_notes *notes)
{
    char shape[FAL_SHAPE_TEXT];
    fal_shape_print(shape, (fal_shape){data->height, data->width, data->channels});
    fal_notes_whole(notes, "data_samples", data->count);
    fal_notes_text(notes, "data_shape", shape);
    fal_notes_text(notes, "data_type",
                   data->type == FAL_BYTES ? "bytes" : "floats");
    fal_notes_whole(notes, "data_classes", data->labels ? data->classes : 0);
    fal_notes_whole(notes, "data_targets", data->targets ? data->outputs : 0);
    note_sum(data, notes);
}

/* ---- comparing ----------------------------------------------------------- */

/* Where lists with commas begin to differ: the start of that item, or the comma before.
 */
static size_t same_items(const char *one, const char *other)
{
    size_t i = 0, start = 0;
    for (; one[i] && one[i] == other[i]; i++)
        if (one[i] == ',')
            start = i;
    int ends = !one[i] || !other[i], goes_on = one[i] == ',' || other[i] == ',';
    return ends && goes_on ? i : start;
}

/* Its length; it becomes "nothing" where the list has ended. */
static int item_length(const char **item)
{
    *item += strspn(*item, ", ");
    int length = (int)strcspn(*item, ",");
    if (length > 0)
        return length < 200 ? length : 200;
    *item = "nothing";
    return 7;
}

static fal_status compare(const char *path, const char *key, const char *there,
                          const char *here)
{
    if (there && strcmp(there, here) == 0)
        return FAL_OK;
    there = there ? there : "";
    size_t start = same_items(there, here);
    there += start, here += start;
    int there_length = item_length(&there), here_length = item_length(&here);
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "'%s', %s: the checkpoint has %.*s, this run %.*s; go on with "
                    "the same%s, or begin a new run",
                    path, key, there_length, there, here_length, here,
                    strncmp(key, "data_", 5) == 0 && strcmp(key, "data_seed") != 0
                        ? " data"
                        : "");
}

fal_status fal_checkpoint_compare(const fal_safetensors *file,
                                  const fal_notes *notes)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < notes->count && !status; i++)
        status = compare(fal_safetensors_path(file), notes->items[i].key,
                         fal_safetensors_metadata(file, notes->items[i].key),
                         notes->items[i].value);
    return status;
}

fal_status fal_trainer_check_data(const fal_trainer *t, const fal_arrays *data)
{
    fal_notes here = FAL_NOTES;
    if (!t->goes_on)
        return FAL_OK;
    fal_checkpoint_describe_data(data, &here);
    fal_status status = here.status;
    for (size_t i = 0; i < here.count && !status; i++)
        status = compare(t->resumed_from, here.items[i].key,
                         t->data_notes.items[i].value, here.items[i].value);
    fal_notes_release(&here);
    return status;
}

/* ---- how far it has come ------------------------------------------------- */

static const char decays_key[] = "weight_decays";

void fal_decays_note(const fal_trainer *t, fal_notes *notes)
{
    size_t count = t->model->network.count;
    double *decays = fal_allocate(count, sizeof *decays);
    if (!decays) {
        notes->status = FAL_ERROR_MEMORY;
        return;
    }
    for (size_t i = 0; i < count; i++)
        decays[i] = (double)t->decays[i];
    fal_numbers_note(notes, decays_key, decays, count);
    fal_release(decays);
}

static fal_status check_decays(const fal_safetensors *file, const double *decays,
                               float *into, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        into[i] = (float)decays[i];
        if (!isfinite(into[i]) || into[i] < 0)
            return fal_fail(FAL_ERROR_FORMAT,
                            "file '%s': its metadata '%s' has a number that is no "
                            "weight decay",
                            fal_safetensors_path(file), decays_key);
    }
    return FAL_OK;
}

fal_status fal_decays_read(float **decays, const fal_trainer *t,
                           const fal_safetensors *file)
{
    size_t count = t->model->network.count;
    double *read = fal_allocate(count, sizeof *read);
    *decays = read ? fal_allocate(2 * count, sizeof **decays) : NULL;
    fal_status status = *decays ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status)
        status = fal_numbers_read(file, decays_key, 0, read, count);
    if (!status)
        status = check_decays(file, read, *decays, count);
    if (!status)
        memcpy(*decays + count, t->decays, count * sizeof **decays);
    fal_release(read);
    return status;
}

/* A number of a trainer. */
struct field {
    const char *key;
    size_t offset;
};

#define FIELD(key, member)                                                         \
    {                                                                              \
        key, offsetof(struct fal_trainer, member)                                  \
    }

static const struct field wholes[FAL_CHECKPOINT_WHOLES] = {
    FIELD("step", step),
    FIELD("epoch", epoch),
    FIELD("epochs_begun", epochs_begun),
    FIELD("mirror_steps", mirror_steps),
    FIELD("schedule_start", schedule_start),
    FIELD("schedule_epoch", schedule_epoch),
    FIELD("schedule_length", schedule_length),
    FIELD("last_epoch", place.last_epoch),
    FIELD("epoch_batches", place.batch),
    FIELD("epoch_counted", place.counted),
    FIELD("measured", measured),
    FIELD("log_samples", ring.log.samples),
    FIELD("epoch_samples", ring.epoch.samples),
};

static const struct field reals[FAL_CHECKPOINT_REALS] = {
    FIELD("fixed_rate", fixed_rate),
    FIELD("log_loss", ring.log.loss),
    FIELD("log_correct", ring.log.correct),
    FIELD("epoch_loss", ring.epoch.loss),
    FIELD("epoch_correct", ring.epoch.correct),
    FIELD("seconds", place.seconds),
    FIELD("log_seconds", place.log_seconds),
    FIELD("epoch_seconds", place.epoch_seconds),
    FIELD("measuring_seconds", place.measuring),
};

static void *member(const fal_trainer *trainer, const struct field *field)
{
    return (char *)trainer + field->offset;
}

void fal_counters_note(const fal_trainer *t, fal_notes *notes)
{
    for (size_t i = 0; i < FAL_CHECKPOINT_WHOLES; i++)
        fal_notes_whole(notes, wholes[i].key, *(uint64_t *)member(t, &wholes[i]));
    for (size_t i = 0; i < FAL_CHECKPOINT_REALS; i++)
        fal_notes_real(notes, reals[i].key, *(double *)member(t, &reals[i]));
}

fal_status fal_counters_read(fal_counters *counters, const fal_safetensors *file)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < FAL_CHECKPOINT_WHOLES && !status; i++)
        status = fal_notes_read_whole(file, wholes[i].key, &counters->wholes[i]);
    for (size_t i = 0; i < FAL_CHECKPOINT_REALS && !status; i++)
        status = fal_notes_read_real(file, reals[i].key, &counters->reals[i]);
    return status;
}

void fal_counters_take(fal_trainer *t, const fal_counters *counters)
{
    for (size_t i = 0; i < FAL_CHECKPOINT_WHOLES; i++)
        *(uint64_t *)member(t, &wholes[i]) = counters->wholes[i];
    for (size_t i = 0; i < FAL_CHECKPOINT_REALS; i++)
        *(double *)member(t, &reals[i]) = counters->reals[i];
}
