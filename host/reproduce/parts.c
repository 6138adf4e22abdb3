/* The list of parts, and what their results hold. */
#include "device/error.h"
#include "device/memory.h"
#include "report/list.h"
#include "reproduce/study.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- the list ------------------------------------------------------------ */

void fal_part_name(fal_part *part, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(part->key, sizeof part->key, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof part->key)
        *part->key = 0; /* fal_parts_add refuses it: cut names would be alike */
}

static fal_status check_key(const fal_parts *parts, const char *key)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
    if (!*key || *key == '.' || strspn(key, letters) != strlen(key))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "part '%s': its key must be a to z, 0 to 9, '.', '-' and "
                        "'_', at most %d of them",
                        key, FAL_PART_KEY - 1);
    for (size_t i = 0; i < parts->count; i++)
        if (strcmp(parts->list[i].key, key) == 0)
            return fal_fail(
                FAL_ERROR_ARGUMENT,
                "part '%s': there is one already; give each its own key", key);
    return FAL_OK;
}

fal_status fal_parts_add(fal_parts *parts, const fal_part *part)
{
    fal_status status = check_key(parts, part->key);
    if (status)
        return status;
    fal_part *list = report_grown(parts->list, parts->count, sizeof *list);
    if (!list)
        return FAL_ERROR_MEMORY;
    parts->list = list;
    list[parts->count++] = *part;
    return FAL_OK;
}

void fal_parts_release(fal_parts *parts)
{
    for (size_t i = 0; i < parts->count && parts->results; i++)
        cJSON_Delete(parts->results[i]);
    fal_release(parts->results);
    fal_release(parts->list);
    *parts = (fal_parts){NULL, NULL, 0};
}

/* ---- filling a result ---------------------------------------------------- */

static fal_status no_room(const char *name)
{
    return fal_fail(FAL_ERROR_MEMORY, "result '%s': no host memory", name);
}

static cJSON *number_or_null(double value)
{
    return isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull();
}

fal_status fal_result_number(cJSON *result, const char *name, double value)
{
    cJSON *item = number_or_null(value);
    if (item && cJSON_AddItemToObject(result, name, item))
        return FAL_OK;
    cJSON_Delete(item);
    return no_room(name);
}

fal_status fal_result_numbers(cJSON *result, const char *name, const double *values,
                              size_t count)
{
    cJSON *array = cJSON_AddArrayToObject(result, name);
    for (size_t i = 0; i < count && array; i++) {
        cJSON *item = number_or_null(values[i]);
        if (!item || !cJSON_AddItemToArray(array, item)) {
            cJSON_Delete(item);
            return no_room(name);
        }
    }
    return array ? FAL_OK : no_room(name);
}

/* ---- reading results ----------------------------------------------------- */

const cJSON *fal_study_part(const fal_study *study, const char *key)
{
    for (size_t i = 0; i < study->parts.count; i++)
        if (strcmp(study->parts.list[i].key, key) == 0)
            return study->parts.results[i];
    return NULL;
}

size_t fal_study_part_count(const fal_study *study)
{
    return study->parts.count;
}

const fal_part *fal_study_part_at(const fal_study *study, size_t index,
                                  const cJSON **result)
{
    if (result)
        *result = study->parts.results[index];
    return &study->parts.list[index];
}

static fal_status read_number(const fal_part *part, const cJSON *item,
                              const char *member, double *value)
{
    if (cJSON_IsNumber(item) || cJSON_IsNull(item)) {
        *value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
        return FAL_OK;
    }
    return fal_fail(FAL_ERROR_FORMAT, "part %s: its result has no number '%s'",
                    part->key, member);
}

/* 1: the part is one of these, and has a result. */
static int is_one(const fal_study *study, size_t index, int kind, size_t setting)
{
    const fal_part *part = &study->parts.list[index];
    return part->kind == kind && part->setting == setting &&
           study->parts.results[index];
}

static size_t count_parts(const fal_study *study, int kind, size_t setting)
{
    size_t count = 0;
    for (size_t i = 0; i < study->parts.count; i++)
        count += is_one(study, i, kind, setting) ? 1 : 0;
    return count;
}

fal_status fal_study_values(const fal_study *study, int kind, size_t setting,
                            const char *member, double **values, size_t *count)
{
    size_t all = count_parts(study, kind, setting), got = 0;
    fal_status status = FAL_OK;
    double *read = fal_allocate(all, sizeof *read);
    if (!read)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < study->parts.count && !status; i++)
        if (is_one(study, i, kind, setting))
            status = read_number(
                &study->parts.list[i],
                cJSON_GetObjectItemCaseSensitive(study->parts.results[i], member),
                member, &read[got++]);
    if (status) {
        fal_release(read);
        return status;
    }
    *values = read;
    *count = all;
    return FAL_OK;
}

/* *values grows by the array of a part; all have the length of the first. */
static fal_status read_list(const fal_part *part, const cJSON *result,
                            const char *member, size_t row, size_t *count,
                            double **values)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(result, member);
    const cJSON *item;
    size_t length = (size_t)cJSON_GetArraySize(array), i = 0;
    if (!cJSON_IsArray(array) || (row > 0 && length != *count))
        return fal_fail(FAL_ERROR_FORMAT,
                        "part %s: its result has no list '%s' as long as others",
                        part->key, member);
    *count = length;
    double *grown = fal_resize(*values, (row + 1) * length + 1, sizeof *grown);
    if (!grown)
        return FAL_ERROR_MEMORY;
    *values = grown;
    fal_status status = FAL_OK;
    cJSON_ArrayForEach(item, array)
    {
        status = status ? status
                        : read_number(part, item, member, &grown[row * length + i]);
        i++;
    }
    return status;
}

fal_status fal_study_lists(const fal_study *study, int kind, size_t setting,
                           const char *member, double **values, size_t *seeds,
                           size_t *count)
{
    double *read = fal_allocate(1, sizeof *read);
    size_t rows = 0, length = 0;
    fal_status status = read ? FAL_OK : FAL_ERROR_MEMORY;
    for (size_t i = 0; i < study->parts.count && !status; i++)
        if (is_one(study, i, kind, setting))
            status = read_list(&study->parts.list[i], study->parts.results[i],
                               member, rows++, &length, &read);
    if (status) {
        fal_release(read);
        return status;
    }
    *values = read;
    *seeds = rows;
    *count = length;
    return FAL_OK;
}
