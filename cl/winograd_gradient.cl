/* The weight gradient of convolutions 3 x 3 by minimal filtering, F(2 x 2, 3 x 3), for
 * CPU-like devices: with V and windows as in cl/winograd.cl, whose tools these are, and
 * D the transformed deltas of a tile of outputs, L delta L',
 *
 *   sums[point][in][out] = sum over tiles of V[point][tile][in] D[point][tile][out]
 *   gradient of [in][out] = G' sums G
 *
 * A group makes blocks of tiles; V lies as [point][tile][in], D as panels of columns.
 * With few channels it is memory that takes time: blocks are small, their planes no
 * multiples of 4096 bytes, and the next one's pixels are asked for in time.
 * host/ops/winograd_gradient.c chooses the sizes and how the sums are split. */
#if CPU_LIKE

/* Rows of the register tile of one vector; of two it has half as many */
#define TALL (VW == 8 ? 12 : 16)
#define LINE 16 /* floats of the cache */

/* ---- transforms -------------------------------------------------------------- */

/* Of outputs' deltas, L d: two numbers become four */
INLINE void lift_delta(floatv d[4])
{
    const floatv a = d[0], b = d[1];
    d[1] = a + b, d[2] = a - b, d[3] = -b;
}

/* Of sums: G' s, four numbers become three */
INLINE void lower_weights(floatv s[4])
{
    const floatv half_sum = 0.5f * (s[1] + s[2]), last = s[3];
    s[0] += half_sum;
    s[1] = 0.5f * (s[1] - s[2]);
    s[2] = half_sum + last;
}

/* Transforms the deltas of a tile, of VW columns */
INLINE void lift_outputs(const readable pixel[4], uint column, writable to,
                         size_t plane)
{
    floatv d[2][4];
    ALL for (int i = 0; i < 2; i++) {
        ALL for (int j = 0; j < 2; j++) d[i][j] = loadv(pixel[i * 2 + j] + column);
        lift_delta(d[i]);
    }
    ALL for (int j = 0; j < 4; j++) {
        floatv column[4] = {d[0][j], d[1][j], 0, 0};
        lift_delta(column);
        ALL for (int i = 0; i < 4; i++)
            *(__global anywhere *)(to + (i * 4 + j) * plane) = column[i];
    }
}

/* The transformed deltas of `count` tiles, `vectors` of columns from `first` on, as a
 * panel: column n of tile t at to[point * plane + t * vectors * VW + n - first] */
INLINE void lift_deltas(winograd_maps of, readable delta, readable zeros,
                        winograd_tile at, uint count, uint first, uint vectors,
                        writable to, size_t plane)
{
    ROLL for (uint t = 0; t < count; t++, at = next_tile(of, at)) {
        readable pixel[MOST * MOST];
        find_pixels(2, of.out, delta + at.image * image_size(of.out), zeros,
                    at.row * 2, at.column * 2, pixel);
        ROLL for (uint n = first; n < min(first + vectors * VW, of.out.channels);
                  n += VW)
            lift_outputs(pixel, n, to + t * vectors * VW + n - first, plane);
    }
}

/* Sums over tiles of R channels, of which there are `rows`, and V vectors of columns,
 * `pitch` floats from channel to channel; they are added to what is there. The products
 * of `depth` tiles are summed at once, then those sums: roundings grow with the terms. */
INLINE void multiply_channels(const int R, const int V, uint rows, readable restrict v,
                              size_t by_tile, readable restrict d, uint count,
                              uint depth, int adds, writable sums, size_t pitch)
{
    floatv whole[TALL][NV];
    EACH(i, R, TALL)
        EACH(j, V, NV) whole[i][j] = 0;
    ROLL for (uint t = 0; t < count; t += depth) {
        floatv sum[TALL][NV];
        EACH(i, R, TALL)
            EACH(j, V, NV) sum[i][j] = 0;
        const uint few = min(count - t, depth);
        ROLL for (uint k = 0; k < few; k++, v += by_tile, d += V * VW) {
            floatv b[NV];
            EACH(j, V, NV) b[j] = vloadv(j, d);
            EACH(i, R, TALL)
                EACH(j, V, NV)
                    sum[i][j] = fma((floatv)(v[i]), b[j], sum[i][j]);
        }
        EACH(i, R, TALL)
            EACH(j, V, NV) whole[i][j] += sum[i][j];
    }
    EACH(i, R, TALL)
        EACH(j, V, NV)
            if ((uint)i < rows) {
                const writable to = sums + i * pitch;
                vstorev(adds ? whole[i][j] + vloadv(j, to) : whole[i][j], j, to);
            }
}

