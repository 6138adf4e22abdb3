#include "cli/yaml_events.h"
#include "device/error.h"

#include <string.h>

/* ---- failing ------------------------------------------------------------- */

fal_status cli_yaml_fail_at(fal_status status, const char *path,
                            cli_yaml_place place)
{
    return fal_fail(status, "%s, line %zu, column %zu: %s", path, place.line,
                    place.column, fal_error_message());
}

cli_yaml_place cli_yaml_place_of(yaml_mark_t mark)
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

static fal_status not_text(const cli_yaml_events *events)
{
    const yaml_parser_t *parser = &events->parser;
    fal_fail(FAL_ERROR_FORMAT, "%s; the file must be text in UTF-8",
             parser->problem);
    return cli_yaml_fail_at(FAL_ERROR_FORMAT, events->path,
                            find_place(events->data, parser->problem_offset));
}

static fal_status not_yaml(const cli_yaml_events *events)
{
    const yaml_parser_t *parser = &events->parser;
    cli_yaml_place from = cli_yaml_place_of(parser->context_mark);
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
    return cli_yaml_fail_at(FAL_ERROR_FORMAT, events->path,
                            cli_yaml_place_of(parser->problem_mark));
}

fal_status cli_yaml_misplaced(const cli_yaml_events *events,
                              const yaml_event_t *event, const char *key,
                              const char *why)
{
    fal_fail(FAL_ERROR_FORMAT, "%.200s%s%s", key ? key : "", key ? ": " : "", why);
    return cli_yaml_fail_at(FAL_ERROR_FORMAT, events->path,
                            cli_yaml_place_of(event->start_mark));
}

/* ---- events -------------------------------------------------------------- */

fal_status cli_yaml_begin(cli_yaml_events *events, const char *path,
                          const unsigned char *data, size_t size)
{
    *events = (cli_yaml_events){.path = path, .data = data};
    if (!yaml_parser_initialize(&events->parser))
        return fal_fail(FAL_ERROR_MEMORY, "reading '%s': no host memory", path);
    yaml_parser_set_input_string(&events->parser, data, size);
    return FAL_OK;
}

void cli_yaml_end(cli_yaml_events *events)
{
    yaml_parser_delete(&events->parser);
}

fal_status cli_yaml_next(cli_yaml_events *events, yaml_event_t *event)
{
    if (yaml_parser_parse(&events->parser, event))
        return FAL_OK;
    if (events->parser.error == YAML_MEMORY_ERROR)
        return fal_fail(FAL_ERROR_MEMORY, "reading '%s': no host memory",
                        events->path);
    if (events->parser.error == YAML_READER_ERROR)
        return not_text(events);
    return not_yaml(events);
}

fal_status cli_yaml_next_type(cli_yaml_events *events, yaml_event_type_t *type)
{
    yaml_event_t event;
    fal_status status = cli_yaml_next(events, &event);
    *type = event.type;
    yaml_event_delete(&event);
    return status;
}

fal_status cli_yaml_finish(cli_yaml_events *events)
{
    yaml_event_type_t type;
    yaml_event_t event;
    fal_status status = cli_yaml_next_type(events, &type); /* the document's end */
    if (status)
        return status;
    status = cli_yaml_next(events, &event);
    if (!status && event.type != YAML_STREAM_END_EVENT)
        status = cli_yaml_misplaced(events, &event, NULL,
                                    "a second document; keep one of them");
    yaml_event_delete(&event);
    return status;
}

/* ---- scalars ------------------------------------------------------------- */

const char *cli_yaml_unfit_text(const yaml_event_t *event)
{
    if (event->data.scalar.anchor)
        return "an anchor; leave '&NAME' out, or quote the text";
    if (event->data.scalar.tag)
        return "a tag; leave '!TAG' out, or quote the text";
    if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
        return "the text holds a zero byte; leave it out";
    return NULL;
}

int cli_yaml_is_null(const yaml_event_t *event)
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

const char *cli_yaml_text(yaml_event_t *event)
{
    char *text = (char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    int block = event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
                event->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
    if (block && length > 0 && text[length - 1] == '\n')
        text[length - 1] = 0;
    return text;
}
