#include "cli/split.h"
#include "cli/config.h"
#include "cli/ground.h"
#include "device/error.h"

#include <string.h>

/* Keeps the first --samples. */
static fal_status cut(fal_dataset **dataset, const cli_options *options)
{
    fal_arrays arrays = FAL_ARRAYS;
    fal_dataset *first = NULL;
    size_t wanted = (size_t)cli_whole(options, CLI_SAMPLES);
    fal_status status = fal_dataset_describe(*dataset, &arrays);
    if (status || wanted == 0)
        return status;
    if (wanted > arrays.count)
        return cli_fail_option(fal_fail(FAL_ERROR_ARGUMENT,
                                        "%zu are asked for, the run split off %zu; "
                                        "give at most that",
                                        wanted, arrays.count),
                               options, CLI_SAMPLES);
    arrays.count = wanted;
    arrays.borrow = 0;
    status = fal_dataset_create(&first, &arrays);
    if (status)
        return status;
    fal_dataset_destroy(*dataset);
    *dataset = first;
    return FAL_OK;
}

/* What the run split off from the samples it took; with the labels of this command's
 * --label-noise, not the run's. */
static fal_status split_off(fal_dataset **dataset, const cli_options *options,
                            const cli_options *run)
{
    cli_ground all = {0}, own;
    cli_options by = *run;
    cli_set_real(&by, CLI_LABEL_NOISE, cli_real(options, CLI_LABEL_NOISE));
    fal_status status = cli_data_open(&all.train, options, FAL_SPLIT_TRAIN,
                                      cli_whole(run, CLI_SAMPLES));
    if (!status)
        status = cli_ground_split(&own, &all, &by);
    if (!status) {
        *dataset = own.validation;
        own.validation = NULL;
        cli_ground_unsplit(&own);
    }
    fal_dataset_destroy(all.train);
    return status;
}

static fal_status open_validation(fal_dataset **dataset, const cli_options *options)
{
    const char *folder = options->arguments[0];
    cli_config config = CLI_CONFIG;
    cli_options run;
    fal_dataset *part = NULL;
    fal_status status = cli_config_run(&config, &run, folder,
                                       "what was split off for validation");
    if (!status && cli_real(&run, CLI_VALIDATION) == 0)
        status = fal_fail(FAL_ERROR_ARGUMENT,
                          "the run in '%s' split nothing off (validation is 0 in "
                          "its config.yaml); give test or train",
                          folder);
    if (status)
        status = cli_fail_option(status, options, CLI_SPLIT);
    else
        status = split_off(&part, options, &run);
    if (!status)
        status = cut(&part, options);
    cli_config_release(&config);
    if (status)
        fal_dataset_destroy(part);
    else
        *dataset = part;
    return status;
}

fal_status cli_split_open(fal_dataset **dataset, const cli_options *options)
{
    const char *split = cli_text(options, CLI_SPLIT);
    if (strcmp(split, "validation") == 0)
        return open_validation(dataset, options);
    return cli_data_open(dataset, options,
                         strcmp(split, "train") == 0 ? FAL_SPLIT_TRAIN
                                                     : FAL_SPLIT_TEST,
                         cli_whole(options, CLI_SAMPLES));
}