/* All channels of one panel */
INLINE void multiply_rows(uint vectors, uint rows, readable v, size_t by_tile,
                          readable d, uint count, uint depth, int adds,
                          writable sums, size_t pitch)
{
    const uint step = vectors == NV ? MR : TALL / vectors;
    ROLL for (uint c = 0; c < rows; c += step, v += step, sums += step * pitch)
        if (vectors == NV)
            multiply_channels(MR, NV, rows - c, v, by_tile, d, count, depth, adds, sums,
                              pitch);
        else if (vectors == 1)
            multiply_channels(TALL, 1, rows - c, v, by_tile, d, count, depth, adds, sums,
                              pitch);
        else if (NV == 4)
            multiply_channels(TALL / 2, 2, rows - c, v, by_tile, d, count, depth, adds,
                              sums, pitch);
}

/* What a later block reads, asked for while this one is multiplied */
typedef struct fetched {
    readable map, delta; /* from the first channel and column on */
    uint channels, columns;
} fetched;

/* 2 x 2 pixels of a map */
INLINE void want_pixels(winograd_size of, readable first, uint floats)
{
    const size_t line = (size_t)of.width * of.channels;
    ROLL for (uint c = 0; c < floats; c += LINE) {
        WANT(first + c), WANT(first + of.channels + c);
        WANT(first + line + c), WANT(first + line + of.channels + c);
    }
}

/* Of a window the rows that the tiles above do not have, of deltas all */
INLINE winograd_tile want_tiles(winograd_maps of, fetched next, winograd_tile at,
                                uint count)
{
    ROLL for (uint t = 0; t < count; t++, at = next_tile(of, at)) {
        const size_t row = at.image * of.in.height + 2 * at.row + 2 - of.pad;
        const size_t line = at.image * of.out.height + 2 * at.row;
        want_pixels(of.in, next.map + (row * of.in.width + 2 * at.column) *
                                          of.in.channels, next.channels);
        want_pixels(of.out, next.delta + (line * of.out.width + 2 * at.column) *
                                             of.out.channels, next.columns);
    }
    return at;
}

/* The bias's gradient: at point (1, 1) the sum of a tile's deltas */
INLINE void sum_deltas(readable d, uint count, uint vectors, int adds, writable sums)
{
    ROLL for (uint j = 0; j < vectors; j++) {
        floatv sum = 0;
        ROLL for (uint t = 0; t < count; t++) sum += loadv(d + (t * vectors + j) * VW);
        vstorev(adds ? sum + vloadv(j, sums) : sum, j, sums);
    }
}

/* All points' sums, with the bias's behind them */
INLINE size_t sum_size(winograd_maps of)
{
    return (of.points * (size_t)of.in.channels + 1) * of.padded;
}

/* Where a block's V and D lie, of `rows` channels and `vectors` of columns */
typedef struct block_room {
    writable zeros, d;
    lifted v;
    uint rows;
} block_room;

INLINE block_room divide_room(winograd_maps of, uint rows, writable room)
{
    const uint zeros = max(of.in.channels, of.out.channels) / VW * VW + VW;
    /* An odd number of lines: tiles lie in different sets of the cache */
    const size_t by_tile = (((of.rows + VW - 1) / VW) | 1) * VW;
    const size_t plane = by_tile * of.block + VW;
    const writable v = room + zeros;
    const block_room in = {room, v + of.points * plane, {v, by_tile, VW, plane}, rows};
    ROLL for (uint c = 0; c < zeros; c += VW) vstorev((floatv)0, 0, room + c);
    return in;
}

/* All points' sums of a block with V lifted, one panel of columns; `next` is asked for
 * a part at each point */
INLINE void multiply_block(winograd_maps of, block_room in, uint vectors, uint count,
                           fetched next, winograd_tile ahead, int adds, writable sums)
{
    const size_t d_plane = (of.block * vectors + 1) * VW;
    uint wanted = 0;
    ROLL for (uint point = 0; point < of.points; point++) {
        const uint upto = of.block * (point + 1) / of.points;
        ahead = want_tiles(of, next, ahead, upto - wanted);
        wanted = upto;
        multiply_rows(vectors, in.rows, in.v.to + point * in.v.plane, in.v.by_tile,
                      in.d + point * d_plane, count, of.depth, adds, sums,
                      of.padded);
        sums += of.in.channels * (size_t)of.padded;
    }
}

