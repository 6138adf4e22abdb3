/* falign bench gemm: the time of one matrix product. */
#include "cli/bench.h"
#include "cli/commands.h"
#include "cli/ground.h"
#include "cli/output.h"

#include <string.h>

struct figures {
    double ms, ms_p10, gflops;
};

static fal_status print_result(const cli_options *options, const struct figures *f)
{
    if (cli_flag(options, CLI_JSON)) {
        fal_json json = FAL_JSON;
        fal_json_begin_object(&json);
        cli_json_number(&json, "ms", f->ms);
        cli_json_number(&json, "ms_p10", f->ms_p10);
        cli_json_number(&json, "gflops", f->gflops);
        fal_json_end_object(&json);
        return cli_print_json(&json);
    }
    if (!cli_flag(options, CLI_QUIET))
        cli_print("ms       %.4f\nms_p10   %.4f\ngflops   %.2f\n", f->ms, f->ms_p10,
                  f->gflops);
    return FAL_OK;
}

static fal_status bench_gemm(const cli_options *options)
{
    fal_device *device;
    struct figures f;
    fal_status status = cli_device_open(&device, options);
    if (status)
        return status;
    status = fal_bench_gemm(device, (size_t)cli_whole(options, CLI_M),
                            (size_t)cli_whole(options, CLI_N),
                            (size_t)cli_whole(options, CLI_K),
                            cli_flag(options, CLI_TA), cli_flag(options, CLI_TB),
                            &f.ms, &f.ms_p10, &f.gflops);
    fal_device_destroy(device);
    return status ? status : print_result(options, &f);
}

static fal_status check(const cli_options *options)
{
    static const char *const known[] = {"gemm"};
    const char *what = options->argument_count ? options->arguments[0] : "";
    if (strcmp(what, known[0]) != 0)
        return fal_fail_unknown("benchmark", what, known, 1);
    fal_status status = cli_require(options, CLI_M);
    if (!status)
        status = cli_require(options, CLI_N);
    return status ? status : cli_require(options, CLI_K);
}

int cli_bench(const cli_options *options)
{
    fal_status status = check(options);
    return cli_end(status ? status : bench_gemm(options));
}
