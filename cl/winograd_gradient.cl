/* The weight gradient of convolutions 3 x 3 by minimal filtering, F(2 x 2, 3 x 3), for
 * CPU-like devices: with V and windows as in cl/winograd.cl, whose tools these are, and
 * D the transformed deltas of a tile of outputs, L delta L',
 *
 *   sums[point][in][out] = sum over tiles of V[point][tile][in] D[point][tile][out]
 *   gradient of [in][out] = G' sums G
 *
 * A group makes blocks of tiles; V lies as [point][tile][in], D as panels of NR columns.
 * host/ops/winograd_gradient.c chooses the sizes and how the sums are split. */
#if CPU_LIKE

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
        ALL for (int j = 0; j < 2; j++)
            d[i][j] = vloadv(0, pixel[i * 2 + j] + column);
        lift_delta(d[i]);
    }
    ALL for (int j = 0; j < 4; j++) {
        floatv column[4] = {d[0][j], d[1][j], 0, 0};
        lift_delta(column);
        ALL for (int i = 0; i < 4; i++)
            vstorev(column[i], 0, to + (i * 4 + j) * plane);
    }
}

/* The transformed deltas of `count` tiles, columns first ... end, as panels: column n
 * of tile t at to[point * plane + (panel's first column - first) * of.block +
 * t * panel's columns + n in the panel] */
INLINE void lift_deltas(winograd_maps of, readable delta, readable zeros, winograd_tile at,
                        uint count, uint first, uint end, writable to)
{
    const size_t plane = (size_t)of.block * of.wide;
    ROLL for (uint t = 0; t < count; t++, at = next_tile(of, at)) {
        readable pixel[MOST * MOST];
        find_pixels(2, of.out, delta + at.image * image_size(of.out), zeros,
                    at.row * 2, at.column * 2, pixel);
        ROLL for (uint n = first; n < min(end, of.out.channels); n += VW) {
            const uint pitch = panel_vectors(n, of.padded) * VW;
            lift_outputs(pixel, n, to + (n / NR * NR - first) * of.block + t * pitch +
                                       n % NR, plane);
        }
    }
}

/* Sums over tiles of R channels and V vectors of columns, `pitch` floats from channel
 * to channel; they are added to what is there */
INLINE void multiply_channels(const int R, const int V, readable restrict v,
                              size_t by_tile, readable restrict d, uint count,
                              int adds, writable sums, size_t pitch)
{
    floatv sum[2 * MR][NV];
    ALL for (int i = 0; i < R; i++)
        ALL for (int j = 0; j < V; j++) sum[i][j] = 0;
    ROLL for (uint t = 0; t < count; t++, v += by_tile, d += V * VW) {
        floatv b[NV];
        ALL for (int j = 0; j < V; j++) b[j] = vloadv(j, d);
        ALL for (int i = 0; i < R; i++)
            ALL for (int j = 0; j < V; j++)
                sum[i][j] = fma((floatv)(v[i]), b[j], sum[i][j]);
    }
    ALL for (int i = 0; i < R; i++)
        ALL for (int j = 0; j < V; j++) {
            const writable to = sums + i * pitch;
            vstorev(adds ? sum[i][j] + vloadv(j, to) : sum[i][j], j, to);
        }
}

/* All channels of one panel; sums have room for rows past the last */
INLINE void multiply_rows(uint vectors, uint rows, readable v, size_t by_tile,
                          readable d, uint count, int adds, writable sums,
                          size_t pitch)
{
    const uint step = vectors == NV ? MR : 2 * MR;
    ROLL for (uint c = 0; c < rows; c += step, v += step, sums += step * pitch)
        if (vectors == NV)
            multiply_channels(MR, NV, v, by_tile, d, count, adds, sums, pitch);
        else if (vectors == 1)
            multiply_channels(2 * MR, 1, v, by_tile, d, count, adds, sums, pitch);
        else if (NV == 4)
            multiply_channels(2 * MR, 2, v, by_tile, d, count, adds, sums, pitch);
}

/* The bias's gradient: at point (1, 1) the sum of a tile's deltas */
INLINE void sum_deltas(winograd_maps of, readable d, uint count, uint first, uint end,
                       int adds, writable sums)
{
    d += 5 * (size_t)of.block * of.wide;
    ROLL for (uint n = first; n < min(end, of.out.channels); n += VW) {
        const uint pitch = panel_vectors(n, of.padded) * VW;
        const readable from = d + (n / NR * NR - first) * of.block + n % NR;
        floatv sum = 0;
        ROLL for (uint t = 0; t < count; t++) sum += vloadv(0, from + t * pitch);
        vstorev(adds ? sum + vloadv(0, sums + n) : sum, 0, sums + n);
    }
}

/* Rows of sums that a point has, and all points, with the bias's behind them */
INLINE size_t sum_rows(winograd_maps of)
{
    return (of.in.channels + 2 * MR - 1) / (2 * MR) * (2 * MR);
}

INLINE size_t sum_size(winograd_maps of)
{
    return (of.points * sum_rows(of) + 1) * of.padded;
}

/* Tiles begin ... end, channels from `top` on, columns left ... right */
INLINE void make_gradient(winograd_maps of, readable map, readable delta, uint begin,
                          uint end, uint top, uint left, uint right, writable sums,
                          writable room)
{
    const uint rows = min(of.rows, of.in.channels - top);
    const size_t by_tile = (of.rows + VW - 1) / VW * VW + 2 * MR;
    const size_t v_plane = by_tile * of.block, d_plane = (size_t)of.block * of.wide;
    const size_t zeros = max(of.in.channels, of.out.channels) / VW * VW + VW;
    const writable v = room + zeros, d = v + of.points * v_plane;
    const lifted to = {v, by_tile, VW, v_plane};
    const size_t plane = sum_rows(of) * of.padded;
    ROLL for (uint c = 0; c < zeros; c += VW) vstorev((floatv)0, 0, room + c);
    ROLL for (uint i = begin; i < end; i += of.block) {
        const uint count = min(of.block, end - i);
        const winograd_tile at = find_tile(of, i);
        lift_block(4, of, map + top, room, at, count, rows, to);
        ROLL for (uint m = left; m < right; m += of.wide) {
            const uint stop = min(m + of.wide, right);
            lift_deltas(of, delta, room, at, count, m, stop, d);
            ROLL for (uint point = 0; point < of.points; point++)
                ROLL for (uint n = m; n < stop; n += NR)
                    multiply_rows(panel_vectors(n, of.padded), rows,
                                  v + point * v_plane, by_tile,
                                  d + point * d_plane + (n - m) * of.block, count,
                                  i > begin, sums + point * plane +
                                      top * (size_t)of.padded + n, of.padded);
            if (top == 0)
                sum_deltas(of, d, count, m, stop, i > begin, sums + of.points * plane);
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
    const size_t plane = sum_rows(of) * of.padded, size = sum_size(of);
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
#undef DEPTH
#endif
