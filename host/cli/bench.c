/* falign bench: which benchmark, with which options, and what it prints. */
#include "cli/bench.h"
#include "cli/commands.h"
#include "cli/ground.h"
#include "cli/output.h"
#include "cli/settings.h"

#include <string.h>

/* ---- results ------------------------------------------------------------- */

struct figure {
    const char *name;
    double value;
};

static fal_status print_figures(const cli_options *options,
                                const struct figure *figures, size_t count)
{
    if (cli_flag(options, CLI_JSON)) {
        fal_json json = FAL_JSON;
        fal_json_begin_object(&json);
        for (size_t i = 0; i < count; i++)
            cli_json_number(&json, figures[i].name, figures[i].value);
        fal_json_end_object(&json);
        return cli_print_json(&json);
    }
    for (size_t i = 0; i < count && !cli_flag(options, CLI_QUIET); i++)
        cli_print("%-18s  %.*f\n", figures[i].name, figures[i].value < 100 ? 4 : 1,
                  figures[i].value);
    return FAL_OK;
}

/* ---- benchmarks ---------------------------------------------------------- */

typedef fal_status time_work(fal_device *device, const cli_options *options,
                             cli_gemm_figures *figures);

static fal_status print_gflops(time_work *work, fal_device *device,
                               const cli_options *options)
{
    cli_gemm_figures g;
    fal_status status = work(device, options, &g);
    if (status)
        return status;
    struct figure f[] = {
        {"ms", g.timing.ms}, {"ms_p10", g.timing.ms_p10}, {"gflops", g.gflops}};
    return print_figures(options, f, 3);
}

static fal_status run_gemm(fal_device *device, const cli_options *options)
{
    return print_gflops(cli_bench_gemm, device, options);
}

static fal_status run_conv(fal_device *device, const cli_options *options)
{
    return print_gflops(cli_bench_conv, device, options);
}

static fal_status run_muon(fal_device *device, const cli_options *options)
{
    return print_gflops(cli_bench_muon, device, options);
}

static fal_status run_step(fal_device *device, const cli_options *options)
{
    cli_step_figures s;
    fal_status status = cli_bench_step(device, options, &s);
    if (status)
        return status;
    struct figure f[] = {{"ms", s.timing.ms},
                         {"ms_p10", s.timing.ms_p10},
                         {"samples_per_second", s.samples_per_second},
                         {"start_ms", s.start_ms}};
    return print_figures(options, f, 4);
}

static fal_status run_teacher(fal_device *device, const cli_options *options)
{
    cli_teacher_figures t;
    fal_status status = cli_bench_teacher(device, options, &t);
    if (status)
        return status;
    struct figure f[] = {{"ms", t.timing.ms},
                         {"ms_p10", t.timing.ms_p10},
                         {"steps_per_second", t.steps_per_second}};
    return print_figures(options, f, 3);
}

enum { MOST_OPTIONS = 14 };

/* CLI_OPTIONS ends a list; the first `needed` cannot be left out. */
static const struct bench {
    const char *name;
    fal_status (*run)(fal_device *device, const cli_options *options);
    size_t needed;
    cli_id takes[MOST_OPTIONS];
} benches[] = {
    {"gemm",
     run_gemm,
     3,
     {CLI_M, CLI_N, CLI_K, CLI_TA, CLI_TB, CLI_EPILOGUE, CLI_SOURCE, CLI_OPTIONS}},
    {"conv",
     run_conv,
     3,
     {CLI_SIZE_OF_MAP, CLI_CHANNELS_IN, CLI_CHANNELS_OUT, CLI_KERNEL, CLI_STRIDE,
      CLI_PASS, CLI_BATCH, CLI_OPTIONS}},
    {"muon", run_muon, 2, {CLI_ROWS, CLI_COLUMNS, CLI_OPTIONS}},
    {"step",
     run_step,
     1,
     {CLI_NET, CLI_DATA_SHAPE, CLI_CLASSES, CLI_ACTIVATION, CLI_NORM, CLI_NO_BIAS,
      CLI_RULE_NAME, CLI_FEEDBACK, CLI_DFA_CONV, CLI_OPTIMIZER, CLI_BATCH,
      CLI_AUGMENT, CLI_OPTIONS}},
    {"teacher",
     run_teacher,
     0,
     {CLI_INPUTS, CLI_STUDENTS, CLI_TEACHERS, CLI_LEARNERS, CLI_RULE_NAME,
      CLI_OPTIONS}},
};
enum { BENCHES = sizeof benches / sizeof *benches };

/* ---- which --------------------------------------------------------------- */

static fal_status find_bench(const cli_options *options, const struct bench **bench)
{
    const char *known[BENCHES];
    const char *name = options->arguments[0];
    if (options->argument_count == 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "argument BENCHMARK: missing; give gemm, conv, muon, step "
                        "or teacher");
    for (size_t i = 0; i < BENCHES; i++) {
        known[i] = benches[i].name;
        if (strcmp(name, known[i]) == 0) {
            *bench = &benches[i];
            return FAL_OK;
        }
    }
    return fal_fail_unknown("benchmark", name, known, BENCHES);
}

static int takes(const struct bench *bench, cli_id id)
{
    for (size_t i = 0; bench->takes[i] != CLI_OPTIONS; i++)
        if (bench->takes[i] == id)
            return 1;
    return id == CLI_DEVICE || id == CLI_GEMM || id == CLI_CONV || id == CLI_JSON ||
           id == CLI_QUIET;
}

static fal_status check(const struct bench *bench, const cli_options *options)
{
    fal_status status = FAL_OK;
    for (size_t i = 0; i < bench->needed && !status; i++)
        status = cli_require(options, bench->takes[i]);
    for (int id = 0; id < CLI_OPTIONS && !status; id++)
        if (cli_given(options, (cli_id)id) && !takes(bench, (cli_id)id))
            status = fal_fail(FAL_ERROR_ARGUMENT,
                              "option --%s: bench %s does not take it",
                              cli_table[id].name, bench->name);
    if (!status && takes(bench, CLI_NET))
        status = cli_preset_check(options);
    return status;
}

int cli_bench(const cli_options *options)
{
    const struct bench *bench = NULL;
    fal_device *device = NULL;
    fal_status status = find_bench(options, &bench);
    if (!status)
        status = check(bench, options);
    if (!status)
        status = cli_device_open(&device, options);
    if (!status)
        status = bench->run(device, options);
    fal_device_destroy(device);
    return cli_end(status);
}
