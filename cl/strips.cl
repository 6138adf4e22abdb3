/* Convolutions of few channels for CPU-like devices, as products over patches of maps
 * (host/ops/conv_patches.h) that are not copied one by one: under the kernel, a line of
 * outputs passes over a strip of the map, which is copied once, as
 *
 *        strip[column][line of the kernel][channel]
 *
 * with zeros where it reaches beyond the map. A patch is one run of it, the next
 * output's patch begins `stride` columns later, and no tap needs to know of a border.
 *
 *   strip_outputs   C[output][n]           <- sum over k of patch[k] weights[k][n]
 *   strip_gradient  pieces[piece][k][n]    <- sum over outputs of patch[k] delta[n]
 *
 * host/ops/strips.c chooses the sizes. */
#if CPU_LIKE

/* Vectors of a panel, outputs of a tile, and elements of a patch that a tile of the
 * gradient has: as many sums as registers hold, 27 elements in two tiles */
#define NV 2
#define NR (NV * VW)
#if VW == 16
#define OUTPUTS 8
#define ELEMENTS 14
#else
#define OUTPUTS 4
#define ELEMENTS 6
#endif
#define MOST_LINES 16 /* of a kernel */

/* What is read, and the outputs that read it */
typedef struct strips {
    uint height, width, channels;       /* of a map */
    uint tall, wide;                    /* outputs of a map */
    uint down, across, stride;          /* lines and columns of the kernel */
    int top, left;                      /* where the first output's patch begins */
    uint columns;                       /* N */
    uint lines, span;                   /* lines of outputs; those of a group or piece */
    uint batch;                         /* strips at once */
} strips;

/* Columns of a strip; floats of it, with those that a last tile reads beyond */
INLINE uint strip_columns(strips of)
{
    return (of.wide - 1) * of.stride + of.across;
}

INLINE size_t strip_size(strips of)
{
    const uint spare = OUTPUTS * of.stride;
    return (size_t)(strip_columns(of) + spare) * of.down * of.channels + 2 * VW;
}

/* A patch's length, with that of its last tile */
INLINE uint patch_length(strips of)
{
    return of.down * of.across * of.channels;
}

/* The lines of a map that line number `line` of the outputs reads */
INLINE void find_lines(strips of, readable map, readable zeros, uint line,
                       readable from[MOST_LINES])
{
    const uint image = line / of.tall, y = line % of.tall * of.stride + of.top;
    const size_t pitch = (size_t)of.width * of.channels;
    ROLL for (uint i = 0; i < of.down; i++)
        from[i] = y + i < of.height ? map + ((size_t)image * of.height + (y + i)) * pitch
                                    : zeros;
}

INLINE writable put_nothing(writable strip, size_t count)
{
    ROLL for (size_t i = 0; i < count; i += VW) vstorev((floatv)0, 0, strip + i);
    return strip + count;
}

/* Each run is written by whole vectors, and the next over what that wrote too much. */
INLINE void fill_strip(strips of, readable map, readable zeros, uint line,
                       writable strip)
{
    const int columns = strip_columns(of);
    const int first = clamp(-of.left, 0, columns);
    const int end = clamp((int)of.width - of.left, first, columns);
    readable from[MOST_LINES];
    find_lines(of, map, zeros, line, from);
    strip = put_nothing(strip, (size_t)first * of.down * of.channels);
    ROLL for (int x = first; x < end; x++) {
        const size_t at = (size_t)(x + of.left) * of.channels;
        if (of.channels <= 4)
            ROLL for (uint i = 0; i < of.down; i++, strip += of.channels)
                vstore4(vload4(0, from[i] + at), 0, strip);
        else
            ROLL for (uint i = 0; i < of.down; i++, strip += of.channels)
                ROLL for (uint c = 0; c < of.channels; c += VW)
                    storev(loadv(from[i] + at + c), strip + c);
    }
    put_nothing(strip, (size_t)(columns - end) * of.down * of.channels);
}

INLINE uint vectors_of(strips of, uint column)
{
    return min((of.columns - column + VW - 1) / VW, (uint)NV);
}

/* Element k of a patch is row number `row_of` of the weights: [line][column of the
 * kernel][channel] */
INLINE uint row_of(strips of, uint k)
{
    const uint channel = k % of.channels, tap = k / of.channels;
    return (tap % of.down * of.across + tap / of.down) * of.channels + channel;
}

/* The weights as panels of columns, in the order of a patch; the last may be narrower */
INLINE void fill_weights(strips of, readable weights, writable panels)
{
    const uint length = patch_length(of);
    ROLL for (uint n = 0; n < of.columns; n += NR) {
        const uint vectors = vectors_of(of, n);
        ROLL for (uint k = 0; k < length; k++)
            ROLL for (uint j = 0; j < vectors; j++, panels += VW)
                vstorev(vloadv(j, weights + (size_t)row_of(of, k) * of.columns + n), 0,
                        panels);
    }
}

/* ---- outputs ------------------------------------------------------------------- */

