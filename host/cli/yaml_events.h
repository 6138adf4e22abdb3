/* What readers of YAML share: libyaml's events, and messages that say where. Nothing is
 * expanded: anchors, aliases and tags are refused. */
#ifndef CLI_YAML_EVENTS_H
#define CLI_YAML_EVENTS_H

#include "cli/yaml.h"

#include <yaml.h>

typedef struct cli_yaml_events {
    const char *path; /* what messages call it */
    const unsigned char *data;
    yaml_parser_t parser;
} cli_yaml_events;

/* `data` stays where it is until the end. Errors: MEMORY. */
fal_status cli_yaml_begin(cli_yaml_events *events, const char *path,
                          const unsigned char *data, size_t size);
void cli_yaml_end(cli_yaml_events *events);

/* What it puts into `event` is for yaml_event_delete, also after a failure. Errors:
 * FORMAT, MEMORY. */
fal_status cli_yaml_next(cli_yaml_events *events, yaml_event_t *event);

/* The same of an event of which only the type counts. */
fal_status cli_yaml_next_type(cli_yaml_events *events, yaml_event_type_t *type);

/* Behind the only document: its end and the stream's. Errors: FORMAT, MEMORY. */
fal_status cli_yaml_finish(cli_yaml_events *events);

cli_yaml_place cli_yaml_place_of(yaml_mark_t mark);

/* Fails with FORMAT: place, `key`, why; `key`: the one that the event is the value of,
 * NULL: none. */
fal_status cli_yaml_misplaced(const cli_yaml_events *events,
                              const yaml_event_t *event, const char *key,
                              const char *why);

/* What is wrong with a scalar, NULL: nothing; and whether it says that there is no
 * value. */
const char *cli_yaml_unfit_text(const yaml_event_t *event);
int cli_yaml_is_null(const yaml_event_t *event);

/* The text of a scalar; the line's end that | and > leave is not part of it. */
const char *cli_yaml_text(yaml_event_t *event);

#endif
