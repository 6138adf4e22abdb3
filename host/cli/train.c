/* falign train: one run. */
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/dry_run.h"
#include "cli/init.h"
#include "cli/job.h"
#include "cli/output.h"
#include "cli/profile.h"
#include "cli/resume.h"
#include "cli/settings.h"

#include <math.h>
#include <stdio.h>

/* ---- what is printed ----------------------------------------------------- */

static void print_lengths(const cli_options *run)
{
    unsigned long long epochs = cli_whole(run, CLI_EPOCHS);
    unsigned long long steps = cli_whole(run, CLI_STEPS);
    if (cli_flag(run, CLI_EPOCHS))
        cli_print(", %llu epoch%s", epochs, epochs == 1 ? "" : "s");
    if (steps)
        cli_print(", at most %llu steps", steps);
    cli_print("\n");
}

static void print_head(const cli_job *job, void *unused)
{
    const cli_options *run = &job->options;
    (void)unused;
    cli_job_print_head(job, "run", job->run);
    cli_print("rule     %s, %s, %s lr %g %s, batch %llu",
              cli_text(run, CLI_RULE_NAME), cli_text(run, CLI_LOSS),
              cli_text(run, CLI_OPTIMIZER), cli_real(run, CLI_RATE),
              cli_text(run, CLI_SCHEDULE),
              (unsigned long long)cli_whole(run, CLI_BATCH));
    print_lengths(run);
    if (job->resumes)
        cli_print("resumed  after step %llu of %llu%s\n",
                  (unsigned long long)job->last.step,
                  (unsigned long long)job->last.steps,
                  job->finished ? ": it is finished" : "");
}

/* Real targets have none. */
static int has_accuracy(const cli_job *job)
{
    return job->ground.train_facts.labels != NULL;
}

static void print_validation(const cli_job *job, const fal_progress *p)
{
    if (has_accuracy(job))
        cli_print("validation accuracy %.2f %%, ", 100 * p->validation_accuracy);
    cli_print("validation loss %.4f\n", p->validation_loss);
}

static void print_measuring(const fal_progress *p)
{
    if (p->measuring_seconds == 0)
        return;
    cli_print("measuring took %.1f s", p->measuring_seconds);
    if (p->seconds > 0)
        cli_print(", %.0f %% of training", 100 * p->measuring_seconds / p->seconds);
    cli_print("\n");
}

static void print_end(const cli_job *job, const fal_run *folder)
{
    const fal_progress *p = &job->epoch;
    if (p->step > 0 && job->ground.validation)
        print_validation(job, p);
    if (p->step > 0 && has_accuracy(job))
        cli_print("test accuracy %.2f %%, ", 100 * p->test_accuracy);
    if (p->step > 0)
        cli_print("test loss %.4f, train loss %.4f; %.1f s of training\n",
                  p->test_loss, p->train_loss, p->seconds);
    print_measuring(&job->last);
    cli_print("saved in ");
    cli_print_name(fal_run_folder(folder));
    cli_print("\n");
}

/* Of a run without steps they are null; of real targets there is no accuracy. */
static void add_figures(fal_json *json, const cli_job *job, const char *data,
                        double loss, double accuracy)
{
    int trained = job->epoch.step > 0;
    char key[32];
    snprintf(key, sizeof key, "%s_loss", data);
    cli_json_number(json, key, trained ? loss : NAN);
    snprintf(key, sizeof key, "%s_accuracy", data);
    if (has_accuracy(job))
        cli_json_number(json, key, trained ? accuracy : NAN);
}

