#include "cli/ground.h"
#include "cli/output.h"
#include "device/memory.h"
#include "device/vendor.h"
#include "train/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LIMIT = 2048 };

/* ---- data ---------------------------------------------------------------- */

static void add_place(cli_places *places, const char *folder)
{
    if (folder && *folder)
        places->folders[places->count++] = folder;
}

fal_status cli_places_find(cli_places *places, const cli_options *options)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    *places = (cli_places){.count = 0};
    add_place(places, cli_text(options, CLI_DATA_PATH));
    add_place(places, getenv("FALIGN_DATASETS"));
    if (cache && *cache)
        places->cache = fal_folder_path(cache, "falign/datasets");
    else if (home && *home)
        places->cache = fal_folder_path(home, ".cache/falign/datasets");
    else
        places->cache = fal_copy_text("");
    add_place(places, places->cache);
    add_place(places, "/usr/share/datasets");
    return places->cache ? FAL_OK : FAL_ERROR_MEMORY;
}

void cli_places_release(cli_places *places)
{
    fal_release(places->cache);
}

fal_status cli_data_open(fal_dataset **dataset, const cli_options *options,
                         fal_split split, uint64_t samples)
{
    cli_places places;
    fal_dataset_options given = FAL_DATASET_OPTIONS;
    fal_status status = cli_places_find(&places, options);
    given.folders = places.folders;
    given.folder_count = places.count;
    given.samples = (size_t)samples;
    if (!status)
        status = fal_dataset_open_with(dataset, cli_text(options, CLI_DATA), split,
                                       &given);
    cli_places_release(&places);
    /* Too many samples are no fault of the data. */
    if (samples > 0 && status == FAL_ERROR_ARGUMENT)
        return status;
    if (status && cli_flag(options, CLI_RESUME) && !cli_in_words(options, CLI_DATA))
        fal_fail(status, "%s; --data says where they are now", fal_error_message());
    return cli_fail_in_file(status, options, CLI_DATA);
}

/* In the size of --resize, if there is one. */
static fal_status resize(fal_dataset **dataset, const cli_options *options)
{
    uint64_t size = cli_whole(options, CLI_RESIZE);
    fal_dataset *resized;
    if (!cli_flag(options, CLI_RESIZE))
        return FAL_OK;
    fal_status status = fal_dataset_resize(&resized, *dataset, (size_t)(size >> 32),
                                           (uint32_t)size);
    if (status)
        return cli_fail_option(status, options, CLI_RESIZE);
    fal_dataset_destroy(*dataset);
    *dataset = resized;
    return FAL_OK;
}

fal_status cli_data_spoil(fal_dataset **dataset, fal_dataset **former,
                          const cli_options *options, uint64_t seed,
                          fal_split split)
{
    fal_dataset *noisy;
    *former = NULL;
    if (!*dataset || cli_real(options, CLI_LABEL_NOISE) == 0)
        return FAL_OK;
    fal_status status = fal_dataset_label_noise(
        &noisy, *dataset, cli_real(options, CLI_LABEL_NOISE), seed, split);
    if (status)
        return cli_fail_option(status, options, CLI_LABEL_NOISE);
    *former = *dataset;
    *dataset = noisy;
    return FAL_OK;
}

/* ---- device -------------------------------------------------------------- */

/* What is said of every seed alike is said once. */
static void print_log(const char *line, void *user)
{
    char *last = user;
    if (strcmp(line, last) != 0)
        cli_say("%s", line);
    snprintf(last, LINE_LIMIT, "%s", line);
}

fal_status cli_device_open(fal_device **device, const cli_options *options)
{
    static char last[LINE_LIMIT];
    fal_device_options given = FAL_DEVICE_OPTIONS;
    fal_facts unknown = {0};
    given.gemm = cli_text(options, CLI_GEMM);
    fal_status status = fal_vendor_gemm(&unknown, given.gemm);
    if (status)
        return cli_fail_in_file(status, options, CLI_GEMM);
    given.conv = cli_text(options, CLI_CONV);
    given.name = cli_text(options, CLI_DEVICE);
    given.profile = cli_flag(options, CLI_PROFILE);
    if (!cli_flag(options, CLI_QUIET))
        given.log = print_log, given.log_user = last;
    return cli_fail_in_file(fal_device_open(device, &given), options, CLI_DEVICE);
}

