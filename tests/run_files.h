/* For tests of the tool: what a run leaves, and the numbers in JSON. */
#ifndef RUN_FILES_H
#define RUN_FILES_H

#include "tool.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char run_files[] =
    "checkpoint.safetensors config.yaml metrics.jsonl model.safetensors "
    "start.safetensors";

static inline void assert_same_files(const char *one, const char *other)
{
    if (!tool_same(one, other))
        fail_msg("%s and %s differ", one, other);
}

/* `steps`: of an epoch */
static inline void assert_same_steps(const char *one, const char *other, int steps)
{
    char a[128], b[128], epoch[128];
    snprintf(epoch, sizeof epoch,
             "\"type\":\"epoch\",\"step\":%d,\"epoch\":1,\"train_loss\":", steps);
    snprintf(a, sizeof a, "%s/model.safetensors", one);
    snprintf(b, sizeof b, "%s/model.safetensors", other);
    assert_same_files(a, b);
    snprintf(a, sizeof a, "%s/metrics.jsonl", one);
    snprintf(b, sizeof b, "%s/metrics.jsonl", other);
    char *x = tool_read_untimed(a), *y = tool_read_untimed(b);
    assert_string_equal(x, y);
    assert_has(x, epoch);
    assert_has(x, "\"type\":\"step\",\"step\":5,\"epoch\":0,\"train_loss\":");
    free(x);
    free(y);
}

/* Of all sample images */
static inline void assert_same_run(const char *one, const char *other)
{
    assert_same_steps(one, other, 16);
}

static inline double number(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(json, key);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

/* The value of a metric's layer in the last line of a run that has the metric. */
static inline double last_metric(const char *folder, const char *metric,
                                 const char *layer)
{
    char path[128];
    double found = NAN;
    snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
    char *text = tool_read(path), *rest;
    for (char *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        cJSON *json = cJSON_Parse(line);
        const cJSON *layers = cJSON_GetObjectItem(json, metric);
        if (layers)
            found = number(layers, layer);
        cJSON_Delete(json);
    }
    free(text);
    if (isnan(found))
        fail_msg("%s has no %s of %s", path, metric, layer);
    return found;
}

#endif