static fal_status print_json(const cli_job *job, const fal_run *folder)
{
    const fal_progress *p = &job->epoch;
    fal_json json = FAL_JSON;
    fal_json_begin_object(&json);
    cli_json_text(&json, "folder", fal_run_folder(folder));
    cli_json_text(&json, "device", job->ground.info.selector);
    cli_json_text(&json, "rule", cli_text(&job->options, CLI_RULE_NAME));
    cli_json_count(&json, "step", p->step);
    cli_json_count(&json, "epoch", p->epoch);
    add_figures(&json, job, "train", p->train_loss, p->train_accuracy);
    if (job->ground.validation)
        add_figures(&json, job, "validation", p->validation_loss,
                    p->validation_accuracy);
    add_figures(&json, job, "test", p->test_loss, p->test_accuracy);
    cli_json_number(&json, "samples_per_second", p->samples_per_second);
    cli_json_number(&json, "seconds", p->seconds);
    if (cli_flag(&job->options, CLI_MEASURE))
        cli_json_number(&json, "measuring_seconds", job->last.measuring_seconds);
    cli_json_number(&json, "start_ms", job->start_ms > 0 ? job->start_ms : NAN);
    fal_json_end_object(&json);
    return cli_print_json(&json);
}

/* ---- running ------------------------------------------------------------- */

static fal_status train(cli_job *job, fal_run *folder)
{
    int json = cli_flag(&job->options, CLI_JSON);
    job->measure_start = json;
    if (!job->silent)
        job->on_begin = print_head;
    fal_status status = cli_job_run(job, folder, NULL);
    status = cli_job_advise(job, status, "train", fal_run_folder(folder));
    if (status == FAL_STOPPED)
        cli_job_explain(job, "train", fal_run_folder(folder));
    if (!status && cli_flag(&job->options, CLI_PROFILE))
        status = cli_profile(job, folder);
    if (!status && json)
        status = print_json(job, folder);
    else if (!status && !job->silent)
        print_end(job, folder);
    return status;
}

/* `folder` NULL: --dry-run. *started: the folder holds the run now. */
static fal_status make_and_train(const cli_options *options, fal_run *folder,
                                 int *started)
{
    cli_ground ground;
    cli_options all, run;
    cli_job job;
    fal_status status = cli_ground_open(&ground, options);
    if (status)
        return status;
    cli_runs_resolve(&all, options, &ground);
    cli_run_resolve(&run, &all, cli_text(options, CLI_RULE_NAME), 0);
    status = cli_flag(options, CLI_RESUME)
                 ? cli_job_make_again(&job, &ground, &run, folder)
                 : cli_job_make(&job, &ground, &run);
    if (!status) {
        status = folder ? train(&job, folder) : cli_dry_run_print(&job);
        *started = job.started;
        cli_job_release(&job);
    }
    cli_ground_close(&ground);
    return status;
}

static fal_status open_and_train(const cli_options *options)
{
    fal_run *folder = NULL;
    int started = 0;
    const char *rule = cli_text(options, CLI_RULE_NAME);
    fal_status status = cli_runs_check(options);
    if (!status)
        status = cli_rules_check(options, &rule, 1);
    cli_catch_interrupts();
    if (!status && cli_flag(options, CLI_RESUME))
        status = fal_run_open_again(&folder, cli_text(options, CLI_RESUME));
    else if (!status && !cli_flag(options, CLI_DRY_RUN))
        status = cli_folder_open(&folder, options, rule);
    if (!status)
        status = make_and_train(options, folder, &started);
    if (started)
        fal_run_close(folder);
    else
        fal_run_discard(folder);
    return status;
}

int cli_train(const cli_options *given)
{
    cli_options options = *given;
    cli_config config = CLI_CONFIG;
    fal_status status = FAL_OK;
    if (cli_flag(given, CLI_RESUME))
        status = cli_resume_read(&config, &options);
    else if (options.argument_count > 0)
        status = cli_config_read(&config, &options, options.arguments[0]);
    if (!status && !cli_flag(given, CLI_RESUME))
        cli_runs_give_way(&options);
    if (!status)
        cli_init_resize(&options);
    if (!status)
        status = open_and_train(&options);
    cli_config_release(&config);
    return cli_end(status);
}
