#include "reproduce/verdict.h"
#include "device/error.h"
#include "device/memory.h"
#include "device/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER = 32 };

const char *fal_holds_name(fal_holds holds)
{
    static const char *const names[] = {"not run", "yes", "no"};
    return names[holds];
}

/* ---- judging ------------------------------------------------------------- */

static int is_equal(const fal_figure *figure, double value)
{
    for (size_t i = 0; i < figure->count; i++)
        if (!(figure->values[i] == value))
            return 0;
    return 1;
}

static int is_within(const fal_claim *claim, double value)
{
    return (isnan(claim->above) || value > claim->above) &&
           (isnan(claim->below) || value < claim->below) && !isnan(value);
}

static int is_every_within(const fal_claim *claim, const fal_figure *figure)
{
    for (size_t i = 0; i < figure->count; i++)
        if (!is_within(claim, figure->values[i]))
            return 0;
    return 1;
}

/* One value has no error to go by. */
static double allowed(const fal_claim *claim, const fal_figure *figure)
{
    double error = fal_figure_error(figure);
    return claim->within + (isnan(error) ? 0 : claim->errors * error);
}

/* A comparison with NAN, where no seed has a value, does not hold. */
static int holds_of(const fal_claim *claim, const fal_figure *figure,
                    const fal_figure *before)
{
    double mean = figure->spread.mean;
    switch (claim->bound) {
    case FAL_BOUND_RANGE:
        return claim->every ? is_every_within(claim, figure)
                            : is_within(claim, mean);
    case FAL_BOUND_NEAR:
        return fabs(mean - claim->near) <= allowed(claim, figure);
    case FAL_BOUND_EQUALS:
        return is_equal(figure, claim->equals);
    case FAL_BOUND_FALLS:
        return !isnan(mean) && (!before || mean < before->spread.mean);
    case FAL_BOUND_RISES:
        return !isnan(mean) && (!before || mean > before->spread.mean);
    }
    return 0;
}

static fal_holds judge(const fal_claim *claim, const fal_findings *findings)
{
    const fal_figure *before = NULL;
    for (size_t i = 0; i < claim->figure_count; i++) {
        const fal_figure *figure = fal_findings_find(findings, claim->figures[i]);
        if (!holds_of(claim, figure, before))
            return FAL_HOLDS_NOT;
        before = figure;
    }
    return FAL_HOLDS;
}

/* ---- in words ------------------------------------------------------------ */

static void print_number(FILE *out, int digits, double value)
{
    char text[NUMBER];
    fal_number_print(text, sizeof text, digits, value);
    fputs(text, out);
}

static void print_range(FILE *out, const fal_claim *claim)
{
    int both = !isnan(claim->above) && !isnan(claim->below);
    fputs(claim->every ? "each seed " : "", out);
    fputs(isnan(claim->above) ? "" : "above ", out);
    if (!isnan(claim->above))
        print_number(out, 6, claim->above);
    fputs(both ? ", " : "", out);
    fputs(isnan(claim->below) ? "" : "below ", out);
    if (!isnan(claim->below))
        print_number(out, 6, claim->below);
}

static void print_near(FILE *out, const fal_claim *claim)
{
    fputs("within ", out);
    print_number(out, 6, claim->within);
    if (claim->errors > 0) {
        fputs(" + ", out);
        print_number(out, 6, claim->errors);
        fputs(claim->errors == 1 ? " standard error" : " standard errors", out);
    }
    fputs(" of ", out);
    print_number(out, 6, claim->near);
}

static void print_bound(FILE *out, const fal_claim *claim)
{
    switch (claim->bound) {
    case FAL_BOUND_RANGE:
        print_range(out, claim);
        break;
    case FAL_BOUND_NEAR:
        print_near(out, claim);
        break;
    case FAL_BOUND_EQUALS:
        fputs("always ", out);
        print_number(out, 6, claim->equals);
        break;
    case FAL_BOUND_FALLS:
        fputs("each below the one before", out);
        break;
    case FAL_BOUND_RISES:
        fputs("each above the one before", out);
        break;
    }
}

/* As many digits of the mean as its deviation is known to. */
static void print_spread(FILE *out, const report_spread *spread)
{
    double deviation = spread->deviation, mean = spread->mean;
    int digits = 4;
    if (spread->count == 0) {
        fputs("no value", out);
        return;
    }
    if (!isnan(deviation) && deviation > 0 && mean != 0)
        digits = 2 + (int)(floor(log10(fabs(mean))) - floor(log10(deviation)));
    print_number(out, digits < 2 ? 2 : digits > 6 ? 6 : digits, mean);
    if (isnan(deviation) || deviation == 0)
        return;
    fputs(" \xC2\xB1 ", out);
    print_number(out, 2, deviation);
}