/* Tiles begin ... end, channels from `top` on, columns left ... right */
INLINE void make_gradient(winograd_maps of, readable map, readable delta, uint begin,
                          uint end, uint top, uint left, uint right, writable sums,
                          writable room)
{
    const uint rows = min(of.rows, of.in.channels - top);
    const block_room in = divide_room(of, rows, room);
    const writable bias = sums + of.points * (size_t)of.in.channels * of.padded;
    sums += top * (size_t)of.padded;
    ROLL for (uint i = begin; i < end; i += of.block) {
        const uint count = min(of.block, end - i);
        const winograd_tile at = find_tile(of, i), ahead = find_tile(of, i + of.block);
        lift_block(4, of, map + top, in.zeros, at, count, rows, in.v);
        ROLL for (uint n = left; n < right; n += NR) {
            const uint vectors = panel_vectors(n, of.padded);
            const size_t d_plane = (of.block * vectors + 1) * VW;
            const uint channels = n > left ? 0 : min(rows, (uint)NR);
            const fetched next = {map + top, delta + n, channels, vectors * VW};
            lift_deltas(of, delta, in.zeros, at, count, n, vectors, in.d, d_plane);
            multiply_block(of, in, vectors, count, next, ahead, i > begin, sums + n);
            if (top == 0)
                sum_deltas(in.d + 5 * d_plane, count, vectors, i > begin, bias + n);
        }
    }
}

/* The nine weights that `splits` sums of one channel and vector of columns make */
INLINE void lower_gradient(readable sums, uint splits, size_t plane, size_t size,
                           floatv *g)
{
    floatv half_way[4][4];
    ALL for (int i = 0; i < 4; i++) {
        ALL for (int j = 0; j < 4; j++) {
            half_way[i][j] = vloadv(0, sums + (i * 4 + j) * plane);
            ROLL for (uint s = 1; s < splits; s++)
                half_way[i][j] += vloadv(0, sums + (i * 4 + j) * plane + s * size);
        }
        lower_weights(half_way[i]);
    }
    ALL for (int j = 0; j < 3; j++) {
        floatv column[4];
        ALL for (int i = 0; i < 4; i++) column[i] = half_way[i][j];
        lower_weights(column);
        ALL for (int i = 0; i < 3; i++) g[i * 3 + j] = column[i];
    }
}

/* ---- entries ------------------------------------------------------------------ */

/* Partial sums of the weight gradient: shares are parts of the tiles, times channels,
 * times columns; each is made whole by one group */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
winograd_gradient(winograd_maps of, uint shares, __global const float *map,
                  ulong map_at, __global const float *delta, ulong delta_at,
                  __global float *room, ulong sums_at, ulong room_at,
                  ulong room_pitch)
{
    const uint across = (of.padded + of.columns - 1) / of.columns;
    const uint down = (of.in.channels + of.rows - 1) / of.rows;
    ROLL for (uint s = get_group_id(0); s < shares; s += get_num_groups(0)) {
        const uint left = s % across * of.columns, top = s / across % down * of.rows;
        const uint part = s / across / down, begin = part * of.run;
        make_gradient(of, map + map_at, delta + delta_at, begin,
                      min(begin + of.run, of.tiles), top, left,
                      min(left + of.columns, of.padded),
                      room + sums_at + part * sum_size(of),
                      room + room_at + get_group_id(0) * room_pitch);
    }
}

/* The gradient, or the optimizer's step, from its partial sums; row number `channels`
 * is the bias. n counts vectors */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
winograd_gradient_end(winograd_maps of, uint splits, epilogue e, update_step step,
                      __global const float *sums, ulong sums_at, __global float *c,
                      ulong c_at, __global float *moment, ulong moment_at,
                      __global float *squares, ulong squares_at,
                      __global float *feedback, ulong feedback_at,
                      __global const int *halted, ulong halted_at, ulong n, ulong span)
{
    const target whole = {c + c_at,           0,
                          c + c_at,           moment + moment_at,
                          squares + squares_at, feedback + feedback_at};
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    const uint across = (of.out.channels + VW - 1) / VW;
    const size_t plane = of.in.channels * (size_t)of.padded, size = sum_size(of);
    if ((e.update.parts & MAY_HALT) && halted[halted_at] != 0)
        return;
    e.parts &= UPDATES | MIXES;
    ROLL for (ulong i = first; i < end; i++) {
        const uint row = (uint)(i / across), column = (uint)(i % across) * VW;
        const int is_bias = row == of.in.channels;
        const readable from = sums + sums_at + column +
                              (is_bias ? of.points * plane : row * (size_t)of.padded);
        floatv g[9];
        lower_gradient(from, splits, is_bias ? 0 : plane, size, g);
        if (is_bias) {
            g[0] = vloadv(0, from);
            ROLL for (uint s = 1; s < splits; s++) g[0] += vloadv(0, from + s * size);
        }
        ROLL for (uint place = 0; place < (is_bias ? 1 : 9); place++)
            finish(g[place], move(whole, is_bias ? 9 * row : place * of.in.channels + row,
                                  column, e.pitch),
                   of.out.channels - column, -1, e, step);
    }
}

#undef MR
#undef NV
#undef NR
#undef MOST
#undef TALL
#undef LINE
#endif
