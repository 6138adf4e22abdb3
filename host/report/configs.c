/* How to make the runs again: commands and options, ready to copy. */
#include "device/memory.h"
#include "report/command.h"
#include "report/html.h"
#include "report/page.h"

#include <stdlib.h>

static void print_block(FILE *out, const char *text)
{
    fputs("<div class=\"copy\"><pre>", out);
    report_text(out, text);
    fputs("</pre></div>\n", out);
}

static fal_status print_repeat(FILE *out, const report_run *run)
{
    char *folder = report_shell_word(run->folder);
    if (!folder)
        return FAL_ERROR_MEMORY;
    fputs("<p>The run again, byte for byte, timing apart:</p>\n"
          "<div class=\"copy\"><pre>falign train ",
          out);
    report_text(out, folder);
    fputs("/config.yaml --out NEW</pre></div>\n", out);
    fal_release(folder);
    return FAL_OK;
}

static fal_status print_group(FILE *out, const report_group *group, int alone)
{
    char *command;
    fal_status status = report_command_of_run(group->runs[0], &command);
    if (status)
        return status;
    fprintf(out, "<details%s>\n<summary>", alone ? " open" : "");
    report_text(out, group->label);
    fputs(" <span>", out);
    report_text(out, group->detail);
    fputs("</span></summary>\n", out);
    if (command)
        print_block(out, command);
    free(command);
    status = print_repeat(out, group->runs[0]);
    fputs("<p>Its config.yaml:</p>\n", out);
    print_block(out, group->runs[0]->config);
    fputs("</details>\n", out);
    return status;
}

static fal_status print_comparison(FILE *out, const report_input *input,
                                   const report_comparison *comparison)
{
    char *command;
    fal_status status = report_command_of_comparison(input, comparison, &command);
    if (status || !command)
        return status;
    fputs("<p>", out);
    report_text(out, comparison->folder);
    fputs(":</p>\n", out);
    print_block(out, command);
    free(command);
    return FAL_OK;
}

fal_status report_configs_print(FILE *out, const report_input *input,
                                const report_groups *groups)
{
    fal_status status = FAL_OK;
    fputs("<section>\n<h2>Configuration</h2>\n", out);
    for (size_t i = 0; i < input->comparison_count && !status; i++)
        status = print_comparison(out, input, &input->comparisons[i]);
    for (size_t i = 0; i < groups->count && !status; i++)
        status = print_group(out, &groups->list[i], groups->count == 1);
    fputs("</section>\n", out);
    return status;
}
