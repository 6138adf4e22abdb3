#include "report/page.h"
#include "report/html.h"
#include "report/plot.h"
#include "train/run_files.h"

#include <string.h>

/* ---- the head ------------------------------------------------------------ */

/* A setting that all runs share; NULL: they do not, or it is null. */
static const char *common(const report_groups *groups, const char *key)
{
    return report_groups_differ(groups, key)
               ? NULL
               : report_run_setting(groups->list[0].runs[0], key);
}

static void print_title(FILE *out, const report_groups *groups)
{
    const char *net = common(groups, "net"), *data = common(groups, "data");
    report_text(out, net ? net : "several networks");
    fputs(" on ", out);
    report_text(out, data ? data : "several data sets");
}

void report_page_begin(FILE *out)
{
    fputs(FAL_REPORT_MARK
          " report -->\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, "
          "initial-scale=1\">\n<title>",
          out);
}

void report_page_open(FILE *out)
{
    fprintf(out, " \xC2\xB7 falign</title>\n<style>\n%s</style>\n</head>\n<body>\n",
            (const char *)report_page_css);
}

void report_page_end(FILE *out)
{
    fprintf(out, "<script>\n%s</script>\n</body>\n</html>\n",
            (const char *)report_page_js);
}

static void print_facts(FILE *out, const report_groups *groups)
{
    static const char *const keys[] = {"loss",  "optimizer", "lr",   "schedule",
                                       "batch", "epochs",    "steps"};
    size_t runs = 0;
    for (size_t i = 0; i < groups->count; i++)
        runs += groups->list[i].count;
    fprintf(out, "<p class=\"facts\"><span>%zu run%s</span>", runs,
            runs == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (common(groups, keys[i])) {
            fprintf(out, " <span><i>%s</i> ", keys[i]);
            report_text(out, common(groups, keys[i]));
            fputs("</span>", out);
        }
    fprintf(out, " <span><i>falign</i> %s</span></p>\n", fal_version());
}

/* ---- groups and notes ---------------------------------------------------- */

static void print_group(FILE *out, const report_groups *groups, size_t number)
{
    const report_group *group = &groups->list[number];
    fputs("<li>", out);
    if (groups->count > 1)
        report_key_print(out, number);
    fputs("<b>", out);
    report_text(out, group->label);
    fputs("</b>", out);
    if (*group->detail) {
        fputs(" <span>", out);
        report_text(out, group->detail);
        fputs("</span>", out);
    }
    fprintf(out, " <span>%zu run%s</span></li>\n", group->count,
            group->count == 1 ? "" : "s");
}

static void print_legend(FILE *out, const report_groups *groups)
{
    int several = 0;
    fputs("<ul class=\"legend\">\n", out);
    for (size_t i = 0; i < groups->count; i++) {
        print_group(out, groups, i);
        several |= groups->list[i].count > 1;
    }
    fputs("</ul>\n", out);
    if (several)
        fputs(
            "<p class=\"meaning\">Lines are means over the runs of a group, which "
            "differ in their seeds; bands are a deviation to either side.</p>\n",
            out);
}

void report_notes_print(FILE *out, const report_notes *notes)
{
    if (notes->count == 0)
        return;
    fputs("<ul class=\"notes\">\n", out);
    for (size_t i = 0; i < notes->count; i++) {
        fputs("<li>", out);
        report_text(out, notes->texts[i]);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n", out);
}

/* ---- all ----------------------------------------------------------------- */

fal_status report_page_print(FILE *out, const report_input *input,
                             const report_groups *groups)
{
    report_page_begin(out);
    print_title(out, groups);
    report_page_open(out);
    fputs("<header>\n<h1>", out);
    print_title(out, groups);
    fputs("</h1>\n", out);
    print_facts(out, groups);
    print_legend(out, groups);
    report_notes_print(out, &input->notes);
    fputs("</header>\n", out);
    fal_status status = report_finals_print(out, groups);
    if (!status)
        status = report_learning_print(out, groups);
    if (!status)
        status = report_metrics_print(out, groups);
    if (status)
        return status;
    report_runs_print(out, groups);
    status = report_configs_print(out, input, groups);
    report_page_end(out);
    return status;
}
