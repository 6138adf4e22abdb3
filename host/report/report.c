/* falign report: runs as one page. */
#include "cli/commands.h"
#include "cli/output.h"
#include "device/error.h"
#include "device/memory.h"
#include "files/atomic.h"
#include "report/page.h"
#include "train/folder.h"
#include "train/run_files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- where it goes ------------------------------------------------------- */

static char *choose_path(const cli_options *options)
{
    const char *folder = options->arguments[0], *out = cli_text(options, CLI_OUT);
    size_t length = strlen(folder);
    if (out)
        return fal_copy_text(out);
    while (length > 1 && folder[length - 1] == '/')
        options->arguments[0][--length] = 0; /* fal_folder_path adds its own */
    return fal_folder_path(folder, "report.html");
}

/* A file that is not one of our pages may be someone's work. */
static fal_status check_target(const char *path)
{
    char text[sizeof FAL_REPORT_MARK] = "";
    fal_file_reader reader;
    struct stat facts;
    if (lstat(path, &facts) != 0 || !S_ISREG(facts.st_mode))
        return FAL_OK; /* writing says what is wrong */
    fal_status status = fal_file_open(&reader, path, SIZE_MAX);
    if (status)
        return status;
    if (reader.size >= strlen(FAL_REPORT_MARK))
        status = fal_file_next(&reader, text, strlen(FAL_REPORT_MARK));
    fal_file_close(&reader);
    if (status || strcmp(text, FAL_REPORT_MARK) == 0)
        return status;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "report: '%s' is there and is no report of falign's, so it may "
                    "be yours; name another file with --out",
                    path);
}

static fal_status write_file(const char *path, const char *text, size_t size)
{
    fal_file_writer writer;
    fal_status status = check_target(path);
    if (!status)
        status = fal_file_begin(&writer, path);
    if (!status)
        status = fal_file_write(&writer, text, size);
    return status ? status : fal_file_commit(&writer);
}

/* ---- making -------------------------------------------------------------- */

static fal_status make_page(const report_input *input, const report_groups *groups,
                            char **text, size_t *size)
{
    FILE *out = open_memstream(text, size);
    if (!out)
        return fal_fail(FAL_ERROR_MEMORY, "report: no host memory");
    fal_status status = report_page_print(out, input, groups);
    int failed = ferror(out);
    if ((fclose(out) != 0 || failed) && !status)
        status = fal_fail(FAL_ERROR_MEMORY, "report: no host memory");
    return status;
}

static fal_status write_page(const report_input *input, const report_groups *groups,
                             const char *path)
{
    char *text = NULL;
    size_t size = 0;
    fal_status status = make_page(input, groups, &text, &size);
    if (!status)
        status = write_file(path, text, size);
    free(text);
    return status;
}

/* ---- what is said -------------------------------------------------------- */

static size_t count_runs(const report_groups *groups)
{
    size_t runs = 0;
    for (size_t i = 0; i < groups->count; i++)
        runs += groups->list[i].count;
    return runs;
}

static fal_status print_json(const report_input *input, const report_groups *groups,
                             const char *path)
{
    fal_json json = FAL_JSON;
    fal_json_begin_object(&json);
    cli_json_text(&json, "report", path);
    cli_json_count(&json, "runs", count_runs(groups));
    cli_json_count(&json, "groups", groups->count);
    fal_json_key(&json, "notes");
    fal_json_begin_array(&json);
    for (size_t i = 0; i < input->notes.count; i++)
        fal_json_string(&json, input->notes.texts[i]);
    fal_json_end_array(&json);
    fal_json_end_object(&json);
    return cli_print_json(&json);
}

static fal_status print_result(const cli_options *options,
                               const report_input *input,
                               const report_groups *groups, const char *path)
{
    size_t runs = count_runs(groups);
    if (cli_flag(options, CLI_JSON))
        return print_json(input, groups, path);
    if (cli_flag(options, CLI_QUIET))
        return FAL_OK;
    for (size_t i = 0; i < input->notes.count; i++)
        cli_say("note: %s", input->notes.texts[i]);
    cli_print("report of %zu run%s in ", runs, runs == 1 ? "" : "s");
    cli_print_name(path);
    cli_print("\n");
    return FAL_OK;
}

/* ---- the command --------------------------------------------------------- */

static fal_status make_report(const cli_options *options, report_input *input)
{
    report_groups groups;
    char *path = choose_path(options);
    if (!path)
        return FAL_ERROR_MEMORY;
    fal_status status = report_groups_make(&groups, input);
    if (!status)
        status = write_page(input, &groups, path);
    if (!status)
        status = print_result(options, input, &groups, path);
    report_groups_release(&groups);
    fal_release(path);
    return status;
}

int cli_report(const cli_options *options)
{
    report_input input;
    if (options->argument_count == 0)
        return cli_end(
            fal_fail(FAL_ERROR_ARGUMENT,
                     "argument RUN: missing; give the folder of a run or "
                     "of a comparison"));
    fal_status status = report_input_read(&input, options->arguments,
                                          options->argument_count);
    if (!status)
        status = make_report(options, &input);
    report_input_release(&input);
    return cli_end(status);
}
