/* The list of experiments. How long one takes here: what its parts took on the machine
 * of the README, times how much slower this device is at a training step of a small
 * network, which is what most parts are made of. */
#include "cli/bench.h"
#include "cli/ground.h"
#include "cli/output.h"
#include "device/error.h"
#include "reproduce/show.h"

#include <math.h>
#include <stdio.h>

/* Of `bench step` with these words, on the README's machine. */
static const double readme_ms = 0.141;

/* ---- this device --------------------------------------------------------- */

static fal_status time_step(fal_device *device, double *ms)
{
    char *words[] = {(char *)"--net", (char *)"mlp-2x64",    (char *)"--batch",
                     (char *)"32",    (char *)"--optimizer", (char *)"sgd"};
    cli_options bench;
    cli_step_figures figures;
    fal_status status = cli_options_read(&bench, CLI_BENCH,
                                         sizeof words / sizeof *words, words, 0);
    if (!status)
        status = cli_bench_step(device, &bench, &figures);
    if (!status)
        *ms = figures.timing.ms;
    return status;
}

/* How many times the README's machine; NAN: there is no device, as error_message
 * says. */
static double measure_device(const cli_options *options)
{
    fal_device *device = NULL;
    double ms = NAN;
    fal_status status = cli_device_open(&device, options);
    if (!status)
        status = time_step(device, &ms);
    fal_device_destroy(device);
    return status ? NAN : ms / readme_ms;
}

/* ---- times --------------------------------------------------------------- */

struct row {
    fal_spec spec;
    double seconds[FAL_SCALES]; /* on the README's machine */
};

static fal_status read_row(struct row *row, const fal_experiment *experiment,
                           const cli_options *options)
{
    fal_status status = fal_spec_read(&row->spec, experiment);
    for (size_t i = 0; i < FAL_SCALES && !status; i++) {
        fal_study study;
        status = fal_study_open(&study, experiment, (fal_scale)i,
                                cli_whole(options, CLI_STUDY_SEEDS),
                                cli_text(options, CLI_DATA), options);
        row->seconds[i] = fal_study_expected(&study);
        fal_study_close(&study);
    }
    return status;
}

/* "40 s", "5 min", "2.5 h": an estimate needs no more. */
static void print_time(char text[16], double seconds)
{
    if (seconds < 90)
        snprintf(text, 16, "%.0f s", fmax(1, seconds));
    else if (seconds < 5400)
        snprintf(text, 16, "%.0f min", seconds / 60);
    else
        snprintf(text, 16, "%.1f h", seconds / 3600);
}

/* ---- text ---------------------------------------------------------------- */

static void print_row(const struct row *row, double slower)
{
    enum { COLUMN = 13 };
    char quick[16], full[16];
    double factor = isnan(slower) ? 1 : slower;
    print_time(quick, factor * row->seconds[FAL_SCALE_QUICK]);
    print_time(full, factor * row->seconds[FAL_SCALE_FULL]);
    cli_print("%-*s", COLUMN, row->spec.name);
    cli_print_words(row->spec.paper, COLUMN);
    cli_print("%*s", COLUMN, "");
    cli_print_words(row->spec.about, COLUMN);
    cli_print("%*s%zu claims; --quick %s, --full %s\n\n", COLUMN, "",
              row->spec.claim_count, quick, full);
}

static void print_foot(double slower)
{
    if (isnan(slower))
        cli_print("Times are those of the README's machine; of this one: %s\n",
                  fal_error_message());
    else
        cli_print(
            "Times are estimates for this device: a small training step takes "
            "%.2g of what\nit takes on the README's machine.\n",
            slower);
}

/* ---- JSON ---------------------------------------------------------------- */

static void add_row(const struct row *row, double slower, fal_json *json)
{
    fal_json_begin_object(json);
    cli_json_text(json, "name", row->spec.name);
    cli_json_text(json, "paper", row->spec.paper);
    cli_json_text(json, "about", row->spec.about);
    cli_json_text(json, "data", row->spec.data);
    cli_json_count(json, "claims", row->spec.claim_count);
    fal_json_key(json, "seconds");
    fal_json_begin_object(json);
    for (size_t i = 0; i < FAL_SCALES; i++)
        cli_json_number(json, fal_scale_names[i], slower * row->seconds[i]);
    fal_json_end_object(json);
    fal_json_end_object(json);
}

/* ---- all ----------------------------------------------------------------- */

fal_status fal_show_list(const cli_options *options,
                         const fal_experiment *const *list)
{
    fal_json json = FAL_JSON;
    fal_status status = FAL_OK;
    double slower = measure_device(options);
    int as_json = cli_flag(options, CLI_JSON);
    int silent = as_json || cli_flag(options, CLI_QUIET);
    fal_json_begin_array(&json);
    for (; *list && !status; list++) {
        struct row row;
        status = read_row(&row, *list, options);
        if (!status && !silent)
            print_row(&row, slower);
        if (!status)
            add_row(&row, slower, &json);
        fal_spec_release(&row.spec);
    }
    fal_json_end_array(&json);
    if (!status && !silent)
        print_foot(slower);
    if (!status && as_json)
        return cli_print_json(&json);
    fal_json_release(&json);
    return status;
}
