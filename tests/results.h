/* What an experiment left: JSON files, and figures of out/results.json against recorded
 * ones. Behind tool.h. */
#ifndef TEST_RESULTS_H
#define TEST_RESULTS_H

#include <cjson/cJSON.h>
#include <math.h>

typedef struct recorded_figure {
    const char *name;
    double mean, within;
} recorded_figure;

static inline cJSON *read_json(const char *name)
{
    char *text = tool_read(name);
    cJSON *json = cJSON_Parse(text);
    free(text);
    if (!json)
        fail_msg("%s is no JSON", name);
    return json;
}

static inline double number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItem(object, name);
    if (!cJSON_IsNumber(item))
        fail_msg("no number %s", name);
    return item->valuedouble;
}

static inline void expect_figures(const recorded_figure *recorded, size_t count)
{
    cJSON *json = read_json("out/results.json");
    const cJSON *figures = cJSON_GetObjectItem(json, "figures");
    for (size_t i = 0; i < count; i++) {
        double mean = number(cJSON_GetObjectItem(figures, recorded[i].name),
                             "mean");
        if (!(fabs(mean - recorded[i].mean) <= recorded[i].within))
            fail_msg("%s: %.6g, not %.6g", recorded[i].name, mean,
                     recorded[i].mean);
    }
    cJSON_Delete(json);
}

#endif
