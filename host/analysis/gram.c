#include "analysis/gram.h"
#include "device/memory.h"
#include "ops/grid.h"

#include <string.h>

static size_t side_of(const fal_gram *gram)
{
    return gram->by_column ? gram->columns : gram->rows;
}

static size_t depth_of(const fal_gram *gram)
{
    return gram->by_column ? gram->rows : gram->columns;
}

static int is_symmetric(const fal_gram *gram)
{
    return gram->a.buffer == gram->b.buffer && gram->a.offset == gram->b.offset;
}

/* ---- on the device ------------------------------------------------------- */

/* cl/gram.cl: BLOCK, `gram_shape` and the bits of its `parts` */
enum { BLOCK = 16 };
enum { PART_BY_COLUMN = 1, PART_SYMMETRIC = 2 };
typedef struct gram_shape {
    cl_ulong rows, columns, pitch;
    cl_uint parts;
} gram_shape;

/* Long sums go in pieces, which are added up on the host: an item has no more turns to
 * make, and a narrow matrix has work for many. */
enum { PIECE = 16384 };

static size_t pieces_of(const fal_gram *gram)
{
    return (depth_of(gram) + PIECE - 1) / PIECE;
}

/* Piece number `piece` of it, a Gram matrix by itself */
static fal_gram piece_of(const fal_gram *gram, size_t piece)
{
    size_t first = piece * PIECE, left = depth_of(gram) - first;
    uint64_t skipped = gram->by_column ? first * gram->columns : first;
    fal_gram part = *gram;
    part.a.offset += skipped;
    part.b.offset += skipped;
    *(gram->by_column ? &part.rows : &part.columns) = left < PIECE ? left : PIECE;
    return part;
}

/* Of rows `pitch` apart; its result goes to element `at`, of doubles, of `out`. */
static fal_status add(fal_launches *list, const fal_gram *gram, size_t pitch,
                      cl_mem out, size_t at)
{
    const gram_shape shape = {gram->rows, gram->columns, pitch,
                              (cl_uint)((gram->by_column ? PART_BY_COLUMN : 0) |
                                        (is_symmetric(gram) ? PART_SYMMETRIC : 0))};
    size_t blocks = (side_of(gram) + BLOCK - 1) / BLOCK;
    size_t items = fal_is_cpu_like(list) ? 1 : FAL_GROUP;
    double flops = 2. * (double)side_of(gram) * (double)gram->rows *
                   (double)gram->columns / (is_symmetric(gram) ? 2 : 1);
    fal_launch_begin(list, "gram");
    fal_launch_work(list, "measure", flops, 0);
    fal_launch_bytes(list, sizeof shape, &shape);
    fal_launch_view(list, gram->a);
    fal_launch_view(list, gram->b);
    fal_launch_view(list, (fal_view){out, at});
    return fal_launch_end(list, (const size_t[3]){blocks * items, blocks, 1},
                          (const size_t[3]){items, 1, 1});
}

static size_t doubles_of(const fal_gram *gram)
{
    return side_of(gram) * side_of(gram);
}

static fal_status add_pieces(fal_launches *list, const fal_gram *gram, cl_mem out,
                             size_t at)
{
    fal_status status = FAL_OK;
    for (size_t p = 0; p < pieces_of(gram) && !status; p++) {
        const fal_gram part = piece_of(gram, p);
        status = add(list, &part, gram->columns, out, at + p * doubles_of(gram));
    }
    return status;
}

/* The sum of its pieces, from element `at` on */
static fal_status read_pieces(fal_device *device, const fal_gram *gram, cl_mem from,
                              size_t at)
{
    size_t count = doubles_of(gram), bytes = count * sizeof *gram->out;
    size_t pieces = pieces_of(gram);
    fal_status status = fal_read(device, from, at * sizeof *gram->out, bytes,
                                 gram->out);
    double *part = pieces > 1 ? fal_allocate(count, sizeof *part) : NULL;
    if (pieces > 1 && !part)
        return FAL_ERROR_MEMORY;
    for (size_t p = 1; p < pieces && !status; p++) {
        status = fal_read(device, from, (at + p * count) * sizeof *part, bytes,
                          part);
        for (size_t i = 0; i < count; i++)
            gram->out[i] += part[i];
    }
    fal_release(part);
    return status;
}

static fal_status read_all(fal_device *device, const fal_gram *grams, size_t count,
                           cl_mem from)
{
    fal_status status = FAL_OK;
    size_t at = 0;
    for (size_t i = 0; i < count && !status; i++) {
        status = read_pieces(device, &grams[i], from, at);
        at += pieces_of(&grams[i]) * doubles_of(&grams[i]);
    }
    return status;
}

