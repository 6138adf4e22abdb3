/* Reading claims. Each must be whole: an id of its own, its words, figures, and one
 * bound. */
#include "reproduce/claims.h"
#include "device/error.h"
#include "device/memory.h"

#include <math.h>
#include <string.h>

static const char *const keys[] = {
    "id",     "claim",  "published", "source", "figure", "above", "below", "near",
    "within", "errors", "equals",    "falls",  "rises",  "every", "data",  "scale"};
enum { KEYS = sizeof keys / sizeof *keys };

/* ---- texts and numbers --------------------------------------------------- */

static fal_status check_keys(const fal_spec *spec, const cli_yaml_node *node)
{
    for (const cli_yaml_node *m = node->first; m; m = m->next) {
        size_t i = 0;
        while (i < KEYS && strcmp(m->key, keys[i]) != 0)
            i++;
        if (i < KEYS)
            continue;
        fal_fail_unknown("key", m->key, keys, KEYS);
        return cli_yaml_fail_at(FAL_ERROR_FORMAT, spec->path, m->place);
    }
    return FAL_OK;
}

static fal_status take_text(const fal_spec *spec, const cli_yaml_node *node,
                            const char *key, int needed, const char **text)
{
    const cli_yaml_node *member = cli_yaml_member(node, key);
    *text = NULL;
    if (!member && !needed)
        return FAL_OK;
    if (!member)
        return fal_spec_fail(spec, node, "%s: missing in this claim; give it", key);
    if (member->kind != CLI_YAML_TEXT || !member->text || !*member->text)
        return fal_spec_fail(spec, member, "is no text; give '%s: TEXT'", key);
    *text = member->text;
    return FAL_OK;
}

/* *value stays what it is where the key is not there. */
static fal_status take_number(const fal_spec *spec, const cli_yaml_node *node,
                              const char *key, double *value)
{
    const cli_yaml_node *member = cli_yaml_member(node, key);
    return member ? fal_spec_number(spec, member, value) : FAL_OK;
}

static fal_status take_words(const fal_spec *spec, const cli_yaml_node *node,
                             fal_claim *claim)
{
    struct {
        const char *key;
        const char **text;
    } words[] = {{"id", &claim->id},
                 {"claim", &claim->claim},
                 {"published", &claim->published},
                 {"source", &claim->source}};
    fal_status status = FAL_OK;
    for (size_t i = 0; i < sizeof words / sizeof *words && !status; i++)
        status = take_text(spec, node, words[i].key, 1, words[i].text);
    return status ? status : take_text(spec, node, "data", 0, &claim->data);
}

static fal_status take_scale(const fal_spec *spec, const cli_yaml_node *node,
                             fal_claim *claim)
{
    const char *name;
    fal_status status = take_text(spec, node, "scale", 0, &name);
    claim->scale = FAL_SCALE_TINY;
    if (status || !name)
        return status;
    for (size_t i = 0; i < FAL_SCALES; i++)
        if (strcmp(name, fal_scale_names[i]) == 0) {
            claim->scale = (fal_scale)i;
            return FAL_OK;
        }
    fal_fail_unknown("scale", name, fal_scale_names, FAL_SCALES);
    return cli_yaml_fail_at(FAL_ERROR_FORMAT, spec->path,
                            cli_yaml_member(node, "scale")->place);
}

/* ---- the bound ----------------------------------------------------------- */

/* A name, or a list of names. */
static fal_status take_figures(const fal_spec *spec, const cli_yaml_node *member,
                               fal_claim *claim)
{
    int alone = member->kind == CLI_YAML_TEXT;
    size_t least =
        claim->bound == FAL_BOUND_FALLS || claim->bound == FAL_BOUND_RISES ? 2 : 1;
    claim->figures = fal_allocate(member->count + 1, sizeof *claim->figures);
    if (!claim->figures)
        return FAL_ERROR_MEMORY;
    for (const cli_yaml_node *m = alone ? member : member->first; m;
         m = alone ? NULL : m->next) {
        if (m->kind != CLI_YAML_TEXT || !m->text)
            return fal_spec_fail(spec, member, "names of figures are texts");
        claim->figures[claim->figure_count++] = m->text;
    }
    if (claim->figure_count >= least && member->kind != CLI_YAML_MAPPING)
        return FAL_OK;
    return fal_spec_fail(spec, member,
                         least == 2
                             ? "give the names of at least two figures, as [a, b]"
                             : "give the name of a figure, or a list of them");
}

/* Which bound it is: there must be one. `above` and `below` go together. */
static fal_status find_bound(const fal_spec *spec, const cli_yaml_node *node,
                             fal_claim *claim)
{
    static const struct {
        const char *key;
        fal_bound bound;
    } bounds[] = {{"above", FAL_BOUND_RANGE}, {"below", FAL_BOUND_RANGE},
                  {"near", FAL_BOUND_NEAR},   {"equals", FAL_BOUND_EQUALS},
                  {"falls", FAL_BOUND_FALLS}, {"rises", FAL_BOUND_RISES}};
    const cli_yaml_node *first = NULL;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        const cli_yaml_node *member = cli_yaml_member(node, bounds[i].key);
        if (member && first && bounds[i].bound != claim->bound)
            return fal_spec_fail(spec, member,
                                 "there is '%s' already; keep one of them",
                                 first->key);
        if (member) {
            first = member;
            claim->bound = bounds[i].bound;
        }
    }
    if (first)
        return FAL_OK;
    return fal_spec_fail(spec, node,
                         "no bound in this claim; give above, below, near, equals, "
                         "falls or rises");
}

