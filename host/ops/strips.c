/* Which group makes which lines of outputs, and where in the room it does so. */
#include "ops/strips.h"
#include "ops/conv_parts.h"
#include "ops/gemm_job.h"
#include "ops/grid.h"

/* cl/strips.cl: columns of a panel in vectors, outputs of a tile and lines of a kernel
 * at most, elements of a tile of the gradient at most */
enum { NV = 2, OUTPUTS = 8, MOST_LINES = 16, ELEMENTS = 14 };

/* Outputs of a piece of the gradient's sums, and how many pieces, or floats of them, at
 * most: by shape alone; and outputs whose strips are made at once, so that sums stay in
 * registers for long */
enum {
    PIECE_OUTPUTS = 2048,
    MOST_PIECES = 64,
    FEW_PIECES = 4,
    PIECE_FLOATS = 262144,
    BATCH_OUTPUTS = 128
};

/* `strips` of cl/strips.cl */
typedef struct kernel_strips {
    cl_uint height, width, channels;
    cl_uint tall, wide;
    cl_uint down, across, stride;
    cl_int top, left;
    cl_uint columns;
    cl_uint lines, span, batch;
} kernel_strips;

int fal_strips_suit(const fal_device *device, const fal_conv *conv)
{
    return device->facts.family == FAL_FAMILY_CPU && conv->kernel <= MOST_LINES;
}

/* ---- room ---------------------------------------------------------------- */

static uint64_t strip_size(const fal_device *device, const kernel_strips *of)
{
    uint64_t columns = (uint64_t)(of->wide - 1) * of->stride + of->across;
    return (columns + (uint64_t)OUTPUTS * of->stride) * of->down * of->channels +
           2 * (uint64_t)device->facts.vector;
}

static uint64_t zeros_size(const fal_device *device, const kernel_strips *of)
{
    return (uint64_t)of->width * of->channels + (uint64_t)device->facts.vector;
}

static uint64_t columns_size(const fal_device *device, const kernel_strips *of)
{
    return fal_rounded(of->columns, NV * (size_t)device->facts.vector);
}

static uint64_t patch_length(const kernel_strips *of)
{
    return (uint64_t)of->down * of->across * of->channels;
}

/* Floats of a group: zeros, a strip, the weights' panels */
static uint64_t outputs_room(const fal_device *device, const kernel_strips *of)
{
    return zeros_size(device, of) + strip_size(device, of) +
           patch_length(of) * columns_size(device, of);
}

/* Zeros, sums and the bias's, strips */
static uint64_t gradient_room(const fal_device *device, const kernel_strips *of)
{
    return zeros_size(device, of) +
           (patch_length(of) + ELEMENTS + 1) * columns_size(device, of) +
           of->batch * strip_size(device, of);
}

/* ---- outputs ------------------------------------------------------------- */

/* What is read and written by a launch */
struct outputs {
    kernel_strips of;
    kernel_lattice to;
    fal_kernel_epilogue epilogue;
    fal_view map, weights, output, bias, other;
    fal_view room; /* of the pass, and where in it that of the groups begins */
    const char *layer, *work;
    double flops;
};

static size_t share_lines(const fal_device *device, kernel_strips *of)
{
    size_t units = device->facts.units;
    size_t span = fal_divided(of->lines, fal_smaller(units * 2, of->lines));
    of->span = (cl_uint)span;
    return fal_divided(of->lines, span);
}

static fal_status add_outputs(fal_launches *list, struct outputs *o)
{
    size_t groups = share_lines(list->device, &o->of);
    fal_launch_begin(list, "strip_outputs");
    fal_conv_note(list, o->layer, o->work, o->flops, 0);
    fal_launch_bytes(list, sizeof o->of, &o->of);
    fal_launch_bytes(list, sizeof o->to, &o->to);
    fal_launch_bytes(list, sizeof o->epilogue, &o->epilogue);
    fal_launch_view(list, o->map);
    fal_launch_view(list, o->weights);
    fal_launch_view(list, o->output);
    fal_launch_view(list, o->bias);
    fal_launch_view(list, o->other);
    fal_launch_view(list, o->room);
    fal_launch_ulong(list, outputs_room(list->device, &o->of));
    return fal_end_spans(list, groups, 1);
}

static kernel_strips forward_strips(const fal_conv *c)
{
    return (kernel_strips){.height = (cl_uint)c->height,
                           .width = (cl_uint)c->width,
                           .channels = (cl_uint)c->channels,
                           .tall = (cl_uint)c->out_height,
                           .wide = (cl_uint)c->out_width,
                           .down = (cl_uint)c->kernel,
                           .across = (cl_uint)c->kernel,
                           .stride = (cl_uint)c->stride,
                           .top = -(cl_int)c->pad,
                           .left = -(cl_int)c->pad,
                           .columns = (cl_uint)c->out_channels,
                           .lines = (cl_uint)(c->images * c->out_height),
                           .batch = 1};
}

fal_status fal_strips_forward_add(fal_launches *list, const fal_conv *c,
                                  const fal_conv_forward *pass)
{
    struct outputs o = {
        .of = forward_strips(c),
        .to = {(cl_uint)(c->out_height * c->out_width), (cl_uint)c->out_width, 1},
        .epilogue = fal_conv_forward_epilogue(pass),
        .map = pass->input,
        .weights = pass->weight,
        .output = pass->output,
        .bias = pass->bias,
        .other = pass->beside,
        .room = pass->room,
        .layer = pass->layer,
        .work = pass->work,
        .flops = fal_conv_flops(c),
    };
    return add_outputs(list, &o);
}

/* ---- data ---------------------------------------------------------------- */

