/* From text to layers and back: items, blocks, names. */
#include "net/text.h"
#include "device/memory.h"
#include "net/layer.h"
#include "net/writer.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Looking for a name goes through all layers; blocks are read by recursion. */
enum { WORD_LIMIT = 9, LAYER_LIMIT = 4096, DEPTH_LIMIT = 4, KIND_LIMIT = 32 };

static const char blanks[] = " \t\n";

/* The items between two parentheses, or all. */
struct scope {
    const char
        *block; /* the name that goes before those of its layers; NULL: none */
    unsigned depth;
    size_t counts[KIND_LIMIT], blocks; /* layers of each kind in it */
};

static const char block_name[] = "block";
const char fal_block_form[] =
    "block(ITEMS; shortcut=identity|zeropad|projection [rule=NAME])";
const char fal_block_meaning[] =
    "residual block: what its items make of a, plus a itself, plus a with zeros "
    "for "
    "channels that it lacks, or plus a 1x1 convolution of a";

/* ---- kinds --------------------------------------------------------------- */

static const fal_layer_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < fal_layer_kind_count; i++)
        if (strcmp(fal_layer_kinds[i]->name, name) == 0)
            return fal_layer_kinds[i];
    return NULL;
}

static fal_status unknown_kind(const char *name)
{
    const char *known[KIND_LIMIT + 2] = {"input"};
    if (strcmp(name, block_name) == 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "a block must be '%s'", fal_block_form);
    for (size_t i = 0; i < fal_layer_kind_count; i++)
        known[i + 1] = fal_layer_kinds[i]->name;
    known[fal_layer_kind_count + 1] = block_name;
    return fal_fail_unknown("layer", name, known, fal_layer_kind_count + 2);
}

/* A kind's number in its scope, 1, 2, …, this layer counted. */
static size_t count_kind(struct scope *scope, const fal_layer_kind *kind)
{
    size_t i = 0;
    while (i < fal_layer_kind_count && fal_layer_kinds[i] != kind)
        i++;
    return ++scope->counts[i];
}

/* ---- names --------------------------------------------------------------- */

/* Dots part names: none stands first, last or beside another. */
static int is_name(const char *name)
{
    size_t part = 0;
    for (; *name; name++) {
        int dot = *name == '.';
        if (dot ? part == 0
                : !isalnum((unsigned char)*name) && *name != '_' && *name != '-')
            return 0;
        part = dot ? 0 : part + 1;
    }
    return part > 0;
}

static fal_status check_name(const fal_network *network, const char *name)
{
    if (strcmp(name, "total") == 0 || strcmp(name, "input") == 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "no layer may be called '%s'", name);
    for (size_t i = 0; i < network->count; i++)
        if (strcmp(network->layers[i].name, name) == 0)
            return fal_fail(FAL_ERROR_ARGUMENT, "two layers are called '%s'", name);
    return FAL_OK;
}

/* `name` within the scope's block. */
static fal_status give_name(const fal_network *network, const struct scope *scope,
                            const char *name, fal_layer *layer)
{
    const char *block = scope->block ? scope->block : "";
    int length = snprintf(layer->name, FAL_NAME_LIMIT, "%s%s%s", block,
                          *block ? "." : "", name);
    if (!is_name(name) || length >= FAL_NAME_LIMIT)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "layer name '%s%s%.60s' must be 1 to %d letters, digits, _ "
                        "or -, with single dots between them",
                        block, *block ? "." : "", name, FAL_NAME_LIMIT - 1);
    return check_name(network, layer->name);
}

/* dense1, dense2, … by kind. */
static fal_status name_layer(const fal_network *network, struct scope *scope,
                             const char *name, const char *kind, size_t number,
                             fal_layer *layer)
{
    char own[FAL_NAME_LIMIT];
    snprintf(own, sizeof own, "%s%zu", kind, number);
    return give_name(network, scope, name ? name : own, layer);
}

/* The one word before a '='. */
static fal_status read_name(char *text, char **name)
{
    char *save = NULL;
    *name = strtok_r(text, blanks, &save);
    if (*name && !strtok_r(NULL, blanks, &save))
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "a name in one word must stand before '=', or '=' in "
                    "rule=NAME behind the kind");
}

/* ---- layers -------------------------------------------------------------- */

