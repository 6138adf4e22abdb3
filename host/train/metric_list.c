#include "train/metric_list.h"
#include "device/memory.h"

#include <string.h>

fal_status fal_metric_list_add(fal_metric_list *list, const fal_metric *metric)
{
    fal_metric *grown = fal_resize(list->items, list->count + 1, sizeof *grown);
    if (!grown)
        return FAL_ERROR_MEMORY;
    list->items = grown;
    list->items[list->count++] = *metric;
    return FAL_OK;
}

void fal_metric_list_json(const fal_metric_list *list, fal_json *json)
{
    for (size_t i = 0; i < list->count; i++) {
        const fal_metric *m = &list->items[i];
        if (i == 0 || strcmp(m->name, m[-1].name) != 0) {
            fal_json_key(json, m->name);
            fal_json_begin_object(json);
        }
        fal_json_key(json, m->layer);
        fal_json_number(json, m->value);
        if (i + 1 == list->count || strcmp(m->name, m[1].name) != 0)
            fal_json_end_object(json);
    }
}

void fal_metric_list_release(fal_metric_list *list)
{
    fal_release(list->items);
    *list = (fal_metric_list){0};
}
