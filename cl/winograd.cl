/* Convolutions 3 x 3 of stride 1 by minimal filtering, F(M x M, 3 x 3) (Winograd 1980;
 * Lavin and Gray 2016), for CPU-like devices: a tile of M x M outputs takes the window
 * of A x A inputs around it, A = M + 2, and
 *
 *   output tile = L' [ sum over channels of (G g G')(P d P') ] L
 *
 * needs A^2 multiplications a channel where 9 M^2 are usual: 16 for 36. A place of the
 * transformed window is called a point. With V the transformed windows, U the
 * transformed weights, there is one matrix product at each point,
 *
 *   sums[point][tile][out] = sum over in of V[point][tile][in] U[point][in][out]
 *
 * U is made once a launch by `winograd_weights`, as panels of NR columns. A group makes
 * a run of tiles block by block; a block's V and sums stay in its part of the room,
 * both as [point][channel / VW][tile][VW], where a tile's next row is VW floats on and
 * all reads have constant offsets from one pointer.
 *
 * The data gradient is the same over delta, with turned weights. host/ops/winograd.c
 * chooses the sizes. The types of pointers are cl/gemm.cl's. */
#if CPU_LIKE

/* Rows and vectors of the register tile: host/ops/winograd.c has NV too */
#define MR 6
#if VW == 8
#define NV 2
#else
#define NV 4
#endif
#define NR (NV * VW)
#define MOST 6 /* largest A */
#ifndef DEPTH
#define DEPTH 64 /* channels summed at once, which bounds the error; whole vectors */
#endif

/* ---- transforms of four or six numbers ----------------------------------------- */

/* Of windows: P d */
INLINE void lift(const int A, floatv d[MOST])
{
    const floatv a = d[0], b = d[1], c = d[2], e = d[3], f = d[4], g = d[5];
    if (A == 4) {
        d[0] = a - c, d[1] = b + c, d[2] = c - b, d[3] = b - e;
        return;
    }
    const floatv p = f - 4.0f * c, q = e - 4.0f * b;
    const floatv r = f - c, s = 2.0f * (e - b);
    d[0] = 4.0f * a - 5.0f * c + f;
    d[1] = p + q, d[2] = p - q, d[3] = r + s, d[4] = r - s;
    d[5] = 4.0f * b - 5.0f * e + g;
}

/* Of weights: G g */
INLINE void lift_weights(const int A, const floatv g[3], floatv u[MOST])
{
    const floatv ends = g[0] + g[2];
    if (A == 4) {
        u[0] = g[0], u[3] = g[2];
        u[1] = 0.5f * (ends + g[1]), u[2] = 0.5f * (ends - g[1]);
        return;
    }
    const floatv far = g[0] + 4.0f * g[2];
    u[0] = 0.25f * g[0], u[5] = g[2];
    u[1] = (-1 / 6.0f) * (ends + g[1]), u[2] = (-1 / 6.0f) * (ends - g[1]);
    u[3] = (1 / 24.0f) * (far + 2.0f * g[1]);
    u[4] = (1 / 24.0f) * (far - 2.0f * g[1]);
}

/* Of sums: L' s, A - 2 numbers */
INLINE void lower(const int A, floatv s[MOST])
{
    const floatv a = s[1] + s[2], b = s[1] - s[2];
    if (A == 4) {
        s[0] += a, s[1] = b - s[3];
        return;
    }
    const floatv c = s[3] + s[4], d = s[3] - s[4];
    s[0] += a + c;
    s[1] = b + 2.0f * d;
    s[2] = a + 4.0f * c;
    s[3] = b + 8.0f * d + s[5];
}

/* ---- weights ------------------------------------------------------------------ */

/* W [3][3][in][out], read as it is or, for the data gradient, turned: in and out
 * change places and each map is turned round. K, N as the product has them. */
typedef struct winograd_weights_from {
    uint K, N, padded; /* columns with those of the last panel */
    int is_turned;
    int kind; /* of cl/common.cl's values */
    float scale;
} winograd_weights_from;

/* Rows k, k + 1, ... of VW columns from n on, of one of the 9 places */
INLINE void load_place(winograd_weights_from from, readable w, readable magnitude,
                         uint place, uint k, uint n, floatv rows[VW])
{
    const uint row = from.is_turned ? n : k, column = from.is_turned ? k : n;
    const uint down = from.is_turned ? from.N : from.K;
    const size_t pitch = from.is_turned ? from.K : from.N;
    const uint at = from.is_turned ? 8 - place : place;
    ROLL for (uint i = 0; i < VW; i++) {
        const size_t first = (at * down + min(row + i, down - 1)) * pitch + column;
        floatv v = vloadv(0, w + first);
        if (from.kind & SIGNED) {
            const floatv m = from.kind & MAGNITUDES ? vloadv(0, magnitude + first)
                                                    : (floatv)from.scale;
            v = give_sign(m, v);
        }
        rows[i] = v;
    }
    if (from.is_turned)
        transpose(rows);
}

