/* The generator of the manual, built but not installed:
 *
 *   manual FILE…           remakes the tables in Markdown files
 *   manual --check FILE…   fails where that would change one
 *   manual --man           prints the man page
 *
 * A table stands between the lines "<!-- table: NAME -->" and "<!-- end -->"; all
 * else in a file is written by hand. */
#include "manual/manual.h"
#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"

#include <stdlib.h>
#include <string.h>

static const char opening[] = "<!-- table: ", closing[] = "<!-- end -->";

enum { FILE_LIMIT = 1 << 20 };

/* `text` behind the end of its first line. */
static const char *next_line(const char *text)
{
    const char *end = strchr(text, '\n');
    return end ? end + 1 : text + strlen(text);
}

/* The table that the line at `text` opens; *rest: the line that closes it. */
static fal_status remake_table(const char *text, const char **rest, FILE *out)
{
    char name[32];
    if (sscanf(text, "<!-- table: %31s", name) != 1)
        return fal_fail(FAL_ERROR_FORMAT, "'%.60s': no table is named", text);
    *rest = strstr(text, closing);
    if (!*rest)
        return fal_fail(FAL_ERROR_FORMAT, "table '%s': no line '%s' follows", name,
                        closing);
    fprintf(out, "%.*s\n", (int)(next_line(text) - text), text);
    if (!manual_table(name, out))
        return fal_fail(FAL_ERROR_FORMAT, "table '%s': unknown", name);
    fprintf(out, "\n");
    return FAL_OK;
}

static fal_status remake_text(const char *text, FILE *out)
{
    fal_status status = FAL_OK;
    while (*text && !status) {
        if (strncmp(text, opening, strlen(opening)) == 0)
            status = remake_table(text, &text, out);
        const char *next = next_line(text);
        fwrite(text, 1, (size_t)(next - text), out);
        text = next;
    }
    return status;
}

static fal_status write_file(const char *path, const char *text)
{
    fal_file_writer writer;
    fal_status status = fal_file_begin(&writer, path);
    if (!status)
        status = fal_file_write(&writer, text, strlen(text));
    return status ? status : fal_file_commit(&writer);
}

/* Writes `made` in place of `old`, or only says whether it would. */
static fal_status put(const char *path, const char *old, const char *made,
                      int checking)
{
    if (strcmp(old, made) == 0) {
        printf("ok %s\n", path);
        return FAL_OK;
    }
    if (!checking)
        return write_file(path, made);
    return fal_fail(FAL_ERROR_FORMAT,
                    "its tables are not those of the tool; remake them with "
                    "ninja -C build docs");
}

static fal_status remake(const char *path, int checking)
{
    unsigned char *old = NULL;
    char *made = NULL;
    size_t length, size;
    fal_status status = fal_file_read(path, FILE_LIMIT, &old, &length);
    if (status)
        return status;
    FILE *out = open_memstream(&made, &size);
    if (!out) {
        fal_release(old);
        return fal_fail(FAL_ERROR_MEMORY, "no host memory");
    }
    status = remake_text((const char *)old, out);
    fclose(out);
    if (!status)
        status = put(path, (const char *)old, made, checking);
    free(made);
    fal_release(old);
    return status;
}

int main(int count, char **words)
{
    int checking = count > 1 && strcmp(words[1], "--check") == 0, failed = 0;
    if (count == 2 && strcmp(words[1], "--man") == 0) {
        manual_page(stdout);
        return fflush(stdout) != 0;
    }
    for (int i = 1 + checking; i < count; i++)
        if (remake(words[i], checking)) {
            fprintf(stderr, "[  FAILED  ] %s: %s\n", words[i], fal_error_message());
            failed = 1;
        }
    return failed;
}