/* ---- both ---------------------------------------------------------------- */

static fal_status open_splits(cli_ground *ground, const cli_options *options)
{
    ground->train_facts.size = ground->test_facts.size = sizeof(fal_arrays);
    fal_status status = cli_data_open(&ground->train, options, FAL_SPLIT_TRAIN,
                                      cli_whole(options, CLI_SAMPLES));
    if (!status)
        status = cli_data_open(&ground->test, options, FAL_SPLIT_TEST, 0);
    if (!status)
        status = resize(&ground->train, options);
    if (!status)
        status = resize(&ground->test, options);
    if (!status)
        status = fal_dataset_describe(ground->train, &ground->train_facts);
    if (!status)
        status = fal_dataset_describe(ground->test, &ground->test_facts);
    return status;
}

fal_status cli_ground_open(cli_ground *ground, const cli_options *options)
{
    *ground = (cli_ground){.info.size = sizeof ground->info};
    fal_status status = open_splits(ground, options);
    if (!status)
        status = cli_device_open(&ground->device, options);
    if (!status)
        status = fal_device_describe(ground->device, &ground->info);
    if (status)
        cli_ground_close(ground);
    return status;
}

void cli_ground_close(cli_ground *ground)
{
    fal_dataset_destroy(ground->train);
    fal_dataset_destroy(ground->test);
    fal_device_destroy(ground->device);
    ground->train = ground->test = NULL;
    ground->device = NULL;
}

/* ---- one run's ----------------------------------------------------------- */

/* Those of `ground` stay what they are. */
static fal_status spoil(cli_ground *own, const cli_options *run)
{
    uint64_t seed = cli_whole(run, CLI_SEED_DATA);
    fal_dataset *shared;
    fal_status status = cli_data_spoil(&own->train, &shared, run, seed,
                                       FAL_SPLIT_TRAIN);
    own->own_train = shared != NULL;
    if (!status)
        status = cli_data_spoil(&own->test, &shared, run, seed, FAL_SPLIT_TEST);
    own->own_test = !status && shared != NULL;
    return status;
}

static fal_status split_off(cli_ground *own, const cli_options *run)
{
    double share = cli_real(run, CLI_VALIDATION);
    fal_dataset *rest, *all = own->train;
    if (share == 0)
        return FAL_OK;
    fal_status status = fal_dataset_split(&rest, &own->validation, all, share,
                                          cli_whole(run, CLI_SEED_DATA));
    if (status)
        return cli_fail_option(status, run, CLI_VALIDATION);
    if (own->own_train)
        fal_dataset_destroy(all);
    own->train = rest;
    own->own_train = 1;
    return FAL_OK;
}

static fal_status describe(const fal_dataset *dataset, fal_arrays *facts)
{
    facts->size = sizeof *facts;
    return dataset ? fal_dataset_describe(dataset, facts) : FAL_OK;
}

fal_status cli_ground_split(cli_ground *own, const cli_ground *ground,
                            const cli_options *run)
{
    *own = *ground;
    fal_status status = spoil(own, run);
    if (!status)
        status = split_off(own, run);
    if (!status)
        status = describe(own->train, &own->train_facts);
    if (!status)
        status = describe(own->test, &own->test_facts);
    if (!status)
        status = describe(own->validation, &own->validation_facts);
    if (status)
        cli_ground_unsplit(own);
    return status;
}

void cli_ground_unsplit(cli_ground *own)
{
    if (own->own_train)
        fal_dataset_destroy(own->train);
    if (own->own_test)
        fal_dataset_destroy(own->test);
    fal_dataset_destroy(own->validation);
    own->train = own->test = own->validation = NULL;
    own->own_train = own->own_test = 0;
}
