/* Run folders. What is there already is looked at when the folder is opened and
 * removed only when the run begins, so that a run refused in between costs
 * nothing. */
#include "train/run.h"
#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"
#include "files/json.h"
#include "train/events.h"
#include "train/folder.h"
#include "train/run_files.h"
#include "train/run_lines.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct fal_run {
    char *folder;
    size_t made; /* see fal_folder_make */
    int lock;    /* file descriptors, -1: none */
    int place;   /* the folder itself */
    fal_journal metrics, events;
};

/* ---- opening ------------------------------------------------------------- */

static fal_status run_allocate(fal_run **run, const char *folder)
{
    fal_run *made = fal_allocate(1, sizeof *made);
    if (!made)
        return FAL_ERROR_MEMORY;
    made->lock = made->place = -1;
    made->folder = fal_copy_text(folder);
    if (!made->folder) {
        fal_release(made);
        return FAL_ERROR_MEMORY;
    }
    *run = made;
    return FAL_OK;
}

static fal_status check_free(const fal_run *run, int force)
{
    int held = 0;
    fal_status status = force ? fal_run_files_check(run->folder)
                              : fal_run_files_exist(run->folder, &held);
    if (status || !held)
        return status;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "run folder '%s': it holds a run already; choose another with "
                    "--out, or replace the run with --force",
                    run->folder);
}

/* The lock comes first: what is seen after it nobody else is changing. */
static fal_status take(fal_run *run, int force, int *gone)
{
    fal_status status = fal_folder_lock(run->folder, &run->lock, gone);
    if (!status)
        status = fal_folder_hold(run->folder, &run->place);
    if (!status)
        status = check_free(run, force);
    return status;
}

/* Another process may remove the folder that it made, when its run is refused, just
 * as this one comes. */
static fal_status make_and_take(fal_run *run, int force)
{
    fal_status status;
    int gone, tries = 0;
    do {
        gone = 0;
        status = fal_folder_make(run->folder, &run->made);
        if (!status)
            status = take(run, force, &gone);
    } while (gone && tries++ < 100);
    return status;
}

fal_status fal_run_open(fal_run **run, const char *folder, int force)
{
    fal_run *made;
    fal_status status = run_allocate(&made, folder);
    if (status)
        return status;
    status = make_and_take(made, force);
    if (status) {
        fal_run_discard(made);
        return status;
    }
    *run = made;
    return FAL_OK;
}

/* `exists` = 1 when this number is taken. */
static fal_status open_number(fal_run **run, const char *prefix, int number,
                              int *exists)
{
    char *folder = fal_allocate(strlen(prefix) + 16, 1);
    fal_run *made;
    int gone;
    if (!folder)
        return FAL_ERROR_MEMORY;
    sprintf(folder, "%s-%03d", prefix, number);
    fal_status status = run_allocate(&made, folder);
    fal_release(folder);
    if (status)
        return status;
    status = fal_folder_make(made->folder, &made->made);
    *exists = !status && made->made == 0;
    if (!status && !*exists)
        status = take(made, 0, &gone);
    if (status || *exists)
        fal_run_discard(made);
    else
        *run = made;
    return status;
}

fal_status fal_run_open_numbered(fal_run **run, const char *prefix)
{
    for (int number = 1; number < 1000000; number++) {
        int exists;
        fal_status status = open_number(run, prefix, number, &exists);
        if (status || !exists)
            return status;
    }
    return fal_fail(FAL_ERROR_FILE,
                    "run folder '%s-NNN': a million are there; name one with --out",
                    prefix);
}

static fal_status take_again(fal_run *run)
{
    int gone;
    if (!fal_run_files_are_ours(run->folder))
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "run folder '%s': there is no run, for it has no config.yaml "
            "that falign wrote; name the folder of a run",
            run->folder);
    fal_status status = fal_folder_lock(run->folder, &run->lock, &gone);
    return status ? status : fal_folder_hold(run->folder, &run->place);
}

fal_status fal_run_open_again(fal_run **run, const char *folder)
{
    fal_run *made = NULL;
    fal_status status = run_allocate(&made, folder);
    if (!status)
        status = take_again(made);
    if (!status)
        *run = made;
    else if (made)
        fal_run_discard(made);
    return status;
}

