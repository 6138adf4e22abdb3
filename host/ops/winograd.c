/* Which group makes what part of a convolution forward, or of its data gradient, through
 * blocks of what size, and where in the room it does so. No sum is split here: none
 * depends on the compute units. */
#include "ops/winograd.h"
#include "ops/conv_parts.h"
#include "ops/grid.h"
#include "ops/winograd_maps.h"

/* Sizes measured best: of tiles, so that the transformed weights are read from memory
 * seldom enough and a point of a block stays in the L2 cache, of columns likewise. */
enum { BLOCK = 96, WIDE = 512 };

/* `winograd_weights_from` of cl/winograd.cl */
typedef struct kernel_weights {
    cl_uint k, n, padded;
    cl_int is_turned, kind;
    cl_float scale;
} kernel_weights;

/* Columns with those that the last panel has beside: one, two or four vectors */
static size_t padded(const fal_device *device, size_t columns)
{
    size_t vector = (size_t)device->facts.vector, wide = panel(device),
           width = vector;
    size_t last = columns % wide;
    if (last == 0)
        return columns;
    while (width < last)
        width *= 2;
    return columns - last + width;
}

int fal_winograd_suits(const fal_device *device, const fal_conv *conv)
{
    return device->facts.family == FAL_FAMILY_CPU && conv->kernel == 3 &&
           conv->stride == 1 && conv->pad <= 2;
}

/* The convolution that a pass is: the data gradient's reads delta */
static fal_conv turned(const fal_conv *c)
{
    return (fal_conv){
        c->images, c->out_height, c->out_width, c->out_channels, 3,
        1,         2 - c->pad,    c->height,    c->width,        c->channels};
}

/* Equal blocks, whole register tiles */
static size_t block_of(size_t run, size_t most)
{
    return fal_rounded(fal_divided(run, fal_divided(run, most)), ROWS);
}

/* The most tiles of a block: with few channels so few that their windows and sums are
 * still near when they are read, and that these stay four times the weights read */
static size_t most_tiles(const kernel_maps *maps)
{
    size_t channels = maps->in.channels > maps->out.channels ? maps->in.channels
                                                             : maps->out.channels;
    return fal_smaller(BLOCK, fal_rounded(2 * channels, ROWS));
}

/* Channels whose products are summed at once. Roundings grow with them and should stay
 * below those of the direct form: measured, as are the sizes above. Few pixels reach all
 * of a kernel on small maps, where the direct form's sums are therefore short too. */
static size_t depth(const kernel_maps *maps)
{
    size_t side = fal_smaller(maps->out.height, maps->out.width);
    return (side < 8 ? 16 : 32) * (maps->in.channels < 256 ? 1 : 2);
}

/* Even shares of the tiles for the compute units; where tiles are few, of the columns
 * too. Returns the number of groups. */
static size_t share(const fal_device *device, kernel_maps *maps)
{
    size_t units = device->facts.units, tiles = maps->tiles;
    size_t down = fal_smaller(units, fal_divided(tiles, (size_t)2 * ROWS));
    size_t run = fal_divided(tiles, down);
    size_t parts = fal_smaller(units / down,
                               fal_divided(maps->padded, panel(device)));
    size_t columns = fal_rounded(fal_divided(maps->padded, parts), panel(device));
    maps->run = (cl_uint)run;
    maps->columns = (cl_uint)columns;
    maps->block = (cl_uint)block_of(run, most_tiles(maps));
    maps->wide = (cl_uint)fal_smaller(WIDE, columns);
    maps->depth = (cl_uint)depth(maps);
    return fal_divided(tiles, run) * fal_divided(maps->padded, columns);
}

kernel_maps fal_winograd_describe(const fal_device *device, const fal_conv *c,
                                  size_t side)
{
    size_t down = fal_divided(c->out_height, side),
           across = fal_divided(c->out_width, side);
    return (kernel_maps){
        .points = (cl_uint)((side + 2) * (side + 2)),
        .in = {(cl_uint)c->height, (cl_uint)c->width, (cl_uint)c->channels},
        .out = {(cl_uint)c->out_height, (cl_uint)c->out_width,
                (cl_uint)c->out_channels},
        .pad = (cl_uint)c->pad,
        .padded = (cl_uint)padded(device, c->out_channels),
        .down = (cl_uint)down,
        .across = (cl_uint)across,
        .tiles = (cl_uint)(c->images * down * across),
    };
}

/* Floats of the transformed weights, and of a group's zeros, windows and sums */
static uint64_t weights_room(const kernel_maps *maps)
{
    return (uint64_t)maps->points * maps->in.channels * maps->padded;
}

static uint64_t group_room(const fal_device *device, const kernel_maps *maps)
{
    size_t channels = fal_rounded(maps->in.channels, (size_t)device->facts.vector);
    size_t columns = fal_rounded(maps->wide, panel(device));
    return channels +
           (uint64_t)maps->points * (maps->block + 1) * (channels + columns);
}

