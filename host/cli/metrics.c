#include "cli/metrics.h"
#include "cli/config.h"
#include "cli/init.h"
#include "cli/output.h"
#include "cli/settings.h"
#include "device/error.h"
#include "device/memory.h"
#include "train/checkpoint.h"
#include "train/folder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- the run's trainer --------------------------------------------------- */

/* Nothing is trained, so that the optimizer need not be the run's. */
static void describe_trainer(fal_trainer_options *trainer, const cli_options *run,
                             const char *loss)
{
    cli_ground none = {0};
    cli_trainer_options(trainer, run, &none);
    trainer->loss = loss;
    trainer->optimizer = "sgd";
    trainer->learning_rate = trainer->learning_rate_adamw = trainer->momentum = 0;
    trainer->nesterov = 0;
    trainer->schedule = "constant";
    trainer->milestones = NULL;
    trainer->warmup = trainer->steps = 0;
    trainer->log_steps = 1;
}

/* Of a rule that draws anew at each step the checkpoint alone says how many were made, and
 * it alone has feedback that learned. */
static void tell_start(const fal_trainer *trainer, const char *folder)
{
    const fal_rule *rule = NULL, *learner = fal_trainer_learner(trainer);
    for (size_t i = 0; i < trainer->model->network.weights; i++)
        if (trainer->routes[i].rule->carrier == FAL_CARRIER_SIGN_REDRAWN)
            rule = trainer->routes[i].rule;
    if (rule)
        cli_say(
            "'%s' has no checkpoint.safetensors, which says how many steps were "
            "made: the R of %s is that of the first step",
            folder, rule->name);
    if (learner)
        cli_say("'%s' has no checkpoint.safetensors, which holds what feedback "
                "learned: the B of %s is that of before the first step",
                folder, learner->name);
}

/* What the run ended with, else what it began with; not every rule stores some. */
fal_status cli_run_feedback(fal_trainer *trainer, const char *folder, int quiet)
{
    char *end = fal_folder_path(folder, "checkpoint.safetensors");
    char *start = fal_folder_path(folder, "start.safetensors");
    int stores = trainer->feedback.count > 0;
    fal_status status = FAL_OK;
    if (!end || !start)
        status = FAL_ERROR_MEMORY;
    else if (access(end, F_OK) == 0)
        status = fal_checkpoint_feedback(trainer, end);
    else if (stores && access(start, F_OK) == 0)
        status = fal_trainer_load_feedback(trainer, start);
    else if (stores)
        status = fal_fail(FAL_ERROR_FILE,
                          "'%s' has neither checkpoint.safetensors nor "
                          "start.safetensors, which hold the run's feedback; give "
                          "the folder as the run left it",
                          folder);
    if (!status && access(end, F_OK) != 0 && !quiet)
        tell_start(trainer, folder);
    fal_release(end);
    fal_release(start);
    return status;
}

fal_status cli_run_trainer(fal_trainer **trainer, fal_model *model,
                           const cli_options *run, const char *loss)
{
    fal_trainer_options made;
    describe_trainer(&made, run, loss);
    fal_status status = cli_init_law(model, run);
    return status ? status : fal_trainer_create(trainer, model, &made);
}

static int keep(const fal_metric *metric, void *user)
{
    return fal_metric_list_add(user, metric) != FAL_OK;
}

static fal_status measure(fal_metric_list *metrics, const cli_options *options,
                          const cli_options *run, fal_model *model,
                          const fal_dataset *data, const char *loss)
{
    fal_trainer *trainer;
    fal_status status = cli_run_trainer(&trainer, model, run, loss);
    if (status)
        return status;
    status = cli_run_feedback(trainer, options->arguments[0],
                              cli_flag(options, CLI_QUIET));
    if (!status)
        status = fal_trainer_measure_dataset(trainer, data, keep, metrics);
    fal_trainer_destroy(trainer);
    return status;
}

fal_status cli_metrics_of_run(fal_metric_list *metrics, const cli_options *options,
                              fal_model *model, const fal_dataset *data,
                              const char *loss)
{
    cli_config config = CLI_CONFIG;
    cli_options run;
    fal_status status = cli_config_run(
        &config, &run, options->arguments[0],
        "by which rule, feedback and batch to measure");
    if (!status)
        status = measure(metrics, options, &run, model, data, loss);
    cli_config_release(&config);
    return status ? cli_fail_option(status, options, CLI_METRICS) : FAL_OK;
}

/* ---- the table ----------------------------------------------------------- */

enum { NAME = 32, COLUMN = 11, TABLE = 80 };

static const double *find(const fal_metric_list *metrics, const char *name,
                          const char *layer)
{
    for (size_t i = 0; i < metrics->count; i++)
        if (strcmp(metrics->items[i].name, name) == 0 &&
            strcmp(metrics->items[i].layer, layer) == 0)
            return &metrics->items[i].value;
    return NULL;
}

static void print_line(const fal_metric_list *metrics, const char *name,
                       const char *const *layers, size_t count, int width)
{
    cli_print("%-*s", NAME, name);
    for (size_t i = 0; i < count; i++) {
        const double *value = find(metrics, name, layers[i]);
        if (value && !isnan(*value))
            cli_print("%*.4g", width, *value);
        else
            cli_print("%*s", width, "-");
    }
    cli_print("\n");
}

static void print_block(const fal_metric_list *metrics, const char *const *layers,
                        size_t count, int width)
{
    cli_print("\n%-*s", NAME, "");
    for (size_t i = 0; i < count; i++)
        cli_print("%*s", width, layers[i]);
    cli_print("\n");
    for (size_t i = 0; i < metrics->count; i++) {
        const char *name = metrics->items[i].name;
        if (i == 0 || strcmp(name, metrics->items[i - 1].name) != 0)
            print_line(metrics, name, layers, count, width);
    }
}

static int is_listed(const char *const *layers, size_t count, const char *layer)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(layers[i], layer) == 0)
            return 1;
    return 0;
}

/* In the order of their first values, the total last. */
static size_t list_layers(const fal_metric_list *metrics, const char **layers)
{
    size_t count = 0;
    for (size_t i = 0; i < metrics->count; i++) {
        const char *layer = metrics->items[i].layer;
        if (strcmp(layer, "total") != 0 && !is_listed(layers, count, layer))
            layers[count++] = layer;
    }
    layers[count++] = "total";
    return count;
}

void cli_metrics_print(const fal_metric_list *metrics)
{
    const char **layers = fal_allocate(metrics->count + 1, sizeof *layers);
    size_t count = layers ? list_layers(metrics, layers) : 0, width = COLUMN;
    for (size_t i = 0; i < count; i++)
        if (strlen(layers[i]) + 2 > width)
            width = strlen(layers[i]) + 2;
    size_t fit = width < TABLE - NAME ? (TABLE - NAME) / width : 1;
    for (size_t i = 0; i < count; i += fit)
        print_block(metrics, layers + i, count - i < fit ? count - i : fit,
                    (int)width);
    fal_release(layers);
}
