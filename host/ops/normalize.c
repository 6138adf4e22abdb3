#include "ops/normalize.h"
#include "ops/grid.h"

/* cl/normalize.cl: bits of `parts` */
enum {
    PART_AFFINE = 1,
    PART_FIXED = 2,
    PART_KEEPS = 4,
    PART_UPDATES = 8,
    PART_ADDS = 16
};

/* GPU-like devices: how many items share a column and how large their group is, by
 * the column's length alone, so that sums keep their order; and the turns that all
 * loops of an item may make, three of them over a column or row. */
enum { SHARES = 4, MANY_ROWS = 8192, MANY_SHARES = 32, MANY_GROUP = 256 };
enum { MOST_TURNS = 32000, LOOPS = 3 };

/* cl/normalize_maps.cl: rows of constants; what a piece of a map has, in floats and in
 * lines, and the most pieces that all loops of an item may go through */
enum { CONSTANTS = 4, PIECE = 32768, FEWEST_LINES = 16, MOST_LINES = 8192 };
enum { MOST_PIECES = MOST_TURNS / 2 };

static const float MOMENTUM = .1f;

static const char TOO_MANY[] = "more than this device's kernels add up; use a "
                               "smaller batch or layer";

static fal_status refuse(const fal_norm *n, const char *why)
{
    return fal_fail(FAL_ERROR_ARGUMENT,
                    "norm of %zu rows of %zu positions of %zu channels: %s",
                    n->rows, n->positions, n->channels, why);
}

static fal_status check(const fal_launches *list, const fal_norm *n, size_t column,
                        size_t row)
{
    double all = (double)n->rows * (double)n->positions;
    if (all < 1 || n->channels == 0 || all > INT32_MAX ||
        (double)n->positions * (double)n->channels > INT32_MAX)
        return refuse(n, "rows x positions and positions x channels must be at "
                         "least 1 and below 2^31");
    if (!fal_is_cpu_like(list) &&
        (column > (size_t)MOST_TURNS / LOOPS * MANY_SHARES ||
         row > (size_t)MOST_TURNS / LOOPS * FAL_GROUP))
        return refuse(n, TOO_MANY);
    return FAL_OK;
}

static uint32_t parts_of(const fal_norm *n)
{
    return (n->weights.buffer ? PART_AFFINE : 0) | (n->fixed ? PART_FIXED : 0) |
           (n->kept.buffer ? PART_KEEPS : 0) | (n->update ? PART_UPDATES : 0) |
           (n->beside.buffer ? PART_ADDS : 0);
}

/* The last argument and the grid of a kernel that goes through columns of `lines`. */
static fal_status end_columns(fal_launches *list, size_t columns, size_t lines)
{
    if (fal_is_cpu_like(list)) {
        size_t span = fal_span(list->device, columns, lines, 64);
        fal_launch_uint(list, (uint32_t)span);
        return fal_end_spans(list, columns, span);
    }
    size_t shares = lines > MANY_ROWS ? MANY_SHARES : SHARES;
    size_t group = lines > MANY_ROWS ? MANY_GROUP : FAL_GROUP;
    size_t wide = group / shares, groups = (columns + wide - 1) / wide;
    fal_launch_uint(list, (uint32_t)shares);
    return fal_launch_end(list, (const size_t[3]){groups * group, 1, 1},
                          (const size_t[3]){group, 1, 1});
}

/* The same through rows of `size`. */
static fal_status end_rows(fal_launches *list, size_t rows, size_t size)
{
    size_t span = fal_span(list->device, rows, size, 1);
    fal_launch_uint(list, (uint32_t)span);
    if (fal_is_cpu_like(list))
        return fal_end_spans(list, rows, span);
    return fal_launch_end(list, (const size_t[3]){rows * FAL_GROUP, 1, 1},
                          (const size_t[3]){FAL_GROUP, 1, 1});
}