uint64_t fal_winograd_room(const fal_device *device, const fal_conv *conv,
                           fal_conv_pass pass, size_t side)
{
    if (pass == FAL_CONV_WEIGHT)
        return fal_winograd_gradient_room(device, conv);
    fal_conv as = pass == FAL_CONV_DATA ? turned(conv) : *conv;
    kernel_maps maps = fal_winograd_describe(device, &as, side);
    size_t groups = share(device, &maps);
    return weights_room(&maps) + groups * group_room(device, &maps);
}

/* ---- launches ------------------------------------------------------------ */

/* What is convolved with what, and what becomes of it */
struct pass {
    fal_conv conv;
    size_t side;
    int is_turned;
    fal_values values;
    fal_view map, weight, output, bias, other, room;
    fal_kernel_epilogue epilogue;
    const char *layer, *work;
};

/* Transforms the weights. */
static fal_status add_weights(fal_launches *list, const struct pass *p,
                              const kernel_maps *maps)
{
    static const cl_int kinds[] = {
        [FAL_VALUES_SIGN] = 1, [FAL_VALUES_MAGNITUDE_SIGN] = 3};
    size_t vector = (size_t)list->device->facts.vector;
    size_t blocks = fal_divided(maps->in.channels, vector) *
                    fal_divided(maps->out.channels, vector);
    size_t span = fal_span(list->device, blocks,
                           (9 + maps->points) * vector * vector, 1);
    const kernel_weights from = {maps->in.channels,     maps->out.channels,
                                 maps->padded,          p->is_turned,
                                 kinds[p->values.kind], p->values.scale};
    double count = (double)maps->in.channels * (double)maps->out.channels;
    fal_launch_begin(list, p->side == 2 ? "winograd_weights" : "winograd4_weights");
    fal_launch_work(list, p->work ? p->work : "", 0,
                    4. * (9 + maps->points) * count);
    fal_launch_bytes(list, sizeof from, &from);
    fal_launch_view(list, p->weight);
    fal_launch_view(list, p->values.magnitude);
    fal_launch_view(list, p->room);
    fal_launch_ulong(list, blocks);
    fal_launch_ulong(list, span);
    return fal_end_spans(list, blocks, span);
}

void fal_winograd_note(fal_launches *list, const fal_conv *c, const char *work,
                       const kernel_maps *maps)
{
    double pixels = (double)c->images * (double)c->height * (double)c->width;
    double outs = (double)c->images * (double)c->out_height * (double)c->out_width;
    double in = (double)c->channels, out = (double)c->out_channels;
    fal_launch_work(list, work ? work : "", 18 * outs * in * out,
                    4 * (pixels * in + outs * out + maps->points * in * out));
}

static fal_status add_maps(fal_launches *list, const struct pass *p,
                           const kernel_maps *maps, size_t groups)
{
    fal_launch_begin(list, p->side == 2 ? "winograd" : "winograd4");
    fal_winograd_note(list, &p->conv, p->work, maps);
    fal_launch_bytes(list, sizeof *maps, maps);
    fal_launch_bytes(list, sizeof p->epilogue, &p->epilogue);
    fal_launch_view(list, p->map);
    fal_launch_view(list, p->output);
    fal_launch_view(list, p->bias);
    fal_launch_view(list, p->other);
    fal_launch_view(list, p->room);
    fal_launch_ulong(list, p->room.offset + weights_room(maps));
    fal_launch_ulong(list, group_room(list->device, maps));
    return fal_end_spans(list, groups, 1);
}

static fal_status add(fal_launches *list, const struct pass *p)
{
    kernel_maps maps = fal_winograd_describe(list->device, &p->conv, p->side);
    size_t groups = share(list->device, &maps);
    const char *layer = list->layer;
    if (p->layer)
        list->layer = p->layer;
    fal_status status = add_weights(list, p, &maps);
    if (!status)
        status = add_maps(list, p, &maps, groups);
    list->layer = layer;
    return status;
}

fal_status fal_winograd_forward_add(fal_launches *list, const fal_conv *conv,
                                    const fal_conv_forward *pass, size_t side)
{
    const struct pass p = {
        .conv = *conv,
        .side = side,
        .map = pass->input,
        .weight = pass->weight,
        .output = pass->output,
        .bias = pass->bias,
        .other = pass->beside,
        .room = pass->room,
        .epilogue = fal_conv_forward_epilogue(pass),
        .layer = pass->layer,
        .work = pass->work,
    };
    return add(list, &p);
}

fal_status fal_winograd_data_add(fal_launches *list, const fal_conv *conv,
                                 const fal_conv_data *pass, size_t side)
{
    const struct pass p = {
        .conv = turned(conv),
        .side = side,
        .is_turned = 1,
        .values = pass->values,
        .map = pass->delta,
        .weight = pass->carrier,
        .output = pass->signal,
        .other = pass->output,
        .room = pass->room,
        .epilogue = fal_conv_data_epilogue(pass),
        .layer = pass->layer,
        .work = pass->work,
    };
    return add(list, &p);
}
