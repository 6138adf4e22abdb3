/* From text to layers: presets, items, names, shapes, and back to a complete text.
 */
#include "net/network.h"
#include "device/memory.h"
#include "net/layer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Looking for a name goes through all layers. */
enum { WORD_LIMIT = 8, LAYER_LIMIT = 4096 };

const fal_layer_kind *const fal_layer_kinds[] = {
    &fal_dense_kind, &fal_norm_kind,    &fal_relu_kind,   &fal_leaky_kind,
    &fal_tanh_kind,  &fal_sigmoid_kind, &fal_linear_kind, &fal_scale_kind};
const size_t fal_layer_kind_count = sizeof fal_layer_kinds /
                                    sizeof *fal_layer_kinds;

size_t fal_shape_size(fal_shape shape)
{
    return shape.height * shape.width * shape.channels;
}

static int is_row(fal_shape shape)
{
    return shape.height == 1 && shape.width == 1;
}

void fal_shape_print(char text[FAL_SHAPE_TEXT], fal_shape shape)
{
    if (is_row(shape))
        snprintf(text, FAL_SHAPE_TEXT, "%zu", shape.channels);
    else
        snprintf(text, FAL_SHAPE_TEXT, "%zux%zux%zu", shape.height, shape.width,
                 shape.channels);
}

int fal_shape_takes(fal_shape input, fal_shape data)
{
    int same = input.height == data.height && input.width == data.width &&
               input.channels == data.channels;
    return same || ((is_row(input) || is_row(data)) &&
                    fal_shape_size(input) == fal_shape_size(data));
}

fal_status fal_parse_size(const char *word, const char *what, size_t *size)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(word, &end, 10);
    if (!isdigit((unsigned char)*word) || *end || errno || value < 1 ||
        value > INT32_MAX)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "%s '%.60s' must be a whole number from 1 to 2147483647",
                        what, word);
    *size = (size_t)value;
    return FAL_OK;
}

/* "28x28x1" or "784": h × w × c, or 1 × 1 × n. */
static fal_status parse_input(const char *word, fal_shape *shape)
{
    char copy[64];
    size_t sizes[3], count = 0;
    if (strlen(word) >= sizeof copy)
        return fal_fail(FAL_ERROR_ARGUMENT, "input '%.60s…' is no size", word);
    strcpy(copy, word);
    char *rest = copy;
    for (char *part; (part = rest) && count < 3; count++) {
        rest = strchr(part, 'x');
        if (rest)
            *rest++ = 0;
        fal_status status = fal_parse_size(part, "input size", &sizes[count]);
        if (status)
            return status;
    }
    if (rest || count == 2)
        return fal_fail(FAL_ERROR_ARGUMENT, "input '%s' must be HxWxC or N", word);
    *shape = count == 1 ? (fal_shape){1, 1, sizes[0]}
                        : (fal_shape){sizes[0], sizes[1], sizes[2]};
    if ((double)shape->height * (double)shape->width * (double)shape->channels >
        INT32_MAX)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "input '%s' has more than 2147483647 values", word);
    return FAL_OK;
}

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
static fal_status expand(const char *text, const fal_network_defaults *defaults,
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

static fal_status check_name(const fal_network *network, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_' && name[i] != '-')
            length = 0;
    if (length == 0 || length >= FAL_NAME_LIMIT)
        return fal_fail(
            FAL_ERROR_ARGUMENT,
            "layer name '%.60s' must be 1 to %d letters, digits, _ or -", name,
            FAL_NAME_LIMIT - 1);
    if (strcmp(name, "total") == 0 || strcmp(name, "input") == 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "no layer may be called '%s'", name);
    for (size_t i = 0; i < network->count; i++)
        if (strcmp(network->layers[i].name, name) == 0)
            return fal_fail(FAL_ERROR_ARGUMENT, "two layers are called '%s'", name);
    return FAL_OK;
}

static const fal_layer_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < fal_layer_kind_count; i++)
        if (strcmp(fal_layer_kinds[i]->name, name) == 0)
            return fal_layer_kinds[i];
    return NULL;
}