/* Whether the bound is of the means or of each value. */
static fal_status take_every(const fal_spec *spec, const cli_yaml_node *node,
                             fal_claim *claim)
{
    const char *word;
    fal_status status = take_text(spec, node, "every", 0, &word);
    if (status || !word)
        return status;
    claim->every = strcmp(word, "seed") == 0;
    if (claim->every && claim->bound == FAL_BOUND_RANGE)
        return FAL_OK;
    return fal_spec_fail(spec, cli_yaml_member(node, "every"),
                         claim->every
                             ? "goes with above and below only; leave it out"
                             : "give 'every: seed', or leave it out");
}

/* What belongs to another bound would be passed over. */
static fal_status check_company(const fal_spec *spec, const cli_yaml_node *node,
                                const fal_claim *claim)
{
    int ordered = claim->bound == FAL_BOUND_FALLS ||
                  claim->bound == FAL_BOUND_RISES;
    const cli_yaml_node *figure = cli_yaml_member(node, "figure");
    const cli_yaml_node *within = cli_yaml_member(node, "within");
    const cli_yaml_node *errors = cli_yaml_member(node, "errors");
    if (ordered && figure)
        return fal_spec_fail(
            spec, figure, "the figures stand behind falls or rises; leave it out");
    if (!ordered && !figure)
        return fal_spec_fail(spec, node, "figure: missing in this claim; give it");
    if (claim->bound == FAL_BOUND_NEAR && !within)
        return fal_spec_fail(spec, node, "within: missing in this claim; give it");
    if (claim->bound != FAL_BOUND_NEAR && (within || errors))
        return fal_spec_fail(spec, within ? within : errors,
                             "goes with near only; leave it out");
    return FAL_OK;
}

static fal_status take_limits(const fal_spec *spec, const cli_yaml_node *node,
                              fal_claim *claim)
{
    struct {
        const char *key;
        double *value;
    } limits[] = {{"above", &claim->above},   {"below", &claim->below},
                  {"near", &claim->near},     {"within", &claim->within},
                  {"errors", &claim->errors}, {"equals", &claim->equals}};
    fal_status status = FAL_OK;
    claim->above = claim->below = NAN;
    for (size_t i = 0; i < sizeof limits / sizeof *limits && !status; i++)
        status = take_number(spec, node, limits[i].key, limits[i].value);
    return status;
}

static fal_status take_bound(const fal_spec *spec, const cli_yaml_node *node,
                             fal_claim *claim)
{
    fal_status status = find_bound(spec, node, claim);
    if (!status)
        status = check_company(spec, node, claim);
    if (!status)
        status = take_every(spec, node, claim);
    if (!status)
        status = take_limits(spec, node, claim);
    if (status)
        return status;
    const char *key = claim->bound == FAL_BOUND_FALLS   ? "falls"
                      : claim->bound == FAL_BOUND_RISES ? "rises"
                                                        : "figure";
    return take_figures(spec, cli_yaml_member(node, key), claim);
}

/* ---- the list ------------------------------------------------------------ */

static fal_status check_id(const fal_spec *spec, const cli_yaml_node *node,
                           const fal_claim *claim)
{
    for (const fal_claim *other = spec->claims; other < claim; other++)
        if (strcmp(other->id, claim->id) == 0)
            return fal_spec_fail(spec, cli_yaml_member(node, "id"),
                                 "'%s' is another claim's; give it one of its own",
                                 claim->id);
    return FAL_OK;
}

static fal_status read_claim(fal_spec *spec, const cli_yaml_node *node)
{
    fal_claim *claim = &spec->claims[spec->claim_count++];
    if (node->kind != CLI_YAML_MAPPING)
        return fal_spec_fail(spec, node, "a claim is a mapping, as '- id: NAME'");
    fal_status status = check_keys(spec, node);
    if (!status)
        status = take_words(spec, node, claim);
    if (!status)
        status = check_id(spec, node, claim);
    if (!status)
        status = take_scale(spec, node, claim);
    return status ? status : take_bound(spec, node, claim);
}

fal_status fal_claims_read(fal_spec *spec)
{
    const cli_yaml_node *list = cli_yaml_member(spec->root, "claims");
    if (!list || list->kind != CLI_YAML_LIST || list->count == 0)
        return fal_spec_fail(spec, list, "%smust be a list of claims",
                             list ? "" : "claims: ");
    spec->claims = fal_allocate(list->count, sizeof *spec->claims);
    if (!spec->claims)
        return FAL_ERROR_MEMORY;
    fal_status status = FAL_OK;
    for (const cli_yaml_node *m = list->first; m && !status; m = m->next)
        status = read_claim(spec, m);
    return status;
}
