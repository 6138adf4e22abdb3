#include "cli/profile.h"
#include "cli/bench.h"
#include "cli/output.h"
#include "cli/profile_rows.h"
#include "device/memory.h"
#include "ops/gemm.h"

#include <stdio.h>

/* All that is shown. */
struct report {
    const cli_job *job;
    fal_footprint footprint;
    cli_profile_rows rows, kernels;
    double gflops, gigabytes; /* peaks, a second */
};

/* ---- peaks --------------------------------------------------------------- */

enum { SIDE = 1024, FLOATS = 1 << 24 };

/* What the device reaches in a product of SIDE³ and in relu of FLOATS numbers. */
static fal_status time_peaks(fal_device *device, fal_view x, fal_view y, fal_view z,
                             struct report *r)
{
    const fal_product product = {.m = SIDE,
                                 .n = SIDE,
                                 .k = SIDE,
                                 .a = {FAL_SOURCE_ROWS, x, SIDE},
                                 .b = {FAL_SOURCE_ROWS, y, SIDE},
                                 .c = z,
                                 .pitch = SIDE};
    fal_launches products = {.device = device}, copies = {.device = device};
    fal_timing timing = {0, 0};
    fal_status status = fal_gemm_add(&products, &product, 1);
    if (!status)
        status = fal_bench_launches(&products, &timing);
    r->gflops = 2e-6 * SIDE * SIDE * SIDE / timing.ms_p10;
    if (!status)
        status = fal_activate_add(&copies, (fal_activation){FAL_RELU, 0}, x, y,
                                  FLOATS);
    if (!status)
        status = fal_bench_launches(&copies, &timing);
    r->gigabytes = 8e-6 * FLOATS / timing.ms_p10;
    fal_launches_release(&products);
    fal_launches_release(&copies);
    return status;
}

static fal_status measure_peaks(fal_device *device, struct report *r)
{
    fal_view views[3] = {{NULL, 0}};
    fal_status status = FAL_OK;
    for (int i = 0; i < 3 && !status; i++)
        status = fal_buffer_create(device, FLOATS * sizeof(float), "profile",
                                   &views[i].buffer);
    if (!status)
        status = time_peaks(device, views[0], views[1], views[2], r);
    for (int i = 0; i < 3; i++)
        fal_buffer_destroy(device, views[i].buffer);
    return status;
}

/* A row's rate and what part of the peak that is; 0: not counted. */
static double rate_of(const struct report *r, const cli_profile_row *row,
                      const char **unit, double *of_peak)
{
    double amount = row->flops > 0 ? row->flops : row->bytes;
    double rate = row->seconds > 0 ? 1e-9 * amount / row->seconds : 0;
    *unit = row->flops > 0 ? "GFLOP/s" : "GB/s";
    *of_peak = rate / (row->flops > 0 ? r->gflops : r->gigabytes);
    return rate;
}

/* ---- text ---------------------------------------------------------------- */

static void print_row(const struct report *r, const cli_profile_row *row,
                      const char *name, const char *layer)
{
    const char *unit;
    double of_peak, rate = rate_of(r, row, &unit, &of_peak);
    cli_print("%-14s %-14.14s %8.4g %9.1f ms %5.1f %%", name, layer, row->launches,
              1e3 * row->seconds, 100 * row->seconds / r->rows.training);
    if (rate > 0)
        cli_print(" %6.4g %-7s %3.0f %%", rate, unit, 100 * of_peak);
    cli_print("\n");
}

static void print_rows(const struct report *r)
{
    cli_print("\n%-14s %-14s %8s %12s %7s %14s %5s\n", "kernel", "", "launches",
              "time", "share", "rate", "peak");
    for (size_t i = 0; i < r->kernels.count; i++)
        print_row(r, &r->kernels.items[i], r->kernels.items[i].kernel, "");
    cli_print("\n%-14s %-14s\n", "layer", "work");
    for (size_t i = 0; i < r->rows.count; i++) {
        const cli_profile_row *row = &r->rows.items[i];
        if (!row->evaluation)
            print_row(r, row, row->layer, *row->work ? row->work : row->kernel);
    }
}

