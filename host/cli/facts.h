/* What --help, docs/ and the man page say beyond commands and options. */
#ifndef CLI_FACTS_H
#define CLI_FACTS_H

#include "cli/commands.h"

typedef struct cli_fact {
    const char *name; /* NULL ends a list */
    const char *meaning;
} cli_fact;

extern const cli_fact cli_exits[];
extern const cli_fact cli_variables[];

/* How options are written and what limits hold: a paragraph for each --help. */
extern const char cli_conventions[];

/* An option's meaning, with the names where it takes learning rules. */
void cli_option_meaning(const cli_option *option, char *text, size_t size);

#endif
