/* Matrix products of GPU-like devices, C <- epilogue(A B): A [M][K], B [K][N],
 * C [M][N], float, row-major, any pitch. cl/gemm.cl is its CPU-like twin.
 *
 * A work-group of 64 items makes BLOCK x BLOCK of C, an item 4 x 4 of it. K goes in
 * chunks of DEPTH, which the group loads into local memory, A turned:
 *
 *            BLOCK             item (x, y) of 8 x 8 reads 4 floats of each row:
 *        +-----------+         a[k][4 y .. 4 y + 3], b[k][4 x .. 4 x + 3]
 *  DEPTH | a[k][m]   |
 *        | b[k][n]   |         Past the edges zeros are loaded and nothing is
 *        +-----------+         stored.
 *
 * Only load_a and load_b know what an operand is (`source`). Inside a chunk
 * nothing is a loop: llvmpipe ends all loops of an item after 65,535 iterations,
 * and K / DEPTH of them reach K = 500,000. The sum over k goes in order. */
#if !CPU_LIKE

#define BLOCK 32 /* host/ops/gemm.c: TILE_BLOCK */
#define DEPTH 16
#define ITEMS 64
#define SIDE 8 /* items on a side of the block */

typedef __global const float *readable;
typedef __global float *writable;

/* ---- sources ----------------------------------------------------------------- */

INLINE float load_a(operand of, readable A, uint m, uint k)
{
    if (m == of.ones)
        return 1;
    return of.source == FROM_COLUMNS ? A[(size_t)k * of.in.pitch + m]
                                     : A[(size_t)m * of.in.pitch + k];
}

INLINE float load_b(operand of, readable B, uint k, uint n)
{
    return of.source == FROM_COLUMNS ? B[(size_t)n * of.in.pitch + k]
                                     : B[(size_t)k * of.in.pitch + n];
}

/* Neighbouring items load neighbouring floats: along k or along the other index */
INLINE uint2 spot(uint i, int along_k)
{
    return along_k ? (uint2)(i / DEPTH, i % DEPTH) : (uint2)(i % BLOCK, i / BLOCK);
}

INLINE void fetch_a(__local float *a, operand of, readable A, uint m, uint M,
                    uint k, uint K, uint i)
{
    const uint2 p = spot(i, of.source == FROM_ROWS);
    const int inside = m + p.x < M && k + p.y < K;
    a[p.y * BLOCK + p.x] = inside ? load_a(of, A, m + p.x, k + p.y) : 0;
}

INLINE void fetch_b(__local float *b, operand of, readable B, uint n, uint N,
                    uint k, uint K, uint i)
{
    const uint2 p = spot(i, of.source == FROM_COLUMNS);
    const int inside = n + p.x < N && k + p.y < K;
    b[p.y * BLOCK + p.x] = inside ? load_b(of, B, k + p.y, n + p.x) : 0;
}

/* An item loads BLOCK * DEPTH / ITEMS = 8 floats of each operand, in no loop */
INLINE void fill_a(__local float *a, operand of, readable A, uint m, uint M, uint k,
                   uint K)
{
    const uint i = get_local_id(0);
    fetch_a(a, of, A, m, M, k, K, i);
    fetch_a(a, of, A, m, M, k, K, i + ITEMS);
    fetch_a(a, of, A, m, M, k, K, i + 2 * ITEMS);
    fetch_a(a, of, A, m, M, k, K, i + 3 * ITEMS);
    fetch_a(a, of, A, m, M, k, K, i + 4 * ITEMS);
    fetch_a(a, of, A, m, M, k, K, i + 5 * ITEMS);
    fetch_a(a, of, A, m, M, k, K, i + 6 * ITEMS);
    fetch_a(a, of, A, m, M, k, K, i + 7 * ITEMS);
}