static void print_bytes(const struct report *r)
{
    const fal_footprint *f = &r->footprint;
    cli_print("\ndevice bytes  parameters %llu, gradients %llu, optimizer %llu,\n"
              "              feedback %llu, activations %llu\n",
              (unsigned long long)f->parameter_bytes,
              (unsigned long long)f->gradient_bytes,
              (unsigned long long)f->optimizer_bytes,
              (unsigned long long)f->feedback_bytes,
              (unsigned long long)f->activation_bytes);
    cli_print("peaks         %.4g GFLOP/s (product of %d x %d x %d), %.3g GB/s "
              "(relu)\n",
              r->gflops, SIDE, SIDE, SIDE, r->gigabytes);
}

static void print_text(const struct report *r)
{
    cli_print("\n%llu steps, %zu launches a step, %.3f s of kernels in training\n",
              (unsigned long long)r->job->last.step, r->footprint.launches,
              r->rows.training);
    print_rows(r);
    print_bytes(r);
}

/* ---- JSON ---------------------------------------------------------------- */

static void add_row(fal_json *json, const struct report *r,
                    const cli_profile_row *row)
{
    const char *unit;
    double of_peak, rate = rate_of(r, row, &unit, &of_peak);
    fal_json_begin_object(json);
    cli_json_text(json, "kernel", row->kernel);
    cli_json_text(json, "layer", row->layer);
    cli_json_text(json, "work", row->work);
    fal_json_key(json, "evaluation");
    fal_json_bool(json, row->evaluation);
    cli_json_number(json, "launches", row->launches);
    cli_json_number(json, "seconds", row->seconds);
    cli_json_number(json, row->flops > 0 ? "gflops" : "gigabytes_per_second", rate);
    cli_json_number(json, "of_peak", of_peak);
    fal_json_end_object(json);
}

static void add_rows(fal_json *json, const char *key, const struct report *r,
                     const cli_profile_rows *rows)
{
    fal_json_key(json, key);
    fal_json_begin_array(json);
    for (size_t i = 0; i < rows->count; i++)
        add_row(json, r, &rows->items[i]);
    fal_json_end_array(json);
}

static void add_bytes(fal_json *json, const fal_footprint *f)
{
    fal_json_key(json, "bytes");
    fal_json_begin_object(json);
    cli_json_count(json, "parameters", f->parameter_bytes);
    cli_json_count(json, "gradients", f->gradient_bytes);
    cli_json_count(json, "optimizer", f->optimizer_bytes);
    cli_json_count(json, "feedback", f->feedback_bytes);
    cli_json_count(json, "activations", f->activation_bytes);
    fal_json_end_object(json);
}

static fal_status write_json(const struct report *r, fal_run *folder)
{
    fal_json json = FAL_JSON;
    fal_json_begin_object(&json);
    cli_json_count(&json, "steps", r->job->last.step);
    cli_json_count(&json, "launches_per_step", r->footprint.launches);
    cli_json_number(&json, "peak_gflops", r->gflops);
    cli_json_number(&json, "peak_gigabytes_per_second", r->gigabytes);
    add_bytes(&json, &r->footprint);
    add_rows(&json, "kernels", r, &r->kernels);
    add_rows(&json, "rows", r, &r->rows);
    fal_json_end_object(&json);
    fal_status status = json.status;
    if (!status)
        status = fal_run_write(folder, "profile.json", json.text);
    fal_json_release(&json);
    return status;
}

/* ---- both ---------------------------------------------------------------- */

static fal_status show(struct report *r, fal_run *folder)
{
    r->footprint.size = sizeof r->footprint;
    fal_status status = cli_profile_kernels(&r->kernels, &r->rows);
    if (!status)
        status = fal_trainer_footprint(r->job->trainer, &r->footprint);
    if (!status)
        status = measure_peaks(r->job->ground.device, r);
    if (!status)
        status = write_json(r, folder);
    if (!status && !r->job->silent)
        print_text(r);
    cli_profile_release(&r->kernels);
    return status;
}

fal_status cli_profile(const cli_job *job, fal_run *folder)
{
    struct report report = {.job = job};
    fal_status status = cli_profile_read(&report.rows, job->ground.device);
    if (status)
        return status;
    status = show(&report, folder);
    cli_profile_release(&report.rows);
    return status;
}
