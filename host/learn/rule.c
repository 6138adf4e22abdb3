#include "learn/rule.h"

#include <string.h>

const fal_rule fal_rules[] = {
    {"bp", FAL_PATH_LAYERS, FAL_CARRIER_WEIGHTS, FAL_LEARNS_NEVER,
     "the transposed weights: backpropagation"},
    {"fa", FAL_PATH_LAYERS, FAL_CARRIER_FEEDBACK, FAL_LEARNS_NEVER,
     "fixed random matrices of the weights' shapes, layer to layer (Lillicrap "
     "2016)"},
    {"dfa", FAL_PATH_DIRECT, FAL_CARRIER_FEEDBACK, FAL_LEARNS_NEVER,
     "fixed random matrices straight from the output (Nøkland 2016)"},
    {"drtp", FAL_PATH_TARGET, FAL_CARRIER_FEEDBACK, FAL_LEARNS_NEVER,
     "the same straight from the target; hidden units must be bounded (Frenkel "
     "2021)"},
    {"usf", FAL_PATH_LAYERS, FAL_CARRIER_SIGN, FAL_LEARNS_NEVER,
     "the weights' signs, all of one size (Liao 2016)"},
    {"brsf", FAL_PATH_LAYERS, FAL_CARRIER_SIGN_REDRAWN, FAL_LEARNS_NEVER,
     "the weights' signs with random magnitudes, drawn anew each step (Liao 2016)"},
    {"frsf", FAL_PATH_LAYERS, FAL_CARRIER_SIGN_FIXED, FAL_LEARNS_NEVER,
     "the weights' signs with fixed random magnitudes (Moskovitz 2018)"},
    {"kp", FAL_PATH_LAYERS, FAL_CARRIER_FEEDBACK, FAL_LEARNS_WITH_WEIGHTS,
     "random matrices that take the weights' own steps and decay, and so come to "
     "agree with them (Kolen & Pollack 1994, Akrout 2019)"},
    {"wm", FAL_PATH_LAYERS, FAL_CARRIER_FEEDBACK, FAL_LEARNS_MIRROR,
     "random matrices that learn the weights from what those make of noise, "
     "between "
     "the steps: the weight mirror (Akrout 2019)"},
    {"shallow", FAL_PATH_NONE, FAL_CARRIER_NONE, FAL_LEARNS_NEVER,
     "nothing: only the output layer learns, the control every table needs"},
};

enum { RULES = sizeof fal_rules / sizeof *fal_rules };

size_t fal_rule_count(void)
{
    return RULES;
}

const char *fal_rule_name(size_t index)
{
    return index < RULES ? fal_rules[index].name : NULL;
}

fal_status fal_rule_find(const char *name, const fal_rule **rule)
{
    const char *known[RULES];
    for (size_t i = 0; i < RULES; i++) {
        known[i] = fal_rules[i].name;
        if (strcmp(name, known[i]) == 0) {
            *rule = &fal_rules[i];
            return FAL_OK;
        }
    }
    return fal_fail_unknown("rule", name, known, RULES);
}

int fal_rule_is_direct(const fal_rule *rule)
{
    return rule->path == FAL_PATH_DIRECT || rule->path == FAL_PATH_TARGET;
}

int fal_rule_has_law(const fal_rule *rule)
{
    return rule->carrier != FAL_CARRIER_WEIGHTS &&
           rule->carrier != FAL_CARRIER_NONE;
}

int fal_rule_has_matrix(const fal_rule *rule)
{
    return fal_rule_has_law(rule) && rule->carrier != FAL_CARRIER_SIGN;
}

int fal_rule_keeps_matrix(const fal_rule *rule)
{
    return fal_rule_has_matrix(rule) && rule->carrier != FAL_CARRIER_SIGN_REDRAWN;
}

int fal_rule_learns_feedback(const fal_rule *rule)
{
    return rule->learning != FAL_LEARNS_NEVER;
}

int fal_rule_may_regenerate(const fal_rule *rule)
{
    return fal_rule_has_matrix(rule) && !fal_rule_learns_feedback(rule);
}

int fal_rule_carrier_moves(const fal_rule *rule)
{
    return fal_rule_carries_by_weight(rule) ||
           rule->learning == FAL_LEARNS_WITH_WEIGHTS;
}

int fal_rule_carries_by_weight(const fal_rule *rule)
{
    return rule->path != FAL_PATH_LAYERS || rule->carrier != FAL_CARRIER_FEEDBACK;
}
