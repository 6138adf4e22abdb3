/* falign evaluate: loss and accuracy of a model on the test split. */
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/ground.h"
#include "cli/output.h"
#include "device/error.h"
#include "device/memory.h"

#include <stdio.h>

static fal_status print_result(const cli_options *options, const fal_evaluation *e)
{
    if (cli_flag(options, CLI_JSON)) {
        fal_json json = FAL_JSON;
        fal_json_begin_object(&json);
        cli_json_count(&json, "samples", e->samples);
        cli_json_number(&json, "loss", e->loss);
        cli_json_number(&json, "accuracy", e->accuracy);
        cli_json_count(&json, "correct", e->correct);
        fal_json_end_object(&json);
        return cli_print_json(&json);
    }
    if (!cli_flag(options, CLI_QUIET))
        cli_print("samples   %zu\nloss      %.6f\naccuracy  %.4f\ncorrect   %zu\n",
                  e->samples, e->loss, e->accuracy, e->correct);
    return FAL_OK;
}

static fal_status evaluate(const cli_options *options, const fal_dataset *data,
                           fal_device *device)
{
    fal_model *model;
    char *loss = NULL; /* what the run was trained with */
    fal_evaluation result = {.size = sizeof result};
    fal_status status = fal_model_load(&model, device, options->arguments[0]);
    if (status)
        return status;
    if (!cli_given(options, CLI_LOSS))
        status = cli_config_text(options->arguments[0], "loss", &loss);
    if (!status)
        status = fal_model_evaluate(
            model, data, loss ? loss : cli_text(options, CLI_LOSS), &result);
    fal_release(loss);
    fal_model_destroy(model);
    return status ? status : print_result(options, &result);
}

static fal_status open_and_evaluate(const cli_options *options)
{
    fal_dataset *data;
    fal_device *device;
    fal_status status = cli_data_open(&data, options, FAL_SPLIT_TEST,
                                      cli_whole(options, CLI_SAMPLES));
    if (status)
        return status;
    status = cli_device_open(&device, options);
    if (!status) {
        status = evaluate(options, data, device);
        fal_device_destroy(device);
    }
    fal_dataset_destroy(data);
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
