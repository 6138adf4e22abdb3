/* Matrix products of GPU-like devices, C <- epilogue(A B): A [M][K], B [K][N],
 * C [M][N], float, row-major, any pitch. cl/gemm.cl is its CPU-like twin.
 *
 * A work-group of `side` x `side` items makes a block of 4 side x 4 side of C, an
 * item 4 x 4 of it. K goes in chunks of `side`, so that an item loads four floats of
 * each operand, one vector where they are aligned. It does so a chunk ahead, which
 * hides memory's latency where few groups run, and puts them into local memory:
 *
 *          4 side    4
 *        +---------+--+     item (x, y) reads a vector of each row,
 *   side | a[k][m] |  |     a[k][4 y .. 4 y + 3] and b[k][4 x .. 4 x + 3]
 *        | b[k][n] |  |     for 16 multiplications; a row is longer by 4 so that
 *        +---------+--+     what arrives along k goes into more of the banks.
 *
 * Past the edges zeros are loaded and nothing is stored. Only `load` knows how an
 * operand is stored (`source`), `load_patch` which patches of a map A consists of, and
 * `load_values` what B's elements are (`values`).
 * The sums leave through local memory too, a quarter of the rows at a time:
 * neighbouring items then finish neighbouring floats.
 *
 * `side` is a constant wherever it stands; two kernels have blocks of TILE and, for
 * few or thin products, of half of it. Neither changes a bit: the sum over k goes in
 * order. Inside a chunk nothing is a loop: llvmpipe ends all loops of an item after
 * 65,535 iterations, and K / side of them reach K = 500,000. */
#if !CPU_LIKE

#ifndef TILE
#define TILE 64 /* 32 or 64: 64 or 256 items, 2.3 or 8.5 KiB of local memory */
#endif
#define SIDE (TILE / 4)
#define SMALL_SIDE (TILE / 8)
#define PITCH(side) ((side) + 1) /* of local memory, in vectors */

typedef __local float4 *shared;

/* ---- sources ----------------------------------------------------------------- */

/* Four neighbours of a stored row, 0 outside the rows and columns */
INLINE float4 load(operand of, readable from, uint row, uint rows, uint column,
                   uint columns)
{
    if (row >= rows || column >= columns)
        return 0;
    const readable p = from + (size_t)row * of.in.pitch + column;
    const int is_aligned = ((of.in.at | of.in.pitch) & 3) == 0;
    const uint4 lane = column + (uint4)(0, 1, 2, 3);
    float4 v = is_aligned ? *(__global const float4 *)p : vload4(0, p);
    v = lane < columns ? v : (float4)0;
    return lane == of.ones ? (float4)1 : v;
}

/* Where element [pixel][column] of a map's patches lies; outside the map: -1 */
INLINE long find_tap(patches map, pixel p, uint column)
{
    const uint tap = column / map.channels;
    const uint line = p.y * map.stride + map.top + tap / map.across;
    const uint at = p.x * map.stride + map.left + tap % map.across;
    if (line >= map.height || at >= map.width)
        return -1;
    return ((p.image * (long)map.height + line) * map.width + at) * map.channels +
           column % map.channels;
}

INLINE float load_tap(patches map, readable from, pixel p, uint column)
{
    const long at = find_tap(map, p, column);
    return at < 0 ? 0 : from[at];
}

/* Four channels of a tap */
INLINE float4 load_channels(patches map, readable from, pixel p, uint column)
{
    const long at = find_tap(map, p, column);
    return at < 0 ? (float4)0 : vload4(0, from + at);
}

/* Four neighbours of a pixel's row of them, 0 outside `rows` and `columns` */
INLINE float4 load_patch(operand of, patches map, readable from, uint row, uint rows,
                         uint column, uint columns)
{
    if (row >= rows || column >= columns)
        return 0;
    const pixel p = find_pixel(map, row);
    const uint4 lane = column + (uint4)(0, 1, 2, 3);
    float4 v;
    if (column % map.channels + 4 <= map.channels)
        v = load_channels(map, from, p, column);
    else
        v = (float4)(load_tap(map, from, p, lane.s0), load_tap(map, from, p, lane.s1),
                     load_tap(map, from, p, lane.s2), load_tap(map, from, p, lane.s3));
    v = lane < columns ? v : (float4)0;
    return lane == of.ones ? (float4)1 : v;
}

/* Four neighbours of a row of random numbers, from number `first` on */
INLINE float4 draw_four(numbers of, ulong first)
{
    const uint skip = first & 3;
    const float4 a = draw(of, first / 4);
    if (skip == 0)
        return a;
    const float4 b = draw(of, first / 4 + 1);
    return skip == 1   ? (float4)(a.s123, b.s0)
           : skip == 2 ? (float4)(a.s23, b.s01)
                       : (float4)(a.s3, b.s012);
}