static fal_status append(fal_network *network, const fal_layer *layer)
{
    if (network->count == LAYER_LIMIT)
        return fal_fail(FAL_ERROR_ARGUMENT, "there are more than %d layers",
                        LAYER_LIMIT);
    fal_layer *grown = fal_resize(network->layers, network->count + 1,
                                  sizeof *network->layers);
    if (!grown)
        return FAL_ERROR_MEMORY;
    network->layers = grown;
    network->layers[network->count++] = *layer;
    return FAL_OK;
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
        else if (!fal_layer_has_matrix(layer))
            status = fal_fail(FAL_ERROR_ARGUMENT,
                              "%s has no weight matrix, so that no rule belongs to "
                              "it; write '%.40s' behind a dense layer or a "
                              "convolution",
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

static fal_status add_layer(fal_network *network, struct scope *scope,
                            const char *name, char **words, size_t count)
{
    fal_layer layer = {.kind = find_kind(words[0]), .from = network->count};
    if (!layer.kind)
        return unknown_kind(words[0]);
    count--;
    fal_status status = take_rule(&layer, words + 1, &count);
    if (!status)
        status = layer.kind->parse(&layer, words + 1, count);
    if (!status)
        status = name_layer(network, scope, name, layer.kind->name,
                            count_kind(scope, layer.kind), &layer);
    return status ? status : append(network, &layer);
}

/* ---- input --------------------------------------------------------------- */

fal_status fal_parse_size(const char *word, const char *what, size_t least,
                          size_t *size)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(word, &end, 10);
    if (!isdigit((unsigned char)*word) || *end || errno || value < least ||
        value > INT32_MAX)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "%s '%.60s' must be a whole number from %zu to 2147483647",
                        what, word, least);
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
        fal_status status = fal_parse_size(part, "input size", 1, &sizes[count]);
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

/* ---- items --------------------------------------------------------------- */

/* Cuts a text at the first `mark` outside parentheses, which are whole; what is
 * behind it, or NULL. */
static char *cut(char *text, char mark)
{
    size_t depth = 0;
    for (; *text; text++) {
        if (*text == mark && depth == 0) {
            *text = 0;
            return text + 1;
        }
        depth += *text == '(';
        depth -= *text == ')';
    }
    return NULL;
}

static fal_status read_words(char *text, char *words[WORD_LIMIT], size_t *count)
{
    char *save = NULL;
    *count = 0;
    for (char *word = strtok_r(text, blanks, &save); word;
         word = strtok_r(NULL, blanks, &save)) {
        if (*count == WORD_LIMIT)
            return fal_fail(FAL_ERROR_ARGUMENT, "it has more than %d words",
                            WORD_LIMIT);
        words[(*count)++] = word;
    }
    return FAL_OK;
}

/* One `[name=]kind arguments [rule=NAME]`. */
static fal_status add_item(fal_network *network, struct scope *scope, char *item)
{
    char *words[WORD_LIMIT], *name = NULL;
    size_t count;
    char *equals = strchr(item, '=');
    fal_status status = FAL_OK;
    if (equals && !is_of_rule(item, equals)) {
        *equals = 0;
        status = read_name(item, &name);
        item = equals + 1;
    }
    if (!status)
        status = read_words(item, words, &count);
    if (status)
        return status;
    if (count == 0)
        return fal_fail(FAL_ERROR_ARGUMENT, "it is empty");
    if (strcmp(words[0], "input") != 0)
        return add_layer(network, scope, name, words, count);
    if (network->count > 0 || fal_shape_size(network->input) || name ||
        count != 2 || scope->block)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "'input HxWxC' or 'input N' stands once, first, unnamed");
    return parse_input(words[1], &network->input);
}

static fal_status add_block(fal_network *network, struct scope *scope, char *item,
                            char *open);

/* Where the parenthesis of a block opens; NULL: it is none. */
static char *find_block(char *item)
{
    char *open = strchr(item, '('), *end = open;
    while (end && end > item && strchr(blanks, end[-1]))
        end--;
    size_t length = sizeof block_name - 1;
    if (!end || (size_t)(end - item) < length)
        return NULL;
    char *word = end - length;
    int begins = word == item || word[-1] == '=' || strchr(blanks, word[-1]);
    return begins && strncmp(word, block_name, length) == 0 ? open : NULL;
}

static fal_status add_items(fal_network *network, struct scope *scope, char *text)
{
    char *rest = text;
    for (size_t number = 1; rest; number++) {
        char *item = rest, shown[64];
        rest = cut(item, ',');
        while (isspace((unsigned char)*item))
            item++;
        snprintf(shown, sizeof shown, "%s", item);
        char *open = find_block(item);
        fal_status status = open ? add_block(network, scope, item, open)
                                 : add_item(network, scope, item);
        if (status)
            return fal_fail_within(status, "%sitem %zu '%s'",
                                   scope->block ? "" : "network, ", number, shown);
    }
    return FAL_OK;
}

