#include "cli/job.h"
#include "cli/config.h"
#include "cli/init.h"
#include "cli/output.h"
#include "cli/settings.h"
#include "cli/start_time.h"
#include "device/error.h"
#include "device/memory.h"
#include "net/network.h"
#include "train/run_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keeps why a callback stops the run. */
static int stop_for(cli_job *job, fal_status status)
{
    job->write_error = status;
    snprintf(job->write_message, sizeof job->write_message, "%s",
             fal_error_message());
    return 1;
}

/* ---- making -------------------------------------------------------------- */

static int on_metric(const fal_metric *metric, void *user)
{
    cli_job *job = user;
    if (job->metrics.count && job->metrics.items[0].step != metric->step)
        fal_metric_list_release(&job->metrics);
    fal_status status = fal_metric_list_add(&job->metrics, metric);
    return status ? stop_for(job, status) : 0;
}

/* A checkpoint has the weights that --init gave. */
static int takes_init(const cli_job *job)
{
    return cli_flag(&job->options, CLI_INIT) &&
           !(job->resumes && cli_flag(&job->options, CLI_NET));
}

/* An 'input' of --net that is not what --resize makes of images. */
static fal_status check_resize(const cli_job *job)
{
    const fal_arrays *data = &job->ground.train_facts;
    const fal_shape has = {data->height, data->width, data->channels};
    const char *text = cli_text(&job->options, CLI_NET);
    fal_network_defaults nothing = {.activation = "relu"};
    fal_network network = {0};
    char input[FAL_SHAPE_TEXT];
    if (!cli_flag(&job->options, CLI_RESIZE) || fal_network_is_preset(text))
        return FAL_OK;
    fal_status status = fal_network_parse(&network, text, &nothing);
    const fal_shape wants = network.input;
    fal_network_release(&network);
    if (status || fal_shape_takes(wants, has)) /* else it is said elsewhere */
        return FAL_OK;
    fal_shape_print(input, wants);
    return cli_fail_option(
        fal_fail(FAL_ERROR_ARGUMENT,
                 "images come out as %zux%zux%zu, the 'input' of "
                 "--net is %s; leave one of both out",
                 has.height, has.width, has.channels, input),
        &job->options, CLI_RESIZE);
}

static fal_status make_model(cli_job *job)
{
    fal_status status;
    fal_model_options options;
    if (takes_init(job))
        return cli_init_model(&job->model, &job->ground, &job->options);
    status = check_resize(job);
    if (status)
        return status;
    cli_model_options(&options, &job->options, job->ground.train);
    return cli_fail_in_file(fal_model_create(&job->model, job->ground.device,
                                             cli_text(&job->options, CLI_NET),
                                             &options),
                            &job->options, CLI_NET);
}

static fal_status make_trainer(cli_job *job)
{
    fal_trainer_options options;
    cli_trainer_options(&options, &job->options, &job->ground);
    fal_status status = fal_trainer_create(&job->trainer, job->model, &options);
    if (!status)
        status = cli_weight_decays(job->trainer, &job->options);
    if (!status)
        status = fal_trainer_validation(job->trainer, job->ground.validation);
    if (!status)
        status = fal_trainer_on_metric(job->trainer, on_metric, job);
    if (!status && takes_init(job) && !cli_flag(&job->options, CLI_FRESH_FEEDBACK))
        status = cli_init_feedback(job->trainer, &job->options);
    return status;
}

/* As far as the model. */
static fal_status begin_making(cli_job *job, const cli_ground *ground,
                               const cli_options *options, const fal_run *run)
{
    *job = (cli_job){.options = *options,
                     .resumes = run != NULL,
                     .silent = cli_flag(options, CLI_QUIET) ||
                               cli_flag(options, CLI_JSON)};
    fal_status status = cli_ground_split(&job->ground, ground, options);
    if (status)
        return status;
    status = make_model(job);
    if (status)
        cli_job_release(job);
    return status;
}