/* Sums of OUTPUTS outputs, whose patches begin `step` floats apart, and V vectors */
INLINE void multiply_patches(const int V, readable restrict a, const size_t step,
                             readable restrict b, uint length, floatv *done)
{
    floatv sum[OUTPUTS][NV];
    ALL for (int i = 0; i < OUTPUTS; i++)
        EACH(j, V, NV) sum[i][j] = 0;
    ROLL for (uint k = 0; k < length; k++, a++, b += V * VW) {
        floatv v[NV];
        EACH(j, V, NV) v[j] = vloadv(j, b);
        ALL for (int i = 0; i < OUTPUTS; i++)
            EACH(j, V, NV)
                sum[i][j] = fma((floatv)(a[i * step]), v[j], sum[i][j]);
    }
    ALL for (int i = 0; i < OUTPUTS; i++)
        EACH(j, V, NV) done[i * NV + j] = sum[i][j];
}

/* The first `rows` outputs of a tile go to t, `step` rows of C apart. Whole tiles that are
 * stored as they are go there from registers: only the others are put into memory, where
 * a loop can count through them. */
INLINE void store_outputs(strips of, const int V, const floatv *done, uint rows, uint step,
                          uint column, target t, epilogue e)
{
    const update_step none = {0, 0, 0, 0, 0, 0};
    const int is_plain = e.parts == 0 && e.activation == LINEAR;
    const size_t pitch = (size_t)step * of.columns;
    if (is_plain && rows == OUTPUTS && column + V * VW <= of.columns) {
        ALL for (int i = 0; i < OUTPUTS; i++)
            EACH(j, V, NV)
                storev(done[i * NV + j], t.c + column + i * pitch + j * VW);
        return;
    }
    floatv kept[OUTPUTS * NV];
    ALL for (int i = 0; i < OUTPUTS * NV; i++) kept[i] = done[i];
    ROLL for (uint i = 0; i < rows; i++)
        ROLL for (uint n = column, j = 0; n < min(column + NR, of.columns); n += VW, j++)
            finish(kept[i * NV + j], move(t, (size_t)i * step, n, of.columns),
                   of.columns - n, -1, e, none);
}

/* A tile of `rows` outputs and V vectors */
INLINE void make_tile(strips of, const int V, readable a, readable b, uint rows, uint step,
                      uint column, target t, epilogue e)
{
    floatv done[OUTPUTS * NV];
    multiply_patches(V, a, (size_t)of.stride * of.down * of.channels, b, patch_length(of),
                     done);
    store_outputs(of, V, done, rows, step, column, t, e);
}

/* A line of outputs; t is the whole C */
INLINE void make_line(strips of, lattice to, uint line, readable strip, readable panels,
                      target t, epilogue e)
{
    const size_t length = patch_length(of), step = (size_t)of.stride * of.down * of.channels;
    const pixel first = {line / of.tall, line % of.tall, 0};
    const target at = move(t, find_row(to, first), 0, of.columns);
    ROLL for (uint x = 0; x < of.wide; x += OUTPUTS) {
        const readable a = strip + x * step;
        const target tile = move(at, (size_t)x * to.step, 0, of.columns);
        const uint rows = min(of.wide - x, (uint)OUTPUTS);
        readable b = panels;
        ROLL for (uint n = 0; n < of.columns; n += NR) {
            const uint vectors = vectors_of(of, n);
            if (vectors == NV)
                make_tile(of, NV, a, b, rows, to.step, n, tile, e);
            else
                make_tile(of, 1, a, b, rows, to.step, n, tile, e);
            b += length * vectors * VW;
        }
    }
}

/* Group g makes lines [g * span, (g + 1) * span) */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
strip_outputs(strips of, lattice to, epilogue e, __global const float *map, ulong map_at,
              __global const float *weights, ulong weights_at, __global float *c,
              ulong c_at, __global const float *bias, ulong bias_at,
              __global const float *other, ulong other_at, __global float *room,
              ulong room_at, ulong room_pitch)
{
    const target t = {c + c_at, bias + bias_at, other + other_at, 0, 0, 0};
    const writable zeros = room + room_at + get_group_id(0) * room_pitch;
    const writable strip = zeros + (size_t)of.width * of.channels + VW;
    const writable panels = strip + strip_size(of);
    const uint first = get_group_id(0) * of.span, end = min(first + of.span, of.lines);
    put_nothing(zeros, (size_t)of.width * of.channels);
    fill_weights(of, weights + weights_at, panels);
    e.parts &= ADDS_OLD | ADDS_BIAS | DERIVES | MIXES;
    ROLL for (uint line = first; line < end; line++) {
        fill_strip(of, map + map_at, zeros, line, strip);
        make_line(of, to, line, strip, panels, t, e);
    }
}

/* ---- gradient ------------------------------------------------------------------ */

