/* Built on libyaml's events rather than its documents: nothing is expanded, and the
 * first event that does not belong ends the reading. */
#include "cli/yaml.h"
#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"

#include <string.h>
#include <yaml.h>

enum { SIZE_ALLOWED = 1 << 20 };

struct reader {
    const char *path;
    const unsigned char *data;
    yaml_parser_t parser;
};

/* ---- failing ------------------------------------------------------------- */

fal_status cli_yaml_fail_at(fal_status status, const char *path,
                            cli_yaml_place place)
{
    return fal_fail(status, "%s, line %zu, column %zu: %s", path, place.line,
                    place.column, fal_error_message());
}

static cli_yaml_place place_of(yaml_mark_t mark)
{
    return (cli_yaml_place){mark.line + 1, mark.column + 1};
}

/* Where the byte `offset` of the file stands. */
static cli_yaml_place find_place(const unsigned char *data, size_t offset)
{
    cli_yaml_place place = {1, 1};
    for (size_t i = 0; i < offset; i++)
        if (data[i] == '\n')
            place = (cli_yaml_place){place.line + 1, 1};
        else
            place.column += (data[i] & 0xC0) != 0x80;
    return place;
}

static fal_status not_text(const struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    fal_fail(FAL_ERROR_FORMAT, "%s; the file must be text in UTF-8",
             parser->problem);
    return cli_yaml_fail_at(FAL_ERROR_FORMAT, reader->path,
                            find_place(reader->data, parser->problem_offset));
}

static fal_status not_yaml(const struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    cli_yaml_place from = place_of(parser->context_mark);
    if (parser->context)
        fal_fail(FAL_ERROR_FORMAT, "%s (line %zu, column %zu): %s", parser->context,
                 from.line, from.column, parser->problem);
    else
        fal_fail(FAL_ERROR_FORMAT, "%s", parser->problem);
    fal_fail(
        FAL_ERROR_FORMAT,
        "%s; write 'key: value' in each line, without blanks or tabs in front, "
        "and quote texts with ': ' or ' #' in them",
        fal_error_message());
    return cli_yaml_fail_at(FAL_ERROR_FORMAT, reader->path,
                            place_of(parser->problem_mark));
}

/* `key`: the one that the event is the value of, NULL: none. */
static fal_status misplaced(const struct reader *reader, const yaml_event_t *event,
                            const char *key, const char *why)
{
    fal_fail(FAL_ERROR_FORMAT, "%.200s%s%s", key ? key : "", key ? ": " : "", why);
    return cli_yaml_fail_at(FAL_ERROR_FORMAT, reader->path,
                            place_of(event->start_mark));
}

/* ---- events -------------------------------------------------------------- */

/* What it puts into `event` is for yaml_event_delete, also after a failure. */
static fal_status next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return FAL_OK;
    if (reader->parser.error == YAML_MEMORY_ERROR)
        return fal_fail(FAL_ERROR_MEMORY, "reading '%s': no host memory",
                        reader->path);
    if (reader->parser.error == YAML_READER_ERROR)
        return not_text(reader);
    return not_yaml(reader);
}

static fal_status next_type(struct reader *reader, yaml_event_type_t *type)
{
    yaml_event_t event;
    fal_status status = next_event(reader, &event);
    *type = event.type;
    yaml_event_delete(&event);
    return status;
}

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
        break;
    }
    if (event->data.scalar.anchor)
        return "an anchor; leave '&NAME' out, or quote the text";
    if (event->data.scalar.tag)
        return "a tag; leave '!TAG' out, or quote the text";
    if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
        return "the text holds a zero byte; leave it out";
    return NULL;
}

/* A key, the value of `key`, or the end of the mapping. */
static fal_status next_scalar(struct reader *reader, yaml_event_t *event,
                              const char *key)
{
    fal_status status = next_event(reader, event);
    if (status || event->type == YAML_MAPPING_END_EVENT)
        return status;
    const char *why = unfit(event);
    return why ? misplaced(reader, event, key, why) : FAL_OK;
}