static fal_status make(cli_job *job, const cli_ground *ground,
                       const cli_options *options, const fal_run *run)
{
    fal_status status = begin_making(job, ground, options, run);
    if (status)
        return status;
    status = make_trainer(job);
    if (!status && run)
        status = fal_run_resume(run, job->trainer);
    if (!status && !cli_flag(&job->options, CLI_NET))
        cli_set_text(&job->options, CLI_NET, fal_model_network(job->model));
    if (status)
        cli_job_release(job);
    return status;
}

fal_status cli_job_make(cli_job *job, const cli_ground *ground,
                        const cli_options *options)
{
    return make(job, ground, options, NULL);
}

fal_status cli_job_make_again(cli_job *job, const cli_ground *ground,
                              const cli_options *options, const fal_run *run)
{
    return make(job, ground, options, run);
}

fal_status cli_job_make_model(cli_job *job, const cli_ground *ground,
                              const cli_options *options)
{
    return begin_making(job, ground, options, NULL);
}

void cli_job_release(cli_job *job)
{
    fal_trainer_destroy(job->trainer);
    fal_model_destroy(job->model);
    cli_ground_unsplit(&job->ground);
    fal_metric_list_release(&job->metrics);
    job->trainer = NULL;
    job->model = NULL;
}

/* ---- what is said -------------------------------------------------------- */

/* Characters of the network's text that are shown. */
enum { NETWORK_SHOWN = 66 };

static void print_count(size_t count, const char *one, const char *many)
{
    cli_print(", %zu %s", count, count == 1 ? one : many);
}

static void print_data(const cli_job *job)
{
    const fal_arrays *data = &job->ground.train_facts;
    cli_print("data     ");
    cli_print_name(cli_text(&job->options, CLI_DATA));
    cli_print(": %zu train", data->count);
    if (job->ground.validation)
        cli_print(", %zu validation", job->ground.validation_facts.count);
    cli_print(", %zu test", job->ground.test_facts.count);
    if (data->height == 1 && data->width == 1)
        print_count(data->channels, "number", "numbers");
    else
        cli_print(", %zux%zux%zu", data->height, data->width, data->channels);
    if (cli_flag(&job->options, CLI_RESIZE))
        cli_print(" (resized)");
    if (data->labels)
        print_count(data->classes, "class", "classes");
    else
        print_count(data->outputs, "target", "targets");
    if (cli_real(&job->options, CLI_LABEL_NOISE) > 0)
        cli_print(", label noise %g", cli_real(&job->options, CLI_LABEL_NOISE));
    cli_print("\n");
}

void cli_job_print_head(const cli_job *job, const char *what, const fal_run *folder)
{
    const cli_ground *g = &job->ground;
    const char *network = fal_model_network(job->model);
    cli_print("%-8s ", what);
    cli_print_name(fal_run_folder(folder));
    cli_print("\ndevice   %s, %s (%s)\n", g->info.selector, g->info.name,
              g->info.platform);
    print_data(job);
    cli_print("network  %.*s%s\n", NETWORK_SHOWN, network,
              strlen(network) > NETWORK_SHOWN ? "..." : "");
}

void cli_job_explain(const cli_job *job, const char *command, const char *folder)
{
    const char *what = cli_interrupted() ? "interrupted" : "stopped";
    int unread = cli_broken() == EPIPE && !cli_interrupted();
    if (cli_flag(&job->options, CLI_QUIET) || unread)
        return;
    if (!job->started)
        cli_say("%s before the first step; %s", what,
                job->resumes ? "the run is as it was" : "nothing is left behind");
    else
        cli_say("%s after step %llu of %llu; its weights are saved in "
                "%s/model.safetensors; go on with falign %s --resume %s",
                what, (unsigned long long)job->last.step,
                (unsigned long long)job->last.steps, fal_run_folder(job->run),
                command, folder);
}

