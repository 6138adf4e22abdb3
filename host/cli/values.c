#include "cli/values.h"
#include "device/error.h"
#include "device/text.h"
#include "learn/law.h"
#include "learn/schedule.h"
#include "train/augment.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LIMIT = 64, NAMES = 32, PART_LIMIT = 256 };

/* ---- parts --------------------------------------------------------------- */

fal_status cli_parts(const char *text, char separator, cli_part_visit visit,
                     void *user)
{
    fal_status status = FAL_OK;
    while (text && !status) {
        char part[PART_LIMIT];
        const char *end = strchr(text, separator);
        text += strspn(text, " \t");
        size_t length = end ? (size_t)(end - text) : strlen(text);
        while (length > 0 && strchr(" \t", text[length - 1]))
            length--;
        if (length >= sizeof part)
            length = sizeof part - 1; /* longer than anything known */
        memcpy(part, text, length);
        part[length] = 0;
        status = visit(part, user);
        text = end ? end + 1 : NULL;
    }
    return status;
}

/* ---- names --------------------------------------------------------------- */

struct names {
    char texts[NAMES][NAME_LIMIT];
    const char *known[NAMES];
    size_t count;
};

static fal_status add_name(const char *part, void *user)
{
    struct names *names = user;
    snprintf(names->texts[names->count], NAME_LIMIT, "%.63s", part);
    names->known[names->count] = names->texts[names->count];
    names->count++;
    return FAL_OK;
}

static fal_status check_name(const cli_option *option, const struct names *names,
                             const char *text)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(text, names->known[i]) == 0)
            return FAL_OK;
    int is_rule = option->kind == CLI_RULES || option->kind == CLI_RATES;
    return fal_fail_unknown(is_rule ? "rule" : option->name, text, names->known,
                            names->count);
}

static fal_status check_choice(const cli_option *option, const char *text)
{
    struct names names = {.count = 0};
    cli_parts(option->argument, '|', add_name, &names);
    return check_name(option, &names, text);
}

static fal_status check_rule(const cli_option *option, const char *text)
{
    struct names names = {.count = 0};
    for (size_t i = 0; i < fal_rule_count(); i++)
        add_name(fal_rule_name(i), &names);
    return check_name(option, &names, text);
}

struct rules {
    const cli_option *option;
    const char *text;
    unsigned seen; /* bits by the number of the rule */
};

static fal_status check_listed_rule(const char *part, void *user)
{
    struct rules *rules = user;
    unsigned bit = 1;
    fal_status status = check_rule(rules->option, part);
    if (status)
        return status;
    for (size_t i = 0; strcmp(part, fal_rule_name(i)) != 0; i++)
        bit <<= 1;
    if (rules->seen & bit)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "'%s' has %s twice; name each rule once", rules->text,
                        part);
    rules->seen |= bit;
    return FAL_OK;
}

/* ---- numbers ------------------------------------------------------------- */

static void real_range(const cli_bounds *bounds, char *text, size_t size)
{
    if (bounds->high < 1e30)
        snprintf(text, size, "a number from %s%g to %s%g",
                 bounds->open & CLI_LOW_OPEN ? "above " : "", bounds->low,
                 bounds->open & CLI_HIGH_OPEN ? "below " : "", bounds->high);
    else
        snprintf(text, size, "a number %s %g",
                 bounds->open & CLI_LOW_OPEN ? "above" : "of at least",
                 bounds->low);
}

void cli_value_range(const cli_option *option, char *text, size_t size)
{
    const cli_bounds *bounds = option->bounds;
    *text = 0;
    if (option->kind == CLI_SEED)
        snprintf(text, size, "a whole number from 0 to 18446744073709551615");
    else if (option->kind == CLI_COUNT || option->kind == CLI_EVERY ||
             option->kind == CLI_SIZE)
        snprintf(text, size, "a whole number from %.0f to %.0f%s", bounds->low,
                 bounds->high, option->kind == CLI_EVERY ? ", or 'epoch'" : "");
    else if (bounds)
        real_range(bounds, text, size);
}

static fal_status number_failed(const cli_option *option, const char *text,
                                const char *why)
{
    char range[96];
    cli_value_range(option, range, sizeof range);
    return fal_fail(FAL_ERROR_ARGUMENT, "'%.100s' %s; give %s", text, why, range);
}