/* Where dL/dx goes. */
static fal_view into(const fal_norm *n)
{
    return n->into.buffer ? n->into : n->signal;
}

static void add_activation(fal_launches *list, fal_activation activation)
{
    fal_launch_int(list, (int32_t)activation.phi);
    fal_launch_float(list, activation.slope);
}

/* What becomes of the gradients: LEARNER_ARGUMENTS. */
static void add_learner(fal_launches *list, const fal_norm *n)
{
    const fal_update none = {.rule = FAL_SGD};
    const fal_update *u = n->update ? n->update : &none;
    fal_kernel_optimizer optimizer;
    fal_status status = fal_update_describe(u, &optimizer);
    fal_launch_bytes(list, sizeof optimizer, &optimizer);
    fal_launch_step(list, sizeof(fal_update_step));
    fal_launch_view(list, n->update ? n->weights : n->gradient);
    fal_launch_view(list, u->moment);
    fal_launch_view(list, u->squares);
    fal_launch_view(list, u->halted);
    if (status && !list->status)
        list->status = status;
}

/* ---- batch norm of maps -------------------------------------------------- */

/* Lines of a piece, by the shape alone, so that sums keep their order. */
static size_t piece_of(const fal_norm *n)
{
    size_t lines = PIECE / n->channels;
    lines = lines < FEWEST_LINES ? FEWEST_LINES : lines;
    return lines > MOST_LINES ? MOST_LINES : lines;
}

static size_t lines_of(const fal_norm *n)
{
    return n->rows * n->positions;
}

/* Where a map has many pieces; others go by columns, in one launch. */
static int goes_by_pieces(const fal_norm *n)
{
    return n->positions > 1 && lines_of(n) > piece_of(n);
}

static size_t pieces_of(const fal_norm *n)
{
    return (lines_of(n) - 1) / piece_of(n) + 1;
}

static size_t room_of(const fal_norm *n)
{
    return (CONSTANTS + 2 * pieces_of(n)) * n->channels * sizeof(float);
}

/* The last argument and the grid of a kernel that goes through pieces. */
static fal_status end_pieces(fal_launches *list, const fal_norm *n)
{
    size_t pieces = pieces_of(n), wide = 1;
    if (fal_is_cpu_like(list)) {
        size_t span = fal_span(list->device, pieces, piece_of(n) * n->channels, 1);
        fal_launch_uint(list, (uint32_t)span);
        return fal_end_spans(list, pieces, span);
    }
    while (wide < n->channels && wide < FAL_GROUP)
        wide *= 2;
    fal_launch_uint(list, (uint32_t)wide);
    size_t across = (n->channels - 1) / wide + 1;
    return fal_launch_end(list, (const size_t[3]){pieces * FAL_GROUP, across, 1},
                          (const size_t[3]){FAL_GROUP, 1, 1});
}

/* The same of a kernel that goes through all pieces of a channel. */
static fal_status end_channels(fal_launches *list, const fal_norm *n)
{
    size_t span = fal_span(list->device, n->channels, 2 * pieces_of(n), 16);
    fal_launch_uint(list, (uint32_t)span);
    if (fal_is_cpu_like(list))
        return fal_end_spans(list, n->channels, span);
    size_t groups = (n->channels - 1) / FAL_GROUP + 1;
    return fal_launch_end(list, (const size_t[3]){groups * FAL_GROUP, 1, 1},
                          (const size_t[3]){FAL_GROUP, 1, 1});
}

static fal_status end_map(fal_launches *list, const fal_norm *n)
{
    size_t lines = lines_of(n);
    return fal_end_lines(list, lines, n->channels, lines * n->channels);
}

static void begin_map(fal_launches *list, const char *kernel, const fal_norm *n)
{
    fal_launch_begin(list, kernel);
    fal_launch_uint(list, parts_of(n));
    fal_launch_uint(list, (uint32_t)lines_of(n));
    fal_launch_uint(list, (uint32_t)n->channels);
    fal_launch_uint(list, (uint32_t)piece_of(n));
}

