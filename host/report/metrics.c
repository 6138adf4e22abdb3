/* metrics.jsonl, line by line. What a line does not have is not in the series; what is
 * null is a gap in it. */
#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"
#include "report/run.h"
#include "train/folder.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static const size_t size_limit = (size_t)1 << 30;
static const double value_limit = 1e100; /* their squares have sums */

struct reading {
    report_run *run;
    size_t next;    /* the series after the last one that got a point */
    uint64_t line;  /* from 1 */
    uint64_t bad;   /* lines that are left out */
    uint64_t first; /* the first of them */
};

/* ---- series -------------------------------------------------------------- */

static report_series *add_series(report_run *run, const char *name,
                                 const char *layer, int epoch)
{
    report_series *list = report_grown(run->series, run->series_count,
                                       sizeof *list);
    if (!list)
        return NULL;
    run->series = list;
    report_series *series = &list[run->series_count++];
    *series = (report_series){.name = fal_copy_text(name), .epoch = epoch};
    series->layer = layer ? fal_copy_text(layer) : NULL;
    return series->name && (series->layer || !layer) ? series : NULL;
}

/* Lines have their fields in one order, so that the next series is tried first. */
static report_series *find_series(struct reading *r, const char *name,
                                  const char *layer, int epoch)
{
    report_run *run = r->run;
    for (size_t i = 0; i < run->series_count; i++) {
        size_t at = (r->next + i) % run->series_count;
        if (report_series_is(&run->series[at], name, layer, epoch)) {
            r->next = at + 1;
            return &run->series[at];
        }
    }
    r->next = 0;
    return add_series(run, name, layer, epoch);
}

static fal_status add_point(struct reading *r, report_point point, const char *name,
                            const char *layer, int epoch)
{
    report_series *series = find_series(r, name, layer, epoch);
    if (!series)
        return FAL_ERROR_MEMORY;
    if (series->count > 0 && series->points[series->count - 1].step == point.step)
        return FAL_OK;
    report_point *points = report_grown(series->points, series->count,
                                        sizeof *points);
    if (!points)
        return FAL_ERROR_MEMORY;
    series->points = points;
    points[series->count++] = point;
    return FAL_OK;
}

/* ---- lines --------------------------------------------------------------- */

static int is_value(const cJSON *item)
{
    return cJSON_IsNumber(item) || cJSON_IsNull(item);
}

static report_point point_at(uint64_t step, const cJSON *item)
{
    double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    return (report_point){step, fabs(value) < value_limit ? value : NAN};
}

/* What stands before the numbers; 0: this is no line of metrics. */
static int read_head(const cJSON *line, uint64_t *step, int *epoch, int *ended)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(line, "type");
    const cJSON *steps = cJSON_GetObjectItemCaseSensitive(line, "step");
    const cJSON *epochs = cJSON_GetObjectItemCaseSensitive(line, "epoch");
    if (!cJSON_IsString(type) || !cJSON_IsNumber(steps) ||
        !(steps->valuedouble >= 0 && steps->valuedouble < 9e15))
        return 0;
    *step = (uint64_t)steps->valuedouble;
    *ended = cJSON_IsNumber(epochs) && epochs->valuedouble >= 1;
    *epoch = strcmp(type->valuestring, "epoch") == 0;
    return *epoch || strcmp(type->valuestring, "step") == 0;
}

static int is_head(const char *name)
{
    return strcmp(name, "type") == 0 || strcmp(name, "step") == 0 ||
           strcmp(name, "epoch") == 0;
}

static fal_status take_layers(struct reading *r, uint64_t step, const cJSON *metric)
{
    fal_status status = FAL_OK;
    for (const cJSON *item = metric->child; item && !status; item = item->next)
        if (is_value(item))
            status = add_point(r, point_at(step, item), metric->string,
                               item->string, 0);
    return status;
}

static fal_status take_fields(struct reading *r, const cJSON *line, uint64_t step,
                              int epoch)
{
    fal_status status = FAL_OK;
    for (const cJSON *item = line->child; item && !status; item = item->next)
        if (cJSON_IsObject(item))
            status = take_layers(r, step, item);
        else if (is_value(item) && !is_head(item->string))
            status = add_point(r, point_at(step, item), item->string, NULL, epoch);
    return status;
}

/* *good = 0: it is left out. The first epoch that ends says how many steps one has; a
 * later line of that type may stand within an epoch, at the end of a run. */
static fal_status take_object(struct reading *r, const cJSON *line, int *good)
{
    uint64_t step;
    int epoch, ended;
    *good = cJSON_IsObject(line) && read_head(line, &step, &epoch, &ended) &&
            step >= r->run->last_step;
    if (!*good)
        return FAL_OK;
    r->run->last_step = step;
    r->run->lines++;
    if (epoch)
        r->run->epoch_step = step;
    if (epoch && ended && r->run->epoch_steps == 0)
        r->run->epoch_steps = step;
    return take_fields(r, line, step, epoch);
}

static fal_status take_line(struct reading *r, const char *text, size_t length)
{
    const char *end = NULL;
    int good = 0;
    cJSON *line = cJSON_ParseWithLengthOpts(text, length, &end, 0);
    int whole = line && end + strspn(end, " \t\r") >= text + length;
    fal_status status = whole ? take_object(r, line, &good) : FAL_OK;
    cJSON_Delete(line);
    r->line++;
    if (!good && r->bad++ == 0)
        r->first = r->line;
    return status;
}

/* Zero bytes, which a crash of the system may leave, do not end the file. */
static fal_status take_lines(struct reading *r, const char *text, size_t size)
{
    fal_status status = FAL_OK;
    for (size_t length; size > 0 && !status; text += length, size -= length) {
        const char *newline = memchr(text, '\n', size);
        length = newline ? (size_t)(newline - text) : size;
        status = take_line(r, text, length);
        length += newline ? 1 : 0;
    }
    return status;
}

/* ---- the file ------------------------------------------------------------ */

static fal_status note_rest(const struct reading *r, report_notes *notes)
{
    const char *folder = r->run->folder;
    fal_status status = FAL_OK;
    if (r->bad > 0)
        status = report_note(notes,
                             "%s: metrics.jsonl: line %llu is no whole line of "
                             "metrics; %llu of %llu lines left out",
                             folder, (unsigned long long)r->first,
                             (unsigned long long)r->bad,
                             (unsigned long long)r->line);
    if (!status && r->run->lines == 0)
        status = report_note(notes, "%s: metrics.jsonl has no line of metrics yet",
                             folder);
    return status;
}

static fal_status read_at(report_run *run, const char *path, report_notes *notes)
{
    struct reading r = {.run = run};
    unsigned char *text;
    size_t size;
    if (access(path, F_OK) != 0)
        return report_note(notes, "%s: there is no metrics.jsonl yet", run->folder);
    fal_status status = fal_file_read(path, size_limit, &text, &size);
    if (status)
        return status;
    status = take_lines(&r, (const char *)text, size);
    fal_release(text);
    return status ? status : note_rest(&r, notes);
}

fal_status report_metrics_read(report_run *run, report_notes *notes)
{
    char *path = fal_folder_path(run->folder, "metrics.jsonl");
    fal_status status = path ? read_at(run, path, notes) : FAL_ERROR_MEMORY;
    fal_release(path);
    return status;
}