/* U of VW columns of one row from their 9 weights; points lie `plane` floats apart */
INLINE void lift_nine(const int A, const floatv g[9], writable u, size_t plane)
{
    floatv half_way[3][MOST];
    ALL for (int j = 0; j < 3; j++) {
        const floatv column[3] = {g[j], g[3 + j], g[6 + j]};
        lift_weights(A, column, half_way[j]);
    }
    ALL for (int i = 0; i < A; i++) {
        const floatv row[3] = {half_way[0][i], half_way[1][i], half_way[2][i]};
        floatv all[MOST];
        lift_weights(A, row, all);
        ALL for (int j = 0; j < A; j++) vstorev(all[j], 0, u + (i * A + j) * plane);
    }
}

/* Vectors of the panel that column n is in: as many as a multiplication has */
INLINE uint panel_vectors(uint n, uint padded)
{
    return min((padded - n / NR * NR) / VW, (uint)NV);
}

/* Group g makes blocks of VW x VW, numbers [g*span, (g + 1)*span) */
INLINE void all_weights(const int A, winograd_weights_from from, readable w,
                        readable magnitude, writable u, ulong n, ulong span)
{
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    const uint across = (from.N + VW - 1) / VW;
    const size_t plane = (size_t)from.K * from.padded;
    ROLL for (ulong block = first; block < end; block++) {
        const uint k = (uint)(block / across) * VW, n = (uint)(block % across) * VW;
        const uint pitch = panel_vectors(n, from.padded) * VW;
        const writable to = u + (size_t)(n / NR * NR) * from.K + n % NR;
        floatv rows[9][VW];
        ROLL for (uint place = 0; place < 9; place++)
            load_place(from, w, magnitude, place, k, n, rows[place]);
        ROLL for (uint i = 0; i < min(from.K - k, (uint)VW); i++) {
            floatv g[9];
            ALL for (int place = 0; place < 9; place++) g[place] = rows[place][i];
            lift_nine(A, g, to + (k + i) * (size_t)pitch, plane);
        }
    }
}

/* ---- maps --------------------------------------------------------------------- */

typedef struct winograd_size {
    uint height, width, channels;
} winograd_size;

/* What a launch is about: maps and their tiles, and how a group goes about it */
typedef struct winograd_maps {
    winograd_size in, out;
    uint points, pad;
    uint padded;              /* columns with those of the last panel */
    uint down, across, tiles; /* tiles of a map, of all maps */
    uint run, rows, columns;  /* a group's tiles, channels and columns … */
    uint block, wide;         /* … and how many tiles and columns at once */
} winograd_maps;

/* A tile: numbers of its image, row and column */
typedef struct winograd_tile {
    uint image, row, column;
} winograd_tile;

INLINE winograd_tile find_tile(winograd_maps of, uint tile)
{
    const uint row = tile / of.across;
    const winograd_tile at = {row / of.down, row % of.down, tile % of.across};
    return at;
}

INLINE winograd_tile next_tile(winograd_maps of, winograd_tile at)
{
    if (++at.column == of.across) {
        at.column = 0;
        if (++at.row == of.down)
            at.row = 0, at.image++;
    }
    return at;
}

/* Where the pixels of a window of `side` lie: outside the map there are zeros */
INLINE void find_pixels(const uint side, winograd_size of, readable image, readable zeros,
                        uint top, uint left, readable pixel[MOST * MOST])
{
    ALL for (uint i = 0; i < side; i++)
        ALL for (uint j = 0; j < side; j++) {
            const uint row = top + i, column = left + j;
            const int is_inside = row < of.height && column < of.width;
            const size_t to = ((size_t)row * of.width + column) * of.channels;
            pixel[i * side + j] = is_inside ? image + to : zeros;
        }
}

INLINE size_t image_size(winograd_size of)
{
    return (size_t)of.height * of.width * of.channels;
}

/* V of VW channels of a window */
INLINE void lift_window(const int A, const readable pixel[MOST * MOST], uint channel,
                        writable to, size_t plane)
{
    floatv d[MOST][MOST];
    ALL for (int i = 0; i < A; i++) {
        ALL for (int j = 0; j < A; j++)
            d[i][j] = vloadv(0, pixel[i * A + j] + channel);
        lift(A, d[i]);
    }
    ALL for (int j = 0; j < A; j++) {
        floatv column[MOST];
        ALL for (int i = 0; i < A; i++) column[i] = d[i][j];
        lift(A, column);
        ALL for (int i = 0; i < A; i++)
            vstorev(column[i], 0, to + (i * A + j) * plane);
    }
}