/* Adds the room that the launches of a pass share, which the first of them keeps. */
static void add_room(fal_launches *list, const fal_norm *n, cl_mem *room)
{
    if (*room)
        fal_launch_buffer(list, *room);
    else
        *room = fal_launch_room(list, room_of(n));
}

static fal_status map_statistics(fal_launches *list, const fal_norm *n,
                                 cl_mem *room)
{
    fal_status status = FAL_OK;
    if (!n->fixed) {
        begin_map(list, "map_statistics", n);
        fal_launch_view(list, n->input);
        add_room(list, n, room);
        status = end_pieces(list, n);
    }
    if (status)
        return status;
    begin_map(list, "map_statistics_end", n);
    fal_launch_view(list, n->weights);
    fal_launch_view(list, n->mean);
    fal_launch_view(list, n->variance);
    add_room(list, n, room);
    return end_channels(list, n);
}

static fal_status map_norm(fal_launches *list, const fal_norm *n)
{
    cl_mem own = NULL, *room = n->room ? n->room : &own;
    fal_status status = *room ? FAL_OK : map_statistics(list, n, room);
    if (status)
        return status;
    begin_map(list, "map_norm", n);
    fal_launch_view(list, n->input);
    fal_launch_view(list, n->output);
    fal_launch_view(list, n->beside);
    add_room(list, n, room);
    add_activation(list, n->activation);
    return end_map(list, n);
}

static fal_status map_sums(fal_launches *list, const fal_norm *n, cl_mem *room)
{
    begin_map(list, "map_sums", n);
    fal_launch_view(list, n->input);
    fal_launch_view(list, n->signal);
    fal_launch_view(list, n->mean);
    add_room(list, n, room);
    fal_status status = end_pieces(list, n);
    if (status)
        return status;
    begin_map(list, "map_sums_end", n);
    fal_launch_view(list, n->weights);
    fal_launch_view(list, n->mean);
    fal_launch_view(list, n->variance);
    add_room(list, n, room);
    add_learner(list, n);
    return end_channels(list, n);
}

static fal_status map_norm_backward(fal_launches *list, const fal_norm *n)
{
    cl_mem room = NULL;
    fal_status status = map_sums(list, n, &room);
    if (status)
        return status;
    begin_map(list, "map_norm_backward", n);
    fal_launch_view(list, n->input);
    fal_launch_view(list, n->signal);
    fal_launch_view(list, into(n));
    add_room(list, n, &room);
    return end_map(list, n);
}

/* ---- batch norm ---------------------------------------------------------- */

static fal_status check_batch(const fal_launches *list, const fal_norm *n)
{
    size_t lines = lines_of(n);
    if (!n->fixed && n->rows > 0 && n->positions > 0 && lines < 2)
        return refuse(n, "batch norm needs two values a channel at least; use a "
                         "larger batch");
    int by_pieces = n->channels > 0 && goes_by_pieces(n);
    fal_status status = check(list, n, by_pieces ? 0 : lines, 0);
    if (!status && by_pieces && !fal_is_cpu_like(list) &&
        pieces_of(n) > MOST_PIECES)
        return refuse(n, TOO_MANY);
    return status;
}

static void begin_batch(fal_launches *list, const char *kernel, const fal_norm *n,
                        fal_view second, fal_view third)
{
    fal_launch_begin(list, kernel);
    fal_launch_uint(list, parts_of(n));
    fal_launch_uint(list, (uint32_t)lines_of(n));
    fal_launch_uint(list, (uint32_t)n->channels);
    fal_launch_view(list, n->input);
    fal_launch_view(list, second);
    fal_launch_view(list, third);
    fal_launch_view(list, n->weights);
    fal_launch_view(list, n->mean);
    fal_launch_view(list, n->variance);
}

