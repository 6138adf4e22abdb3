#include "ops/conv_patches.h"
#include "device/memory.h"
#include "ops/conv_parts.h"

/* What lies under the kernel, of the input; and a matrix that is stored as read. */
static fal_patches input_patches(const fal_conv *c)
{
    ptrdiff_t begin = -(ptrdiff_t)c->pad;
    return (fal_patches){.height = c->height,
                         .width = c->width,
                         .channels = c->channels,
                         .tall = c->out_height,
                         .wide = c->out_width,
                         .across = c->kernel,
                         .stride = c->stride,
                         .top = begin,
                         .left = begin};
}

static fal_operand rows(fal_view data, size_t pitch)
{
    return (fal_operand){FAL_SOURCE_ROWS, data, pitch};
}

/* Where nothing but a pixel lies under the kernel, patches are the map. */
static int is_plain(const fal_conv *c)
{
    return c->kernel == 1 && c->stride == 1 && c->pad == 0;
}

/* Small maps of many channels lose more to taps outside than to short blocks of k.
 * Tiles of pixels of several images: there must be some. */
enum { FEWEST_CHANNELS = 128, FEWEST_IMAGES = 24 };

static void sort_pixels(const fal_device *device, const fal_conv *c, fal_product *p)
{
    const fal_patches *of = &p->patches;
    int is_small = of->channels >= FEWEST_CHANNELS && of->channels % 16 == 0 &&
                   of->tall * of->wide <= of->channels;
    if (device->facts.family == FAL_FAMILY_GPU || of->top >= 0 || !is_small ||
        c->images < FEWEST_IMAGES)
        return;
    p->patches.images = c->images;
    if (p->lattice.step == 0)
        p->lattice = (fal_lattice){of->tall * of->wide, of->wide, 1};
}

/* ---- forward ------------------------------------------------------------- */

fal_status fal_patches_forward_add(fal_launches *list, const fal_conv *c,
                                   const fal_conv_forward *pass)
{
    fal_product product = {
        .m = c->images * c->out_height * c->out_width,
        .n = c->out_channels,
        .k = fal_conv_rows(c),
        .a = {FAL_SOURCE_PATCHES, pass->input, 0},
        .patches = input_patches(c),
        .b = rows(pass->weight, c->out_channels),
        .c = pass->output,
        .pitch = c->out_channels,
        .other = pass->beside,
        .beta = 1,
        .bias = pass->bias,
        .activation = pass->activation,
        .layer = pass->layer,
        .work = pass->work,
    };
    if (is_plain(c))
        product.a = rows(pass->input, c->channels);
    sort_pixels(list->device, c, &product);
    return fal_gemm_add(list, &product, 1);
}

/* ---- data ---------------------------------------------------------------- */

/* The pixels of two classes: one of lines, one of columns */
static fal_product class_product(const fal_conv *c, const fal_conv_data *pass,
                                 fal_conv_class y, fal_conv_class x)
{
    size_t s = c->stride, out = c->out_channels, in = c->channels;
    size_t first = (y.of * c->width + x.of) * in;
    return (fal_product){
        .m = c->images * y.pixels * x.pixels,
        .n = in,
        .k = y.taps * x.taps * out,
        .a = {FAL_SOURCE_PATCHES, pass->delta, 0},
        .patches = {c->out_height, c->out_width, out, y.pixels, x.pixels,
                    x.taps ? x.taps : 1, 1, y.begin, x.begin, 0},
        .b = rows(fal_view_moved(pass->room, fal_conv_turned_at(c, y, x)), in),
        .c = fal_view_moved(pass->signal, first),
        .pitch = in,
        .lattice = {c->height * c->width, s * c->width, s == 1 ? 0 : s},
        .accumulate = pass->accumulate,
        .output = fal_view_moved(pass->output, first),
        .derivative = pass->derivative,
        .layer = pass->layer,
        .work = pass->work,
    };
}

/* Shares out the convolution's arithmetic. */
static void share_flops(const fal_conv *c, fal_product *products, size_t count)
{
    double all = 0;
    for (size_t i = 0; i < count; i++)
        all += (double)products[i].m * (double)products[i].k;
    for (size_t i = 0; i < count && all > 0; i++)
        products[i].flops = fal_conv_flops(c) * (double)products[i].m *
                            (double)products[i].k / all;
}

fal_status fal_patches_data_add(fal_launches *list, const fal_conv *c,
                                const fal_conv_data *pass)
{
    size_t count = 0, s = c->stride;
    size_t down = fal_smaller(s, c->height), across = fal_smaller(s, c->width);
    fal_product *products = fal_allocate(down * across, sizeof *products);
    if (!products)
        return FAL_ERROR_MEMORY;
    for (size_t y = 0; y < down; y++)
        for (size_t x = 0; x < across; x++)
            products[count++] = class_product(c, pass,
                                              fal_conv_class_of(c, c->height, y),
                                              fal_conv_class_of(c, c->width, x));
    if (is_plain(c))
        products[0].a = rows(pass->delta, c->out_channels);
    for (size_t i = 0; i < count; i++)
        sort_pixels(list->device, c, &products[i]);
    share_flops(c, products, count);
    fal_status status = fal_conv_turn_add(list, c, pass);
    if (!status)
        status = fal_gemm_add(list, products, count);
    fal_release(products);
    return status;
}