static fal_status read_whole(const cli_option *option, const char *text,
                             uint64_t *whole)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (!*digits || strspn(digits, "0123456789") != strlen(digits))
        return number_failed(option, text, "is not a whole number");
    if (*text == '-' && strspn(digits, "0") != strlen(digits))
        return number_failed(option, text, "is negative");
    errno = 0;
    unsigned long long value = strtoull(digits, NULL, 10);
    int bounded = option->kind != CLI_SEED;
    if (errno == ERANGE || (bounded && (double)value > option->bounds->high))
        return number_failed(option, text, "is too large");
    if (bounded && (double)value < option->bounds->low)
        return number_failed(option, text, "is too small");
    *whole = value;
    return FAL_OK;
}

static fal_status read_real(const cli_option *option, const char *text,
                            double *real)
{
    const cli_bounds *range = option->bounds;
    char *end;
    double value = strtod(text, &end);
    /* strtod would also take blanks, "nan" and hexadecimal numbers. */
    if (!*text || strspn(text, "0123456789.eE+-") != strlen(text) || *end)
        return number_failed(option, text, "is not a number");
    if (value < range->low || (range->open & CLI_LOW_OPEN && value <= range->low))
        return number_failed(option, text, "is too small");
    if (value > range->high || !isfinite(value) ||
        (range->open & CLI_HIGH_OPEN && value >= range->high))
        return number_failed(option, text, "is too large");
    *real = value;
    return FAL_OK;
}

struct rates {
    struct rules rules;
    int general; /* a rate for all others was there */
};

static fal_status check_general_rate(const char *part, struct rates *rates)
{
    double rate;
    fal_status status = read_real(rates->rules.option, part, &rate);
    if (!status && rates->general++)
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "'%s' has a second rate for all rules, %s; keep one, or "
                          "write RULE=%s",
                          rates->rules.text, part, part);
    return status;
}

static fal_status check_rate(const char *part, void *user)
{
    struct rates *rates = user;
    const char *equals = strchr(part, '=');
    char name[PART_LIMIT];
    double rate;
    if (!equals)
        return check_general_rate(part, rates);
    snprintf(name, sizeof name, "%.*s", (int)(equals - part), part);
    fal_status status = check_listed_rule(name, &rates->rules);
    if (status)
        return status;
    status = read_real(rates->rules.option, equals + 1, &rate);
    return status ? fal_fail_within(status, "%s", name) : FAL_OK;
}

struct rate {
    const char *rule;
    double general, own;
};

static fal_status pick_rate(const char *part, void *user)
{
    struct rate *rate = user;
    const char *equals = strchr(part, '=');
    size_t length = equals ? (size_t)(equals - part) : 0;
    if (!equals)
        rate->general = atof(part);
    else if (strlen(rate->rule) == length && !strncmp(part, rate->rule, length))
        rate->own = atof(equals + 1);
    return FAL_OK;
}

double cli_rate_read(const char *text, const char *rule)
{
    struct rate rate = {rule, 0, 0};
    cli_parts(text, ',', pick_rate, &rate);
    return rate.own > 0 ? rate.own : rate.general;
}

/* ---- decays -------------------------------------------------------------- */

struct decays {
    const cli_option *option;
    const char *text;
    int general;
    double value; /* of all layers */
};

/* Whether LAYER= of a part of the text stands there twice. */
static int is_repeated(const char *text, const char *part, size_t name)
{
    size_t count = 0;
    for (const char *at = text; at; at = strchr(at, ',')) {
        at += *at == ',';
        at += strspn(at, " \t");
        count += strncmp(at, part, name + 1) == 0;
    }
    return count > 1;
}

static fal_status check_layer_decay(const char *part, const char *equals,
                                    const struct decays *decays)
{
    double decay;
    size_t length = (size_t)(equals - part);
    if (length == 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "'%s': no layer stands before '%s'; give LAYER%s",
                        decays->text, part, part);
    if (is_repeated(decays->text, part, length))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "'%s' has %.*s twice; name each layer once", decays->text,
                        (int)length, part);
    fal_status status = read_real(decays->option, equals + 1, &decay);
    return status ? fal_fail_within(status, "%.*s", (int)length, part) : FAL_OK;
}