/* ---- blocks -------------------------------------------------------------- */

static int is_projection(const fal_network *network, size_t join)
{
    size_t beside = network->layers[join].beside;
    return network->layers[beside].from != beside;
}

size_t fal_block_first(const fal_network *network, size_t index)
{
    return network->layers[network->layers[index].beside].from;
}

size_t fal_block_end(const fal_network *network, size_t index)
{
    return is_projection(network, index) ? network->layers[index].beside : index;
}

/* A projection has a bias if a matrix of the body has one, or the body none. */
static int needs_bias(const fal_network *network, size_t first)
{
    size_t matrices = 0;
    for (size_t i = first; i < network->count; i++) {
        if (fal_layer_has_matrix(&network->layers[i]) &&
            network->layers[i].has_bias)
            return 1;
        matrices += fal_layer_has_matrix(&network->layers[i]) ? 1 : 0;
    }
    return matrices == 0;
}

/* A 1×1 convolution of the block's input, whose units and stride follow from shapes,
 * and a norm if the body of layers `first` … ends with one. */
static fal_status add_projection(fal_network *network, const struct scope *block,
                                 size_t first, const fal_rule *rule)
{
    const fal_layer end = network->layers[network->count - 1];
    fal_layer matrix = {.kind = &fal_conv_kind,
                        .from = first,
                        .kernel = 1,
                        .has_weight = 1,
                        .has_bias = needs_bias(network, first),
                        .rule = rule};
    fal_layer norm = {.kind = end.kind,
                      .by_sample = end.by_sample,
                      .has_weight = end.has_weight,
                      .has_bias = end.has_bias,
                      .has_state = end.has_state};
    fal_status status = give_name(network, block, "downsample.0", &matrix);
    if (!status)
        status = append(network, &matrix);
    if (status || end.kind != &fal_norm_kind)
        return status;
    norm.from = network->count;
    status = give_name(network, block, "downsample.1", &norm);
    return status ? status : append(network, &norm);
}

static const char shortcut_word[] = "shortcut=";
enum {
    SHORTCUT_WORD = sizeof shortcut_word - 1,
    IDENTITY = 0,
    ZEROPAD,
    PROJECTION
};
static const char *const shortcuts[] = {"identity", "zeropad", "projection"};

/* `shortcut=NAME [rule=NAME]`, the rule of a projection. */
static fal_status read_shortcut(char *text, int *shortcut, const fal_rule **rule)
{
    char *words[WORD_LIMIT];
    size_t count = 0;
    fal_status status = text ? read_words(text, words, &count) : FAL_OK;
    if (status)
        return status;
    if (count == 0 || strncmp(words[0], shortcut_word, SHORTCUT_WORD) != 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "a block must end in '; shortcut=identity)', '; "
                        "shortcut=zeropad)' or '; shortcut=projection)'");
    const char *name = words[0] + SHORTCUT_WORD;
    for (*shortcut = IDENTITY; strcmp(shortcuts[*shortcut], name) != 0;)
        if (++*shortcut > PROJECTION)
            return fal_fail_unknown("shortcut", name, shortcuts, PROJECTION + 1);
    if (count == 1)
        return FAL_OK;
    if (count == 2 && *shortcut == PROJECTION &&
        strncmp(words[1], rule_word, RULE_WORD) == 0)
        return fal_rule_find(words[1] + RULE_WORD, rule);
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "'%.40s' is not known here; only the rule=NAME of a projection "
                    "may stand behind its shortcut",
                    words[1]);
}

/* The name before `block`, the items and the shortcut between its parentheses. */
static fal_status split_block(char *item, char *open, char **name, char **shortcut)
{
    char *close = cut(open + 1, ')'), *end = open;
    while (strchr(blanks, end[-1]))
        end--;
    *(end + 1 - sizeof block_name) = 0;
    *shortcut = cut(open + 1, ';');
    if (close[strspn(close, blanks)])
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "'%.40s' stands behind the block; put a comma before it",
                        close + strspn(close, blanks));
    char *equals = strchr(item, '=');
    *name = NULL;
    if (!item[strspn(item, blanks)])
        return FAL_OK;
    if (equals && !equals[1 + strspn(equals + 1, blanks)]) {
        *equals = 0;
        return read_name(item, name);
    }
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "before 'block(' only a name and '=' may stand");
}

