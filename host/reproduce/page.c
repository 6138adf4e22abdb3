#include "reproduce/page.h"
#include "device/error.h"
#include "device/memory.h"
#include "device/number.h"
#include "report/html.h"
#include "report/page.h"
#include "reproduce/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- head ---------------------------------------------------------------- */

static void print_fact(FILE *out, const char *name, const char *value)
{
    if (!value)
        return;
    fprintf(out, " <span><i>%s</i> ", name);
    report_text(out, value);
    fputs("</span>", out);
}

static void print_facts(FILE *out, const fal_outcome *outcome)
{
    const fal_study *study = outcome->study;
    char seeds[32];
    snprintf(seeds, sizeof seeds, "%llu", (unsigned long long)study->seeds);
    fputs("<p class=\"facts\">", out);
    print_fact(out, "experiment", study->spec.name);
    print_fact(out, "scale", fal_scale_names[study->scale]);
    print_fact(out, "seeds", seeds);
    print_fact(out, "data", study->data);
    print_fact(out, "device", outcome->device);
    print_fact(out, "falign", fal_version());
    fputs("</p>\n", out);
}

static void print_head(FILE *out, const fal_outcome *outcome)
{
    const fal_spec *spec = &outcome->study->spec;
    report_page_begin(out);
    report_text(out, spec->paper);
    report_page_open(out);
    fputs("<header>\n<h1>", out);
    report_text(out, spec->paper);
    fputs("</h1>\n<p>", out);
    report_text(out, spec->about);
    fputs("</p>\n", out);
    print_facts(out, outcome);
    report_notes_print(out, &outcome->findings.notes);
    fputs("</header>\n", out);
}

/* ---- verdicts ------------------------------------------------------------ */

static void print_verdict(FILE *out, const fal_verdict *verdict)
{
    static const char *const classes[] = {"open", "yes", "no"};
    const fal_claim *claim = verdict->claim;
    int run = verdict->holds != FAL_NOT_RUN;
    fputs("<tr><th>", out);
    report_text(out, claim->claim);
    fputs("</th><td>", out);
    report_text(out, claim->published);
    fputs(" <span>", out);
    report_text(out, claim->source);
    fprintf(out, "</span></td><td>%s", run ? "" : "<span>");
    report_text(out, verdict->measured);
    fputs(run ? " <span>holds if " : "", out);
    report_text(out, run ? verdict->bound : "");
    fprintf(out, "</span></td><td><b class=\"%s\">%s</b></td></tr>\n",
            classes[verdict->holds], fal_holds_name(verdict->holds));
}

static void print_verdicts(FILE *out, const fal_verdicts *verdicts)
{
    size_t holds = fal_verdicts_count(verdicts, FAL_HOLDS);
    size_t not_run = fal_verdicts_count(verdicts, FAL_NOT_RUN);
    fputs("<section>\n<h2>Claims</h2>\n<div class=\"wide\"><table "
          "class=\"claims\">\n<thead><tr><th>claim</th><th>published</th>"
          "<th>measured</th><th>holds</th></tr></thead>\n<tbody>\n",
          out);
    for (size_t i = 0; i < verdicts->count; i++)
        print_verdict(out, &verdicts->list[i]);
    fprintf(out,
            "</tbody></table></div>\n<p class=\"meaning\">%zu of %zu hold%s. "
            "Measured: mean \xC2\xB1 deviation over n seeds.</p>\n</section>\n",
            holds, verdicts->count - not_run,
            not_run ? "; what was not run says why" : "");
}

static void print_tiny(FILE *out, const fal_findings *findings)
{
    fprintf(out,
            "<section>\n<h2>Claims</h2>\n<p>" FAL_TINY_WORDS "</p>\n</section>\n",
            fal_findings_with_values(findings));
}

/* ---- plots --------------------------------------------------------------- */

static fal_status print_plots(FILE *out, const fal_findings *findings)
{
    fal_status status = FAL_OK;
    const char *section = NULL;
    for (size_t i = 0; i < findings->plot_count && !status; i++) {
        const fal_plot *plot = &findings->plots[i];
        if (!section || strcmp(section, plot->section) != 0) {
            fputs(section ? "</div>\n</section>\n" : "", out);
            fputs("<section>\n<h2>", out);
            report_text(out, plot->section);
            fputs("</h2>\n<div class=\"figures\">\n", out);
        }
        section = plot->section;
        status = fal_chart_print(out, plot);
    }
    fputs(section
              ? "</div>\n<p class=\"meaning\">Lines are means over seeds; bands "
                "are a deviation to either side, on logarithmic axes as far "
                "down as up.</p>\n</section>\n"
              : "",
          out);
    return status;
}

/* ---- figures and settings ------------------------------------------------ */

static void print_number(FILE *out, double value)
{
    char text[32] = "\xE2\x80\x93";
    if (!isnan(value))
        fal_number_print(text, sizeof text, 5, value);
    fprintf(out, "<td>%s</td>", text);
}

static void print_figures(FILE *out, const fal_findings *findings)
{
    fputs("<details>\n<summary>Figures</summary>\n<div class=\"wide\"><table>\n"
          "<thead><tr><th>figure</th><th>n</th><th>mean</th><th>deviation</th>"
          "<th>standard error</th></tr></thead>\n<tbody>\n",
          out);
    for (size_t i = 0; i < findings->figure_count; i++) {
        const fal_figure *figure = &findings->figures[i];
        fputs("<tr><th>", out);
        report_text(out, figure->name);
        fprintf(out, "</th><td>%zu</td>", figure->spread.count);
        print_number(out, figure->spread.mean);
        print_number(out, figure->spread.deviation);
        print_number(out, fal_figure_error(figure));
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n</details>\n", out);
}

static fal_status print_settings(FILE *out, const fal_study *study)
{
    fal_json settings = FAL_JSON;
    fal_study_settings(study, &settings);
    fal_status status = settings.status;
    fputs("<section>\n<h2>Again</h2>\n<div class=\"copy\"><pre>falign reproduce ",
          out);
    fprintf(out, "%s --%s --seeds %llu", study->spec.name,
            fal_scale_names[study->scale], (unsigned long long)study->seeds);
    if (study->data && strcmp(study->data, study->spec.data) != 0) {
        char *word = report_shell_word(study->data);
        fputs(" --data ", out);
        report_text(out, word ? word : "");
        fal_release(word);
    }
    fputs("</pre></div>\n<details>\n<summary>Settings</summary>\n<pre>", out);
    report_text(out, status ? "" : settings.text);
    fputs("</pre>\n</details>\n</section>\n", out);
    fal_json_release(&settings);
    return status;
}

/* ---- all ----------------------------------------------------------------- */

static fal_status print_page(FILE *out, const fal_outcome *outcome)
{
    print_head(out, outcome);
    if (outcome->study->scale == FAL_SCALE_TINY)
        print_tiny(out, &outcome->findings);
    else
        print_verdicts(out, &outcome->verdicts);
    fal_status status = print_plots(out, &outcome->findings);
    print_figures(out, &outcome->findings);
    if (!status)
        status = print_settings(out, outcome->study);
    report_page_end(out);
    return status;
}

fal_status fal_page_make(const fal_outcome *outcome, char **text)
{
    size_t size;
    *text = NULL;
    FILE *out = open_memstream(text, &size);
    if (!out)
        return fal_fail(FAL_ERROR_MEMORY, "report: no host memory");
    fal_status status = print_page(out, outcome);
    int failed = ferror(out);
    if ((fclose(out) != 0 || failed) && !status)
        status = fal_fail(FAL_ERROR_MEMORY, "report: no host memory");
    return status;
}
