#include "net/presets.h"
#include "device/memory.h"
#include "net/layer.h"

#include <stdio.h>
#include <string.h>

/* The item that --norm puts between a preset's layers and their activations. */
static fal_status find_norm(const char *name, const char **item)
{
    static const char *const known[] = {"none", "batch", "layer"};
    static const char *const items[] = {"", "norm, ", "norm layer, "};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(name ? name : known[0], known[i]) == 0) {
            *item = items[i];
            return FAL_OK;
        }
    return fal_fail_unknown("norm", name, known, 3);
}

int fal_network_is_preset(const char *text)
{
    return strcmp(text, "mlp") == 0 || strncmp(text, "mlp-", 4) == 0;
}

/* mlp-LxW as network text; other text is copied. */
fal_status fal_preset_expand(const char *text, const fal_network_defaults *defaults,
                             char **expanded)
{
    size_t depth = 0, width = 0;
    char copy[64] = "", line[256];
    const char *norm = NULL;
    fal_status status = find_norm(defaults->norm, &norm);
    if (status)
        return status;
    if (!fal_network_is_preset(text)) {
        *expanded = fal_copy_text(text);
        return *expanded ? FAL_OK : FAL_ERROR_MEMORY;
    }
    snprintf(copy, sizeof copy, "%s", text[3] ? text + 4 : "");
    char *by = strchr(copy, 'x');
    if (!by || strlen(text) >= sizeof copy)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "network '%.60s': the preset is mlp-LxW, for example "
                        "mlp-2x512",
                        text);
    *by++ = 0;
    status = fal_parse_size(copy, "number of layers", &depth);
    if (!status)
        status = fal_parse_size(by, "width", &width);
    if (!status && depth > 1000)
        status = fal_fail(FAL_ERROR_ARGUMENT, "%zu layers are more than 1000",
                          depth);
    if (status)
        return fal_fail_within(status, "network '%.60s'", text);
    if (defaults->outputs == 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "network '%s': a preset takes the number of outputs from a "
                        "data set, and none is given",
                        text);
    const char *bias = defaults->no_bias ? " nobias" : "";
    const char *activation = defaults->activation ? defaults->activation : "relu";
    if (strlen(activation) > 60)
        return fal_fail(FAL_ERROR_ARGUMENT, "activation '%.60s…' is unknown",
                        activation);
    int unit = snprintf(line, sizeof line, "dense %zu%s, %s%s, ", width, bias, norm,
                        activation);
    char *all = fal_allocate(depth * (size_t)unit + 64, 1);
    if (!all)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < depth; i++)
        memcpy(all + i * (size_t)unit, line, (size_t)unit);
    sprintf(all + depth * (size_t)unit, "dense %zu%s", defaults->outputs, bias);
    *expanded = all;
    return FAL_OK;
}