static int is_null(const yaml_event_t *event)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    const char *text = (const char *)event->data.scalar.value;
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return 0;
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        if (strcmp(text, nulls[i]) == 0)
            return 1;
    return 0;
}

/* The text of an event; the line's end that | and > leave is not part of it. */
static const char *text_of(yaml_event_t *event)
{
    char *text = (char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    int block = event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
                event->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
    if (block && length > 0 && text[length - 1] == '\n')
        text[length - 1] = 0;
    return text;
}

/* ---- the mapping --------------------------------------------------------- */

static fal_status visit_entry(struct reader *reader, yaml_event_t *key,
                              cli_yaml_visit visit, void *user)
{
    yaml_event_t value;
    fal_status status = next_scalar(reader, &value, text_of(key));
    if (!status) {
        cli_yaml_entry entry = {.key = text_of(key),
                                .text = is_null(&value) ? NULL : text_of(&value),
                                .key_place = place_of(key->start_mark),
                                .text_place = place_of(value.start_mark)};
        status = visit(&entry, user);
    }
    yaml_event_delete(&value);
    return status;
}

static fal_status read_mapping(struct reader *reader, cli_yaml_visit visit,
                               void *user)
{
    int ended = 0;
    fal_status status = FAL_OK;
    while (!status && !ended) {
        yaml_event_t key;
        status = next_scalar(reader, &key, NULL);
        ended = key.type == YAML_MAPPING_END_EVENT;
        if (!status && !ended)
            status = visit_entry(reader, &key, visit, user);
        yaml_event_delete(&key);
    }
    return status;
}

/* A document of nothing is a mapping without entries. */
static const char *unfit_root(const yaml_event_t *root)
{
    if (root->type != YAML_MAPPING_START_EVENT && (unfit(root) || !is_null(root)))
        return "a file of options has lines 'key: value', such as 'batch: 64'";
    if (root->type == YAML_MAPPING_START_EVENT &&
        (root->data.mapping_start.anchor || root->data.mapping_start.tag))
        return "an anchor or a tag; leave it out";
    return NULL;
}

static fal_status read_root(struct reader *reader, cli_yaml_visit visit, void *user)
{
    yaml_event_t root;
    fal_status status = next_event(reader, &root);
    const char *why = status ? NULL : unfit_root(&root);
    int mapping = root.type == YAML_MAPPING_START_EVENT;
    if (why)
        status = misplaced(reader, &root, NULL, why);
    yaml_event_delete(&root);
    return status || !mapping ? status : read_mapping(reader, visit, user);
}

static fal_status read_end(struct reader *reader)
{
    yaml_event_t event;
    fal_status status = next_event(reader, &event);
    if (!status && event.type != YAML_STREAM_END_EVENT)
        status = misplaced(reader, &event, NULL,
                           "a second document; keep one of them");
    yaml_event_delete(&event);
    return status;
}

static fal_status read_stream(struct reader *reader, cli_yaml_visit visit,
                              void *user)
{
    yaml_event_type_t type;
    fal_status status = next_type(reader, &type); /* the stream's start */
    if (!status)
        status = next_type(reader, &type);
    if (status || type == YAML_STREAM_END_EVENT)
        return status;
    status = read_root(reader, visit, user);
    if (!status)
        status = next_type(reader, &type); /* the document's end */
    return status ? status : read_end(reader);
}

fal_status cli_yaml_read(const char *path, cli_yaml_visit visit, void *user)
{
    unsigned char *data;
    size_t size;
    struct reader reader = {.path = path};
    fal_status status = fal_file_read(path, SIZE_ALLOWED, &data, &size);
    if (status)
        return status;
    reader.data = data;
    if (yaml_parser_initialize(&reader.parser)) {
        yaml_parser_set_input_string(&reader.parser, data, size);
        status = read_stream(&reader, visit, user);
        yaml_parser_delete(&reader.parser);
    } else {
        status = fal_fail(FAL_ERROR_MEMORY, "reading '%s': no host memory", path);
    }
    fal_release(data);
    return status;
}
