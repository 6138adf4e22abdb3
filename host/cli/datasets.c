/* falign datasets: the known data sets, where they are or were looked for. */
#include "cli/cell.h"
#include "cli/commands.h"
#include "cli/ground.h"
#include "cli/output.h"
#include "data/known.h"
#include "device/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH = 18 };

/* ---- text ---------------------------------------------------------------- */

struct listing {
    FILE *file;
    const fal_known *missing; /* what the last line was about, not found */
};

/* How to get it stands below where it was looked for. */
static void end_missing(struct listing *listing)
{
    if (listing->missing)
        fprintf(listing->file, "%*s%s\n", NAME_WIDTH, "", listing->missing->advice);
    listing->missing = NULL;
}

static void print_missing(struct listing *listing, const fal_dataset_info *info)
{
    if (!listing->missing)
        fprintf(listing->file, "%-*snot found\n", NAME_WIDTH, info->name);
    listing->missing = fal_known_find(info->name);
    fprintf(listing->file, "%*s", NAME_WIDTH, "");
    cli_cell_print(listing->file, info->folder, 0);
    fprintf(listing->file, ": %s\n", info->missing);
}

static void print_found(struct listing *listing, const fal_dataset_info *info)
{
    fprintf(listing->file, "%-*s%zu train, %zu test, %zux%zux%zu, %zu classes\n%*s",
            NAME_WIDTH, info->name, info->train, info->test, info->height,
            info->width, info->channels, info->classes, NAME_WIDTH, "");
    cli_cell_print(listing->file, info->folder, 0);
    fputc('\n', listing->file);
}

static int print_place(const fal_dataset_info *info, void *user)
{
    struct listing *listing = user;
    if (listing->missing && strcmp(listing->missing->name, info->name) != 0)
        end_missing(listing);
    if (info->damaged)
        fprintf(listing->file, "%-*sdamaged\n%*s%s\n", NAME_WIDTH, info->name,
                NAME_WIDTH, "", info->missing);
    else if (info->missing)
        print_missing(listing, info);
    else
        print_found(listing, info);
    return 0;
}

static fal_status print_text(const fal_dataset_options *options)
{
    char *text = NULL;
    size_t size = 0;
    struct listing listing = {.file = open_memstream(&text, &size)};
    fal_status status = FAL_OK;
    if (listing.file) {
        status = fal_dataset_list(options, print_place, &listing);
        end_missing(&listing);
    }
    if (!listing.file || fclose(listing.file) != 0)
        status = fal_fail(FAL_ERROR_MEMORY, "listing data sets: no host memory");
    if (!status)
        cli_print("%s", text);
    free(text);
    return status;
}

/* ---- JSON ---------------------------------------------------------------- */

static int add_place(const fal_dataset_info *info, void *user)
{
    fal_json *json = user;
    const struct {
        const char *key;
        size_t value;
    } numbers[] = {
        {"train", info->train},       {"test", info->test},
        {"height", info->height},     {"width", info->width},
        {"channels", info->channels}, {"classes", info->classes},
    };
    fal_json_begin_object(json);
    cli_json_text(json, "name", info->name);
    cli_json_text(json, "folder", info->folder);
    cli_json_text(json, "missing", info->missing);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        fal_json_key(json, numbers[i].key);
        if (info->missing)
            fal_json_null(json);
        else
            fal_json_unsigned(json, numbers[i].value);
    }
    fal_json_end_object(json);
    return 0;
}

static fal_status print_array(const fal_dataset_options *options)
{
    fal_json json = FAL_JSON;
    fal_json_begin_array(&json);
    fal_status status = fal_dataset_list(options, add_place, &json);
    fal_json_end_array(&json);
    if (!status)
        return cli_print_json(&json);
    fal_json_release(&json);
    return status;
}

int cli_datasets(const cli_options *options)
{
    cli_places places;
    fal_dataset_options given = FAL_DATASET_OPTIONS;
    fal_status status = cli_places_find(&places, options);
    given.folders = places.folders;
    given.folder_count = places.count;
    if (!status && cli_flag(options, CLI_JSON))
        status = print_array(&given);
    else if (!status && !cli_flag(options, CLI_QUIET))
        status = print_text(&given);
    cli_places_release(&places);
    return cli_end(status);
}