static fal_status check_decay(const char *part, void *user)
{
    struct decays *decays = user;
    const char *equals = strchr(part, '=');
    if (equals)
        return check_layer_decay(part, equals, decays);
    if (decays->general && strspn(part, "0123456789.eE+-") != strlen(part))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "'%s': '%s' is no number, nor LAYER=DECAY; give %s=DECAY, "
                        "or leave it out",
                        decays->text, part, part);
    if (decays->general++)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "'%s' has a second decay for all layers, %s; keep one, or "
                        "write LAYER=%s",
                        decays->text, part, part);
    return read_real(decays->option, part, &decays->value);
}

static fal_status read_decays(cli_value *value, const cli_option *option,
                              const char *text)
{
    struct decays decays = {option, text, 0, 0};
    fal_status status = cli_parts(text, ',', check_decay, &decays);
    value->real = decays.value;
    return status;
}

/* ---- all kinds ----------------------------------------------------------- */

/* config.yaml could not repeat bytes that are no characters. */
static fal_status check_text(const cli_option *option, const char *text)
{
    size_t left = strlen(text), length = 1;
    if (left == 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "its value is empty; give %s",
                        option->argument);
    for (; left > 0 && length > 0; text += length, left -= length)
        length = fal_utf8_length((const unsigned char *)text, left);
    if (length > 0)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "its value is not UTF-8; write names and paths in UTF-8");
}

static fal_status read_flag(cli_value *value, const char *text)
{
    int no = text && strcmp(text, "false") == 0;
    if (text && !no && strcmp(text, "true") != 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "'%.100s' will not do; give true or false", text);
    value->set = !no;
    return FAL_OK;
}

static fal_status check_milestones(const char *text)
{
    fal_schedule schedule = {0};
    fal_status status = fal_schedule_milestones(&schedule, text);
    fal_schedule_release(&schedule);
    return status;
}

/* Two whole numbers without signs. */
static fal_status read_size(cli_value *value, const cli_option *option,
                            const char *text)
{
    uint64_t sizes[2] = {0, 0};
    const char *by = strchr(text, 'x');
    char height[PART_LIMIT];
    snprintf(height, sizeof height, "%.*s", (int)strcspn(text, "x"), text);
    if (!by || strspn(height, "0123456789") != strlen(height))
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "'%.100s' is no size; give HxW, for example 14x14", text);
    fal_status status = read_whole(option, height, &sizes[0]);
    if (!status)
        status = read_whole(option, by + 1, &sizes[1]);
    value->whole = sizes[0] << 32 | sizes[1];
    return status;
}

static fal_status read_every(cli_value *value, const cli_option *option,
                             const char *text)
{
    value->whole = 0;
    return strcmp(text, "epoch") == 0 ? FAL_OK
                                      : read_whole(option, text, &value->whole);
}

static fal_status read_kind(cli_value *value, const cli_option *option,
                            const char *text)
{
    struct rates rates = {.rules = {option, text, 0}};
    fal_law law;
    fal_augmentation augmentation = {0};
    switch (option->kind) {
    case CLI_FLAG:
        return read_flag(value, text);
    case CLI_OPTIONAL_TEXT:
        return FAL_OK;
    case CLI_TEXT:
        return check_text(option, text);
    case CLI_CHOICE:
        return check_choice(option, text);
    case CLI_RULE:
        return check_rule(option, text);
    case CLI_RULES:
        return cli_parts(text, ',', check_listed_rule, &rates.rules);
    case CLI_COUNT:
    case CLI_SEED:
        return read_whole(option, text, &value->whole);
    case CLI_EVERY:
        return read_every(value, option, text);
    case CLI_REAL:
        return read_real(option, text, &value->real);
    case CLI_RATES:
        return cli_parts(text, ',', check_rate, &rates);
    case CLI_DECAYS:
        return read_decays(value, option, text);
    case CLI_LAW:
    case CLI_LAW_OF_FEEDBACK:
        return fal_law_parse(text, option->kind == CLI_LAW_OF_FEEDBACK, "law",
                             &law);
    case CLI_AUGMENTATION:
        return fal_augmentation_parse(&augmentation, text);
    case CLI_MILESTONES:
        return check_milestones(text);
    case CLI_SIZE:
        return read_size(value, option, text);
    }
    return FAL_OK;
}

fal_status cli_value_read(cli_value *value, const cli_option *option,
                          const char *text)
{
    value->set = 1;
    value->text = text;
    return read_kind(value, option, text);
}
