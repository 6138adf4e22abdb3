#include "cli/profile_rows.h"
#include "device/error.h"
#include "device/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cli_profile_row *add_row(cli_profile_rows *rows)
{
    cli_profile_row *grown = fal_resize(rows->items, rows->count + 1,
                                        sizeof *grown);
    if (!grown)
        return NULL;
    rows->items = grown;
    grown[rows->count] = (cli_profile_row){.launches = 0};
    return &grown[rows->count++];
}

static int keep(const fal_profile_row *given, void *user)
{
    cli_profile_row *row = add_row(user);
    if (!row)
        return 1;
    snprintf(row->kernel, CLI_PROFILE_TEXT, "%s", given->kernel);
    snprintf(row->layer, CLI_PROFILE_TEXT, "%s", given->layer);
    snprintf(row->work, CLI_PROFILE_TEXT, "%s", given->work);
    row->evaluation = given->evaluation;
    row->launches = given->launches;
    row->seconds = given->seconds;
    row->flops = given->flops;
    row->bytes = given->bytes;
    return 0;
}

static int by_seconds(const void *a, const void *b)
{
    double x = ((const cli_profile_row *)a)->seconds;
    double y = ((const cli_profile_row *)b)->seconds;
    return (y > x) - (y < x);
}

static void end(cli_profile_rows *rows)
{
    rows->training = 0;
    for (size_t i = 0; i < rows->count; i++)
        if (!rows->items[i].evaluation)
            rows->training += rows->items[i].seconds;
    if (rows->count > 0)
        qsort(rows->items, rows->count, sizeof *rows->items, by_seconds);
}

struct counting {
    cli_profile_rows *rows;
    size_t seen;
};

static int keep_counted(const fal_profile_row *given, void *user)
{
    struct counting *counting = user;
    counting->seen++;
    return keep(given, counting->rows);
}

fal_status cli_profile_read(cli_profile_rows *rows, fal_device *device)
{
    *rows = (cli_profile_rows){.count = 0};
    struct counting counting = {rows, 0};
    fal_status status = fal_device_profile(device, keep_counted, &counting);
    if (!status && counting.seen > rows->count)
        status = FAL_ERROR_MEMORY;
    if (status)
        cli_profile_release(rows);
    else
        end(rows);
    return status;
}

/* The row of the same kernel, new if there is none. */
static cli_profile_row *kernel_row(cli_profile_rows *kernels, const char *name)
{
    for (size_t i = 0; i < kernels->count; i++)
        if (strcmp(kernels->items[i].kernel, name) == 0)
            return &kernels->items[i];
    cli_profile_row *row = add_row(kernels);
    if (row)
        snprintf(row->kernel, CLI_PROFILE_TEXT, "%s", name);
    return row;
}

fal_status cli_profile_kernels(cli_profile_rows *kernels,
                               const cli_profile_rows *rows)
{
    *kernels = (cli_profile_rows){.count = 0};
    for (size_t i = 0; i < rows->count; i++) {
        const cli_profile_row *from = &rows->items[i];
        if (from->evaluation)
            continue;
        cli_profile_row *to = kernel_row(kernels, from->kernel);
        if (!to) {
            cli_profile_release(kernels);
            return FAL_ERROR_MEMORY;
        }
        to->launches += from->launches;
        to->seconds += from->seconds;
        to->flops += from->flops;
        to->bytes += from->bytes;
    }
    end(kernels);
    return FAL_OK;
}

void cli_profile_release(cli_profile_rows *rows)
{
    fal_release(rows->items);
    *rows = (cli_profile_rows){.count = 0};
}
