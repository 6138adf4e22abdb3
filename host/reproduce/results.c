#include "reproduce/results.h"
#include "cli/output.h"

#include <math.h>
#include <time.h>

/* ---- figures ------------------------------------------------------------- */

static void add_figure(const fal_figure *figure, fal_json *json)
{
    fal_json_key(json, figure->name);
    fal_json_begin_object(json);
    cli_json_count(json, "n", figure->spread.count);
    cli_json_number(json, "mean", figure->spread.mean);
    cli_json_number(json, "deviation", figure->spread.deviation);
    cli_json_number(json, "standard_error", fal_figure_error(figure));
    fal_json_key(json, "values");
    fal_json_begin_array(json);
    for (size_t i = 0; i < figure->count; i++)
        fal_json_number(json, figure->values[i]);
    fal_json_end_array(json);
    fal_json_end_object(json);
}

static void add_figures(const fal_findings *findings, fal_json *json)
{
    fal_json_key(json, "figures");
    fal_json_begin_object(json);
    for (size_t i = 0; i < findings->figure_count; i++)
        add_figure(&findings->figures[i], json);
    fal_json_end_object(json);
}

/* ---- claims -------------------------------------------------------------- */

/* null: not run. */
static void add_holds(fal_holds holds, fal_json *json)
{
    fal_json_key(json, "holds");
    if (holds == FAL_NOT_RUN)
        fal_json_null(json);
    else
        fal_json_bool(json, holds == FAL_HOLDS);
}

static void add_verdict(const fal_verdict *verdict, fal_json *json)
{
    const fal_claim *claim = verdict->claim;
    int run = verdict->holds != FAL_NOT_RUN;
    fal_json_begin_object(json);
    cli_json_text(json, "id", claim->id);
    cli_json_text(json, "claim", claim->claim);
    cli_json_text(json, "published", claim->published);
    cli_json_text(json, "source", claim->source);
    cli_json_text(json, "measured", run ? verdict->measured : NULL);
    cli_json_text(json, "bound", verdict->bound);
    add_holds(verdict->holds, json);
    cli_json_text(json, "not_run", run ? NULL : verdict->measured);
    fal_json_key(json, "figures");
    fal_json_begin_array(json);
    for (size_t i = 0; i < claim->figure_count; i++)
        fal_json_string(json, claim->figures[i]);
    fal_json_end_array(json);
    fal_json_end_object(json);
}

static void add_verdicts(const fal_verdicts *verdicts, fal_json *json)
{
    fal_json_key(json, "claims");
    fal_json_begin_array(json);
    for (size_t i = 0; i < verdicts->count; i++)
        add_verdict(&verdicts->list[i], json);
    fal_json_end_array(json);
}

/* ---- all ----------------------------------------------------------------- */

static void add_notes(const fal_findings *findings, fal_json *json)
{
    fal_json_key(json, "notes");
    fal_json_begin_array(json);
    for (size_t i = 0; i < findings->notes.count; i++)
        fal_json_string(json, findings->notes.texts[i]);
    fal_json_end_array(json);
}

static void add_run(const fal_outcome *outcome, fal_json *json)
{
    char date[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    fal_json_key(json, "run");
    fal_json_begin_object(json);
    cli_json_text(json, "falign", fal_version());
    cli_json_text(json, "device", outcome->device);
    cli_json_text(json, "platform", outcome->platform);
    cli_json_text(json, "date", date);
    cli_json_number(json, "seconds", outcome->seconds);
    fal_json_end_object(json);
}

void fal_results_json(const fal_outcome *outcome, fal_json *json)
{
    const fal_study *study = outcome->study;
    fal_json_begin_object(json);
    cli_json_text(json, "experiment", study->spec.name);
    cli_json_text(json, "paper", study->spec.paper);
    cli_json_text(json, "scale", fal_scale_names[study->scale]);
    cli_json_text(json, "data", study->data);
    cli_json_text(json, "data_missing", study->data_missing);
    fal_json_key(json, "settings");
    fal_study_settings(study, json);
    cli_json_count(json, "parts", study->parts.count);
    cli_json_count(json, "parts_left_out", study->left_out);
    add_figures(&outcome->findings, json);
    add_verdicts(&outcome->verdicts, json);
    add_notes(&outcome->findings, json);
    add_run(outcome, json);
    fal_json_end_object(json);
    fal_json_newline(json);
}
