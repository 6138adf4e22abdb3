#include "tool.h"

#include <dirent.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the line ------------------------------------------------------------ */

static char words_text[8192];

static void expand(const char *line)
{
    const char *data = getenv("FALIGN_TEST_DATA");
    size_t used = 0, room = sizeof words_text;
    for (; *line && used < room; line++)
        if (strncmp(line, "$D", 2) == 0) {
            used += (size_t)snprintf(words_text + used, room - used, "%s", data);
            line++;
        } else if (strncmp(line, "$T", 2) == 0) {
            used += (size_t)snprintf(words_text + used, room - used,
                                     "train --data %s --net mlp-1x8 --quiet", data);
            line++;
        } else {
            words_text[used++] = *line;
        }
    words_text[used < room ? used : room - 1] = 0;
}

/* Cuts the text at blanks outside quotes. */
static void split(char **words)
{
    size_t count = 0;
    words[count++] = (char *)"falign";
    for (char *at = words_text; *at && count + 1 < TOOL_WORDS;) {
        at += strspn(at, " ");
        if (!*at)
            break;
        char end = *at == '\'' ? '\'' : ' ';
        at += end == '\'';
        words[count++] = at;
        at += strcspn(at, end == '\'' ? "'" : " ");
        if (*at)
            *at++ = 0;
    }
    words[count] = NULL;
}

/* ---- the process --------------------------------------------------------- */

/* A shell that runs the tests in the background may have Ctrl-C ignored. */
static _Noreturn void become_tool(char **words)
{
    signal(SIGINT, SIG_DFL);
    execv(getenv("FALIGN_BINARY"), words);
    perror("$FALIGN_BINARY");
    _exit(127);
}

static pid_t start(const char *line, int out, int error)
{
    char *words[TOOL_WORDS];
    expand(line);
    split(words);
    fflush(NULL);
    pid_t child = fork();
    if (child != 0)
        return child;
    int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, 0);
    dup2(out >= 0 ? out : nowhere, 1);
    dup2(error >= 0 ? error : nowhere, 2);
    become_tool(words);
}

pid_t tool_start(const char *line, int output)
{
    return start(line, output, -1);
}

pid_t tool_start_terminal(const char *line, int columns, int *terminal)
{
    struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
    char *words[TOOL_WORDS];
    expand(line);
    split(words);
    fflush(NULL);
    pid_t child = forkpty(terminal, NULL, NULL, &size);
    if (child == 0)
        become_tool(words);
    return child;
}

int tool_wait(pid_t child)
{
    int state = 0;
    if (waitpid(child, &state, 0) != child)
        return -1;
    return WIFSIGNALED(state) ? 1000 + WTERMSIG(state) : WEXITSTATUS(state);
}

static void read_back(FILE *file, char *text)
{
    rewind(file);
    text[fread(text, 1, TOOL_OUTPUT - 1, file)] = 0;
    fclose(file);
}

/* Undoes the tool's wrapping: lines that go on are indented by two blanks. */
static void unwrap(const char *lines, char *text)
{
    while (*lines) {
        int goes_on = strncmp(lines, "\n  ", 3) == 0;
        *text++ = goes_on ? ' ' : *lines;
        lines += goes_on ? 3 : 1;
    }
    *text = 0;
}

const struct tool *tool_run(const char *line)
{
    return tool_run_to(-1, line);
}

const struct tool *tool_run_to(int output, const char *line)
{
    static struct tool tool;
    FILE *out = tmpfile(), *error = tmpfile();
    if (!out || !error)
        abort();
    output = output >= 0 ? output : fileno(out);
    tool.code = tool_wait(start(line, output, fileno(error)));
    read_back(out, tool.out);
    read_back(error, tool.lines);
    unwrap(tool.lines, tool.error);
    return &tool;
}

const struct tool *tool_run_with(const char *name, const char *value,
                                 const char *line)
{
    const char *before = getenv(name);
    char *kept = before ? strdup(before) : NULL;
    setenv(name, value, 1);
    const struct tool *tool = tool_run(line);
    if (kept)
        setenv(name, kept, 1);
    else
        unsetenv(name);
    free(kept);
    return tool;
}

void assert_good(const char *line)
{
    const struct tool *tool = tool_run(line);
    if (tool->code != 0)
        fail_msg("%s: %d: %s", line, tool->code, tool->error);
}

void assert_has(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' is not in: %s", part, text ? text : "nothing");
}

static size_t characters(const char *text, size_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

int tool_fits(const char *text)
{
    for (size_t bytes; *text; text += bytes + (text[bytes] == '\n')) {
        bytes = strcspn(text, "\n");
        size_t indent = strspn(text, " ");
        int one_word = indent + strcspn(text + indent, " \n") == bytes;
        if (characters(text, bytes) > 80 && !one_word)
            return 0;
    }
    return 1;
}

/* ---- files --------------------------------------------------------------- */

static char place[64]; /* the folder the tests run in */

int tool_enter(void **state)
{
    (void)state;
    signal(SIGHUP, SIG_DFL); /* where the tests run under nohup */
    strcpy(place, "/tmp/falign-cli-XXXXXX");
    return mkdtemp(place) && chdir(place) == 0 ? 0 : -1;
}

int tool_leave(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", place);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

void tool_write_parts(const char *path, const void *head, size_t head_bytes,
                      const void *data, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(head, 1, head_bytes, file) != head_bytes ||
        fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0)
        abort();
}

void tool_write(const char *path, const void *data, size_t bytes)
{
    tool_write_parts(path, "", 0, data, bytes);
}

void tool_write_npy(const char *path, const char *type, const char *shape,
                    const void *values, size_t bytes)
{
    char head[128] = "\x93NUMPY\x01\x00v";
    head[9] = 0;
    int length = snprintf(head + 10, 119,
                          "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                          type, shape);
    memset(head + 10 + length, ' ', (size_t)(117 - length));
    head[127] = '\n';
    tool_write_parts(path, head, 128, values, bytes);
}

char *tool_read(const char *path)
{
    char *text = calloc(1, 1 << 20);
    FILE *file = fopen(path, "rb");
    if (text && file)
        text[fread(text, 1, (1 << 20) - 1, file)] = 0;
    if (file)
        fclose(file);
    return text;
}

char *tool_read_untimed(const char *path)
{
    static const char timing[] = ",\"samples_per_second\":";
    char *text = tool_read(path), *to = text;
    for (char *from = text; *from;) {
        if (strncmp(from, timing, sizeof timing - 1) == 0) {
            from = strstr(from, "\"seconds\":");
            from += strcspn(from, ",}");
        }
        *to++ = *from++;
    }
    *to = 0;
    return text;
}

int tool_same(const char *one, const char *other)
{
    FILE *a = fopen(one, "rb"), *b = fopen(other, "rb");
    int same = a && b, byte = 0;
    while (same && byte != EOF) {
        byte = getc(a);
        same = byte == getc(b);
    }
    if (a)
        fclose(a);
    if (b)
        fclose(b);
    return same;
}

const char *tool_list(const char *folder)
{
    static char list[4096];
    struct dirent **entries;
    size_t used = 0;
    int count = scandir(folder, &entries, NULL, alphasort);
    list[0] = 0;
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                     used ? " " : "", name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return list;
}
