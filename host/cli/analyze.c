/* falign analyze: fixed points of a learning rule. */
#include "cli/analyze.h"
#include "analysis/field_trainer.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/ground.h"
#include "cli/metrics.h"
#include "cli/output.h"
#include "device/error.h"
#include "device/memory.h"
#include "files/safetensors.h"
#include "learn/rule.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

typedef struct analysis {
    const cli_options *options;
    const char *path; /* of MODEL */
    int is_folder;
    int draws; /* feedback anew */
    cli_config config;
    cli_options run;
    cli_ground all,
        own; /* what --data has, and what the run was trained on of it */
    fal_model *model;
    fal_trainer *trainer;
    fal_trained_field trained;
    cli_fixed_point found;
} analysis;

/* ---- the run ------------------------------------------------------------- */

static void overrule(analysis *a, cli_id id)
{
    if (cli_given(a->options, id))
        a->run.values[id] = a->options->values[id];
}

/* What the run says of the feedback of its own rule means nothing to another. */
static fal_status take_rule(analysis *a)
{
    const fal_rule *rule;
    overrule(a, CLI_RULE_NAME);
    const char *name = cli_text(&a->run, CLI_RULE_NAME);
    fal_status status = fal_rule_find(name, &rule);
    if (status)
        return status;
    if (cli_given(a->options, CLI_RULE_NAME) || !a->is_folder) {
        cli_unset(&a->run, CLI_FEEDBACK_LAW);
        cli_set_text(&a->run, CLI_FEEDBACK, "stored");
        if (fal_rule_has_law(rule) && rule->path == FAL_PATH_LAYERS)
            cli_set_text(&a->run, CLI_FEEDBACK_LAW, "weights");
    }
    overrule(a, CLI_FEEDBACK_LAW);
    overrule(a, CLI_SEED_FEEDBACK);
    return FAL_OK;
}

/* Options of the run, or for a file the defaults, and the flags over them. */
static fal_status find_run(analysis *a)
{
    struct stat facts;
    const char *own;
    a->is_folder = stat(a->path, &facts) == 0 && S_ISDIR(facts.st_mode);
    fal_status status = a->is_folder
                            ? cli_config_run(&a->config, &a->run, a->path,
                                             "which rule and loss to analyze")
                            : cli_options_read(&a->run, CLI_TRAIN, 0, NULL, 0);
    if (status)
        return status;
    if (!a->is_folder)
        cli_set_text(&a->run, CLI_RULE_NAME, "fa");
    own = cli_text(&a->run, CLI_RULE_NAME);
    status = take_rule(a);
    a->draws = cli_given(a->options, CLI_SEED_FEEDBACK) ||
               cli_given(a->options, CLI_FEEDBACK_LAW) ||
               (a->is_folder && !status &&
                strcmp(own, cli_text(&a->run, CLI_RULE_NAME)) != 0);
    return status;
}

/* ---- data ---------------------------------------------------------------- */

static fal_status open_data(analysis *a)
{
    const cli_options *from = cli_given(a->options, CLI_SAMPLES) ? a->options
                                                                 : &a->run;
    fal_status status = cli_data_open(&a->all.train, a->options, FAL_SPLIT_TRAIN,
                                      cli_whole(from, CLI_SAMPLES));
    if (from == a->options)
        cli_set_real(&a->run, CLI_VALIDATION, 0);
    if (!status)
        status = cli_ground_split(&a->own, &a->all, &a->run);
    return status;
}

/* ---- feedback ------------------------------------------------------------ */

static int is_feedback(const char *name)
{
    static const char ending[] = ".feedback";
    const size_t length = strlen(name), tail = sizeof ending - 1;
    return length > tail && strcmp(name + length - tail, ending) == 0;
}

static fal_status check_feedback(const char *path)
{
    fal_safetensors *file = NULL;
    fal_status status = fal_safetensors_open(&file, path);
    size_t i = 0;
    if (status)
        return status;
    while (i < fal_safetensors_count(file) &&
           !is_feedback(fal_safetensors_at(file, i)->name))
        i++;
    const int has = i < fal_safetensors_count(file);
    fal_safetensors_close(file);
    if (has)
        return FAL_OK;
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "'%s' holds no feedback; give the run's folder, or "
                    "--feedback-seed to draw some",
                    path);
}

static fal_status take_feedback(analysis *a)
{
    fal_status status = FAL_OK;
    if (a->draws || a->trainer->feedback_tensors.count == 0)
        return FAL_OK;
    if (a->is_folder)
        return cli_run_feedback(a->trainer, a->path,
                                cli_flag(a->options, CLI_QUIET));
    status = check_feedback(a->path);
    return status ? status : fal_trainer_load_feedback(a->trainer, a->path);
}

/* ---- the analysis -------------------------------------------------------- */

