/* falign evaluate: loss and accuracy of a model on a split of a data set. */
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/ground.h"
#include "cli/metrics.h"
#include "cli/output.h"
#include "cli/split.h"
#include "device/error.h"
#include "device/memory.h"

#include <stdlib.h>
#include <string.h>

/* What is found. */
struct found {
    fal_evaluation evaluation;
    int has_labels;
    fal_metric_list metrics; /* with --measure */
};

static fal_status print_object(const struct found *found)
{
    const fal_evaluation *e = &found->evaluation;
    fal_json json = FAL_JSON;
    fal_json_begin_object(&json);
    cli_json_count(&json, "samples", e->samples);
    cli_json_number(&json, "loss", e->loss);
    if (found->has_labels) {
        cli_json_number(&json, "accuracy", e->accuracy);
        cli_json_count(&json, "correct", e->correct);
    }
    fal_metric_list_json(&found->metrics, &json);
    fal_json_end_object(&json);
    return cli_print_json(&json);
}

static fal_status print_result(const cli_options *options,
                               const struct found *found)
{
    const fal_evaluation *e = &found->evaluation;
    if (cli_flag(options, CLI_JSON))
        return print_object(found);
    if (cli_flag(options, CLI_QUIET))
        return FAL_OK;
    cli_print("samples   %zu\nloss      %.6f\n", e->samples, e->loss);
    if (found->has_labels)
        cli_print("accuracy  %.4f\ncorrect   %zu\n", e->accuracy, e->correct);
    if (cli_flag(options, CLI_METRICS))
        cli_metrics_print(&found->metrics);
    return FAL_OK;
}

/* The loss asked for, else the run's, else the usual one; *own is for fal_release. */
static fal_status choose_loss(const cli_options *options, int has_labels,
                              char **own, const char **loss)
{
    fal_status status = FAL_OK;
    *own = NULL;
    if (!cli_given(options, CLI_LOSS))
        status = cli_config_text(options->arguments[0], "loss", own);
    *loss = *own ? *own : cli_text(options, CLI_LOSS);
    if (!*own && !has_labels && !cli_given(options, CLI_LOSS))
        *loss = "mse"; /* the one there is for real targets */
    return status;
}

/* What may be missing of the run is missed before the data are gone through. */
static fal_status judge(const cli_options *options, const fal_dataset *data,
                        fal_model *model)
{
    struct found found = {.evaluation.size = sizeof found.evaluation};
    fal_arrays facts = FAL_ARRAYS;
    const char *loss;
    char *own = NULL;
    fal_status status = fal_dataset_describe(data, &facts);
    found.has_labels = facts.labels != NULL;
    if (!status)
        status = choose_loss(options, found.has_labels, &own, &loss);
    if (!status && cli_flag(options, CLI_METRICS))
        status = cli_metrics_of_run(&found.metrics, options, model, data, loss);
    if (!status)
        status = fal_model_evaluate(model, data, loss, &found.evaluation);
    if (!status)
        status = print_result(options, &found);
    fal_metric_list_release(&found.metrics);
    fal_release(own);
    return status;
}

static fal_status evaluate(const cli_options *options, const fal_dataset *data,
                           fal_device *device)
{
    fal_model *model;
    fal_status status = fal_model_load(&model, device, options->arguments[0]);
    if (status)
        return status;
    status = judge(options, data, model);
    fal_model_destroy(model);
    return status;
}

/* The run's data seed, 1 where there is none. */
static fal_status find_seed(const cli_options *options, uint64_t *seed)
{
    char *text = NULL;
    fal_status status = cli_config_text(options->arguments[0],
                                        cli_table[CLI_SEED_DATA].name, &text);
    *seed = text ? strtoull(text, NULL, 10) : 1;
    fal_release(text);
    return status;
}

/* What was split off for validation has the labels of --label-noise already. */
static fal_status spoil(fal_dataset **data, fal_dataset **former,
                        const cli_options *options)
{
    const char *split = cli_text(options, CLI_SPLIT);
    uint64_t seed = 1;
    *former = NULL;
    if (strcmp(split, "validation") == 0)
        return FAL_OK;
    fal_status status = find_seed(options, &seed);
    return status ? status
                  : cli_data_spoil(data, former, options, seed,
                                   strcmp(split, "test") == 0 ? FAL_SPLIT_TEST
                                                              : FAL_SPLIT_TRAIN);
}

static fal_status open_and_evaluate(const cli_options *options)
{
    fal_dataset *data, *former;
    fal_device *device;
    fal_status status = cli_split_open(&data, options);
    if (status)
        return status;
    status = spoil(&data, &former, options);
    if (!status)
        status = cli_device_open(&device, options);
    if (!status) {
        status = evaluate(options, data, device);
        fal_device_destroy(device);
    }
    fal_dataset_destroy(data);
    fal_dataset_destroy(former);
    return status;
}

int cli_evaluate(const cli_options *options)
{
    fal_status status = FAL_OK;
    if (options->argument_count == 0)
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "argument MODEL: missing; give a .safetensors file or a "
                          "run folder");
    if (!status)
        status = cli_require(options, CLI_DATA);
    return cli_end(status ? status : open_and_evaluate(options));
}
