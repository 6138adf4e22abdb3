/* falign reproduce: one study from its folder to its verdicts. */
#include "cli/bar.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/live.h"
#include "cli/output.h"
#include "device/error.h"
#include "device/memory.h"
#include "reproduce/command.h"
#include "reproduce/experiments.h"
#include "reproduce/job.h"
#include "reproduce/page.h"
#include "reproduce/results.h"
#include "reproduce/show.h"
#include "reproduce/workers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- folder and device --------------------------------------------------- */

/* Whoever names the folder of a study may mean to go on with it, but not while another
 * process does. */
static fal_status advise_to_resume(fal_status status, const char *folder)
{
    char *experiment = NULL, why[1024];
    snprintf(why, sizeof why, "%s", fal_error_message());
    if (status == FAL_ERROR_ARGUMENT && !strstr(why, "another process") &&
        cli_config_text(folder, "experiment", &experiment) == FAL_OK && experiment)
        fal_fail(status, "%s, or go on with it: falign reproduce --resume %s", why,
                 folder);
    else
        fal_fail(status, "%s", why);
    fal_release(experiment);
    return status;
}

static fal_status open_folder(fal_job *job)
{
    const char *out = cli_text(&job->options, CLI_OUT);
    char prefix[128];
    if (job->resumes)
        return FAL_OK;
    snprintf(prefix, sizeof prefix, "runs/reproduce-%s", job->study.spec.name);
    if (!out)
        return fal_run_open_numbered(&job->folder, prefix);
    fal_status status = fal_run_open(&job->folder, out,
                                     cli_flag(&job->options, CLI_FORCE));
    return status ? advise_to_resume(status, out) : FAL_OK;
}

static fal_status find_machine(fal_job *job)
{
    return job->study.experiment->on_device
               ? fal_machine_find(&job->machine, &job->options)
               : FAL_OK;
}

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

static fal_status begin_folder(fal_job *job)
{
    if (job->resumes)
        return FAL_OK;
    job->begun = 1;
    return fal_store_begin(job->folder, &job->study,
                           text_or_null(job->machine.selector));
}

static size_t count_done(const fal_job *job)
{
    size_t count = 0;
    for (size_t i = 0; i < job->study.parts.count; i++)
        count += job->study.parts.results[i] ? 1 : 0;
    return count;
}

/* ---- parts in this process ----------------------------------------------- */

static void on_share(double share, void *user)
{
    fal_job *job = user;
    fal_meter_move(&job->meter, job->part->key, share * job->part->seconds);
}

static fal_status run_part(fal_job *job, size_t index)
{
    cJSON *result = NULL;
    double began = cli_clock();
    job->part = &job->study.parts.list[index];
    fal_status status = fal_study_run(&job->study, job->part, &result);
    if (!status)
        status = fal_store_save(job->folder, job->part, result);
    cJSON_Delete(result);
    if (!status)
        status = fal_store_take(job->folder, &job->study, index);
    if (status)
        return status;
    fal_meter_move(&job->meter, job->part->key, 0);
    fal_meter_part(&job->meter, job->part, cli_clock() - began);
    return FAL_OK;
}

static fal_status run_here(fal_job *job)
{
    fal_status status = FAL_OK;
    job->study.silent = 1; /* what the device says was said when it was found */
    job->study.on_share = on_share;
    job->study.user = job;
    for (size_t i = 0; i < job->study.parts.count && !status; i++)
        if (cli_interrupted() || cli_broken())
            status = FAL_STOPPED;
        else if (!job->study.parts.results[i])
            status = run_part(job, i);
    return status;
}

/* ---- parts --------------------------------------------------------------- */

/* On a CPU as many as it has cores: the networks are so small that one step keeps one
 * core busy. A GPU is one. */
static size_t choose_jobs(const fal_job *job, size_t left)
{
    size_t count = (size_t)cli_whole(&job->options, CLI_JOBS);
    if (count == 0)
        count = fal_machine_cores(&job->machine);
    count = count < left ? count : left;
    return count < FAL_WORKERS ? count : FAL_WORKERS;
}

/* In a pipe nothing comes before the end of the first part. */
static void announce(const fal_job *job, size_t jobs)
{
    const fal_parts *parts = &job->study.parts;
    double longest = 1;
    if (job->silent || cli_is_terminal() || job->before == parts->count)
        return;
    for (size_t i = 0; i < parts->count; i++)
        if (!parts->results[i])
            longest = fmax(longest, parts->list[i].seconds);
    cli_print("%zu to run, %zu at a time; the longest takes about %.0f s on the "
              "README's machine\n",
              parts->count - job->before, jobs, longest);
}

static fal_status run_parts(fal_job *job)
{
    double began = cli_clock();
    size_t jobs = choose_jobs(job, job->study.parts.count - job->before);
    announce(job, jobs);
    fal_meter_begin(&job->meter, &job->study, job->before, job->silent);
    fal_status status = FAL_OK;
    if (jobs > 1) {
        size_t threads = fal_machine_cores(&job->machine) / jobs;
        status = fal_workers_run(&job->study, job->folder, jobs,
                                 threads ? threads : 1, &job->meter);
    } else {
        status = run_here(job);
    }
    job->seconds = cli_clock() - began;
    return status;
}