static fal_status unknown_kind(const char *name)
{
    const char *known[16] = {"input"};
    for (size_t i = 0; i < fal_layer_kind_count && i < 15; i++)
        known[i + 1] = fal_layer_kinds[i]->name;
    return fal_fail_unknown("layer", name, known, fal_layer_kind_count + 1);
}

/* dense1, dense2, … by kind. */
static void default_name(const fal_network *network, fal_layer *layer)
{
    size_t same = 1;
    for (size_t i = 0; i < network->count; i++)
        same += network->layers[i].kind == layer->kind;
    snprintf(layer->name, sizeof layer->name, "%s%zu", layer->kind->name, same);
}

static const char rule_word[] = "rule=";
enum { RULE_WORD = sizeof rule_word - 1 };

/* Takes rule=NAME out of the words behind a kind. */
static fal_status take_rule(fal_layer *layer, char **words, size_t *count)
{
    size_t kept = 0;
    fal_status status = FAL_OK;
    for (size_t i = 0; i < *count && !status; i++)
        if (strncmp(words[i], rule_word, RULE_WORD) != 0)
            words[kept++] = words[i];
        else if (!layer->kind->gradient)
            status = fal_fail(FAL_ERROR_ARGUMENT,
                              "%s has no weight matrix, so that no rule belongs to "
                              "it; write '%.40s' behind a dense layer",
                              layer->kind->name, words[i]);
        else if (layer->rule)
            status = fal_fail(FAL_ERROR_ARGUMENT,
                              "it has a second rule, '%.40s'; keep one", words[i]);
        else
            status = fal_rule_find(words[i] + RULE_WORD, &layer->rule);
    *count = kept;
    return status;
}

/* Whether a '=' is that of a rule, behind a kind. */
static int is_of_rule(const char *item, const char *equals)
{
    const char *word = equals + 1 - RULE_WORD;
    return word > item && isspace((unsigned char)word[-1]) &&
           strncmp(word, rule_word, RULE_WORD) == 0;
}

static fal_status add_layer(fal_network *network, const char *name, char **words,
                            size_t count)
{
    fal_layer layer = {.kind = find_kind(words[0])};
    if (!layer.kind)
        return unknown_kind(words[0]);
    if (network->count == LAYER_LIMIT)
        return fal_fail(FAL_ERROR_ARGUMENT, "there are more than %d layers",
                        LAYER_LIMIT);
    count--;
    fal_status status = take_rule(&layer, words + 1, &count);
    if (!status)
        status = layer.kind->parse(&layer, words + 1, count);
    if (status)
        return status;
    if (name) {
        status = check_name(network, name);
        if (status)
            return status;
        strcpy(layer.name, name);
    } else {
        default_name(network, &layer);
        status = check_name(network, layer.name);
        if (status)
            return status;
    }
    fal_layer *grown = fal_resize(network->layers, network->count + 1,
                                  sizeof *network->layers);
    if (!grown)
        return FAL_ERROR_MEMORY;
    network->layers = grown;
    network->layers[network->count++] = layer;
    return FAL_OK;
}

/* One `[name=]kind arguments [rule=NAME]`; the text is cut into words in place. */
static fal_status add_item(fal_network *network, char *item)
{
    char *words[WORD_LIMIT], *name = NULL, *save = NULL;
    size_t count = 0;
    char *equals = strchr(item, '=');
    if (equals && !is_of_rule(item, equals)) {
        *equals = 0;
        name = strtok_r(item, " \t\n", &save);
        if (!name || strtok_r(NULL, " \t\n", &save))
            return fal_fail(FAL_ERROR_ARGUMENT,
                            "a name in one word must stand before '=', or '=' in "
                            "rule=NAME behind the kind");
        item = equals + 1;
    }
    for (char *word = strtok_r(item, " \t\n", &save); word;
         word = strtok_r(NULL, " \t\n", &save)) {
        if (count == WORD_LIMIT)
            return fal_fail(FAL_ERROR_ARGUMENT, "it has more than %d words",
                            WORD_LIMIT);
        words[count++] = word;
    }
    if (count == 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "it is empty");
    if (strcmp(words[0], "input") != 0)
        return add_layer(network, name, words, count);
    if (network->count > 0 || fal_shape_size(network->input) || name || count != 2)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "'input HxWxC' or 'input N' stands once, first, unnamed");
    return parse_input(words[1], &network->input);
}