/* Where V is put: channel c of tile t at to[point * plane + t * by_tile +
 * c / VW * by_vector + c % VW] */
typedef struct lifted {
    writable to;
    size_t by_tile, by_vector, plane;
} lifted;

/* V of `count` tiles from `at` on, of `channels` of the map */
INLINE void lift_block(const int A, winograd_maps of, readable map, readable zeros,
                       winograd_tile at, uint count, uint channels, lifted v)
{
    ROLL for (uint t = 0; t < count; t++, at = next_tile(of, at)) {
        readable pixel[MOST * MOST];
        find_pixels(A, of.in, map + at.image * image_size(of.in), zeros,
                    at.row * (A - 2) - of.pad, at.column * (A - 2) - of.pad, pixel);
        ROLL for (uint c = 0; c < channels; c += VW)
            lift_window(A, pixel, c, v.to + t * v.by_tile + c / VW * v.by_vector,
                        v.plane);
    }
}

/* ---- products ----------------------------------------------------------------- */

/* Sums of R tiles and V vectors of columns at one point, added to those that are there
 * or not; vectors of channels, and of columns, lie `pitch` floats apart. One loop: after
 * an inner one the compiler puts all sums into memory. */
INLINE void multiply_tiles(const int R, const int V, readable restrict v,
                           readable restrict u, uint K, size_t pitch, int adds,
                           writable sums)
{
    floatv sum[2 * MR][NV];
    ALL for (int i = 0; i < R; i++)
        ALL for (int j = 0; j < V; j++) sum[i][j] = 0;
    ROLL for (uint k = 0; k < K; k++, u += V * VW) {
        floatv b[NV];
        ALL for (int j = 0; j < V; j++) b[j] = vloadv(j, u);
        ALL for (int i = 0; i < R; i++)
            ALL for (int j = 0; j < V; j++)
                sum[i][j] = fma((floatv)(v[i * VW]), b[j], sum[i][j]);
        v += (k + 1) % VW == 0 ? pitch - VW + 1 : 1;
    }
    ALL for (int i = 0; i < R; i++)
        ALL for (int j = 0; j < V; j++) {
            const writable to = sums + j * pitch + i * VW;
            vstorev(adds ? sum[i][j] + vloadv(0, to) : sum[i][j], 0, to);
        }
}

/* Sums of `count` tiles and one panel; rows past the last tile are never looked at */
INLINE void multiply_panel(uint vectors, uint count, readable v, readable u, uint K,
                           size_t pitch, int adds, writable sums)
{
    const uint rows = vectors == NV ? MR : 2 * MR;
    ROLL for (uint t = 0; t < count; t += rows, v += rows * VW, sums += rows * VW)
        if (vectors == NV)
            multiply_tiles(MR, NV, v, u, K, pitch, adds, sums);
        else if (vectors == 1)
            multiply_tiles(2 * MR, 1, v, u, K, pitch, adds, sums);
        else if (NV == 4)
            multiply_tiles(2 * MR, 2, v, u, K, pitch, adds, sums);
}

/* A tile's outputs, rows of A - 2, of one vector of columns */
INLINE void lower_sums(const int A, readable sums, size_t plane, floatv *out)
{
    floatv half_way[MOST][MOST];
    ALL for (int i = 0; i < A; i++) {
        ALL for (int j = 0; j < A; j++)
            half_way[i][j] = vloadv(0, sums + (i * A + j) * plane);
        lower(A, half_way[i]);
    }
    ALL for (int j = 0; j < A - 2; j++) {
        floatv column[MOST];
        ALL for (int i = 0; i < A; i++) column[i] = half_way[i][j];
        lower(A, column);
        ALL for (int i = 0; i < A - 2; i++) out[i * (A - 2) + j] = column[i];
    }
}

/* Finishes what lies inside the map; t is the whole output */
INLINE void store_tile(const int A, winograd_maps of, winograd_tile at, uint column,
                       const floatv *out, target t, epilogue e)
{
    const update_step none = {0, 0, 0, 0, 0, 0};
    const uint M = A - 2;
    ROLL for (uint i = 0; i < M * M; i++) {
        const uint y = at.row * M + i / M, x = at.column * M + i % M;
        if (y >= of.out.height || x >= of.out.width)
            continue;
        const size_t row = ((size_t)at.image * of.out.height + y) * of.out.width + x;
        finish(out[i], move(t, row, column, of.out.channels), of.out.channels - column,
               -1, e, none);
    }
}