/* ---- the outcome --------------------------------------------------------- */

static fal_status write_page(fal_job *job, const fal_outcome *outcome)
{
    char *text;
    fal_status status = fal_page_make(outcome, &text);
    if (!status)
        status = fal_run_write(job->folder, "report.html", text);
    free(text);
    return status;
}

static fal_status write_outcome(fal_job *job, const fal_outcome *outcome,
                                fal_json *json)
{
    fal_results_json(outcome, json);
    fal_status status = json->status;
    if (!status)
        status = fal_run_write(job->folder, "results.json", json->text);
    return status ? status : write_page(job, outcome);
}

static fal_status conclude(fal_job *job)
{
    fal_json json = FAL_JSON;
    fal_outcome outcome = {.study = &job->study,
                           .device = text_or_null(job->machine.name),
                           .platform = text_or_null(job->machine.platform),
                           .seconds = job->seconds};
    fal_status status = job->study.experiment->conclude(&job->study,
                                                        &outcome.findings);
    if (!status)
        status = fal_verdicts_make(&outcome.verdicts, &job->study,
                                   &outcome.findings);
    if (!status)
        status = write_outcome(job, &outcome, &json);
    job->ended = !status;
    if (!status && !job->silent)
        fal_show_outcome(&outcome, fal_run_folder(job->folder));
    if (!status && cli_flag(&job->options, CLI_JSON))
        status = cli_print_json(&json);
    fal_json_release(&json);
    fal_verdicts_release(&outcome.verdicts);
    fal_findings_release(&outcome.findings);
    return status;
}

/* ---- ends ---------------------------------------------------------------- */

static void explain(const fal_job *job)
{
    const char *what = cli_interrupted() ? "interrupted" : "stopped";
    if (cli_flag(&job->options, CLI_QUIET) || (cli_broken() && !cli_interrupted()))
        return;
    if (count_done(job) == 0)
        cli_say("%s before the first part was done; nothing is left behind", what);
    else
        cli_say(
            "%s: %zu of %zu parts are done and kept; go on with falign reproduce "
            "--resume %s",
            what, count_done(job), job->study.parts.count,
            fal_run_folder(job->folder));
}

/* What is done is not lost. */
static fal_status advise(const fal_job *job, fal_status status)
{
    if (count_done(job) == 0)
        return status;
    return fal_fail(status,
                    "%s; %zu of %zu parts are done and kept; go on with falign "
                    "reproduce --resume %s",
                    fal_error_message(), count_done(job), job->study.parts.count,
                    fal_run_folder(job->folder));
}

static fal_status run_study(fal_job *job)
{
    fal_status status = find_machine(job);
    if (!status)
        status = open_folder(job);
    if (!status && !job->silent)
        fal_show_head(job);
    if (!status)
        status = begin_folder(job);
    if (status)
        return status;
    status = run_parts(job);
    if (!status)
        status = conclude(job);
    if (status == FAL_STOPPED)
        explain(job);
    else if (status)
        status = advise(job, status);
    return status;
}

/* A new folder without a part or a result goes. */
static void close_job(fal_job *job)
{
    int empty = job->begun && !job->resumes && !job->ended && count_done(job) == 0;
    if (empty)
        fal_run_begin(job->folder, NULL);
    if (job->begun && !empty)
        fal_run_close(job->folder);
    else
        fal_run_discard(job->folder);
    fal_study_close(&job->study);
    fal_stored_release(&job->stored);
}

/* What only one experiment can take would be passed over by the list. */
static fal_status show_list(const cli_options *options,
                            const fal_experiment *const *list)
{
    static const cli_id odd[] = {CLI_TINY, CLI_QUICK, CLI_FULL, CLI_OUT, CLI_FORCE};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        if (cli_flag(options, odd[i]))
            return cli_fail_option(
                fal_fail(FAL_ERROR_ARGUMENT,
                         "is for one experiment; name it, such as %s, or leave "
                         "the option out for the list",
                         list[0]->name),
                options, odd[i]);
    return fal_show_list(options, list);
}

int fal_reproduce(const cli_options *options, const fal_experiment *const *list)
{
    fal_job job = {.options = *options,
                   .resumes = cli_flag(options, CLI_RESUME),
                   .begun = cli_flag(options, CLI_RESUME),
                   .silent = cli_flag(options, CLI_QUIET) ||
                             cli_flag(options, CLI_JSON)};
    if (!job.resumes && options->argument_count == 0)
        return cli_end(show_list(options, list));
    cli_catch_interrupts();
    fal_status status = fal_job_open(&job, list);
    if (!status)
        status = run_study(&job);
    close_job(&job);
    return cli_end(status);
}

int cli_reproduce(const cli_options *options)
{
    return fal_reproduce(options, fal_experiments);
}
