#include "cli/init.h"
#include "cli/settings.h"
#include "cli/values.h"
#include "device/error.h"
#include "device/memory.h"
#include "files/safetensors.h"
#include "train/model.h"
#include "train/folder.h"
#include "train/trainer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- the file ------------------------------------------------------------ */

static int is_file(const char *path)
{
    return path && access(path, F_OK) == 0;
}

/* FILE itself, or of a run folder FIRST, or SECOND where that is missing. */
static fal_status find_file(const char *path, const char *first, const char *second,
                            char **file)
{
    char *dot = fal_folder_path(path, ".");
    int folder = is_file(dot);
    fal_release(dot);
    *file = folder ? fal_folder_path(path, first) : fal_copy_text(path);
    if (folder && !is_file(*file)) {
        char *other = fal_folder_path(path, second);
        if (is_file(other)) {
            fal_release(*file);
            *file = other;
        } else {
            fal_release(other);
        }
    }
    return *file ? FAL_OK : FAL_ERROR_MEMORY;
}

/* ---- weights ------------------------------------------------------------- */

/* The item of a network's text at `at`, for messages; or of a block's items, or its
 * shortcut. */
static void copy_item(const char *text, size_t at, char *item, size_t size)
{
    while (at > 0 && !strchr(",;(", text[at - 1]))
        at--;
    at += strspn(text + at, " ");
    snprintf(item, size, "%.*s", (int)strcspn(text + at, ",;)"), text + at);
}

static fal_status compare_networks(const cli_options *run, const char *file,
                                   const char *there, const char *here)
{
    char one[128], other[128];
    size_t at = 0;
    if (strcmp(there, here) == 0)
        return FAL_OK;
    while (there[at] && there[at] == here[at])
        at++;
    copy_item(there, at, one, sizeof one);
    copy_item(here, at, other, sizeof other);
    fal_status status = fal_fail(
        FAL_ERROR_ARGUMENT,
        "'%s': its network is not that of --net: '%s' there, '%s' here; leave "
        "--net out or give the same",
        file, *one ? one : "the end", *other ? other : "the end");
    return cli_fail_option(status, run, CLI_INIT);
}

/* Makes the network of --net for its complete text, and for its layers' rules, which
 * are not those of the file. */
static fal_status check_network(fal_model *loaded, const cli_ground *ground,
                                const cli_options *run, const char *file)
{
    fal_model *asked = NULL;
    fal_model_options options;
    if (!cli_flag(run, CLI_NET))
        return FAL_OK;
    cli_model_options(&options, run, ground->train);
    fal_status status = fal_model_create(&asked, ground->device,
                                         cli_text(run, CLI_NET), &options);
    if (!status)
        status = fal_network_take_rules(&loaded->network, &asked->network);
    if (!status)
        status = compare_networks(run, file, fal_model_network(loaded),
                                  fal_model_network(asked));
    fal_model_destroy(asked);
    return status;
}

fal_status cli_init_law(fal_model *model, const cli_options *run)
{
    return fal_law_parse(cli_text(run, CLI_WEIGHT_LAW), 0, "weight law",
                         &model->weight_law);
}

/* Data in another size than the model's, by --resize: it would not take them, or
 * resize them once more. */
static fal_status check_size(const fal_model *loaded, const cli_ground *ground,
                             const cli_options *run)
{
    const fal_shape has = loaded->network.input;
    const fal_arrays *data = &ground->train_facts;
    if (!cli_flag(run, CLI_RESIZE) ||
        (has.height == data->height && has.width == data->width) ||
        fal_shape_takes(has,
                        (fal_shape){data->height, data->width, data->channels}))
        return FAL_OK;
    return cli_fail_option(
        fal_fail(FAL_ERROR_ARGUMENT,
                 loaded->raw.height
                     ? "the model of --init resizes images to "
                       "%zux%zu; leave it out, or give that"
                     : "the model of --init has an input of %zux%zu; "
                       "leave it out, or give that",
                 has.height, has.width),
        run, CLI_RESIZE);
}