fal_status cli_job_advise(const cli_job *job, fal_status status,
                          const char *command, const char *folder)
{
    if (status != FAL_ERROR_FILE || !job->started ||
        !fal_run_has_checkpoint(fal_run_folder(job->run)))
        return status;
    return fal_fail(status, "%s; then go on with falign %s --resume %s",
                    fal_error_message(), command, folder);
}

/* ---- while it runs ------------------------------------------------------- */

static fal_status begin_folder(cli_job *job)
{
    char *config = NULL, head[512];
    snprintf(head, sizeof head,
             FAL_CONFIG_MARK "%s, %.200s (%.200s)\n# falign train THIS --out NEW "
                             "repeats the run\n",
             fal_version(), job->ground.info.name, job->ground.info.platform);
    fal_status status = cli_config_yaml(&job->options, head, &config);
    if (!status)
        status = fal_run_begin(job->run, config);
    if (!status && cli_flag(&job->options, CLI_TENSORBOARD))
        status = fal_run_begin_events(job->run);
    free(config);
    return status;
}

/* A loss that is no longer finite the fit itself finds too, and says more of it. */
static fal_status save_checkpoint(cli_job *job)
{
    fal_status status = fal_run_save_checkpoint(job->run, job->trainer);
    return status == FAL_ERROR_DIVERGED ? FAL_OK : status;
}

static fal_status begin_anew(cli_job *job, const fal_progress *progress)
{
    fal_status status = begin_folder(job);
    job->started = 1;
    if (!status)
        status = fal_run_save_start(job->run, job->trainer);
    if (!status && progress->steps == 0)
        status = save_checkpoint(job);
    return status;
}

static fal_status begin(cli_job *job, const fal_progress *progress)
{
    if (!job->resumes)
        return begin_anew(job, progress);
    if (job->finished)
        return FAL_OK;
    job->started = 1;
    fal_status status = fal_run_continue(job->run, progress->step,
                                         cli_whole(&job->options, CLI_LOG));
    if (!status && cli_flag(&job->options, CLI_TENSORBOARD))
        status = fal_run_begin_events(job->run);
    return status;
}

/* `stops`: after this step the run does. The checkpoint of the last step comes when all
 * else is written, so that it says the run is finished. */
static int is_due(const cli_job *job, const fal_progress *progress, int stops)
{
    uint64_t every = cli_whole(&job->options, CLI_CHECKPOINT);
    int is_last = progress->step == progress->steps;
    if (progress->event == FAL_STEP)
        return !is_last && (stops || (every && progress->step % every == 0));
    return is_last || stops || !every;
}

/* The metrics of a step stand in its line. */
static fal_status log_step(cli_job *job, const fal_progress *progress)
{
    const fal_metric_list *metrics = &job->metrics;
    int measured = metrics->count && metrics->items[0].step == progress->step;
    return fal_run_log(job->run, progress, measured ? metrics : NULL);
}

/* An epoch that is not in model.safetensors is not in `epoch` either. */
static fal_status end_epoch(cli_job *job, const fal_progress *progress, int stops)
{
    fal_status status = fal_run_log(job->run, progress, NULL);
    if (!status)
        status = fal_run_save_model(job->run, job->model);
    if (!status && is_due(job, progress, stops))
        status = save_checkpoint(job);
    if (!status)
        job->epoch = *progress;
    return status;
}

/* Reading any tensor waits for the step. */
static fal_status measure_start(cli_job *job)
{
    const char *name = fal_model_tensor_name(job->model, 0);
    size_t shape[4], dimensions, count = 1;
    fal_status status = fal_model_tensor_shape(job->model, name, shape,
                                               &dimensions);
    for (size_t i = 0; !status && i < dimensions; i++)
        count *= shape[i];
    float *values = status ? NULL : fal_allocate(count, sizeof *values);
    if (values)
        status = fal_model_tensor(job->model, name, values, count);
    fal_release(values);
    job->start_ms = cli_process_ms();
    return status;
}