/* Columns first ... end of `count` tiles, from V */
INLINE void make_columns(const int A, winograd_maps of, winograd_tile at, uint count,
                         uint first, uint end, readable v, readable u, writable sums,
                         target t, epilogue e)
{
    const size_t pitch = (of.block + 1) * VW;
    const size_t v_plane = (of.in.channels + VW - 1) / VW * pitch;
    const size_t plane = of.wide / VW * pitch;
    const size_t u_plane = (size_t)of.in.channels * of.padded;
    ROLL for (uint point = 0; point < of.points; point++)
        ROLL for (uint n = first; n < end; n += NR)
            ROLL for (uint k = 0; k < of.in.channels; k += DEPTH) {
                const uint vectors = panel_vectors(n, of.padded);
                multiply_panel(vectors, count, v + point * v_plane + k / VW * pitch,
                               u + point * u_plane + (size_t)n * of.in.channels +
                                   k * vectors * VW,
                               min(of.in.channels - k, (uint)DEPTH), pitch, k > 0,
                               sums + point * plane + (n - first) / VW * pitch);
            }
    ROLL for (uint i = 0; i < count; i++, at = next_tile(of, at))
        ROLL for (uint n = first; n < min(end, of.out.channels); n += VW) {
            floatv out[(MOST - 2) * (MOST - 2)];
            lower_sums(A, sums + (n - first) / VW * pitch + i * VW, plane, out);
            store_tile(A, of, at, n, out, t, e);
        }
}

/* A group's run of tiles and its columns; `room` is its own */
INLINE void convolve(const int A, winograd_maps of, epilogue e, readable map,
                     readable u, target t, writable room)
{
    const uint parts = (of.padded + of.columns - 1) / of.columns;
    const uint begin = get_group_id(0) / parts * of.run;
    const uint end = min(begin + of.run, of.tiles);
    const uint left = get_group_id(0) % parts * of.columns;
    const uint right = min(left + of.columns, of.padded);
    const size_t pitch = (of.block + 1) * VW;
    const uint vectors = (of.in.channels + VW - 1) / VW;
    const writable v = room + vectors * VW, sums = v + of.points * vectors * pitch;
    ROLL for (uint c = 0; c < vectors; c++) vstorev((floatv)0, c, room);
    e.parts &= ADDS_OLD | ADDS_BIAS | DERIVES | MIXES;
    ROLL for (uint i = begin; i < end; i += of.block) {
        const uint count = min(of.block, end - i);
        const winograd_tile at = find_tile(of, i);
        const lifted to = {v, VW, pitch, vectors * pitch};
        lift_block(A, of, map, room, at, count, of.in.channels, to);
        ROLL for (uint n = left; n < right; n += of.wide)
            make_columns(A, of, at, count, n, min(n + of.wide, right), v, u, sums, t,
                         e);
    }
}

/* ---- weight gradient ------------------------------------------------------------ */

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

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
winograd_weights(winograd_weights_from from, __global const float *w, ulong w_at,
                 __global const float *magnitude, ulong magnitude_at,
                 __global float *u, ulong u_at, ulong n, ulong span)
{
    all_weights(4, from, w + w_at, magnitude + magnitude_at, u + u_at, n, span);
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
winograd(winograd_maps of, epilogue e, __global const float *map, ulong map_at,
         __global float *c, ulong c_at, __global const float *bias, ulong bias_at,
         __global const float *other, ulong other_at, __global float *room,
         ulong u_at, ulong room_at, ulong room_pitch)
{
    const target t = {c + c_at, bias + bias_at, other + other_at, 0, 0, 0};
    convolve(4, of, e, map + map_at, room + u_at, t,
             room + room_at + get_group_id(0) * room_pitch);
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
winograd4_weights(winograd_weights_from from, __global const float *w, ulong w_at,
                  __global const float *magnitude, ulong magnitude_at,
                  __global float *u, ulong u_at, ulong n, ulong span)
{
    all_weights(6, from, w + w_at, magnitude + magnitude_at, u + u_at, n, span);
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
winograd4(winograd_maps of, epilogue e, __global const float *map, ulong map_at,
          __global float *c, ulong c_at, __global const float *bias, ulong bias_at,
          __global const float *other, ulong other_at, __global float *room,
          ulong u_at, ulong room_at, ulong room_pitch)
{
    const target t = {c + c_at, bias + bias_at, other + other_at, 0, 0, 0};
    convolve(6, of, e, map + map_at, room + u_at, t,
             room + room_at + get_group_id(0) * room_pitch);
}

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