const char *fal_run_folder(const fal_run *run)
{
    return run->folder;
}

/* ---- writing ------------------------------------------------------------- */

/* The folder must be the one that was opened: another may be someone else's. */
static fal_status check_place(const fal_run *run)
{
    if (fal_folder_is_same(run->folder, run->place))
        return FAL_OK;
    return fal_fail(FAL_ERROR_FILE,
                    "run folder '%s': it was removed, moved or replaced during the "
                    "run; start again with another --out",
                    run->folder);
}

static fal_status file_path(const fal_run *run, const char *name, char **path)
{
    fal_status status = check_place(run);
    if (status)
        return status;
    *path = fal_folder_path(run->folder, name);
    return *path ? FAL_OK : FAL_ERROR_MEMORY;
}

static fal_status open_metrics(fal_run *run)
{
    char *path;
    fal_status status = file_path(run, "metrics.jsonl", &path);
    if (status)
        return status;
    status = fal_journal_open(&run->metrics, path);
    fal_release(path);
    return status;
}

/* The configuration comes first, so that no other file is there without it. */
fal_status fal_run_begin(fal_run *run, const char *config)
{
    fal_status status = fal_run_files_clear(run->folder);
    if (status || !config)
        return status;
    status = fal_run_write(run, "config.yaml", config);
    return status ? status : open_metrics(run);
}

fal_status fal_run_begin_events(fal_run *run)
{
    unsigned char *lines = NULL;
    size_t size;
    char *path;
    fal_status status = file_path(run, FAL_EVENTS_NAME, &path);
    if (status)
        return status;
    status = fal_file_read(run->metrics.path, SIZE_MAX, &lines, &size);
    if (!status)
        status = fal_events_open(&run->events, path, (const char *)lines);
    fal_release(lines);
    fal_release(path);
    return status;
}

static const char checkpoint_name[] = "checkpoint.safetensors";

int fal_run_has_checkpoint(const char *folder)
{
    char *path = fal_folder_path(folder, checkpoint_name);
    int there = path && access(path, F_OK) == 0;
    fal_release(path);
    return there;
}

fal_status fal_run_resume(const fal_run *run, fal_trainer *trainer)
{
    char *path;
    if (!fal_run_has_checkpoint(run->folder))
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "run folder '%s': it has no %s yet; begin it again with falign train "
            "%s/config.yaml --out %s --force",
            run->folder, checkpoint_name, run->folder, run->folder);
    fal_status status = file_path(run, checkpoint_name, &path);
    if (status)
        return status;
    status = fal_trainer_resume(trainer, path);
    fal_release(path);
    return status;
}

/* What went before the checkpoint was on the disk before it: the file was changed. */
static fal_status check_lines(const char *path, uint64_t last, uint64_t step,
                              uint64_t log_steps)
{
    if (!log_steps || !step || last >= (step - 1) / log_steps * log_steps)
        return FAL_OK;
    return fal_fail(
        FAL_ERROR_FORMAT,
        "file '%s': its whole lines end at step %llu, but the checkpoint "
        "is of step %llu, so some are lost; put the file back, or begin "
        "a new run",
        path, (unsigned long long)last, (unsigned long long)step);
}

static fal_status cut_metrics(fal_run *run, const char *path, uint64_t step,
                              uint64_t log_steps)
{
    unsigned char *text;
    size_t size;
    uint64_t last;
    fal_status status = fal_file_read(path, SIZE_MAX, &text, &size);
    if (status)
        return status;
    size_t kept = fal_run_lines_before((const char *)text, size, step, &last);
    fal_release(text);
    status = check_lines(path, last, step, log_steps);
    if (!status)
        status = fal_journal_open(&run->metrics, path);
    return status ? status : fal_journal_cut(&run->metrics, kept);
}

fal_status fal_run_continue(fal_run *run, uint64_t step, uint64_t log_steps)
{
    char *path;
    fal_status status = file_path(run, "metrics.jsonl", &path);
    if (status)
        return status;
    status = fal_run_files_sweep(run->folder);
    if (!status)
        status = cut_metrics(run, path, step, log_steps);
    fal_release(path);
    return status;
}