INLINE float4 give_signs(float4 m, float4 w)
{
    return (float4)(give_sign(m.s0, w.s0), give_sign(m.s1, w.s1),
                    give_sign(m.s2, w.s2), give_sign(m.s3, w.s3));
}

/* What an item loads of a chunk and where it puts that: `along` the block's side and
 * k. Neighbouring items load neighbours of a stored row. */
typedef struct spot {
    uint along, k;
    int along_k;
} spot;

INLINE spot find_spot(const uint side, int along_k)
{
    const uint i = get_local_id(0);
    const spot by_k = {i / (side / 4), i % (side / 4) * 4, 1};
    const spot by_row = {i % side * 4, i / side, 0};
    return along_k ? by_k : by_row;
}

INLINE float4 fetch(operand of, readable from, spot s, uint first, uint end, uint k,
                    uint K)
{
    return s.along_k ? load(of, from, first + s.along, end, k + s.k, K)
                     : load(of, from, k + s.k, K, first + s.along, end);
}

/* A, [M][K] */
typedef struct left {
    operand of;
    patches map;
    readable from;
    uint M, K;
} left;

INLINE left find_left(__global const job *j, buffers in)
{
    const left a = {j->a, j->map, find(in, j->a.in), j->M, j->K};
    return a;
}

INLINE float4 load_left(left a, spot s, uint m, uint k)
{
    const uint row = m + s.along, column = k + s.k;
    if (a.of.source < FROM_PATCHES)
        return fetch(a.of, a.from, s, m, a.M, k, a.K);
    return s.along_k ? load_patch(a.of, a.map, a.from, row, a.M, column, a.K)
                     : load_patch(a.of, a.map, a.from, column, a.K, row, a.M);
}

/* B, [K][N] */
typedef struct right {
    operand of;
    values is;
    readable from, magnitude;
    uint K, N;
} right;

INLINE right find_right(__global const job *j, buffers in, update_step step)
{
    const job copy = *j;
    const values is = find_values(&copy, step);
    const right b = {copy.b, is, find(in, copy.b.in), find(in, is.magnitude),
                     copy.K, copy.N};
    return b;
}

/* Its random elements at [row][column] and behind it in that row; the signs of a row
 * are stored in a column */
INLINE float4 load_random(right b, uint row, uint column)
{
    if (row >= b.K || column >= b.N)
        return 0;
    const float4 m = draw_four(b.is.random, row * (ulong)b.N + column);
    if (!(b.is.kind & SIGNED))
        return m;
    const uint4 n = min(column + (uint4)(0, 1, 2, 3), b.N - 1);
    const size_t ld = b.of.in.pitch;
    const readable w = b.from + row;
    return give_signs(m, (float4)(w[n.s0 * ld], w[n.s1 * ld], w[n.s2 * ld],
                                  w[n.s3 * ld]));
}

INLINE float4 load_values(right b, spot s, uint n, uint k)
{
    const operand beside = {b.is.magnitude, b.of.source, b.of.ones};
    if (b.is.kind & RANDOM)
        return load_random(b, k + s.k, n + s.along);
    const float4 v = fetch(b.of, b.from, s, n, b.N, k, b.K);
    if (!(b.is.kind & SIGNED))
        return v;
    const float4 m = b.is.kind & MAGNITUDES
                         ? fetch(beside, b.magnitude, s, n, b.N, k, b.K)
                         : (float4)(b.is.scale);
    return give_signs(m, v);
}

INLINE void put(const uint side, shared to, spot s, float4 v)
{
    const uint pitch = 4 * PITCH(side);
    __local float *p = (__local float *)to + s.k * pitch + s.along;
    if (s.along_k)
        p[0] = v.s0, p[pitch] = v.s1, p[2 * pitch] = v.s2, p[3 * pitch] = v.s3;
    else
        *(shared)p = v;
}

/* ---- register block ---------------------------------------------------------- */

INLINE void multiply(float4 sum[4], float4 u, float4 v)
{
    sum[0] = fma((float4)(u.s0), v, sum[0]);
    sum[1] = fma((float4)(u.s1), v, sum[1]);
    sum[2] = fma((float4)(u.s2), v, sum[2]);
    sum[3] = fma((float4)(u.s3), v, sum[3]);
}

INLINE void four_steps(const uint side, float4 sum[4], shared a, shared b)
{
    const uint pitch = PITCH(side);
    multiply(sum, a[0], b[0]);
    multiply(sum, a[pitch], b[pitch]);
    multiply(sum, a[2 * pitch], b[2 * pitch]);
    multiply(sum, a[3 * pitch], b[3 * pitch]);
}

INLINE void chunk(const uint side, float4 sum[4], shared a, shared b)
{
    const uint four = 4 * PITCH(side);
    four_steps(side, sum, a, b);
    if (side > 4)
        four_steps(side, sum, a + four, b + four);
    if (side > 8) {
        four_steps(side, sum, a + 2 * four, b + 2 * four);
        four_steps(side, sum, a + 3 * four, b + 3 * four);
    }
}

