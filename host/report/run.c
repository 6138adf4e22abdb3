#include "report/run.h"
#include "cli/yaml.h"
#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"
#include "train/folder.h"
#include "train/run_files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG_LIMIT = 1 << 20 };

/* ---- config.yaml --------------------------------------------------------- */

static fal_status take_setting(const cli_yaml_entry *entry, void *user)
{
    report_run *run = user;
    report_setting *list = report_grown(run->settings, run->setting_count,
                                        sizeof *list);
    if (!list)
        return FAL_ERROR_MEMORY;
    run->settings = list;
    report_setting *setting = &list[run->setting_count];
    setting->key = fal_copy_text(entry->key);
    setting->text = entry->text ? fal_copy_text(entry->text) : NULL;
    run->setting_count++;
    return setting->key && (setting->text || !entry->text) ? FAL_OK
                                                           : FAL_ERROR_MEMORY;
}

static fal_status read_config_at(report_run *run, const char *path)
{
    unsigned char *text;
    size_t size;
    fal_status status = fal_file_read(path, CONFIG_LIMIT, &text, &size);
    if (status)
        return status;
    run->config = (char *)text;
    if (strncmp(run->config, FAL_CONFIG_MARK, strlen(FAL_CONFIG_MARK)) != 0)
        return fal_fail(FAL_ERROR_FORMAT,
                        "run '%s': its config.yaml was not written by falign; name "
                        "the folder of a run",
                        run->folder);
    return cli_yaml_read(path, take_setting, run);
}

static fal_status read_config(report_run *run)
{
    char *path = fal_folder_path(run->folder, "config.yaml");
    fal_status status = path ? read_config_at(run, path) : FAL_ERROR_MEMORY;
    fal_release(path);
    return status;
}

/* ---- the run ------------------------------------------------------------- */

int report_run_is_there(const char *folder)
{
    int place = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int is_there = place >= 0 && faccessat(place, "config.yaml", F_OK, 0) == 0;
    if (place >= 0)
        close(place);
    return is_there;
}

fal_status report_run_read(report_run *run, const char *folder, report_notes *notes)
{
    *run = (report_run){.folder = fal_copy_text(folder)};
    fal_status status = run->folder ? read_config(run) : FAL_ERROR_MEMORY;
    if (!status)
        status = report_metrics_read(run, notes);
    if (status)
        report_run_release(run);
    return status;
}

void report_run_release(report_run *run)
{
    for (size_t i = 0; i < run->setting_count; i++) {
        fal_release(run->settings[i].key);
        fal_release(run->settings[i].text);
    }
    for (size_t i = 0; i < run->series_count; i++) {
        fal_release(run->series[i].name);
        fal_release(run->series[i].layer);
        fal_release(run->series[i].points);
    }
    fal_release(run->settings);
    fal_release(run->series);
    fal_release(run->config);
    fal_release(run->folder);
    *run = (report_run){.folder = NULL};
}

/* ---- asking -------------------------------------------------------------- */

const char *report_run_setting(const report_run *run, const char *key)
{
    for (size_t i = 0; i < run->setting_count; i++)
        if (strcmp(run->settings[i].key, key) == 0)
            return run->settings[i].text;
    return NULL;
}

int report_series_is(const report_series *series, const char *name,
                     const char *layer, int epoch)
{
    return series->epoch == epoch && !series->layer == !layer &&
           strcmp(series->name, name) == 0 &&
           (!layer || strcmp(series->layer, layer) == 0);
}

const report_series *report_run_series(const report_run *run, const char *name,
                                       const char *layer, int epoch)
{
    for (size_t i = 0; i < run->series_count; i++)
        if (report_series_is(&run->series[i], name, layer, epoch))
            return &run->series[i];
    return NULL;
}

static uint64_t whole_setting(const report_run *run, const char *key)
{
    const char *text = report_run_setting(run, key);
    return text ? strtoull(text, NULL, 10) : 0;
}

int report_run_ended(const report_run *run, uint64_t epoch_steps)
{
    uint64_t steps = whole_setting(run, "steps");
    uint64_t epochs = whole_setting(run, "epochs");
    if (!report_run_setting(run, "epochs"))
        return run->epoch_step >= steps;
    if (epochs > 0 && epoch_steps == 0)
        return steps > 0 && run->epoch_step >= steps;
    return run->epoch_step / (epoch_steps ? epoch_steps : 1) >= epochs ||
           (steps > 0 && run->epoch_step >= steps);
}