static fal_status load_model(fal_model **model, const cli_ground *ground,
                             const cli_options *run, const char *file)
{
    fal_model *loaded = NULL;
    fal_status status = fal_model_load(&loaded, ground->device, file);
    if (status)
        return cli_fail_option(status, run, CLI_INIT);
    status = check_size(loaded, ground, run);
    if (!status)
        status = check_network(loaded, ground, run, file);
    if (!status)
        status = cli_init_law(loaded, run);
    if (!status && cli_given(run, CLI_STANDARDIZE))
        status = fal_model_standardize(loaded, ground->train,
                                       cli_text(run, CLI_STANDARDIZE));
    if (status)
        fal_model_destroy(loaded);
    else
        *model = loaded;
    return status;
}

fal_status cli_init_model(fal_model **model, const cli_ground *ground,
                          const cli_options *run)
{
    char *file;
    fal_status status = find_file(cli_text(run, CLI_INIT), "model.safetensors",
                                  "start.safetensors", &file);
    if (!status)
        status = load_model(model, ground, run, file);
    fal_release(file);
    return status;
}

/* ---- size ---------------------------------------------------------------- */

static void take_size(cli_options *options, const char *file)
{
    fal_safetensors *model = NULL;
    cli_value value = {0};
    const char *size = fal_safetensors_open(&model, file) == FAL_OK
                           ? fal_safetensors_metadata(model, "resize")
                           : NULL;
    if (size && cli_value_read(&value, &cli_table[CLI_RESIZE], size) == FAL_OK)
        cli_set_whole(options, CLI_RESIZE, value.whole);
    fal_safetensors_close(model);
}

void cli_init_resize(cli_options *options)
{
    char *file = NULL;
    if (!cli_flag(options, CLI_INIT) || cli_flag(options, CLI_RESIZE))
        return;
    if (find_file(cli_text(options, CLI_INIT), "model.safetensors",
                  "start.safetensors", &file) == FAL_OK)
        take_size(options, file);
    fal_release(file);
}

/* ---- feedback ------------------------------------------------------------ */

static int is_feedback(const char *name)
{
    static const char end[] = ".feedback";
    size_t length = strlen(name), tail = sizeof end - 1;
    return length > tail && strcmp(name + length - tail, end) == 0;
}

/* Whether the trainer has a tensor of this name and shape. */
static int fits(const fal_trainer *trainer, const fal_tensor_view *tensor)
{
    size_t shape[4], dimensions;
    return fal_trainer_tensor_shape(trainer, tensor->name, shape, &dimensions) ==
               FAL_OK &&
           dimensions == tensor->dimensions &&
           memcmp(shape, tensor->shape, dimensions * sizeof *shape) == 0;
}

/* All of it or nothing: feedback of fa is none for dfa. */
static fal_status take_feedback(fal_trainer *trainer, const cli_options *run,
                                const char *path)
{
    fal_safetensors *file;
    size_t good = 0, all = 0;
    fal_status status = fal_safetensors_open(&file, path);
    if (status)
        return cli_fail_option(status, run, CLI_INIT);
    for (size_t i = 0; i < fal_safetensors_count(file) && good == all; i++) {
        const fal_tensor_view *tensor = fal_safetensors_at(file, i);
        all += is_feedback(tensor->name) ? 1 : 0;
        good += is_feedback(tensor->name) && fits(trainer, tensor) ? 1 : 0;
    }
    fal_safetensors_close(file);
    if (all == 0 || good < all)
        return FAL_OK;
    return fal_trainer_load_feedback(trainer, path);
}

/* What learned is with the weights that it learned from in a run's checkpoint. */
fal_status cli_init_feedback(fal_trainer *trainer, const cli_options *run)
{
    int learns = fal_trainer_learner(trainer) != NULL;
    char *end = fal_folder_path(cli_text(run, CLI_INIT), "checkpoint.safetensors");
    char *file;
    fal_status status = find_file(cli_text(run, CLI_INIT),
                                  learns && is_file(end) ? "checkpoint.safetensors"
                                                         : "start.safetensors",
                                  "model.safetensors", &file);
    fal_release(end);
    if (!status)
        status = take_feedback(trainer, run, file);
    fal_release(file);
    return status;
}