fal_status fal_run_write(fal_run *run, const char *name, const char *text)
{
    fal_file_writer writer;
    char *path;
    fal_status status = file_path(run, name, &path);
    if (status)
        return status;
    status = fal_file_begin(&writer, path);
    if (!status)
        status = fal_file_write(&writer, text, strlen(text));
    if (!status)
        status = fal_file_commit(&writer);
    fal_release(path);
    return status;
}

static void add_number(fal_json *j, const char *key, double value)
{
    fal_json_key(j, key);
    fal_json_number(j, value);
}

/* What is not to be had, such as the accuracy with real targets, is left out. */
static void add_known(fal_json *j, const char *key, double value)
{
    if (!isnan(value))
        add_number(j, key, value);
}

static void add_count(fal_json *j, const char *key, uint64_t value)
{
    fal_json_key(j, key);
    fal_json_unsigned(j, value);
}

static void add_line(fal_json *j, const fal_progress *p,
                     const fal_metric_list *metrics)
{
    int epoch = p->event == FAL_EPOCH;
    fal_json_begin_object(j);
    fal_json_key(j, "type");
    fal_json_string(j, epoch ? "epoch" : "step");
    add_count(j, "step", p->step);
    add_count(j, "epoch", p->epoch);
    add_known(j, "train_loss", p->train_loss);
    add_known(j, "train_accuracy", p->train_accuracy);
    if (epoch) {
        add_known(j, "validation_loss", p->validation_loss);
        add_known(j, "validation_accuracy", p->validation_accuracy);
        add_known(j, "test_loss", p->test_loss);
        add_known(j, "test_accuracy", p->test_accuracy);
    }
    add_number(j, "samples_per_second", p->samples_per_second);
    add_number(j, "seconds", p->seconds);
    if (metrics)
        fal_metric_list_json(metrics, j);
    fal_json_end_object(j);
    fal_json_newline(j);
}

fal_status fal_run_log(fal_run *run, const fal_progress *progress,
                       const fal_metric_list *metrics)
{
    fal_json j = FAL_JSON;
    fal_status status = check_place(run);
    if (status)
        return status;
    add_line(&j, progress, metrics);
    status = j.status;
    if (!status)
        status = fal_journal_add(&run->metrics, j.text, j.length);
    if (!status && run->events.path)
        status = fal_events_add(&run->events, j.text);
    fal_json_release(&j);
    return status;
}

fal_status fal_run_save_start(fal_run *run, fal_trainer *trainer)
{
    char *path;
    fal_status status = file_path(run, "start.safetensors", &path);
    if (status)
        return status;
    status = fal_trainer_save(trainer, path);
    fal_release(path);
    return status;
}

/* The path of a file that says how far the run is: the metrics come before it. */
static fal_status begin_saving(const fal_run *run, const char *name, char **path)
{
    fal_status status = fal_journal_flush(&run->metrics);
    if (!status)
        status = fal_journal_flush(&run->events);
    return status ? status : file_path(run, name, path);
}

/* Where the folder went meanwhile, that is why a file could not be written. */
static fal_status end_saving(const fal_run *run, char *path, fal_status status)
{
    fal_release(path);
    return status == FAL_ERROR_FILE && check_place(run) ? FAL_ERROR_FILE : status;
}

fal_status fal_run_save_model(fal_run *run, fal_model *model)
{
    char *path;
    fal_status status = begin_saving(run, "model.safetensors", &path);
    if (status)
        return status;
    return end_saving(run, path, fal_model_save(model, path));
}

fal_status fal_run_save_checkpoint(fal_run *run, fal_trainer *trainer)
{
    char *path;
    fal_status status = begin_saving(run, checkpoint_name, &path);
    if (status)
        return status;
    return end_saving(run, path, fal_trainer_checkpoint(trainer, path));
}

/* ---- closing ------------------------------------------------------------- */

void fal_run_close(fal_run *run)
{
    if (!run)
        return;
    fal_journal_close(&run->metrics);
    fal_journal_close(&run->events);
    if (run->place >= 0)
        close(run->place);
    fal_folder_unlock(run->folder, run->lock);
    fal_release(run->folder);
    fal_release(run);
}

void fal_run_discard(fal_run *run)
{
    if (!run)
        return;
    fal_folder_unlock(run->folder, run->lock);
    run->lock = -1;
    fal_folder_unmake(run->folder, run->made);
    fal_run_close(run);
}