static const char *choose_loss(const analysis *a)
{
    fal_arrays facts = FAL_ARRAYS;
    if (cli_given(a->options, CLI_LOSS))
        return cli_text(a->options, CLI_LOSS);
    const int is_real = fal_dataset_describe(a->own.train, &facts) == FAL_OK &&
                        !facts.labels;
    return is_real ? "mse" : cli_text(&a->run, CLI_LOSS);
}

static fal_status open_model(analysis *a)
{
    a->found.loss = choose_loss(a);
    a->found.rule = cli_text(&a->run, CLI_RULE_NAME);
    fal_status status = cli_device_open(&a->all.device, a->options);
    if (!status)
        status = fal_model_load(&a->model, a->all.device, a->path);
    if (!status)
        status = cli_run_trainer(&a->trainer, a->model, &a->run, a->found.loss);
    if (!status)
        status = take_feedback(a);
    if (!status)
        status = fal_trained_field_make(&a->trained, a->trainer, a->own.train,
                                        FAL_FIXED_POINT_PARAMETERS);
    return status;
}

static fal_status polish(analysis *a)
{
    const size_t n = a->trained.field.parameters;
    double *theta = a->trained.theta, moved = 0, all = 0;
    double *start = fal_allocate(n, sizeof *start);
    if (!start)
        return FAL_ERROR_MEMORY;
    memcpy(start, theta, n * sizeof *start);
    fal_status status = fal_fixed_point_polish(&a->trained.field, FAL_FIELD_RULE,
                                               theta, &a->found.steps);
    for (size_t i = 0; i < n; i++) {
        moved += (theta[i] - start[i]) * (theta[i] - start[i]);
        all += start[i] * start[i];
    }
    a->found.polished = 1;
    a->found.moved = all > 0 ? sqrt(moved / all) : NAN;
    fal_release(start);
    return status;
}

/* Decay pulls where u does not. */
static void tell_decay(const analysis *a)
{
    const char *decay = cli_text(&a->run, CLI_WEIGHT_DECAY);
    const int decays = cli_real(&a->run, CLI_WEIGHT_DECAY) > 0 ||
                       strchr(decay, '=');
    if (a->is_folder && decays && !cli_flag(a->options, CLI_QUIET))
        cli_say(
            "the run decayed its weights (weight-decay %s), which is no part of u: "
            "where it came to rest u does not vanish",
            decay);
}

static fal_status find(analysis *a)
{
    fal_status status = cli_flag(a->options, CLI_POLISH) ? polish(a) : FAL_OK;
    a->found.network = fal_model_network(a->model);
    a->found.samples = a->trained.field.data.rows;
    a->found.parameters = a->trained.field.parameters;
    if (!status)
        status = fal_fixed_point_find(&a->found.point, &a->trained.field,
                                      a->trained.theta);
    if (status)
        return status;
    if (a->trained.field.data.summed) /* elsewhere too losses are told as means */
        a->found.point.loss /= (double)a->found.samples;
    tell_decay(a);
    if (cli_flag(a->options, CLI_JSON))
        return cli_fixed_point_json(&a->found);
    if (!cli_flag(a->options, CLI_QUIET))
        cli_fixed_point_print(&a->found);
    return FAL_OK;
}

static void release(analysis *a)
{
    fal_fixed_point_release(&a->found.point);
    fal_trained_field_release(&a->trained);
    fal_trainer_destroy(a->trainer);
    fal_model_destroy(a->model);
    cli_ground_unsplit(&a->own);
    cli_ground_close(&a->all);
    cli_config_release(&a->config);
}

static fal_status analyze_fixed_point(const cli_options *options)
{
    analysis a = {
        .options = options, .path = options->arguments[1], .config = CLI_CONFIG};
    fal_status status = find_run(&a);
    if (!status)
        status = open_data(&a);
    if (!status)
        status = open_model(&a);
    if (!status)
        status = find(&a);
    release(&a);
    return status;
}

/* ---- which --------------------------------------------------------------- */

static fal_status check(const cli_options *options)
{
    static const char *const known[] = {"fixed-point"};
    if (options->argument_count == 0)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "argument ANALYSIS: missing; give fixed-point");
    if (strcmp(options->arguments[0], known[0]) != 0)
        return fal_fail_unknown("analysis", options->arguments[0], known, 1);
    if (options->argument_count == 1)
        return fal_fail(FAL_ERROR_ARGUMENT,
                        "argument MODEL: missing; give a run folder or a "
                        ".safetensors file");
    fal_status status = cli_require(options, CLI_DATA);
    return status ? status : fal_spectrum_check();
}

int cli_analyze(const cli_options *options)
{
    fal_status status = check(options);
    return cli_end(status ? status : analyze_fixed_point(options));
}