static fal_status add_block(fal_network *network, struct scope *scope, char *item,
                            char *open)
{
    char *name = NULL, *ending = NULL;
    const fal_rule *rule = NULL;
    int shortcut = IDENTITY;
    size_t first = network->count;
    fal_layer join = {.kind = &fal_join_kind, .is_join = 1};
    struct scope inside = {.block = join.name, .depth = scope->depth + 1};
    if (inside.depth > DEPTH_LIMIT)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "blocks lie more than %d deep in each other", DEPTH_LIMIT);
    fal_status status = split_block(item, open, &name, &ending);
    if (!status)
        status = name_layer(network, scope, name, block_name, ++scope->blocks,
                            &join);
    if (!status)
        status = read_shortcut(ending, &shortcut, &rule);
    if (!status)
        status = add_items(network, &inside, open + 1);
    join.beside = shortcut == PROJECTION ? network->count : first;
    join.pads = shortcut == ZEROPAD;
    if (!status && shortcut == PROJECTION)
        status = add_projection(network, &inside, first, rule);
    join.from = network->count;
    return status ? status : append(network, &join);
}

/* ---- all of it ----------------------------------------------------------- */

static fal_status check_parentheses(const char *text)
{
    const char *open[2 * DEPTH_LIMIT];
    size_t depth = 0;
    for (const char *at = text; *at; at++) {
        if (*at == '(' && depth < 2 * DEPTH_LIMIT)
            open[depth] = at;
        depth += *at == '(';
        if (*at == ')' && depth-- == 0)
            return fal_fail(FAL_ERROR_ARGUMENT,
                            "network: a ')' closes nothing, before '%.40s'",
                            at + 1);
    }
    if (depth == 0)
        return FAL_OK;
    const char *last = open[depth <= 2 * DEPTH_LIMIT ? depth - 1 : 0];
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "network: the '(' before '%.40s' is not closed; write ')' at "
                    "its end",
                    last + 1);
}

fal_status fal_network_read(fal_network *network, char *text)
{
    struct scope all = {.block = NULL};
    fal_status status = check_parentheses(text);
    return status ? status : add_items(network, &all, text);
}

/* ---- back to text -------------------------------------------------------- */

static void write_rule(fal_writer *writer, const fal_layer *layer)
{
    if (layer->rule)
        fal_writer_add(writer, " %s%s", rule_word, layer->rule->name);
}

static void write_layer(fal_writer *writer, const fal_layer *layer, size_t before)
{
    char arguments[64] = "";
    layer->kind->print(layer, arguments, sizeof arguments);
    fal_writer_add(writer, "%s=%s%s", layer->name + before, layer->kind->name,
                   arguments);
    write_rule(writer, layer);
}

/* The join of the outermost block that begins at `first` and ends before `end`, or
 * `end`. */
static size_t find_join(const fal_network *network, size_t first, size_t end)
{
    for (size_t i = end; --i > first;)
        if (network->layers[i].is_join && fal_block_first(network, i) == first)
            return i;
    return end;
}

static void write_shortcut(fal_writer *writer, const fal_network *network,
                           size_t join)
{
    const fal_layer *layer = &network->layers[join];
    int projection = is_projection(network, join);
    fal_writer_add(writer, "; %s%s", shortcut_word,
                   shortcuts[projection    ? PROJECTION
                             : layer->pads ? ZEROPAD
                                           : IDENTITY]);
    if (projection)
        write_rule(writer, &network->layers[layer->beside]);
}

/* Layers `first` … `end` − 1, without the first `before` letters of their names. */
static void write_layers(fal_writer *writer, const fal_network *network,
                         size_t first, size_t end, size_t before)
{
    for (size_t i = first; i < end; i++) {
        size_t join = find_join(network, i, end);
        const char *name = network->layers[join < end ? join : i].name;
        if (i > first)
            fal_writer_add(writer, ", ");
        if (join == end) {
            write_layer(writer, &network->layers[i], before);
            continue;
        }
        fal_writer_add(writer, "%s=%s(", name + before, block_name);
        write_layers(writer, network, i, fal_block_end(network, join),
                     strlen(name) + 1);
        write_shortcut(writer, network, join);
        fal_writer_add(writer, ")");
        i = join;
    }
}

fal_status fal_network_write(const fal_network *network, char **text)
{
    fal_writer writer = {.text = NULL};
    char input[FAL_SHAPE_TEXT];
    fal_shape_print(input, network->input);
    fal_writer_add(&writer, "input %s, ", input);
    write_layers(&writer, network, 0, network->count, 0);
    if (writer.status)
        fal_release(writer.text);
    else
        *text = writer.text;
    return writer.status;
}
