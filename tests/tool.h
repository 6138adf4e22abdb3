/* Running the falign binary ($FALIGN_BINARY) and looking at what it leaves. */
#ifndef TOOL_H
#define TOOL_H

#include <stddef.h>
#include <sys/types.h>

enum { TOOL_OUTPUT = 1 << 16, TOOL_WORDS = 48 };

struct tool {
    int code; /* exit code; 1000 + signal when one ended it */
    char out[TOOL_OUTPUT];
    char error[TOOL_OUTPUT]; /* each message in one line */
    char lines[TOOL_OUTPUT]; /* the same as it was printed, wrapped */
};

/* Runs "falign LINE"; $D in the line is the sample data set, $T a run of a tiny
 * network on it ("train --data $D --net mlp-1x8 --quiet"); '…' keeps blanks. The
 * result is valid until the next call. */
const struct tool *tool_run(const char *line);

/* The same with standard output into a file of the caller's. */
const struct tool *tool_run_to(int output, const char *line);

/* The same with one more environment variable. */
const struct tool *tool_run_with(const char *name, const char *value,
                                 const char *line);

/* Fails the test, with what the tool said, unless its exit code is 0. */
void assert_good(const char *line);

/* Fails the test unless `text` (NULL: never) holds `part`. */
void assert_has(const char *text, const char *part);

/* Starts it and returns at once; tool_wait gives the exit code. Output goes to
 * `output`, a file descriptor, -1: nowhere. */
pid_t tool_start(const char *line, int output);
int tool_wait(pid_t child);

/* The same on a terminal of its own, `columns` wide; *terminal is our end of it. */
pid_t tool_start_terminal(const char *line, int columns, int *terminal);

/* 1: no line of `text` is longer than 80 characters, single words excepted. */
int tool_fits(const char *text);

/* For cmocka: an empty folder becomes the current one, and goes with all in it. */
int tool_enter(void **state);
int tool_leave(void **state);

void tool_write(const char *path, const void *data, size_t bytes);

/* The same with a head before the data. */
void tool_write_parts(const char *path, const void *head, size_t head_bytes,
                      const void *data, size_t bytes);

/* A file of numpy's. `type`: "<f4", "|u1", …; `shape` as Python writes it: "(4, 2)",
 * "(2,)". */
void tool_write_npy(const char *path, const char *type, const char *shape,
                    const void *values, size_t bytes);

/* The text of a file, "" if it is not there; the caller frees it. */
char *tool_read(const char *path);

/* The lines of metrics.jsonl without samples_per_second and seconds; the caller frees
 * it. */
char *tool_read_untimed(const char *path);

/* 1: the files are there and have the same bytes. */
int tool_same(const char *one, const char *other);

/* Entries of a folder, sorted, with blanks between; valid until the next call. */
const char *tool_list(const char *folder);

#endif