/* The pixels of two classes, one of lines and one of columns, as outputs of delta */
static kernel_strips class_strips(const fal_conv *c, fal_conv_class y,
                                  fal_conv_class x)
{
    return (kernel_strips){.height = (cl_uint)c->out_height,
                           .width = (cl_uint)c->out_width,
                           .channels = (cl_uint)c->out_channels,
                           .tall = (cl_uint)y.pixels,
                           .wide = (cl_uint)x.pixels,
                           .down = (cl_uint)y.taps,
                           .across = (cl_uint)x.taps,
                           .stride = 1,
                           .top = (cl_int)y.begin,
                           .left = (cl_int)x.begin,
                           .columns = (cl_uint)c->channels,
                           .lines = (cl_uint)(c->images * y.pixels),
                           .batch = 1};
}

static fal_status add_class(fal_launches *list, const fal_conv *c,
                            const fal_conv_data *pass, fal_conv_class y,
                            fal_conv_class x)
{
    size_t s = c->stride, first = (y.of * c->width + x.of) * c->channels;
    double share = (double)(y.pixels * x.pixels * y.taps * x.taps) /
                   (double)(c->out_height * c->out_width * c->kernel * c->kernel);
    struct outputs o = {
        .of = class_strips(c, y, x),
        .to = {(cl_uint)(c->height * c->width), (cl_uint)(s * c->width),
               (cl_uint)s},
        .epilogue = fal_conv_data_epilogue(pass),
        .map = pass->delta,
        .weights = fal_view_moved(pass->room, fal_conv_turned_at(c, y, x)),
        .output = fal_view_moved(pass->signal, first),
        .other = fal_view_moved(pass->output, first),
        .room = fal_view_moved(pass->room, fal_conv_rows(c) * c->out_channels),
        .layer = pass->layer,
        .work = pass->work,
        .flops = share * fal_conv_flops(c),
    };
    return add_outputs(list, &o);
}

fal_status fal_strips_data_add(fal_launches *list, const fal_conv *c,
                               const fal_conv_data *pass)
{
    size_t down = fal_smaller(c->stride, c->height);
    size_t across = fal_smaller(c->stride, c->width);
    fal_status status = fal_conv_turn_add(list, c, pass);
    for (size_t i = 0; i < down * across && !status; i++)
        status = add_class(list, c, pass,
                           fal_conv_class_of(c, c->height, i / across),
                           fal_conv_class_of(c, c->width, i % across));
    return status;
}

/* ---- weight -------------------------------------------------------------- */

/* Lines of a piece, and of a batch, of shapes alone. Returns how many pieces. */
static size_t split(kernel_strips *of)
{
    size_t span = fal_divided(PIECE_OUTPUTS, of->wide);
    size_t most = PIECE_FLOATS / (size_t)(patch_length(of) * of->columns);
    most = fal_smaller(most > FEW_PIECES ? most : FEW_PIECES, MOST_PIECES);
    size_t least = fal_divided(of->lines, most);
    of->span = (cl_uint)(span > least ? span : least);
    of->batch = (cl_uint)fal_smaller(fal_divided(BATCH_OUTPUTS, of->wide),
                                     of->span);
    return fal_divided(of->lines, of->span);
}

static uint64_t pieces_size(const fal_conv *c, size_t pieces)
{
    return (uint64_t)pieces * (fal_conv_rows(c) + 1) * c->out_channels;
}

fal_status fal_strips_weight_add(fal_launches *list, const fal_conv *c,
                                 const fal_conv_weight *pass)
{
    kernel_strips of = forward_strips(c);
    size_t pieces = split(&of);
    size_t groups = fal_smaller(list->device->facts.units, pieces);
    fal_launch_begin(list, "strip_gradient");
    fal_conv_note(list, pass->layer, pass->work, fal_conv_flops(c), 0);
    fal_launch_bytes(list, sizeof of, &of);
    fal_launch_int(list, pass->has_bias != 0);
    fal_launch_view(list, pass->input);
    fal_launch_view(list, pass->delta);
    fal_launch_view(list, pass->room);
    fal_launch_ulong(list, pass->room.offset + pieces_size(c, pieces));
    fal_launch_ulong(list, gradient_room(list->device, &of));
    fal_status status = fal_end_spans(list, groups, 1);
    return status ? status : fal_conv_pieces_add(list, c, pass, pieces);
}

/* ---- room ---------------------------------------------------------------- */

static uint64_t class_room(const fal_device *device, const fal_conv *c, size_t i,
                           size_t across)
{
    kernel_strips of = class_strips(c, fal_conv_class_of(c, c->height, i / across),
                                    fal_conv_class_of(c, c->width, i % across));
    size_t groups = share_lines(device, &of);
    return groups * outputs_room(device, &of);
}

static uint64_t data_room(const fal_device *device, const fal_conv *c)
{
    size_t down = fal_smaller(c->stride, c->height);
    size_t across = fal_smaller(c->stride, c->width);
    uint64_t most = 0;
    for (size_t i = 0; i < down * across; i++) {
        uint64_t room = class_room(device, c, i, across);
        most = room > most ? room : most;
    }
    return fal_conv_rows(c) * c->out_channels + most;
}

uint64_t fal_strips_room(const fal_device *device, const fal_conv *c,
                         fal_conv_pass pass)
{
    kernel_strips of = forward_strips(c);
    if (pass == FAL_CONV_DATA)
        return data_room(device, c);
    if (pass == FAL_CONV_FORWARD) {
        size_t groups = share_lines(device, &of);
        return groups * outputs_room(device, &of);
    }
    size_t pieces = split(&of);
    return pieces_size(c, pieces) +
           fal_smaller(device->facts.units, pieces) * gradient_room(device, &of);
}
