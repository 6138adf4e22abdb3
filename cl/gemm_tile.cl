/* The matrix product of GPU-like devices, C <- epilogue(A B): A [M][K], B [K][N],
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
    return of.source == FROM_COLUMNS ? A[(size_t)k * of.pitch + m]
                                : A[(size_t)m * of.pitch + k];
}

INLINE float load_b(operand of, readable B, uint k, uint n)
{
    return of.source == FROM_COLUMNS ? B[(size_t)n * of.pitch + k]
                                : B[(size_t)k * of.pitch + n];
}

/* Neighbouring items load neighbouring floats: along k or along the other index */
INLINE uint2 place(uint i, int along_k)
{
    return along_k ? (uint2)(i / DEPTH, i % DEPTH) : (uint2)(i % BLOCK, i / BLOCK);
}

INLINE void fetch_a(__local float *a, operand of, readable A, uint m, uint M,
                    uint k, uint K, uint i)
{
    const uint2 p = place(i, of.source == FROM_ROWS);
    const int inside = m + p.x < M && k + p.y < K;
    a[p.y * BLOCK + p.x] = inside ? load_a(of, A, m + p.x, k + p.y) : 0;
}

INLINE void fetch_b(__local float *b, operand of, readable B, uint n, uint N,
                    uint k, uint K, uint i)
{
    const uint2 p = place(i, of.source == FROM_COLUMNS);
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

/* ---- entry ------------------------------------------------------------------- */

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void
gemm(uint M, uint N, uint K, operand of_a, readable A, ulong a_at, operand of_b,
     readable B, ulong b_at, writable C, ulong c_at, epilogue e, readable bias,
     ulong bias_at, readable output, ulong output_at)
{
    __local float a[DEPTH * BLOCK], b[DEPTH * BLOCK];
    const uint m = get_group_id(1) * BLOCK, n = get_group_id(0) * BLOCK;
    const uint down = get_local_id(0) / SIDE * 4;
    const uint across = get_local_id(0) % SIDE * 4;
    float4 sum[4] = {0, 0, 0, 0};
    for (uint k = 0; k < K; k += DEPTH) {
        fill_a(a, of_a, A + a_at, m, M, k, K);
        fill_b(b, of_b, B + b_at, n, N, k, K);
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
        const size_t at = (size_t)row * e.pitch + column;
        if (row < M && column < N)
            C[c_at + at] = finish(done[i], C + c_at + at, bias + bias_at + column,
                                  output + output_at + at, e);
    }
}

#undef BLOCK
#undef DEPTH
#undef ITEMS
#undef SIDE
#endif
