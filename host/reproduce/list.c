/* The list of experiments. How long one takes here: what its parts took on the machine
 * of the README, times how much slower this device is at a training step of a small
 * network, which is what most parts are made of, divided by the parts at a time. */
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

/* What times are made for. */
struct place {
    double slower; /* than the README's machine; NAN: there is no device */
    char why[1024];
    size_t cores;
};

static fal_status measure(fal_device *device, struct place *place)
{
    double ms;
    fal_machine machine = {.units = 0};
    fal_device_info info = {.size = sizeof info};
    fal_status status = fal_device_describe(device, &info);
    if (!status)
        status = time_step(device, &ms);
    if (status)
        return status;
    fal_machine_describe(&machine, &info);
    place->slower = ms / readme_ms;
    place->cores = fal_machine_cores(&machine);
    return FAL_OK;
}

static struct place measure_device(const cli_options *options)
{
    fal_device *device = NULL;
    struct place place = {.slower = NAN, .cores = 1};
    fal_status status = cli_device_open(&device, options);
    if (!status)
        status = measure(device, &place);
    if (status)
        snprintf(place.why, sizeof place.why, "%s", fal_error_message());
    fal_device_destroy(device);
    if (cli_flag(options, CLI_JOBS))
        place.cores = (size_t)cli_whole(options, CLI_JOBS);
    return place;
}

/* ---- times --------------------------------------------------------------- */

struct row {
    fal_spec spec;
    double seconds[FAL_SCALES];
    int lacks_data;
};

/* The last part may run alone. */
static double seconds_of(const fal_study *study, const struct place *place)
{
    double longest = 0;
    for (size_t i = 0; i < study->parts.count; i++)
        longest = fmax(longest, study->parts.list[i].seconds);
    return fmax(longest, fal_study_expected(study) / (double)place->cores) *
           (isnan(place->slower) ? 1 : place->slower);
}

static fal_status read_row(struct row *row, const fal_experiment *experiment,
                           const cli_options *options, const struct place *place)
{
    fal_status status = fal_spec_read(&row->spec, experiment);
    for (size_t i = 0; i < FAL_SCALES && !status; i++) {
        fal_study study;
        status = fal_study_open(&study, experiment, (fal_scale)i,
                                cli_whole(options, CLI_STUDY_SEEDS),
                                cli_text(options, CLI_DATA), options);
        row->lacks_data = study.data_missing != NULL;
        row->seconds[i] = status ? NAN : seconds_of(&study, place);
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

static void print_row(const struct row *row)
{
    enum { COLUMN = 13 };
    char quick[16], full[16];
    print_time(quick, row->seconds[FAL_SCALE_QUICK]);
    print_time(full, row->seconds[FAL_SCALE_FULL]);
    cli_print("%-*s", COLUMN, row->spec.name);
    cli_print_words(row->spec.paper, COLUMN);
    cli_print("%*s", COLUMN, "");
    cli_print_words(row->spec.about, COLUMN);
    cli_print("%*s%zu claim%s; --quick %s, --full %s\n", COLUMN, "",
              row->spec.claim_count, row->spec.claim_count == 1 ? "" : "s", quick,
              full);
    if (row->lacks_data)
        cli_print("%*swithout the claims that need %s, which is not there\n",
                  COLUMN, "", row->spec.data);
    cli_print("\n");
}

static void print_foot(const struct place *place)
{
    char text[256];
    if (isnan(place->slower)) {
        cli_print("Times are those of the README's machine. Of this one:\n");
        cli_print_words(place->why, 0);
        return;
    }
    snprintf(
        text, sizeof text,
        "Times are estimates for this device: a small training step takes %.2f "
        "times what it takes on the README's machine, and %zu part%s at a time.",
        place->slower, place->cores, place->cores == 1 ? " runs" : "s run");
    cli_print_words(text, 0);
}

/* ---- JSON ---------------------------------------------------------------- */

static void add_row(const struct row *row, fal_json *json)
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
        cli_json_number(json, fal_scale_names[i], row->seconds[i]);
    fal_json_end_object(json);
    fal_json_end_object(json);
}

/* ---- all ----------------------------------------------------------------- */

fal_status fal_show_list(const cli_options *options,
                         const fal_experiment *const *list)
{
    fal_json json = FAL_JSON;
    fal_status status = FAL_OK;
    struct place place = measure_device(options);
    int as_json = cli_flag(options, CLI_JSON);
    int silent = as_json || cli_flag(options, CLI_QUIET);
    fal_json_begin_array(&json);
    for (; *list && !status; list++) {
        struct row row;
        status = read_row(&row, *list, options, &place);
        if (!status && !silent)
            print_row(&row);
        if (!status)
            add_row(&row, &json);
        fal_spec_release(&row.spec);
    }
    fal_json_end_array(&json);
    if (!status && !silent)
        print_foot(&place);
    if (!status && as_json)
        return cli_print_json(&json);
    fal_json_release(&json);
    return status;
}