/* Adds to the sums of ELEMENTS elements and V vectors, which lie `pitch` floats apart,
 * those of `lines` lines of outputs; patches begin `step` floats apart, and a line
 * `jump` floats after the one before ends. One loop: after an inner one the compiler puts
 * all sums into memory. */
INLINE void multiply_deltas(const int V, readable restrict a, size_t step, size_t jump,
                            uint wide, readable restrict delta, size_t columns,
                            uint count, writable sums, size_t pitch)
{
    floatv sum[ELEMENTS][NV];
    uint x = 0;
    ALL for (int i = 0; i < ELEMENTS; i++)
        EACH(j, V, NV) sum[i][j] = vloadv(j, sums + i * pitch);
    ROLL for (uint m = 0; m < count; m++, delta += columns) {
        floatv v[NV];
        EACH(j, V, NV) v[j] = vloadv(j, delta);
        ALL for (int i = 0; i < ELEMENTS; i++)
            EACH(j, V, NV)
                sum[i][j] = fma((floatv)(a[i]), v[j], sum[i][j]);
        x = x + 1 == wide ? 0 : x + 1;
        a += x == 0 ? jump : step;
    }
    ALL for (int i = 0; i < ELEMENTS; i++)
        EACH(j, V, NV) vstorev(sum[i][j], j, sums + i * pitch);
}

/* Adds what `lines` lines of outputs give, whose strips are filled */
INLINE void add_lines(strips of, readable strip, readable delta, uint lines,
                      writable sums, size_t pitch)
{
    const size_t step = (size_t)of.stride * of.down * of.channels;
    const size_t jump = strip_size(of) - (of.wide - 1) * step;
    const uint length = patch_length(of), count = lines * of.wide;
    ROLL for (uint n = 0; n < of.columns; n += NR)
        ROLL for (uint k = 0; k < length; k += ELEMENTS)
            if (vectors_of(of, n) == NV)
                multiply_deltas(NV, strip + k, step, jump, of.wide, delta + n, of.columns,
                                count, sums + k * pitch + n, pitch);
            else
                multiply_deltas(1, strip + k, step, jump, of.wide, delta + n, of.columns,
                                count, sums + k * pitch + n, pitch);
}

/* Adds the deltas themselves: the bias's gradient */
INLINE void add_deltas(strips of, readable delta, uint count, writable sums)
{
    ROLL for (uint n = 0; n < of.columns; n += VW) {
        floatv sum = vloadv(0, sums + n);
        ROLL for (uint m = 0; m < count; m++)
            sum += vloadv(0, delta + (size_t)m * of.columns + n);
        vstorev(sum, 0, sums + n);
    }
}

/* A piece's sums, in the order of the weights; the bias's are the last row */
INLINE void store_piece(strips of, readable sums, size_t pitch, readable bias,
                        int has_bias, writable piece)
{
    const uint length = patch_length(of);
    ROLL for (uint k = 0; k < length + (has_bias != 0); k++) {
        const readable from = k < length ? sums + k * pitch : bias;
        const writable to = piece + (size_t)(k < length ? row_of(of, k) : k) * of.columns;
        ROLL for (uint n = 0; n < of.columns; n += VW)
            store_lanes(to + n, vloadv(0, from + n), of.columns - n);
    }
}

/* Pieces are lines [p * span, (p + 1) * span) of outputs; group g makes pieces g,
 * g + groups, ... */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
strip_gradient(strips of, int has_bias, __global const float *map, ulong map_at,
               __global const float *delta, ulong delta_at, __global float *pieces,
               ulong pieces_at, ulong room_at, ulong room_pitch)
{
    const writable zeros = pieces + room_at + get_group_id(0) * room_pitch;
    const writable sums = zeros + (size_t)of.width * of.channels + VW;
    const size_t pitch = (of.columns + NR - 1) / NR * NR;
    const size_t length = patch_length(of), rows = length + ELEMENTS;
    const writable bias = sums + rows * pitch, strip = bias + pitch;
    const size_t size = (length + (has_bias != 0)) * of.columns;
    put_nothing(zeros, (size_t)of.width * of.channels);
    ROLL for (uint p = get_group_id(0); p * of.span < of.lines; p += get_num_groups(0)) {
        const uint end = min((p + 1) * of.span, of.lines);
        put_nothing(sums, (rows + 1) * pitch);
        ROLL for (uint line = p * of.span; line < end; line += of.batch) {
            const uint lines = min(of.batch, end - line);
            const readable d = delta + delta_at + (size_t)line * of.wide * of.columns;
            ROLL for (uint i = 0; i < lines; i++)
                fill_strip(of, map + map_at, zeros, line + i,
                           strip + i * strip_size(of));
            add_lines(of, strip, d, lines, sums, pitch);
            if (has_bias)
                add_deltas(of, d, lines * of.wide, bias);
        }
        store_piece(of, sums, pitch, bias, has_bias,
                    pieces + pieces_at + p * size);
    }
}

#undef NV
#undef NR
#undef OUTPUTS
#undef ELEMENTS
#undef MOST_LINES
#endif