static fal_status add_items(fal_network *network, char *text)
{
    char *rest = text;
    for (size_t number = 1; rest; number++) {
        char *item = rest, shown[64];
        rest = strchr(item, ',');
        if (rest)
            *rest++ = 0;
        while (isspace((unsigned char)*item))
            item++;
        snprintf(shown, sizeof shown, "%s", item);
        fal_status status = add_item(network, item);
        if (status)
            return fal_fail_within(status, "network, item %zu '%s'", number, shown);
    }
    return FAL_OK;
}

static fal_status resolve_input(fal_network *network, fal_shape data)
{
    size_t given = fal_shape_size(network->input), has = fal_shape_size(data);
    if (!given)
        network->input = data;
    if (!given && !has)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "network: no 'input' item and no data set to take it from");
    if (!given || !has || fal_shape_takes(network->input, data))
        return FAL_OK;
    char input[FAL_SHAPE_TEXT], samples[FAL_SHAPE_TEXT];
    fal_shape_print(input, network->input);
    fal_shape_print(samples, data);
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "network: its input has the size %s, the data set's samples "
                    "have %s; leave 'input' out, or give other data",
                    input, samples);
}

/* Behind a layer with weights, what belongs to it. */
static void find_ends(fal_network *network)
{
    for (size_t i = 0; i < network->count; i++) {
        fal_layer *layer = &network->layers[i];
        size_t end = i + 1;
        while (end < network->count && !network->layers[end].number)
            end++;
        layer->end = end;
    }
}

static fal_status find_shapes(fal_network *network)
{
    fal_shape shape = network->input;
    const fal_layer *last = NULL;
    for (size_t i = 0; i < network->count; i++) {
        fal_layer *layer = &network->layers[i];
        layer->in = shape;
        layer->from = i;
        fal_status status = layer->kind->shape(layer);
        if (status)
            return fal_fail_within(status, "network, layer %s", layer->name);
        shape = layer->out;
        layer->fused = layer->is_activation && i > 0 &&
                       layer[-1].kind->takes_activation;
        if (layer->kind->gradient) {
            layer->number = (unsigned)++network->weights;
            last = layer;
        }
        layer->block = (unsigned)network->weights;
        if (layer->has_weight && layer->block == 0)
            return fal_fail(FAL_ERROR_ARGUMENT,
                            "network, layer %s: no error reaches it, for it stands "
                            "before the first layer with weights; make it plain",
                            layer->name);
    }
    if (!last)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "network: it has no layer with weights; end it with "
                        "'dense N'");
    for (const fal_layer *l = last + 1; l < network->layers + network->count; l++)
        if (l->kind != &fal_linear_kind && l->kind != &fal_scale_kind)
            return fal_fail(
                FAL_ERROR_ARGUMENT,
                "network, layer %s: the loss follows the output layer "
                "%s directly; nothing but 'linear' and 'scale' may stand "
                "behind it",
                l->name, last->name);
    network->outputs = last->outputs;
    find_ends(network);
    return FAL_OK;
}

static fal_status write_text(fal_network *network)
{
    size_t size = (network->count + 1) * (FAL_NAME_LIMIT + 64), used;
    char *text = fal_allocate(size, 1);
    if (!text)
        return FAL_ERROR_MEMORY;
    char input[FAL_SHAPE_TEXT];
    fal_shape_print(input, network->input);
    used = (size_t)snprintf(text, size, "input %s", input);
    for (size_t i = 0; i < network->count; i++) {
        const fal_layer *layer = &network->layers[i];
        char arguments[64] = "";
        layer->kind->print(layer, arguments, sizeof arguments);
        used += (size_t)snprintf(text + used, size - used, ", %s=%s%s", layer->name,
                                 layer->kind->name, arguments);
        if (layer->rule)
            used += (size_t)snprintf(text + used, size - used, " %s%s", rule_word,
                                     layer->rule->name);
    }
    network->text = text;
    return FAL_OK;
}

