/* The values of a measurement, kept. */
#ifndef FAL_METRIC_LIST_H
#define FAL_METRIC_LIST_H

#include "files/json.h"

typedef struct fal_metric_list {
    fal_metric *items; /* names and layers are not copied */
    size_t count;
} fal_metric_list;

fal_status fal_metric_list_add(fal_metric_list *list, const fal_metric *metric);

/* Into an open object: "name": {layer: value, …} for each name; NAN is null. */
void fal_metric_list_json(const fal_metric_list *list, fal_json *json);
void fal_metric_list_release(fal_metric_list *list);

#endif