/* How many values: said once where all figures have as many. */
static void print_counts(FILE *out, const fal_claim *claim,
                         const fal_findings *findings)
{
    const fal_figure *first = fal_findings_find(findings, claim->figures[0]);
    for (size_t i = 0; i < claim->figure_count; i++) {
        const fal_figure *figure = fal_findings_find(findings, claim->figures[i]);
        if (figure->spread.count != figure->count) {
            fprintf(out, " (%s: %zu of %zu have a value)", figure->name,
                    figure->spread.count, figure->count);
            return;
        }
        if (figure->count != first->count)
            return;
    }
    fprintf(out, " (n = %zu)", first->count);
}

static void print_measured(FILE *out, const fal_claim *claim,
                           const fal_findings *findings)
{
    int ordered = claim->bound == FAL_BOUND_FALLS ||
                  claim->bound == FAL_BOUND_RISES;
    for (size_t i = 0; i < claim->figure_count; i++) {
        const fal_figure *figure = fal_findings_find(findings, claim->figures[i]);
        fputs(i == 0 ? "" : ordered ? " \xE2\x86\x92 " : "; ", out);
        print_spread(out, &figure->spread);
    }
    print_counts(out, claim, findings);
}

/* ---- what was not run ---------------------------------------------------- */

static int data_differ(const fal_claim *claim, const fal_study *study)
{
    return strcmp(claim->data, "any") != 0 &&
           (!study->data || strcmp(claim->data, study->data) != 0);
}

/* Writes why a claim cannot be judged; returns 0 where it can. */
static int print_why_not(FILE *out, const fal_claim *claim, const fal_study *study,
                         const fal_findings *findings)
{
    if (claim->scale > study->scale) {
        fprintf(out, "needs --%s", fal_scale_names[claim->scale]);
        return 1;
    }
    if (claim->data && data_differ(claim, study)) {
        fprintf(out, "is about %s; give --data %s", claim->data, claim->data);
        return 1;
    }
    if (claim->data && study->data_missing) {
        fputs(study->data_missing, out);
        return 1;
    }
    for (size_t i = 0; i < claim->figure_count; i++) {
        const fal_figure *figure = fal_findings_find(findings, claim->figures[i]);
        if (figure && figure->count > 0)
            continue;
        if (study->left_out > 0)
            fputs(study->data_missing, out);
        else
            fprintf(out, "no part of this scale gives the figure %s",
                    claim->figures[i]);
        return 1;
    }
    return 0;
}

/* ---- all ----------------------------------------------------------------- */

struct text {
    FILE *out;
    char *block;
    size_t size;
};

static fal_status begin_text(struct text *text)
{
    text->out = open_memstream(&text->block, &text->size);
    return text->out ? FAL_OK
                     : fal_fail(FAL_ERROR_MEMORY, "verdicts: no host memory");
}

static fal_status end_text(struct text *text, char **made)
{
    int failed = fclose(text->out) != 0 || !text->block;
    *made = failed ? NULL : fal_copy_text(text->block);
    free(text->block);
    return *made ? FAL_OK : FAL_ERROR_MEMORY;
}

static fal_status make_verdict(fal_verdict *verdict, const fal_study *study,
                               const fal_findings *findings)
{
    const fal_claim *claim = verdict->claim;
    struct text text;
    fal_status status = begin_text(&text);
    if (status)
        return status;
    if (!print_why_not(text.out, claim, study, findings)) {
        verdict->holds = judge(claim, findings);
        print_measured(text.out, claim, findings);
    }
    status = end_text(&text, &verdict->measured);
    if (!status)
        status = begin_text(&text);
    if (status)
        return status;
    print_bound(text.out, claim);
    return end_text(&text, &verdict->bound);
}

fal_status fal_verdicts_make(fal_verdicts *verdicts, const fal_study *study,
                             const fal_findings *findings)
{
    fal_status status = FAL_OK;
    size_t count = study->spec.claim_count;
    verdicts->count = 0;
    verdicts->list = fal_allocate(count, sizeof *verdicts->list);
    if (!verdicts->list)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < count && !status; i++) {
        fal_verdict *verdict = &verdicts->list[verdicts->count++];
        verdict->claim = &study->spec.claims[i];
        status = make_verdict(verdict, study, findings);
    }
    return status;
}

void fal_verdicts_release(fal_verdicts *verdicts)
{
    for (size_t i = 0; i < verdicts->count; i++) {
        fal_release(verdicts->list[i].measured);
        fal_release(verdicts->list[i].bound);
    }
    fal_release(verdicts->list);
    *verdicts = (fal_verdicts){NULL, 0};
}

size_t fal_verdicts_count(const fal_verdicts *verdicts, fal_holds holds)
{
    size_t count = 0;
    for (size_t i = 0; i < verdicts->count; i++)
        count += verdicts->list[i].holds == holds ? 1 : 0;
    return count;
}
