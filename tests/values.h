/* For tests: the values of a measurement. */
#ifndef FAL_TEST_VALUES_H
#define FAL_TEST_VALUES_H

#include "learning.h"

static const char *const rules[] = {"bp",   "fa",      "dfa",  "usf", "brsf",
                                    "frsf", "shallow", "drtp", "kp",  "wm"};
enum { RULES = sizeof rules / sizeof *rules };

typedef struct values {
    fal_metric items[2048];
    size_t count, stop_at; /* stop_at 0: never */
} values;

static inline int collect(const fal_metric *metric, void *user)
{
    values *v = user;
    assert_int_equal(metric->size, sizeof *metric);
    assert_true(v->count < 2048);
    v->items[v->count++] = *metric;
    return v->count == v->stop_at;
}

/* The only value of that name and layer at that step. */
static inline double value_at(const values *v, uint64_t step, const char *name,
                              const char *layer_name)
{
    const fal_metric *found = NULL;
    for (size_t i = 0; i < v->count; i++)
        if (v->items[i].step == step && strcmp(v->items[i].name, name) == 0 &&
            strcmp(v->items[i].layer, layer_name) == 0) {
            assert_null(found);
            found = &v->items[i];
        }
    if (!found)
        fail_msg("no %s of %s", name, layer_name);
    return found->value;
}

static inline int has_value(const values *v, const char *name,
                            const char *layer_name)
{
    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->items[i].name, name) == 0 &&
            strcmp(v->items[i].layer, layer_name) == 0)
            return 1;
    return 0;
}

/* number 0: the total */
static inline const char *layer_name(size_t number)
{
    static char name[32];
    snprintf(name, sizeof name, number ? "dense%zu" : "total", number);
    return name;
}

static inline void expect_metric(const values *v, const char *name, size_t number,
                                 double expected, double bound)
{
    double got = value_at(v, v->items[0].step, name, layer_name(number));
    if (isnan(expected) ? !isnan(got) : !(fabs(got - expected) <= bound))
        fail_msg("%s of %s is %.17g, not %.17g", name, layer_name(number), got,
                 expected);
}

#endif
