/* falign devices: what there is, and whether it computes. */
#include "cli/commands.h"
#include "cli/ground.h"
#include "cli/output.h"
#include "cli/probe.h"
#include "device/error.h"
#include "device/memory.h"
#include "device/vendor.h"
#include "reference/check.h"

#include <stdio.h>
#include <string.h>

/* ---- listing ------------------------------------------------------------- */

struct listing {
    fal_json *json; /* NULL: text */
    size_t count;
    fal_status status;
};

static void print_memory(const fal_device_info *info)
{
    const double mib = 1024 * 1024;
    cli_print("  memory    %.0f MiB, at most %.0f MiB a buffer, %.0f KiB local\n",
              (double)info->memory / mib, (double)info->allocation / mib,
              (double)info->local_memory / 1024);
}

static void print_device(const fal_device_info *info, const char *problem)
{
    if (!*info->name) {
        cli_print("%s\n  skipped   ", info->platform);
        cli_print_words(info->skipped, 12);
        return;
    }
    cli_print("%s  %s\n", info->selector, info->name);
    cli_print("  platform  %s\n  vendor    %s\n", info->platform, info->vendor);
    cli_print("  version   %s, driver %s\n", info->version, info->driver);
    cli_print("  compute   %u units, groups of %zu, double precision: %s\n",
              info->compute_units, info->group_limit,
              info->double_precision ? "yes" : "no");
    print_memory(info);
    cli_print("  kernels   %s, vectors of %d\n", info->kernels, info->vector);
    cli_print("  %-8s  ", info->skipped ? "skipped" : "probe");
    cli_print_words(info->skipped ? info->skipped : problem ? problem : "ok", 12);
}

static void add_device(fal_json *json, const fal_device_info *info,
                       const char *problem)
{
    fal_json_begin_object(json);
    cli_json_text(json, "selector", info->selector);
    cli_json_text(json, "name", info->name);
    cli_json_text(json, "platform", info->platform);
    cli_json_text(json, "vendor", info->vendor);
    cli_json_text(json, "version", info->version);
    cli_json_text(json, "driver", info->driver);
    cli_json_count(json, "compute_units", info->compute_units);
    cli_json_count(json, "group_limit", info->group_limit);
    cli_json_count(json, "memory", info->memory);
    cli_json_count(json, "allocation", info->allocation);
    cli_json_count(json, "local_memory", info->local_memory);
    fal_json_key(json, "double_precision");
    fal_json_bool(json, info->double_precision);
    cli_json_text(json, "kernels", info->kernels);
    cli_json_count(json, "vector", (uint64_t)info->vector);
    cli_json_text(json, "skipped", info->skipped);
    fal_json_key(json, "usable");
    fal_json_bool(json, !info->skipped && !problem && *info->name);
    cli_json_text(json, "problem", problem);
    fal_json_end_object(json);
}

static int visit(const fal_device_info *info, void *user)
{
    struct listing *listing = user;
    char problem[1024] = "";
    if (*info->name && !info->skipped)
        listing->status = cli_probe_device(info->selector, problem, sizeof problem);
    const char *found = *problem ? problem : NULL;
    listing->count++;
    if (listing->json)
        add_device(listing->json, info, found);
    else
        print_device(info, found);
    return listing->status != FAL_OK || cli_broken();
}

static fal_status list_devices(const cli_options *options)
{
    fal_json json = FAL_JSON;
    int as_json = cli_flag(options, CLI_JSON);
    struct listing listing = {as_json ? &json : NULL, 0, FAL_OK};
    if (cli_flag(options, CLI_QUIET) && !as_json)
        return FAL_OK;
    fal_json_begin_array(&json);
    fal_status status = fal_device_list(visit, &listing);
    fal_json_end_array(&json);
    if (!status)
        status = listing.status;
    if (!status && as_json)
        return cli_print_json(&json);
    fal_json_release(&json);
    if (!status && listing.count == 0) {
        fal_vendor_missing();
        cli_print_words(fal_error_message(), 0);
    }
    return status;
}

/* ---- checking ------------------------------------------------------------ */

struct checking {
    fal_json *json; /* NULL: text */
    int quiet;
    size_t failed;
};

static void report_check(struct checking *checking, const char *kernel,
                         fal_status status, double worst)
{
    int good = status == FAL_OK && worst <= 1;
    checking->failed += good ? 0 : 1;
    if (checking->json) {
        fal_json_begin_object(checking->json);
        cli_json_text(checking->json, "kernel", kernel);
        fal_json_key(checking->json, "ok");
        fal_json_bool(checking->json, good);
        cli_json_number(checking->json, "worst", worst);
        if (status)
            cli_json_text(checking->json, "error", fal_error_message());
        fal_json_end_object(checking->json);
    } else if (status) {
        cli_complain();
    }
    if (!checking->json && !checking->quiet)
        cli_print("%-28s %-6s  worst error %.3f of its bound\n", kernel,
                  good ? "ok" : "failed", worst);
}

static void run_checks(fal_device *device, struct checking *checking)
{
    for (size_t i = 0; i < fal_check_count && !cli_broken(); i++) {
        double worst = 0;
        fal_status status = fal_checks[i].run(device, &worst);
        report_check(checking, fal_checks[i].kernel, status, worst);
    }
}

static fal_status begin_checks(const fal_device *device, struct checking *checking)
{
    fal_device_info info = {.size = sizeof info};
    fal_status status = fal_device_describe(device, &info);
    if (status)
        return status;
    if (checking->json) {
        fal_json_begin_object(checking->json);
        cli_json_text(checking->json, "selector", info.selector);
        cli_json_text(checking->json, "name", info.name);
        fal_json_key(checking->json, "checks");
        fal_json_begin_array(checking->json);
    } else if (!checking->quiet) {
        cli_print("%s  %s (%s), kernels %s, vectors of %d\n", info.selector,
                  info.name, info.platform, info.kernels, info.vector);
    }
    return FAL_OK;
}

static fal_status end_checks(const struct checking *checking)
{
    if (checking->json) {
        fal_json_end_array(checking->json);
        fal_json_end_object(checking->json);
        return cli_print_json(checking->json);
    }
    if (!checking->quiet)
        cli_print("%zu checks, %zu failed\n", fal_check_count, checking->failed);
    return FAL_OK;
}

/* The name stands in --device's place. */
static fal_status check_device(const cli_options *options, size_t *failed)
{
    fal_json json = FAL_JSON;
    fal_device *device;
    cli_options asked = *options;
    struct checking checking = {cli_flag(options, CLI_JSON) ? &json : NULL,
                                cli_flag(options, CLI_QUIET), 0};
    if (cli_text(options, CLI_CHECK))
        cli_set_text(&asked, CLI_DEVICE, cli_text(options, CLI_CHECK));
    fal_status status = cli_device_open(&device, &asked);
    if (status)
        return status;
    status = begin_checks(device, &checking);
    if (!status) {
        run_checks(device, &checking);
        status = end_checks(&checking);
    }
    fal_device_destroy(device);
    *failed = checking.failed;
    return status;
}

int cli_devices(const cli_options *options)
{
    size_t failed = 0;
    fal_status status = cli_flag(options, CLI_CHECK)
                            ? check_device(options, &failed)
                            : list_devices(options);
    int code = cli_end(status);
    return code == CLI_DONE && failed ? CLI_FAILED : code;
}