static fal_status end_step(cli_job *job, const fal_progress *progress, int stops)
{
    fal_status status = FAL_OK;
    if (is_due(job, progress, stops))
        status = save_checkpoint(job);
    if (!status && job->measure_start && job->start_ms == 0)
        status = measure_start(job);
    return status;
}

static fal_status handle(cli_job *job, const fal_progress *progress, int stops)
{
    switch (progress->event) {
    case FAL_START:
        return begin(job, progress);
    case FAL_LOG:
        return log_step(job, progress);
    case FAL_EPOCH:
        return end_epoch(job, progress, stops);
    case FAL_STEP:
        return end_step(job, progress, stops);
    }
    return FAL_OK;
}

/* A finished run is looked at only. */
static fal_status look(cli_job *job, const fal_progress *progress)
{
    if (progress->event == FAL_EPOCH)
        job->epoch = *progress;
    return FAL_OK;
}

/* One that is not to begin writes nothing, one that has made all its steps is not
 * stopped, and a step is stopped at as a whole, with what comes before its end. */
static int is_to_stop(const fal_progress *progress)
{
    return (cli_interrupted() || cli_broken()) && progress->event != FAL_LOG &&
           (progress->event == FAL_START || progress->step < progress->steps);
}

/* fit will say that a callback stopped it; why, only we know. */
static int on_progress(const fal_progress *progress, void *user)
{
    cli_job *job = user;
    job->last = *progress;
    if (progress->event == FAL_START)
        job->finished = job->resumes && progress->step >= progress->steps;
    if (progress->event == FAL_START && job->on_begin)
        job->on_begin(job, job->user);
    int stops = is_to_stop(progress) || (job->looks && !job->finished);
    if (progress->event == FAL_START && stops)
        return 1;
    fal_status status = job->finished ? look(job, progress)
                                      : handle(job, progress, stops);
    if (status)
        return stop_for(job, status);
    cli_live_show(&job->live, progress);
    return stops;
}

/* The same message, with what the folder holds now. */
static fal_status say_what_is_left(const cli_job *job, fal_status status)
{
    const char *folder = fal_run_folder(job->run);
    if (job->epoch.step == 0 && job->resumes)
        return fal_fail(status, "%s; %s/checkpoint.safetensors is of a step before",
                        fal_error_message(), folder);
    if (job->epoch.step == 0)
        return fal_fail(status,
                        "%s; %s/start.safetensors has the weights before the first "
                        "step",
                        fal_error_message(), folder);
    return fal_fail(
        status, "%s; %s/model.safetensors has the weights after step %llu",
        fal_error_message(), folder, (unsigned long long)job->epoch.step);
}

/* A run that was stopped, or that had no steps, still leaves its model. */
static fal_status save_rest(cli_job *job, fal_status status)
{
    if (job->write_error)
        return fal_fail(job->write_error, "%s", job->write_message);
    if (status != FAL_OK && status != FAL_STOPPED)
        return say_what_is_left(job, status);
    if (job->epoch.step > 0 && job->epoch.step == job->last.step)
        return status;
    fal_status written = fal_run_save_model(job->run, job->model);
    return written ? written : status;
}

fal_status cli_job_run(cli_job *job, fal_run *run, const char *label)
{
    job->run = run;
    cli_live_begin(&job->live, label, job->silent);
    fal_status status = fal_trainer_fit(
        job->trainer, job->ground.train, job->ground.test,
        cli_whole(&job->options, CLI_EPOCHS), on_progress, job);
    cli_live_erase();
    return job->started ? save_rest(job, status) : status;
}

static int stop(const fal_progress *progress, void *user)
{
    (void)progress;
    (void)user;
    return 1;
}

fal_status cli_job_check(cli_job *job)
{
    fal_status status = fal_trainer_fit(
        job->trainer, job->ground.train, job->ground.test,
        cli_whole(&job->options, CLI_EPOCHS), stop, NULL);
    return status == FAL_STOPPED ? FAL_OK : status;
}
