/* YAML files that are one mapping from keys to texts, as run.yaml and config.yaml
 * are. All else that YAML could say is refused with file, line and column: lists,
 * mappings in mappings, anchors, aliases, tags, several documents. */
#ifndef CLI_YAML_H
#define CLI_YAML_H

#include "falign.h"

/* Counted from 1; columns are characters. */
typedef struct cli_yaml_place {
    size_t line, column;
} cli_yaml_place;

typedef struct cli_yaml_entry {
    const char *key;
    const char *text; /* quoted or plain; NULL: null or nothing */
    cli_yaml_place key_place, text_place;
} cli_yaml_entry;

/* The texts are gone when this returns. A status other than FAL_OK ends the
 * reading. */
typedef fal_status (*cli_yaml_visit)(const cli_yaml_entry *entry, void *user);

/* Visits the entries in the file's order; an empty file has none. Errors: FILE
 * (cannot be read, larger than 1 MiB), FORMAT (not such a file), MEMORY. */
fal_status cli_yaml_read(const char *path, cli_yaml_visit visit, void *user);

/* Puts "PATH, line L, column C: " in front of the message; returns `status`. */
fal_status cli_yaml_fail_at(fal_status status, const char *path,
                            cli_yaml_place place);

#endif