/* ---- weight -------------------------------------------------------------- */

/* Floats of C that a piece of the pixels is enough for, by family: some tiles for each
 * of some compute units; and the fewest pixels a piece. */
enum { CPU_FLOATS = 16384, GPU_FLOATS = 1 << 20, PIECE_PIXELS = 512 };

/* Images a piece, of shapes alone: a sum must not depend on compute units. */
static size_t piece_images(const fal_device *device, const fal_conv *c)
{
    size_t floats = device->facts.family == FAL_FAMILY_CPU ? CPU_FLOATS
                                                           : GPU_FLOATS;
    size_t least = fal_divided(PIECE_PIXELS, c->out_height * c->out_width);
    size_t made = (fal_conv_rows(c) + 1) * c->out_channels;
    size_t images = fal_divided(c->images, fal_divided(floats, made));
    return fal_smaller(images > least ? images : least, c->images);
}

static size_t pieces(const fal_device *device, const fal_conv *c)
{
    return fal_divided(c->images, piece_images(device, c));
}

/* The product's own epilogue does everything at its last block of k, but reads C
 * there only where it is the first block too. */
static int is_direct(const fal_device *device, const fal_conv *c,
                     const fal_conv_weight *pass)
{
    int is_short = c->images * c->out_height * c->out_width <= FAL_GEMM_DEPTH;
    return pieces(device, c) == 1 &&
           (is_short || (!pass->update && pass->beta == 0));
}

/* As the product reads the input; a bias adds a row of ones. */
static fal_operand turned_input(const fal_conv *c, fal_view input, int has_bias)
{
    static const fal_source sources[2][2] = {
        {FAL_SOURCE_PATCHES_TURNED, FAL_SOURCE_PATCHES_TURNED_ONES},
        {FAL_SOURCE_COLUMNS, FAL_SOURCE_COLUMNS_ONES}};
    return (fal_operand){sources[is_plain(c)][has_bias != 0], input, c->channels};
}

static fal_product piece_product(const fal_conv *c, const fal_conv_weight *pass,
                                 size_t image, size_t images)
{
    size_t outs = c->out_height * c->out_width;
    return (fal_product){
        .m = fal_conv_rows(c) + (pass->has_bias ? 1 : 0),
        .n = c->out_channels,
        .k = images * outs,
        .a = turned_input(
            c,
            fal_view_moved(pass->input, image * c->height * c->width * c->channels),
            pass->has_bias),
        .patches = input_patches(c),
        .b = rows(fal_view_moved(pass->delta, image * outs * c->out_channels),
                  c->out_channels),
        .pitch = c->out_channels,
        .layer = pass->layer,
        .work = pass->work,
        .flops = fal_conv_flops(c) * (double)images / (double)c->images,
    };
}

static fal_status add_direct(fal_launches *list, const fal_conv *c,
                             const fal_conv_weight *pass)
{
    fal_product product = piece_product(c, pass, 0, c->images);
    product.c = pass->gradient;
    product.alpha = pass->alpha;
    product.beta = pass->beta;
    if (pass->beta != 0)
        product.other = pass->gradient;
    product.update = pass->update;
    product.halted = pass->halted;
    return fal_gemm_add(list, &product, 1);
}

static fal_status add_pieces(fal_launches *list, const fal_conv *c,
                             const fal_conv_weight *pass)
{
    size_t step = piece_images(list->device, c), count = pieces(list->device, c);
    fal_product *products = fal_allocate(count, sizeof *products);
    if (!products)
        return FAL_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        fal_product *p = &products[i];
        *p = piece_product(c, pass, i * step,
                           fal_smaller(step, c->images - i * step));
        p->c = fal_view_moved(pass->room, i * p->m * p->n);
    }
    fal_status status = fal_gemm_add(list, products, count);
    fal_release(products);
    return status ? status : fal_conv_pieces_add(list, c, pass, count);
}

fal_status fal_patches_weight_add(fal_launches *list, const fal_conv *c,
                                  const fal_conv_weight *pass)
{
    return is_direct(list->device, c, pass) ? add_direct(list, c, pass)
                                            : add_pieces(list, c, pass);
}

/* ---- room ---------------------------------------------------------------- */

uint64_t fal_patches_room(const fal_device *device, const fal_conv *c,
                          fal_conv_pass pass)
{
    const fal_conv_weight most = {.beta = 1};
    uint64_t weights = fal_conv_rows(c) * c->out_channels;
    if (pass == FAL_CONV_FORWARD)
        return 0;
    if (pass == FAL_CONV_DATA)
        return weights;
    return is_direct(device, c, &most)
               ? 0
               : pieces(device, c) * (weights + c->out_channels);
}
