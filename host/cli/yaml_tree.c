#include "cli/yaml_tree.h"
#include "cli/yaml_events.h"
#include "device/error.h"
#include "device/memory.h"

#include <string.h>

enum { DEPTH = 8 };

static fal_status read_node(cli_yaml_events *events, yaml_event_t *event,
                            const char *key, int depth, cli_yaml_node **node);

/* ---- one event ----------------------------------------------------------- */

static const char *unfit(const yaml_event_t *event, int depth)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_ALIAS_EVENT)
        return "an alias; write the value itself";
    if (event->type == YAML_SCALAR_EVENT)
        return cli_yaml_unfit_text(event);
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor || tag)
        return "an anchor or a tag; leave it out";
    return depth > DEPTH ? "lists and mappings stand too deep in each other" : NULL;
}

static fal_status make_node(const cli_yaml_events *events, yaml_event_t *event,
                            const char *key, int depth, cli_yaml_node **node)
{
    const char *why = unfit(event, depth);
    if (why)
        return cli_yaml_misplaced(events, event, key, why);
    cli_yaml_node *made = fal_allocate(1, sizeof *made);
    if (!made)
        return FAL_ERROR_MEMORY;
    *node = made;
    made->place = cli_yaml_place_of(event->start_mark);
    if (event->type != YAML_SCALAR_EVENT) {
        made->kind = event->type == YAML_SEQUENCE_START_EVENT ? CLI_YAML_LIST
                                                              : CLI_YAML_MAPPING;
        return FAL_OK;
    }
    if (cli_yaml_is_null(event))
        return FAL_OK;
    made->text = fal_copy_text(cli_yaml_text(event));
    return made->text ? FAL_OK : FAL_ERROR_MEMORY;
}

/* ---- members ------------------------------------------------------------- */

static void append(cli_yaml_node *parent, cli_yaml_node **last, cli_yaml_node *node)
{
    if (*last)
        (*last)->next = node;
    else
        parent->first = node;
    *last = node;
    parent->count++;
}

static fal_status read_list(cli_yaml_events *events, cli_yaml_node *parent,
                            int depth)
{
    cli_yaml_node *last = NULL;
    fal_status status = FAL_OK;
    for (int ended = 0; !status && !ended;) {
        yaml_event_t event;
        cli_yaml_node *node = NULL;
        status = cli_yaml_next(events, &event);
        ended = event.type == YAML_SEQUENCE_END_EVENT;
        if (!status && !ended)
            status = read_node(events, &event, NULL, depth + 1, &node);
        if (node)
            append(parent, &last, node);
        yaml_event_delete(&event);
    }
    return status;
}

static fal_status check_key(const cli_yaml_events *events,
                            const cli_yaml_node *parent, yaml_event_t *key)
{
    if (key->type != YAML_SCALAR_EVENT)
        return cli_yaml_misplaced(events, key, NULL,
                                  "a key must be one word; write 'key: value'");
    const char *why = cli_yaml_unfit_text(key);
    if (why)
        return cli_yaml_misplaced(events, key, NULL, why);
    const cli_yaml_node *other = cli_yaml_member(parent, cli_yaml_text(key));
    if (!other)
        return FAL_OK;
    fal_fail(FAL_ERROR_FORMAT,
             "key '%.200s' is there already, in line %zu; keep one of them",
             other->key, other->place.line);
    return cli_yaml_fail_at(FAL_ERROR_FORMAT, events->path,
                            cli_yaml_place_of(key->start_mark));
}

static fal_status read_member(cli_yaml_events *events, yaml_event_t *key, int depth,
                              cli_yaml_node **node)
{
    yaml_event_t event;
    fal_status status = cli_yaml_next(events, &event);
    if (!status)
        status = read_node(events, &event, cli_yaml_text(key), depth + 1, node);
    yaml_event_delete(&event);
    if (!*node)
        return status;
    (*node)->place = cli_yaml_place_of(key->start_mark);
    (*node)->key = fal_copy_text(cli_yaml_text(key));
    return (*node)->key ? status : FAL_ERROR_MEMORY;
}

static fal_status read_mapping(cli_yaml_events *events, cli_yaml_node *parent,
                               int depth)
{
    cli_yaml_node *last = NULL;
    fal_status status = FAL_OK;
    for (int ended = 0; !status && !ended;) {
        yaml_event_t key;
        cli_yaml_node *node = NULL;
        status = cli_yaml_next(events, &key);
        ended = key.type == YAML_MAPPING_END_EVENT;
        if (!status && !ended)
            status = check_key(events, parent, &key);
        if (!status && !ended)
            status = read_member(events, &key, depth, &node);
        if (node)
            append(parent, &last, node);
        yaml_event_delete(&key);
    }
    return status;
}

/* Also after a failure *node is what there is of it. */
static fal_status read_node(cli_yaml_events *events, yaml_event_t *event,
                            const char *key, int depth, cli_yaml_node **node)
{
    fal_status status = make_node(events, event, key, depth, node);
    if (status || (*node)->kind == CLI_YAML_TEXT)
        return status;
    return (*node)->kind == CLI_YAML_LIST ? read_list(events, *node, depth)
                                          : read_mapping(events, *node, depth);
}

/* ---- the document -------------------------------------------------------- */

static fal_status read_root(cli_yaml_events *events, cli_yaml_node **root)
{
    yaml_event_t event;
    fal_status status = cli_yaml_next(events, &event);
    if (!status && event.type != YAML_MAPPING_START_EVENT)
        status = cli_yaml_misplaced(events, &event, NULL,
                                    "the file must be lines 'key: value'");
    if (!status)
        status = read_node(events, &event, NULL, 0, root);
    yaml_event_delete(&event);
    return status;
}

static fal_status read_stream(cli_yaml_events *events, cli_yaml_node **root)
{
    yaml_event_type_t type;
    fal_status status = cli_yaml_next_type(events, &type); /* the stream's start */
    if (!status)
        status = cli_yaml_next_type(events, &type);
    if (!status && type == YAML_STREAM_END_EVENT)
        return fal_fail(FAL_ERROR_FORMAT,
                        "%s: it is empty; write lines 'key: value'", events->path);
    if (!status)
        status = read_root(events, root);
    return status ? status : cli_yaml_finish(events);
}

fal_status cli_yaml_tree_read(cli_yaml_node **root, const char *path,
                              const char *text)
{
    cli_yaml_events events;
    cli_yaml_node *made = NULL;
    fal_status status = cli_yaml_begin(&events, path, (const unsigned char *)text,
                                       strlen(text));
    if (status)
        return status;
    status = read_stream(&events, &made);
    cli_yaml_end(&events);
    if (status)
        cli_yaml_tree_release(made);
    else
        *root = made;
    return status;
}

void cli_yaml_tree_release(cli_yaml_node *root)
{
    while (root) {
        cli_yaml_node *next = root->next;
        cli_yaml_tree_release(root->first);
        fal_release(root->key);
        fal_release(root->text);
        fal_release(root);
        root = next;
    }
}

const cli_yaml_node *cli_yaml_member(const cli_yaml_node *mapping, const char *key)
{
    const cli_yaml_node *member = mapping ? mapping->first : NULL;
    while (member && strcmp(member->key, key) != 0)
        member = member->next;
    return member;
}
