#include "learn/law.h"
#include "device/number.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

static const char *const names[] = {"fan-in",    "xavier",        "xavier-normal",
                                    "normal:SD", "uniform:BOUND", "zero",
                                    "weights",   "units"};

enum { WEIGHT_LAWS = 6, FEEDBACK_LAWS = 8 };

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
    size_t count = feedback ? FEEDBACK_LAWS : WEIGHT_LAWS;
    for (size_t i = 0; i < count; i++) {
        const char *colon = strchr(names[i], ':');
        size_t length = colon ? (size_t)(colon - names[i]) + 1
                              : strlen(names[i]) + 1;
        if (strncmp(text, names[i], length) != 0)
            continue;
        *law = (fal_law){.kind = (fal_law_kind)i};
        return colon ? parse_value(text, what, &law->value) : FAL_OK;
    }
    return fal_fail_unknown(what, text, names, count);
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
