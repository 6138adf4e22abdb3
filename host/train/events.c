#include "train/events.h"
#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"
#include "files/tensorboard.h"

#include <cjson/cJSON.h>
#include <string.h>
#include <time.h>

/* ---- one line ------------------------------------------------------------ */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* null, which stands for no value, is left out. */
static void add_numbers(fal_bytes *summary, const char *group, const cJSON *object)
{
    for (const cJSON *item = object->child; item; item = item->next)
        if (cJSON_IsNumber(item))
            fal_event_scalar(summary, group, item->string, item->valuedouble);
}

/* Where in the run the line stands is no value of its own. */
static void add_fields(fal_bytes *summary, const char *type, const cJSON *line)
{
    for (const cJSON *item = line->child; item; item = item->next) {
        int place = strcmp(item->string, "step") == 0 ||
                    strcmp(item->string, "epoch") == 0;
        if (cJSON_IsNumber(item) && !place)
            fal_event_scalar(summary, type, item->string, item->valuedouble);
        else if (cJSON_IsObject(item))
            add_numbers(summary, item->string, item);
    }
}

static int is_step(const cJSON *item)
{
    return cJSON_IsNumber(item) && item->valuedouble >= 0 &&
           item->valuedouble <= 0x1p53; /* beyond, doubles leave some out */
}

/* What follows the line is not read. */
static fal_status add_line(fal_bytes *records, const char *text)
{
    cJSON *line = cJSON_Parse(text);
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(line, "type");
    const cJSON *step = cJSON_GetObjectItemCaseSensitive(line, "step");
    fal_bytes summary = FAL_NO_BYTES;
    int good = cJSON_IsString(type) && is_step(step);
    if (good) {
        add_fields(&summary, type->valuestring, line);
        fal_event_summary(records, now(), (uint64_t)step->valuedouble, &summary);
        fal_bytes_release(&summary);
    }
    cJSON_Delete(line);
    return good ? records->status
                : fal_fail(FAL_ERROR_FORMAT,
                           "TensorBoard's events: '%.40s...' is no line of "
                           "metrics.jsonl",
                           text);
}

fal_status fal_events_add(const fal_journal *events, const char *line)
{
    fal_bytes records = FAL_NO_BYTES;
    fal_status status = add_line(&records, line);
    if (!status)
        status = fal_journal_add(events, records.data, records.length);
    fal_bytes_release(&records);
    return status;
}

/* ---- opening ------------------------------------------------------------- */

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

/* Where the records of the lines end; *lines becomes the rest, which has none. A
 * process that was killed may have left half a record. */
static size_t find_end(const unsigned char *data, size_t size, const char **lines)
{
    size_t end = fal_event_length(data, size);
    for (; end > 0 && **lines; *lines = next_line(*lines)) {
        size_t record = fal_event_length(data + end, size - end);
        if (record == 0)
            break;
        end += record;
    }
    return end;
}

static fal_status add_rest(const fal_journal *events, int begun, const char *lines)
{
    fal_bytes records = FAL_NO_BYTES;
    fal_status status = FAL_OK;
    if (!begun)
        fal_event_version(&records, now());
    for (; *lines && !status; lines = next_line(lines))
        status = add_line(&records, lines);
    if (!status)
        status = records.status;
    if (!status)
        status = fal_journal_add(events, records.data, records.length);
    fal_bytes_release(&records);
    return status;
}

fal_status fal_events_open(fal_journal *events, const char *path, const char *lines)
{
    unsigned char *data = NULL;
    size_t size = 0, end = 0;
    fal_status status = fal_journal_open(events, path);
    if (!status)
        status = fal_file_read(path, SIZE_MAX, &data, &size);
    if (!status) {
        end = find_end(data, size, &lines);
        status = fal_journal_cut(events, end);
    }
    fal_release(data);
    return status ? status : add_rest(events, end > 0, lines);
}
