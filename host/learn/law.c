#include "learn/law.h"
#include "device/number.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const fal_law_row fal_laws[] = {
    {"fan-in", 0, "uniform, ±1/sqrt(fan_in); biases too"},
    {"xavier", 0, "uniform, ±sqrt(6/(fan_in + fan_out)); biases 0"},
    {"xavier-normal", 0, "normal, variance 2/(fan_in + fan_out); biases 0"},
    {"normal:SD", 0, "normal, standard deviation SD; biases 0"},
    {"uniform:BOUND", 0, "uniform, ±BOUND; biases 0"},
    {"zero", 0, "all 0"},
    {"weights", 1,
     "the weight law of the run; the default layer to layer, not for direct rules"},
    {"units", 1,
     "uniform, ±1/sqrt(units of the layer); dfa's default, for direct "
     "rules only"},
};

enum { LAWS = sizeof fal_laws / sizeof *fal_laws };

const size_t fal_law_count = LAWS;

/* "normal:0.1": the name up to the colon, then a number. */
static fal_status parse_value(const char *text, const char *what, double *value)
{
    const char *number = strchr(text, ':') + 1;
    char *end;
    *value = fal_number_parse(number, &end);
    if (*end || end == number || !isfinite(*value) || *value <= 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "%s '%.60s': a number above 0 must follow the colon", what,
                        text);
    return FAL_OK;
}

fal_status fal_law_parse(const char *text, int feedback, const char *what,
                         fal_law *law)
{
    const char *known[LAWS];
    size_t count = 0;
    for (size_t i = 0; i < LAWS; i++) {
        const char *name = fal_laws[i].name, *colon = strchr(name, ':');
        size_t length = colon ? (size_t)(colon - name) + 1 : strlen(name) + 1;
        if (fal_laws[i].feedback_only && !feedback)
            continue;
        known[count++] = name;
        if (strncmp(text, name, length) != 0)
            continue;
        *law = (fal_law){.kind = (fal_law_kind)i};
        return colon ? parse_value(text, what, &law->value) : FAL_OK;
    }
    return fal_fail_unknown(what, text, known, count);
}

void fal_law_print(char text[FAL_LAW_TEXT], fal_law law)
{
    const char *name = fal_laws[law.kind].name, *colon = strchr(name, ':');
    int length = (int)(colon ? (size_t)(colon - name) + 1 : strlen(name));
    int used = snprintf(text, FAL_LAW_TEXT, "%.*s", length, name);
    if (colon)
        fal_number_print_exact(text + used, FAL_LAW_TEXT - (size_t)used, law.value);
}

fal_random fal_law_resolve(fal_law law, size_t fan_in, size_t fan_out, size_t units)
{
    double in = (double)fan_in, both = in + (double)fan_out;
    fal_random random = {.distribution = FAL_UNIFORM};
    switch (law.kind) {
    case FAL_LAW_FAN_IN:
    case FAL_LAW_WEIGHTS:
        random.scale = (float)(1 / sqrt(in));
        break;
    case FAL_LAW_XAVIER:
        random.scale = (float)sqrt(6 / both);
        break;
    case FAL_LAW_XAVIER_NORMAL:
        random.distribution = FAL_NORMAL;
        random.scale = (float)sqrt(2 / both);
        break;
    case FAL_LAW_NORMAL:
        random.distribution = FAL_NORMAL;
        random.scale = (float)law.value;
        break;
    case FAL_LAW_UNIFORM:
        random.scale = (float)law.value;
        break;
    case FAL_LAW_ZERO:
        random.distribution = FAL_ZERO;
        break;
    case FAL_LAW_UNITS:
        random.scale = (float)(1 / sqrt((double)units));
        break;
    }
    return random;
}

double fal_law_deviation(const fal_random *random)
{
    switch (random->distribution) {
    case FAL_ZERO:
        return 0;
    case FAL_UNIFORM:
        return (double)random->scale / sqrt(3);
    case FAL_NORMAL:
        break;
    }
    return (double)random->scale;
}