fal_status fal_batch_norm_add(fal_launches *list, const fal_norm *norm)
{
    fal_status status = check_batch(list, norm);
    if (status)
        return status;
    if (goes_by_pieces(norm))
        return map_norm(list, norm);
    begin_batch(list, "batch_norm", norm, norm->output, norm->beside);
    add_activation(list, norm->activation);
    return end_columns(list, norm->channels, lines_of(norm));
}

fal_status fal_batch_norm_backward_add(fal_launches *list, const fal_norm *norm)
{
    fal_status status = check_batch(list, norm);
    if (status)
        return status;
    if (goes_by_pieces(norm))
        return map_norm_backward(list, norm);
    begin_batch(list, "batch_norm_backward", norm, norm->signal, into(norm));
    add_learner(list, norm);
    return end_columns(list, norm->channels, lines_of(norm));
}

/* ---- layer norm ---------------------------------------------------------- */

size_t fal_layer_norm_kept(size_t rows, size_t channels)
{
    return 2 * rows + channels;
}

static fal_status begin_layer(fal_launches *list, const char *kernel,
                              const fal_norm *n, fal_view second)
{
    fal_status status = check(list, n, n->rows * n->positions,
                              n->positions * n->channels);
    if (status)
        return status;
    fal_launch_begin(list, kernel);
    fal_launch_uint(list, parts_of(n));
    fal_launch_uint(list, (uint32_t)n->rows);
    fal_launch_uint(list, (uint32_t)n->positions);
    fal_launch_uint(list, (uint32_t)n->channels);
    fal_launch_view(list, n->input);
    fal_launch_view(list, second);
    return FAL_OK;
}

fal_status fal_layer_norm_add(fal_launches *list, const fal_norm *norm)
{
    fal_status status = begin_layer(list, "layer_norm", norm, norm->output);
    if (status)
        return status;
    fal_launch_view(list, norm->beside);
    fal_launch_view(list, norm->weights);
    fal_launch_view(list, norm->kept);
    add_activation(list, norm->activation);
    return end_rows(list, norm->rows, norm->positions * norm->channels);
}

static fal_status add_gradient(fal_launches *list, const fal_norm *norm)
{
    fal_status status = begin_layer(list, "layer_norm_gradient", norm,
                                    norm->signal);
    if (status)
        return status;
    fal_launch_view(list, norm->weights);
    fal_launch_view(list, norm->kept);
    add_learner(list, norm);
    return end_columns(list, norm->channels, norm->rows * norm->positions);
}

fal_status fal_layer_norm_backward_add(fal_launches *list, const fal_norm *norm)
{
    fal_status status = norm->weights.buffer ? add_gradient(list, norm) : FAL_OK;
    if (!status)
        status = begin_layer(list, "layer_norm_backward", norm, norm->signal);
    if (status)
        return status;
    fal_launch_view(list, into(norm));
    fal_launch_view(list, norm->kept);
    return end_rows(list, norm->rows, norm->positions * norm->channels);
}

/* ---- centering ----------------------------------------------------------- */

fal_status fal_center_add(fal_launches *list, fal_view x, size_t rows,
                          size_t columns)
{
    const fal_norm as_norm = {.rows = rows, .positions = 1, .channels = columns};
    fal_status status = check(list, &as_norm, rows, 0);
    if (status)
        return status;
    fal_launch_begin(list, "center");
    fal_launch_uint(list, (uint32_t)rows);
    fal_launch_uint(list, (uint32_t)columns);
    fal_launch_view(list, x);
    return end_columns(list, columns, rows);
}

/* ---- running statistics -------------------------------------------------- */

fal_status fal_running_add(fal_launches *list, fal_view batch, fal_view running,
                           size_t count, fal_view halted)
{
    fal_launch_begin(list, "blend");
    fal_launch_float(list, MOMENTUM);
    fal_launch_view(list, batch);
    fal_launch_view(list, running);
    fal_launch_view(list, halted);
    return fal_end_elements(list, count);
}