fal_status fal_network_parse(fal_network *network, const char *text,
                             const fal_network_defaults *defaults)
{
    char *expanded = NULL;
    *network = (fal_network){0};
    fal_status status = expand(text, defaults, &expanded);
    if (!status)
        status = add_items(network, expanded);
    fal_release(expanded);
    if (!status)
        status = resolve_input(network, defaults->input);
    if (!status)
        status = find_shapes(network);
    if (!status)
        status = write_text(network);
    if (status)
        fal_network_release(network);
    return status;
}

fal_status fal_network_take_rules(fal_network *network, const fal_network *other)
{
    char *text = network->text;
    for (size_t i = 0; i < network->count && i < other->count; i++)
        if (network->layers[i].number)
            network->layers[i].rule = other->layers[i].rule;
    fal_status status = write_text(network);
    if (!status)
        fal_release(text);
    return status;
}

void fal_network_release(fal_network *network)
{
    fal_release(network->layers);
    fal_release(network->text);
    *network = (fal_network){0};
}

fal_layer *fal_network_weight_layer(const fal_network *network, unsigned number)
{
    for (size_t i = 0; i < network->count; i++)
        if (network->layers[i].number == number && number > 0)
            return &network->layers[i];
    return NULL;
}

size_t fal_layer_units(const fal_layer *layer)
{
    return fal_shape_size(layer->out);
}

size_t fal_network_index(const fal_network *network, const fal_layer *layer)
{
    return (size_t)(layer - network->layers);
}

uint64_t fal_network_parameters(const fal_network *network)
{
    uint64_t floats = 0;
    for (size_t i = 0; i < network->count; i++) {
        const fal_layer *layer = &network->layers[i];
        if (layer->has_weight)
            floats += (uint64_t)layer->inputs * layer->outputs;
        if (layer->has_bias)
            floats += layer->outputs;
    }
    return floats;
}

fal_status fal_network_check_rows(const fal_network *network, size_t rows)
{
    for (size_t i = 0; i < network->count; i++) {
        const fal_layer *layer = &network->layers[i];
        if (layer->kind->least_rows && rows < layer->kind->least_rows(layer))
            return fal_fail(
                FAL_ERROR_ARGUMENT,
                "layer %s normalizes over the batch, and a batch of %zu "
                "has a single value a channel",
                layer->name, rows);
    }
    return FAL_OK;
}

/* A bias follows its weight as one more row, so that one product makes the
 * gradients of both. */
static fal_status place_layer(fal_layer *layer, fal_arena *arena)
{
    uint64_t size = (uint64_t)layer->inputs * layer->outputs;
    fal_status status = fal_arena_place(
        arena, size + (layer->has_bias ? layer->outputs : 0), &layer->weight);
    if (status)
        return status;
    layer->weight.count = size;
    layer->bias = layer->weight;
    layer->bias.offset += size;
    layer->bias.count = layer->has_bias ? layer->outputs : 0;
    return FAL_OK;
}

fal_status fal_network_place_state(fal_network *network, fal_arena *arena)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < network->count && !status; i++) {
        fal_layer *layer = &network->layers[i];
        if (!layer->has_state)
            continue;
        status = fal_arena_place(arena, layer->outputs, &layer->running_mean);
        if (!status)
            status = fal_arena_place(arena, layer->outputs, &layer->running_var);
    }
    return status;
}

fal_status fal_network_place(fal_network *network, fal_arena *arena)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < network->count && !status; i++)
        if (network->layers[i].has_weight)
            status = place_layer(&network->layers[i], arena);
    return status;
}