INLINE void fill_b(__local float *b, operand of, readable B, uint n, uint N, uint k,
                   uint K)
{
    const uint i = get_local_id(0);
    fetch_b(b, of, B, n, N, k, K, i);
    fetch_b(b, of, B, n, N, k, K, i + ITEMS);
    fetch_b(b, of, B, n, N, k, K, i + 2 * ITEMS);
    fetch_b(b, of, B, n, N, k, K, i + 3 * ITEMS);
    fetch_b(b, of, B, n, N, k, K, i + 4 * ITEMS);
    fetch_b(b, of, B, n, N, k, K, i + 5 * ITEMS);
    fetch_b(b, of, B, n, N, k, K, i + 6 * ITEMS);
    fetch_b(b, of, B, n, N, k, K, i + 7 * ITEMS);
}

/* ---- register block ---------------------------------------------------------- */

INLINE void step(float4 sum[4], __local const float *a, __local const float *b,
                 int k)
{
    const float4 u = vload4(k * (BLOCK / 4), a), v = vload4(k * (BLOCK / 4), b);
    sum[0] = fma((float4)(u.s0), v, sum[0]);
    sum[1] = fma((float4)(u.s1), v, sum[1]);
    sum[2] = fma((float4)(u.s2), v, sum[2]);
    sum[3] = fma((float4)(u.s3), v, sum[3]);
}

INLINE void four_steps(float4 sum[4], __local const float *a,
                       __local const float *b, int k)
{
    step(sum, a, b, k);
    step(sum, a, b, k + 1);
    step(sum, a, b, k + 2);
    step(sum, a, b, k + 3);
}

/* ---- a job ------------------------------------------------------------------- */

/* Block number `share` of C, by the whole group */
INLINE void work(const job *j, uint share, buffers in, float4 step,
                 __local float *a, __local float *b)
{
    const uint wide = (j->N + BLOCK - 1) / BLOCK;
    const uint m = share / wide * BLOCK, n = share % wide * BLOCK;
    const uint down = get_local_id(0) / SIDE * 4;
    const uint across = get_local_id(0) % SIDE * 4;
    const readable A = find(in, j->a.in), B = find(in, j->b.in);
    const target whole = find_target(in, j);
    float4 sum[4] = {0, 0, 0, 0};
    for (uint k = 0; k < j->K; k += DEPTH) {
        fill_a(a, j->a, A, m, j->M, k, j->K);
        fill_b(b, j->b, B, n, j->N, k, j->K);
        barrier(CLK_LOCAL_MEM_FENCE);
        four_steps(sum, a + down, b + across, 0);
        four_steps(sum, a + down, b + across, 4);
        four_steps(sum, a + down, b + across, 8);
        four_steps(sum, a + down, b + across, 12);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    float done[16];
    vstore4(sum[0], 0, done);
    vstore4(sum[1], 1, done);
    vstore4(sum[2], 2, done);
    vstore4(sum[3], 3, done);
    for (uint i = 0; i < 16; i++) {
        const uint row = m + down + i / 4, column = n + across + i % 4;
        if (row < j->M && column < j->N)
            finish(done[i], move(whole, row, column, j->e.pitch), 1, j->e, step);
    }
}

/* ---- entry ------------------------------------------------------------------- */

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
gemm(__global const job *jobs, uint count, float4 step, writable p0, writable p1,
     writable p2, writable p3, writable p4, writable p5, writable p6, writable p7)
{
    __local float a[DEPTH * BLOCK], b[DEPTH * BLOCK];
    writable const in[BUFFERS] = {p0, p1, p2, p3, p4, p5, p6, p7};
    uint i = 0;
    while (i + 1 < count && get_group_id(0) >= jobs[i + 1].first) i++;
    const job j = jobs[i];
    if (!is_halted(in, &j))
        work(&j, get_group_id(0) - j.first, in, step, a, b);
}

#undef BLOCK
#undef DEPTH
#undef ITEMS
#undef SIDE
#endif
