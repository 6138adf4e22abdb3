#include "reproduce/spec.h"
#include "data/known.h"
#include "device/error.h"
#include "device/memory.h"
#include "device/number.h"
#include "reproduce/claims.h"
#include "reproduce/experiments.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const fal_scale_names[FAL_SCALES] = {"tiny", "quick", "full"};

/* ---- failing, numbers ---------------------------------------------------- */

fal_status fal_spec_fail(const fal_spec *spec, const cli_yaml_node *node,
                         const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!node)
        return fal_fail(FAL_ERROR_FORMAT, "%s: %s", spec->path, text);
    fal_fail(FAL_ERROR_FORMAT, "%s%s%s", node->key ? node->key : "",
             node->key ? ": " : "", text);
    return cli_yaml_fail_at(FAL_ERROR_FORMAT, spec->path, node->place);
}

fal_status fal_spec_number(const fal_spec *spec, const cli_yaml_node *node,
                           double *value)
{
    char *end = NULL;
    double read = node->text ? fal_number_parse(node->text, &end) : NAN;
    if (!node->text || end == node->text || *end || !isfinite(read))
        return fal_spec_fail(spec, node, "'%.100s' is no number; give one, as 0.5",
                             node->text ? node->text : "");
    *value = read;
    return FAL_OK;
}

/* ---- members ------------------------------------------------------------- */

static fal_status check_keys(const fal_spec *spec, const cli_yaml_node *mapping,
                             const char *const *known, size_t count)
{
    for (const cli_yaml_node *m = mapping->first; m; m = m->next) {
        size_t i = 0;
        while (i < count && strcmp(m->key, known[i]) != 0)
            i++;
        if (i < count)
            continue;
        fal_fail_unknown("key", m->key, known, count);
        return cli_yaml_fail_at(FAL_ERROR_FORMAT, spec->path, m->place);
    }
    return FAL_OK;
}

/* *text stays NULL where the key is not there and need not be. */
static fal_status take_text(const fal_spec *spec, const char *key, int needed,
                            const char **text)
{
    const cli_yaml_node *node = cli_yaml_member(spec->root, key);
    *text = NULL;
    if (!node && !needed)
        return FAL_OK;
    if (!node)
        return fal_spec_fail(spec, NULL, "%s: missing; give '%s: TEXT'", key, key);
    if (node->kind != CLI_YAML_TEXT || !node->text || !*node->text)
        return fal_spec_fail(spec, node, "is no text; give '%s: TEXT'", key);
    *text = node->text;
    return FAL_OK;
}

/* ---- settings ------------------------------------------------------------ */

/* Texts, or lists of texts. */
static fal_status check_settings(const fal_spec *spec, const cli_yaml_node *node)
{
    if (node->kind == CLI_YAML_TEXT && !node->text)
        return FAL_OK;
    if (node->kind != CLI_YAML_MAPPING)
        return fal_spec_fail(spec, node, "must be a mapping, as 'seeds: 8'");
    for (const cli_yaml_node *m = node->first; m; m = m->next) {
        const cli_yaml_node *bad = m->kind == CLI_YAML_MAPPING ? m : NULL;
        if (!bad && m->kind == CLI_YAML_TEXT && !m->text)
            bad = m;
        for (const cli_yaml_node *i = m->first; i && !bad; i = i->next)
            bad = i->kind != CLI_YAML_TEXT || !i->text ? m : NULL;
        if (bad)
            return fal_spec_fail(spec, bad,
                                 "a setting is a number, a text or a list of them");
    }
    return FAL_OK;
}

static fal_status check_seeds(const fal_spec *spec, fal_scale scale)
{
    const cli_yaml_node *node = fal_spec_setting(spec, scale, "seeds");
    double seeds = 0;
    if (!node)
        return fal_spec_fail(spec, spec->scales[scale],
                             "seeds: missing; give 'seeds: 8'");
    fal_status status = fal_spec_number(spec, node, &seeds);
    if (!status && (seeds < 1 || seeds > 1e6 || seeds != floor(seeds)))
        status = fal_spec_fail(
            spec, node, "'%s' is no whole number from 1 to 1000000", node->text);
    return status;
}

static fal_status take_settings(fal_spec *spec)
{
    const cli_yaml_node *scales = cli_yaml_member(spec->root, "scales");
    fal_status status = FAL_OK;
    spec->common = cli_yaml_member(spec->root, "settings");
    if (spec->common)
        status = check_settings(spec, spec->common);
    if (status)
        return status;
    if (!scales || scales->kind != CLI_YAML_MAPPING)
        return fal_spec_fail(spec, scales,
                             "%smust be a mapping with tiny, quick and full",
                             scales ? "" : "scales: ");
    status = check_keys(spec, scales, fal_scale_names, FAL_SCALES);
    for (size_t i = 0; i < FAL_SCALES && !status; i++) {
        spec->scales[i] = cli_yaml_member(scales, fal_scale_names[i]);
        if (!spec->scales[i])
            return fal_spec_fail(spec, scales, "%s: missing; give its settings",
                                 fal_scale_names[i]);
        status = check_settings(spec, spec->scales[i]);
        if (!status)
            status = check_seeds(spec, (fal_scale)i);
    }
    return status;
}

const cli_yaml_node *fal_spec_setting(const fal_spec *spec, fal_scale scale,
                                      const char *name)
{
    const cli_yaml_node *own = cli_yaml_member(spec->scales[scale], name);
    return own ? own : cli_yaml_member(spec->common, name);
}

/* ---- all ----------------------------------------------------------------- */

static fal_status take_head(fal_spec *spec, const fal_experiment *experiment)
{
    static const char *const keys[] = {"name",     "paper",  "about", "data",
                                       "settings", "scales", "claims"};
    fal_status status = check_keys(spec, spec->root, keys,
                                   sizeof keys / sizeof *keys);
    if (!status)
        status = take_text(spec, "name", 1, &spec->name);
    if (!status && strcmp(spec->name, experiment->name) != 0)
        status = fal_spec_fail(spec, cli_yaml_member(spec->root, "name"),
                               "'%s' is not the experiment's own, '%s'", spec->name,
                               experiment->name);
    if (!status)
        status = take_text(spec, "paper", 1, &spec->paper);
    if (!status)
        status = take_text(spec, "about", 1, &spec->about);
    return status ? status : take_text(spec, "data", 0, &spec->data);
}

fal_status fal_spec_read(fal_spec *spec, const fal_experiment *experiment)
{
    const char *text = experiment->text ? experiment->text
                                        : fal_experiment_text(experiment->name);
    *spec = (fal_spec){.path = NULL};
    fal_status status = fal_text_format(
        &spec->path, "experiments/%s/experiment.yaml", experiment->name);
    if (!status && !text)
        status = fal_spec_fail(spec, NULL, "this falign was built without it");
    if (!status)
        status = cli_yaml_tree_read(&spec->root, spec->path, text);
    if (!status)
        status = take_head(spec, experiment);
    if (!status)
        status = take_settings(spec);
    return status ? status : fal_claims_read(spec);
}

void fal_spec_release(fal_spec *spec)
{
    for (size_t i = 0; i < spec->claim_count; i++)
        fal_release(spec->claims[i].figures);
    fal_release(spec->claims);
    cli_yaml_tree_release(spec->root);
    fal_release(spec->path);
    *spec = (fal_spec){.path = NULL};
}
