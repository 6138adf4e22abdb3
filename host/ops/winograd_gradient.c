/* Which group makes what part of a weight gradient by minimal filtering, and where in
 * the room. Its sums over tiles are split, by shape alone. */
#include "ops/epilogue.h"
#include "ops/grid.h"
#include "ops/winograd.h"
#include "ops/winograd_maps.h"

/* Parts of the weight gradient's sums, and the fewest tiles of one */
enum { MOST_PARTS = 4, TILES_A_PART = 1024 };

/* The most tiles of a block */
enum { BLOCK = 96 };

/* Parts that the weight gradient's sums are cut into: by shape alone, so that adding
 * them up costs little */
static size_t split(const kernel_maps *maps)
{
    size_t parts = 1;
    while (parts < MOST_PARTS && maps->tiles >= 2 * parts * TILES_A_PART)
        parts *= 2;
    return parts;
}

/* Tiles whose products are summed at once. Roundings grow with them and should stay below
 * those of the direct form: measured; with few tiles its sums are short too. */
static size_t depth(const kernel_maps *maps)
{
    return maps->tiles <= 128 ? 16 : 24;
}

/* Tiles of a block, by shape alone, as sums follow it: few with few channels, so that
 * what they are transformed to stays in the caches, more with many, as each block reads
 * and writes all sums once */
static size_t block_of(const kernel_maps *maps)
{
    size_t most = fal_smaller(
        BLOCK, (size_t)3 * (maps->in.channels + maps->out.channels) / 4 + 1);
    return fal_divided(maps->run, fal_divided(maps->run, most));
}

/* How the compute units share those parts, and where they are few their channels, then
 * their columns. Returns the number of shares. */
static size_t share(const fal_device *device, kernel_maps *maps)
{
    size_t units = device->facts.units, parts = split(maps);
    size_t run = fal_rounded(fal_divided(maps->tiles, parts), ROWS);
    size_t down = fal_smaller(fal_divided(units, parts),
                              fal_divided(maps->in.channels, (size_t)2 * ROWS));
    size_t rows = fal_rounded(fal_divided(maps->in.channels, down), ROWS);
    size_t across = fal_smaller(fal_divided(units, parts * down),
                                fal_divided(maps->padded, panel(device)));
    size_t columns = fal_rounded(fal_divided(maps->padded, across), panel(device));
    maps->run = (cl_uint)run;
    maps->rows = (cl_uint)fal_smaller(rows, maps->in.channels);
    maps->columns = (cl_uint)columns;
    maps->block = (cl_uint)block_of(maps);
    maps->depth = (cl_uint)depth(maps);
    return parts * fal_divided(maps->in.channels, rows) *
           fal_divided(maps->padded, columns);
}

/* Of one part's sums: channels, rounded, at each point, and the bias's row */
static uint64_t sums_room(const kernel_maps *maps)
{
    return ((uint64_t)maps->points * maps->in.channels + 1) * maps->padded;
}

static uint64_t group_room(const fal_device *device, const kernel_maps *maps)
{
    size_t vector = (size_t)device->facts.vector;
    size_t zeros = maps->in.channels > maps->out.channels ? maps->in.channels
                                                          : maps->out.channels;
    size_t rows = fal_rounded(maps->rows, vector) + vector;
    return fal_rounded(zeros + 1, vector) +
           (uint64_t)maps->points *
               (maps->block * (rows + panel(device)) + 2 * vector);
}

static size_t groups_of(const fal_device *device, size_t shares)
{
    return fal_smaller(device->facts.units, shares);
}

uint64_t fal_winograd_gradient_room(const fal_device *device, const fal_conv *conv)
{
    kernel_maps maps = fal_winograd_describe(device, conv, 2);
    size_t groups = groups_of(device, share(device, &maps));
    return split(&maps) * sums_room(&maps) + groups * group_room(device, &maps);
}

/* ---- launches ------------------------------------------------------------ */

static fal_status add_sums(fal_launches *list, const fal_conv *conv,
                           const fal_conv_weight *pass, const kernel_maps *maps,
                           size_t shares)
{
    size_t groups = groups_of(list->device, shares);
    fal_launch_begin(list, "winograd_gradient");
    fal_winograd_note(list, conv, pass->work, maps);
    fal_launch_bytes(list, sizeof *maps, maps);
    fal_launch_uint(list, (uint32_t)shares);
    fal_launch_view(list, pass->input);
    fal_launch_view(list, pass->delta);
    fal_launch_view(list, pass->room);
    fal_launch_ulong(list, pass->room.offset + split(maps) * sums_room(maps));
    fal_launch_ulong(list, group_room(list->device, maps));
    return fal_end_spans(list, groups, 1);
}

static fal_status add_end(fal_launches *list, const fal_conv_weight *pass,
                          const kernel_maps *maps)
{
    const fal_update none = {.rule = FAL_SGD, .halted = pass->halted};
    const fal_update *u = pass->update ? pass->update : &none;
    fal_kernel_epilogue e = {.parts = pass->update ? FAL_PART_UPDATE : FAL_PART_MIX,
                             .alpha = pass->alpha == 0 ? 1 : pass->alpha,
                             .beta = pass->beta,
                             .pitch = maps->out.channels};
    fal_status status = fal_update_describe(u, &e.update);
    if (status)
        return status;
    size_t vectors = fal_divided(maps->out.channels,
                                 (size_t)list->device->facts.vector);
    size_t rows = maps->in.channels + (pass->has_bias != 0), parts = split(maps);
    size_t span = fal_span(list->device, rows * vectors,
                           maps->points * (size_t)list->device->facts.vector, 1);
    fal_launch_begin(list, "winograd_gradient_end");
    fal_launch_work(list, pass->work ? pass->work : "", 0,
                    4. * (9 + maps->points * (double)parts) * (double)rows *
                        (double)maps->out.channels);
    fal_launch_bytes(list, sizeof *maps, maps);
    fal_launch_uint(list, (uint32_t)parts);
    fal_launch_bytes(list, sizeof e, &e);
    fal_launch_step(list, sizeof(fal_update_step));
    fal_launch_view(list, pass->room);
    fal_launch_view(list, pass->gradient);
    fal_update_views(list, u);
    fal_launch_ulong(list, rows * vectors);
    fal_launch_ulong(list, span);
    return fal_end_spans(list, rows * vectors, span);
}

fal_status fal_winograd_weight_add(fal_launches *list, const fal_conv *conv,
                                   const fal_conv_weight *pass)
{
    kernel_maps maps = fal_winograd_describe(list->device, conv, 2);
    size_t shares = share(list->device, &maps);
    const char *layer = list->layer;
    if (pass->layer)
        list->layer = pass->layer;
    fal_status status = add_sums(list, conv, pass, &maps, shares);
    if (!status)
        status = add_end(list, pass, &maps);
    list->layer = layer;
    return status;
}