/* ---- a job ------------------------------------------------------------------- */

/* C's block from [m][n] on: every fourth row, then the next of each four; what lies
 * below a symmetric C's diagonal is stored above it too */
INLINE void finish_block(const uint side, __global const job *of, uint m, uint n,
                         const float4 sum[4], buffers in, update_step step, shared rows)
{
    const job j = *of;
    const target whole = find_target(in, &j);
    const epilogue e = find_epilogue(in, &j);
    const int symmetric = (e.parts & SYMMETRIC) != 0;
    const uint item = get_local_id(0);
    for (uint r = 0; r < 4; r++) {
        rows[item] = r == 0 ? sum[0] : r == 1 ? sum[1] : r == 2 ? sum[2] : sum[3];
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint i = item; i < 4 * side * side; i += side * side) {
            const uint row = m + i / (4 * side) * 4 + r, column = n + i % (4 * side);
            if (row >= j.M || column >= (symmetric ? row + 1 : j.N))
                continue;
            const size_t at = j.to.step ? find_row(j.to, find_pixel(j.map, row)) : row;
            const float v = finish(((__local float *)rows)[i],
                                   move(whole, at, column, e.pitch), 1,
                                   (int)(row - column), e, step);
            if (symmetric)
                whole.c[column * (size_t)e.pitch + row] = v;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

/* This group's block of its job; nobody needs those above a symmetric C's diagonal */
INLINE void work(const uint side, __global const job *j, buffers in, update_step step,
                 shared a, shared b)
{
    const uint share = get_group_id(0) - j->first, item = get_local_id(0);
    const uint N = j->N, K = j->K;
    const uint wide = (N + 4 * side - 1) / (4 * side);
    const uint m = share / wide * 4 * side, n = share % wide * 4 * side;
    const left A = find_left(j, in);
    const right B = find_right(j, in, step);
    const spot at_a = find_spot(side, A.of.source == FROM_ROWS ||
                                          A.of.source == FROM_PATCHES);
    const spot at_b = find_spot(side, B.of.source == FROM_COLUMNS &&
                                          !(B.is.kind & RANDOM));
    if ((j->e.parts & SYMMETRIC) && m < n)
        return;
    float4 next_a = load_left(A, at_a, m, 0);
    float4 next_b = load_values(B, at_b, n, 0);
    float4 sum[4] = {0, 0, 0, 0};
    for (uint k = 0; k < K; k += side) {
        put(side, a, at_a, next_a);
        put(side, b, at_b, next_b);
        barrier(CLK_LOCAL_MEM_FENCE);
        next_a = load_left(A, at_a, m, k + side);
        next_b = load_values(B, at_b, n, k + side);
        chunk(side, sum, a + item / side, b + item % side);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    finish_block(side, j, m, n, sum, in, step, a);
}

INLINE int is_group_halted(__global const job *of, buffers in)
{
    const job j = *of;
    return is_halted(in, &j);
}

INLINE __global const job *find_job(__global const job *jobs, uint count)
{
    uint i = 0;
    while (i + 1 < count && get_group_id(0) >= jobs[i + 1].first) i++;
    return jobs + i;
}

/* ---- entries ----------------------------------------------------------------- */

__kernel __attribute__((reqd_work_group_size(SIDE *SIDE, 1, 1))) void
gemm(__global const job *jobs, uint count, update_step step, writable p0, writable p1,
     writable p2, writable p3, writable p4, writable p5, writable p6, writable p7)
{
    __local float4 a[SIDE * PITCH(SIDE)], b[SIDE * PITCH(SIDE)];
    writable const in[BUFFERS] = {p0, p1, p2, p3, p4, p5, p6, p7};
    __global const job *j = find_job(jobs, count);
    if (!is_group_halted(j, in))
        work(SIDE, j, in, step, a, b);
}

__kernel __attribute__((reqd_work_group_size(SMALL_SIDE *SMALL_SIDE, 1, 1))) void
gemm_small(__global const job *jobs, uint count, update_step step, writable p0,
           writable p1, writable p2, writable p3, writable p4, writable p5,
           writable p6, writable p7)
{
    __local float4 a[SMALL_SIDE * PITCH(SMALL_SIDE)];
    __local float4 b[SMALL_SIDE * PITCH(SMALL_SIDE)];
    writable const in[BUFFERS] = {p0, p1, p2, p3, p4, p5, p6, p7};
    __global const job *j = find_job(jobs, count);
    if (!is_group_halted(j, in))
        work(SMALL_SIDE, j, in, step, a, b);
}

#undef SIDE
#undef SMALL_SIDE
#undef PITCH
#undef TILE
#endif
