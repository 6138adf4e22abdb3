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
 * all reads have constant offsets from one pointer. What depends on A is two nested loops
 * where one would do: that one the compiler unrolls before it knows A, and then leaves
 * the numbers in memory.
 *
 * The data gradient is the same over delta, with turned weights; the weight gradient is
 * cl/winograd_gradient.cl's, which follows in the same program and needs what is defined
 * here. host/ops/winograd.c chooses the sizes. */
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

/* ---- transforms of four or six numbers, `step` apart ---------------------------- */

/* Of windows: P d */
INLINE void lift(const int A, floatv *d, const int step)
{
    const floatv a = d[0], b = d[step], c = d[2 * step], e = d[3 * step];
    if (A == 4) {
        d[0] = a - c, d[step] = b + c, d[2 * step] = c - b, d[3 * step] = b - e;
        return;
    }
    const floatv f = d[4 * step], g = d[5 * step];
    const floatv p = f - 4.0f * c, q = e - 4.0f * b;
    const floatv r = f - c, s = 2.0f * (e - b);
    d[0] = 4.0f * a - 5.0f * c + f;
    d[step] = p + q, d[2 * step] = p - q, d[3 * step] = r + s, d[4 * step] = r - s;
    d[5 * step] = 4.0f * b - 5.0f * e + g;
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
INLINE void lower(const int A, floatv *s, const int step)
{
    const floatv a = s[step] + s[2 * step], b = s[step] - s[2 * step];
    if (A == 4) {
        s[0] += a, s[step] = b - s[3 * step];
        return;
    }
    const floatv c = s[3 * step] + s[4 * step], d = s[3 * step] - s[4 * step];
    s[0] += a + c;
    s[step] = b + 2.0f * d;
    s[2 * step] = a + 4.0f * c;
    s[3 * step] = b + 8.0f * d + s[5 * step];
}

/* ---- weights ------------------------------------------------------------------ */

/* W [3][3][in][out], read as it is or, for the data gradient, turned: in and out
 * change places and each map is turned round. K, N as the product has them. */
typedef struct winograd_weights_from {
    uint K, N, padded; /* columns with those of the last panel */
    int is_turned;
    int kind; /* of cl/common_products.cl's values */
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
    uint depth;               /* terms of a sum that are summed at once */
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
INLINE void lift_window(const int A, floatv *d, writable to, size_t plane)
{
    ALL for (int i = 0; i < A; i++) lift(A, d + i * A, 1);
    ALL for (int j = 0; j < A; j++) lift(A, d + j, A);
    ALL for (int i = 0; i < A; i++)
        ALL for (int j = 0; j < A; j++)
            storev(d[i * A + j], to + (i * A + j) * plane);
}

/* Where V is put: channel c of tile t at to[point * plane + t * by_tile +
 * c / VW * by_vector + c % VW] */
typedef struct lifted {
    writable to;
    size_t by_tile, by_vector, plane;
} lifted;

/* V of `count` tiles from `at` on, of `channels` of the map. Windows that lie inside of
 * it need no list of pixels. Asks for what the next row of tiles reads first */
INLINE void lift_block(const int A, winograd_maps of, readable map, readable zeros,
                       winograd_tile at, uint count, uint channels, lifted v)
{
    const size_t step = of.in.channels, line = of.in.width * step;
    ROLL for (uint t = 0; t < count; t++, at = next_tile(of, at)) {
        const uint top = at.row * (A - 2) - of.pad, left = at.column * (A - 2) - of.pad;
        const readable image = map + at.image * image_size(of.in);
        const readable first = image + (int)top * (long)line + (int)left * (long)step;
        const int is_inside = top < of.in.height && top + A <= of.in.height &&
                              left < of.in.width && left + A <= of.in.width;
        readable pixel[MOST * MOST];
        if (!is_inside)
            find_pixels(A, of.in, image, zeros, top, left, pixel);
        ROLL for (uint c = 0; c < channels; c += VW) {
            floatv d[MOST * MOST];
            ALL for (int i = 2; i < A; i++)
                ALL for (int j = 2; j < A; j++)
                    WANT(first + (A - 2 + i) * line + j * step + c);
            if (is_inside)
                ALL for (int i = 0; i < A; i++)
                    ALL for (int j = 0; j < A; j++)
                        d[i * A + j] = loadv(first + i * line + j * step + c);
            else
                ALL for (int i = 0; i < A; i++)
                    ALL for (int j = 0; j < A; j++)
                        d[i * A + j] = loadv(pixel[i * A + j] + c);
            lift_window(A, d, v.to + t * v.by_tile + c / VW * v.by_vector, v.plane);
        }
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
    EACH(i, R, 2 * MR)
        EACH(j, V, NV) sum[i][j] = 0;
    ROLL for (uint k = 0; k < K; k++, u += V * VW) {
        floatv b[NV];
        EACH(j, V, NV) b[j] = vloadv(j, u);
        EACH(i, R, 2 * MR)
            EACH(j, V, NV)
                sum[i][j] = fma((floatv)(v[i * VW]), b[j], sum[i][j]);
        v += (k + 1) % VW == 0 ? pitch - VW + 1 : 1;
    }
    EACH(i, R, 2 * MR)
        EACH(j, V, NV) {
            const writable to = sums + j * pitch + i * VW;
            storev(adds ? sum[i][j] + loadv(to) : sum[i][j], to);
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

/* A tile's outputs, rows of A, of one vector of columns */
INLINE void lower_sums(const int A, readable sums, size_t plane, floatv *out)
{
    ALL for (int i = 0; i < A; i++)
        ALL for (int j = 0; j < A; j++)
            out[i * A + j] = loadv(sums + (i * A + j) * plane);
    ALL for (int i = 0; i < A; i++) lower(A, out + i * A, 1);
    ALL for (int j = 0; j < A - 2; j++) lower(A, out + j, A);
}

/* Lowers a tile's sums and finishes what lies inside the map; t is the whole output */
INLINE void store_tile(const int A, winograd_maps of, winograd_tile at, uint column,
                       readable sums, size_t plane, target t, epilogue e)
{
    const update_step none = {0, 0, 0, 0, 0, 0};
    const uint M = A - 2;
    floatv out[MOST * MOST];
    lower_sums(A, sums, plane, out);
    ROLL for (uint i = 0; i < M * M; i++) {
        const uint y = at.row * M + i / M, x = at.column * M + i % M;
        if (y >= of.out.height || x >= of.out.width)
            continue;
        const size_t row = ((size_t)at.image * of.out.height + y) * of.out.width + x;
        finish(out[i / M * A + i % M], move(t, row, column, of.out.channels),
               of.out.channels - column, -1, e, none);
    }
}

/* What most tiles end with, made short: all of it, added to what is there or not, from
 * numbers of its own, which thus stay in registers. Asks for where the next row of
 * tiles goes */
INLINE void store_plain(const int A, winograd_maps of, winograd_tile at, uint column,
                        readable sums, size_t plane, writable c, int adds)
{
    const uint M = A - 2;
    floatv out[MOST * MOST];
    lower_sums(A, sums, plane, out);
    const size_t step = of.out.channels, line = of.out.width * step;
    c += at.image * image_size(of.out) + at.row * M * line + at.column * M * step;
    c += column;
    ALL for (uint i = 0; i < M; i++)
        ALL for (uint j = 0; j < M; j++) {
            const writable p = c + i * line + j * step;
            storev(adds ? out[i * A + j] + loadv(p) : out[i * A + j], p);
            WANT_STORE(p + M * line);
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
            ROLL for (uint k = 0; k < of.in.channels; k += of.depth) {
                const uint vectors = panel_vectors(n, of.padded);
                multiply_panel(vectors, count, v + point * v_plane + k / VW * pitch,
                               u + point * u_plane + (size_t)n * of.in.channels +
                                   k * vectors * VW,
                               min(of.in.channels - k, of.depth), pitch, k > 0,
                               sums + point * plane + (n - first) / VW * pitch);
            }
    const int is_plain = (e.parts & ~ADDS_OLD) == 0 && e.activation == LINEAR &&
                         of.out.channels % VW == 0;
    ROLL for (uint i = 0; i < count; i++, at = next_tile(of, at)) {
        const int is_whole = (at.row + 1) * (A - 2) <= of.out.height &&
                             (at.column + 1) * (A - 2) <= of.out.width;
        ROLL for (uint n = first; n < min(end, of.out.channels); n += VW) {
            const readable from = sums + (n - first) / VW * pitch + i * VW;
            if (is_plain && is_whole)
                store_plain(A, of, at, n, from, plane, t.c, e.parts);
            else
                store_tile(A, of, at, n, from, plane, t, e);
        }
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
#endif
