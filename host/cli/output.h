/* What the tool says and how it ends: standard output and error, signals, exit
 * codes. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "falign.h"
#include "files/json.h"

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_WRONG_USE = 2, CLI_INTERRUPTED = 130 };

/* Prints and flushes. After a failure (EPIPE: nobody reads) nothing more is printed
 * and cli_broken gives its errno; 0: none. */
void cli_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_broken(void);

/* A name or a path: what would steer the terminal is shown as \xNN. */
void cli_print_name(const char *name);

/* Words of `text` in lines of 80 columns, from column `column` on, where the line
 * stands. */
void cli_print_words(const char *text, size_t column);

/* A line on the terminal that the next one replaces, and that goes before anything
 * else is printed. It must fit the terminal. */
void cli_live_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_live_erase(void);

/* "falign: " and a text on standard error, in lines of 80 columns; a word longer
 * than that, such as a path, stays whole. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with the error message. */
void cli_complain(void);

/* Prints a finished JSON text, with a newline at its end, and releases it. */
fal_status cli_print_json(fal_json *json);

/* The exit code of a command that ended with `status`; complains where that was not
 * done. */
int cli_end(fal_status status);

/* Before all else: standard streams that were closed lead nowhere, a closed pipe is
 * an error of printing. */
void cli_begin(void);

/* From here on Ctrl-C, a polite kill and a terminal that goes away are only noted;
 * a second Ctrl-C ends the process. */
void cli_catch_interrupts(void);
int cli_interrupted(void);

/* Members of JSON objects. */
void cli_json_text(fal_json *json, const char *key, const char *text);
void cli_json_count(fal_json *json, const char *key, uint64_t value);
void cli_json_number(fal_json *json, const char *key, double value);

#endif
