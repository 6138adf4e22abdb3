/* YAML with lists and mappings in each other, as a tree of texts; what else YAML could
 * say is refused with name, line and column: anchors, aliases, tags, several documents,
 * a key twice. */
#ifndef CLI_YAML_TREE_H
#define CLI_YAML_TREE_H

#include "cli/yaml.h"

typedef enum cli_yaml_kind {
    CLI_YAML_TEXT,
    CLI_YAML_LIST,
    CLI_YAML_MAPPING
} cli_yaml_kind;

typedef struct cli_yaml_node {
    cli_yaml_kind kind;
    char *key;                          /* in a mapping, else NULL */
    char *text;                         /* of a TEXT; NULL: null or nothing */
    cli_yaml_place place;               /* of the key where there is one */
    struct cli_yaml_node *first, *next; /* members of LIST and MAPPING */
    size_t count;                       /* of members */
} cli_yaml_node;

/* The mapping that `text` is; `path` is what messages call it. Release *root with
 * cli_yaml_tree_release. Errors: FORMAT, MEMORY. */
fal_status cli_yaml_tree_read(cli_yaml_node **root, const char *path,
                              const char *text);
void cli_yaml_tree_release(cli_yaml_node *root);

/* The member of a mapping with that key, NULL: none. */
const cli_yaml_node *cli_yaml_member(const cli_yaml_node *mapping, const char *key);

#endif