static fal_status on_device(fal_device *device, const fal_gram *grams, size_t count)
{
    fal_launches list = {.device = device, .evaluation = 1};
    cl_mem out = NULL;
    size_t doubles = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        doubles += pieces_of(&grams[i]) * doubles_of(&grams[i]);
    fal_status status = fal_buffer_create(device, doubles * sizeof(double),
                                          "Gram matrices", &out);
    for (size_t i = 0; i < count && !status; i++) {
        status = add_pieces(&list, &grams[i], out, at);
        at += pieces_of(&grams[i]) * doubles_of(&grams[i]);
    }
    if (!status)
        status = fal_launches_run(&list);
    if (!status)
        status = read_all(device, grams, count, out);
    fal_launches_release(&list);
    fal_buffer_destroy(device, out);
    return status;
}

/* ---- on the host --------------------------------------------------------- */

/* Lines of a matrix (its rows, or columns if by_column) that are multiplied together:
 * their places are interleaved, [panel][place][PANEL], zeros behind the last. LINES of
 * one panel meet all of another at a time. */
enum { PANEL = 8, LINES = 2 };

static size_t panels_of(const fal_gram *gram)
{
    return (side_of(gram) + PANEL - 1) / PANEL;
}

static void fill_panels(const fal_gram *gram, const float *values, double *panels)
{
    size_t depth = depth_of(gram);
    for (size_t r = 0; r < gram->rows; r++)
        for (size_t c = 0; c < gram->columns; c++) {
            size_t line = gram->by_column ? c : r, place = gram->by_column ? r : c;
            panels[(line / PANEL * depth + place) * PANEL + line % PANEL] =
                (double)values[r * gram->columns + c];
        }
}

static fal_status read_panels(fal_device *device, const fal_gram *gram,
                              fal_view view, double **panels)
{
    size_t count = gram->rows * gram->columns;
    float *values = fal_allocate(count, sizeof *values);
    *panels = fal_allocate(panels_of(gram) * depth_of(gram),
                           PANEL * sizeof **panels);
    fal_status status = values && *panels ? FAL_OK : FAL_ERROR_MEMORY;
    if (!status)
        status = fal_read(device, view.buffer, view.offset * sizeof *values,
                          count * sizeof *values, values);
    if (!status)
        fill_panels(gram, values, *panels);
    fal_release(values);
    return status;
}

static void multiply(const double *lines, const double *panel, size_t depth,
                     double sums[LINES][PANEL])
{
    double sum[LINES][PANEL] = {{0}};
    for (size_t k = 0; k < depth; k++)
        for (size_t i = 0; i < LINES; i++)
            for (size_t j = 0; j < PANEL; j++)
                sum[i][j] += lines[k * PANEL + i] * panel[k * PANEL + j];
    memcpy(sums, sum, sizeof sum);
}

/* At [i][j] on, and what lies within; of a symmetric one the same above. */
static void put(const fal_gram *gram, size_t i, size_t j, double sums[LINES][PANEL])
{
    size_t side = side_of(gram);
    for (size_t row = i; row < i + LINES && row < side; row++)
        for (size_t column = j; column < j + PANEL && column < side; column++) {
            double sum = sums[row - i][column - j];
            gram->out[row * side + column] = sum;
            if (is_symmetric(gram))
                gram->out[column * side + row] = sum;
        }
}

static void multiply_all(const fal_gram *gram, const double *a, const double *b)
{
    size_t side = side_of(gram), depth = depth_of(gram), panel = depth * PANEL;
    for (size_t i = 0; i < side; i += LINES)
        for (size_t j = 0; j < (is_symmetric(gram) ? i + LINES : side);
             j += PANEL) {
            double sums[LINES][PANEL];
            multiply(a + i / PANEL * panel + i % PANEL, b + j / PANEL * panel,
                     depth, sums);
            put(gram, i, j, sums);
        }
}

static fal_status on_host(fal_device *device, const fal_gram *gram)
{
    double *a = NULL, *b = NULL;
    fal_status status = read_panels(device, gram, gram->a, &a);
    if (!status && !is_symmetric(gram))
        status = read_panels(device, gram, gram->b, &b);
    if (!status)
        multiply_all(gram, a, b ? b : a);
    fal_release(a);
    fal_release(b);
    return status;
}

fal_status fal_grams_compute(fal_device *device, const fal_gram *grams,
                             size_t count)
{
    fal_status status = FAL_OK;
    if (device->facts.double_precision)
        return on_device(device, grams, count);
    for (size_t i = 0; i < count && !status; i++)
        status = on_host(device, &grams[i]);
    return status;
}
