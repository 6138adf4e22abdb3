#include "reproduce/show.h"
#include "cli/output.h"

#include <stdio.h>

enum { COLUMN = 9 };

/* ---- the head ------------------------------------------------------------ */

static void print_data(const fal_study *study)
{
    char text[2560];
    if (!study->data)
        return;
    cli_print("%-*s", COLUMN, "data");
    if (!study->data_missing) {
        cli_print_name(study->data);
        cli_print("\n");
        return;
    }
    snprintf(text, sizeof text, "%zu part%s left out: %s", study->left_out,
             study->left_out == 1 ? " is" : "s are", study->data_missing);
    cli_print_words(text, COLUMN);
}

void fal_show_head(const fal_job *job)
{
    const fal_study *study = &job->study;
    cli_print("%-*s", COLUMN, "folder");
    cli_print_name(fal_run_folder(job->folder));
    cli_print("\n%-*s", COLUMN, "paper");
    cli_print_words(study->spec.paper, COLUMN);
    if (*job->machine.selector)
        cli_print("%-*s%s, %s (%s)\n", COLUMN, "device", job->machine.selector,
                  job->machine.name, job->machine.platform);
    print_data(study);
    cli_print("%-*s%s, %llu seed%s, %zu part%s\n", COLUMN, "scale",
              fal_scale_names[study->scale], (unsigned long long)study->seeds,
              study->seeds == 1 ? "" : "s", study->parts.count,
              study->parts.count == 1 ? "" : "s");
    if (job->before > 0)
        cli_print("%-*sbehind %zu of %zu parts\n", COLUMN, "resumed", job->before,
                  study->parts.count);
    cli_print("\n");
}

/* ---- verdicts ------------------------------------------------------------ */

static void print_row(const char *name, const char *text)
{
    enum { INDENT = 9, TEXT = 20 };
    cli_print("%*s%-*s", INDENT, "", TEXT - INDENT, name);
    cli_print_words(text, TEXT);
}

static void print_verdict(const fal_verdict *verdict)
{
    char text[2048];
    const fal_claim *claim = verdict->claim;
    cli_print("%-*s", COLUMN, fal_holds_name(verdict->holds));
    cli_print_words(claim->claim, COLUMN);
    snprintf(text, sizeof text, "%s (%s)", claim->published, claim->source);
    print_row("published", text);
    if (verdict->holds == FAL_NOT_RUN) {
        print_row("not run", verdict->measured);
        return;
    }
    snprintf(text, sizeof text, "%s; holds if %s", verdict->measured,
             verdict->bound);
    print_row("measured", text);
}

static void print_verdicts(const fal_verdicts *verdicts)
{
    cli_print("\n%-*sclaim\n\n", COLUMN, "holds");
    for (size_t i = 0; i < verdicts->count; i++)
        print_verdict(&verdicts->list[i]);
}

static void print_notes(const fal_findings *findings)
{
    for (size_t i = 0; i < findings->notes.count; i++) {
        cli_print("\n%-*s", COLUMN, "note");
        cli_print_words(findings->notes.texts[i], COLUMN);
    }
}

static void print_counts(const fal_verdicts *verdicts)
{
    size_t not_run = fal_verdicts_count(verdicts, FAL_NOT_RUN);
    cli_print("\n%zu of %zu claims hold", fal_verdicts_count(verdicts, FAL_HOLDS),
              verdicts->count - not_run);
    if (not_run > 0)
        cli_print(", %zu not run", not_run);
    cli_print("\n");
}

void fal_show_outcome(const fal_outcome *outcome, const char *folder)
{
    int tiny = outcome->study->scale == FAL_SCALE_TINY;
    if (!tiny)
        print_verdicts(&outcome->verdicts);
    print_notes(&outcome->findings);
    if (tiny)
        cli_print("\n" FAL_TINY_WORDS "\n",
                  fal_findings_with_values(&outcome->findings));
    else
        print_counts(&outcome->verdicts);
    cli_print("saved in ");
    cli_print_name(folder);
    cli_print("\n");
}
