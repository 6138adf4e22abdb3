/* Built on libyaml's events rather than its documents: nothing is expanded, and the
 * first event that does not belong ends the reading. */
#include "cli/yaml.h"
#include "cli/yaml_events.h"
#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"

enum { SIZE_ALLOWED = 1 << 20 };

/* ---- events -------------------------------------------------------------- */

static const char *unfit(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return "an alias; write the value itself";
    case YAML_SEQUENCE_START_EVENT:
        return "a list; write one text without '[' and '- ', such as 3,5";
    case YAML_MAPPING_START_EVENT:
        return "a mapping; give one value";
    default:
        return cli_yaml_unfit_text(event);
    }
}

/* A key, the value of `key`, or the end of the mapping. */
static fal_status next_scalar(cli_yaml_events *events, yaml_event_t *event,
                              const char *key)
{
    fal_status status = cli_yaml_next(events, event);
    if (status || event->type == YAML_MAPPING_END_EVENT)
        return status;
    const char *why = unfit(event);
    return why ? cli_yaml_misplaced(events, event, key, why) : FAL_OK;
}

/* ---- the mapping --------------------------------------------------------- */

static fal_status visit_entry(cli_yaml_events *events, yaml_event_t *key,
                              cli_yaml_visit visit, void *user)
{
    yaml_event_t value;
    fal_status status = next_scalar(events, &value, cli_yaml_text(key));
    if (!status) {
        cli_yaml_entry entry = {
            .key = cli_yaml_text(key),
            .text = cli_yaml_is_null(&value) ? NULL : cli_yaml_text(&value),
            .key_place = cli_yaml_place_of(key->start_mark),
            .text_place = cli_yaml_place_of(value.start_mark)};
        status = visit(&entry, user);
    }
    yaml_event_delete(&value);
    return status;
}

static fal_status read_mapping(cli_yaml_events *events, cli_yaml_visit visit,
                               void *user)
{
    int ended = 0;
    fal_status status = FAL_OK;
    while (!status && !ended) {
        yaml_event_t key;
        status = next_scalar(events, &key, NULL);
        ended = key.type == YAML_MAPPING_END_EVENT;
        if (!status && !ended)
            status = visit_entry(events, &key, visit, user);
        yaml_event_delete(&key);
    }
    return status;
}

/* A document of nothing is a mapping without entries. */
static const char *unfit_root(const yaml_event_t *root)
{
    if (root->type != YAML_MAPPING_START_EVENT &&
        (unfit(root) || !cli_yaml_is_null(root)))
        return "a file of options has lines 'key: value', such as 'batch: 64'";
    if (root->type == YAML_MAPPING_START_EVENT &&
        (root->data.mapping_start.anchor || root->data.mapping_start.tag))
        return "an anchor or a tag; leave it out";
    return NULL;
}

static fal_status read_root(cli_yaml_events *events, cli_yaml_visit visit,
                            void *user)
{
    yaml_event_t root;
    fal_status status = cli_yaml_next(events, &root);
    const char *why = status ? NULL : unfit_root(&root);
    int mapping = root.type == YAML_MAPPING_START_EVENT;
    if (why)
        status = cli_yaml_misplaced(events, &root, NULL, why);
    yaml_event_delete(&root);
    return status || !mapping ? status : read_mapping(events, visit, user);
}

static fal_status read_stream(cli_yaml_events *events, cli_yaml_visit visit,
                              void *user)
{
    yaml_event_type_t type;
    fal_status status = cli_yaml_next_type(events, &type); /* the stream's start */
    if (!status)
        status = cli_yaml_next_type(events, &type);
    if (status || type == YAML_STREAM_END_EVENT)
        return status;
    status = read_root(events, visit, user);
    return status ? status : cli_yaml_finish(events);
}

fal_status cli_yaml_read(const char *path, cli_yaml_visit visit, void *user)
{
    unsigned char *data;
    size_t size;
    cli_yaml_events events;
    fal_status status = fal_file_read(path, SIZE_ALLOWED, &data, &size);
    if (status)
        return status;
    status = cli_yaml_begin(&events, path, data, size);
    if (!status) {
        status = read_stream(&events, visit, user);
        cli_yaml_end(&events);
    }
    fal_release(data);
    return status;
}
