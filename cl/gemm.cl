/* The matrix product of CPU-like devices, C <- epilogue(A B): A [M][K], B [K][N],
 * C [M][N], float, row-major, any pitch. cl/gemm_tile.cl is its GPU-like twin.
 *
 * A work-group is one work-item and owns `rows` x `columns` of C. It walks K in
 * blocks of kc and fills its part of `scratch`, which stays in the L2 cache:
 *
 *        PITCH                    NR    NR
 *   +------------+             +-----+-----+--
 *   | mc rows    |          kc |panel|panel|     nb columns of B as panels of NR,
 *   | of A, kc   |             |     |     |     each KC x NR
 *   | of each    |             +-----+-----+--
 *   +------------+
 *   a[m * PITCH + k]           b[(n / NR) * KC * NR + k * NR + n % NR]
 *
 * and multiplies MR rows by a panel in registers (`multiply`). Only `fill` knows
 * what an operand is (`source`); a new source is one more case of it. All reads of
 * the tile have constant offsets from one pointer, so no row pointers spill, and
 * PITCH is no multiple of 4096 bytes. What becomes of a sum is a run-time switch
 * in a loop that is not unrolled: one tile, compiled once, serves every product.
 *
 * Fills copy whole vectors and so read up to 15 floats past an operand's last
 * element (buffers are padded), and leave leftovers beside the rows and columns in
 * use; those only ever reach sums that are not stored.
 *
 * The sum over k goes block by block, in order; kc follows from K alone. host/ops/
 * gemm.c chooses the sizes and has MR, NV (TILES) and KC (DEPTH) too. */
#if CPU_LIKE

/* Rows and vectors of the register tile: as many accumulators as registers allow */
#if VW == 16
#define MR 12
#define NV 2
#elif VW == 8
#define MR 6
#define NV 2
#else
#define MR 8
#define NV 3
#endif
#ifndef KC
#define KC 256 /* longest block of k; a multiple of 16 */
#endif
#ifndef FETCH
#define FETCH 16 /* rows of B asked for before they are copied */
#endif
#define NR (VW * NV)
#define PITCH (KC + 16)

/* Harmless where the address is not readable; Oclgrind, a SPIR target, lacks it */
#if defined(__clang__) && !defined(__SPIR__)
#define WANT(p) __builtin_prefetch(p)
#define WANT_STORE(p) __builtin_prefetch(p, 1)
#else
#define WANT(p)
#define WANT_STORE(p)
#endif

typedef __global const float *readable;
typedef __global float *writable;

/* A group's rectangle, and the blocks it is worked through in */
typedef struct blocking {
    uint rows, columns;
    uint kc, mc, nb;
} blocking;

/* ---- fills ------------------------------------------------------------------- */

/* By perfect shuffles: each step interleaves row i with row i + VW / 2 */
INLINE void transpose(floatv r[VW])
{
    ALL for (int s = 1; s < VW; s *= 2) {
        floatv t[VW];
        ALL for (int i = 0; i < VW / 2; i++) {
            t[2 * i].even = r[i].lo, t[2 * i].odd = r[i + VW / 2].lo;
            t[2 * i + 1].even = r[i].hi, t[2 * i + 1].odd = r[i + VW / 2].hi;
        }
        ALL for (int i = 0; i < VW; i++) r[i] = t[i];
    }
}

/* d[column][row] <- s[row][column] */
INLINE void turn(writable d, int pitch, readable s, size_t ld, int rows,
                 int columns)
{
    ROLL for (int i = 0; i < rows; i += VW)
        ROLL for (int j = 0; j < columns; j += VW) {
            floatv r[VW];
            ALL for (int k = 0; k < VW; k++)
                r[k] = vloadv(0, s + min(i + k, rows - 1) * ld + j);
            transpose(r);
            ALL for (int k = 0; k < VW; k++)
                vstorev(r[k], 0, d + (j + k) * pitch + i);
        }
}

/* d[row][column] <- s[row][column]; whole panels, B's usual case, are prefetched */
INLINE void copy(writable d, int pitch, readable s, size_t ld, int rows,
                 int columns)
{
    if (columns == NR)
        for (int i = 0; i < rows; i++, s += ld, d += pitch)
            ALL for (int j = 0; j < NV; j++) {
                WANT(s + FETCH * ld + j * VW);
                vstorev(vloadv(j, s), j, d);
            }
    else
        ROLL for (int i = 0; i < rows; i++, s += ld, d += pitch)
            for (int j = 0; j < columns; j += VW)
                vstorev(vloadv(0, s + j), 0, d + j);
}

/* What is filled next: rows x columns of an operand, from [row][column] on */
typedef struct part {
    operand of;
    readable from;
    writable to;
    int pitch;
    uint row, column;
    int rows, columns;
} part;

INLINE void fill(part p)
{
    const size_t ld = p.of.pitch;
    if (p.of.source == FROM_COLUMNS)
        turn(p.to, p.pitch, p.from + p.column * ld + p.row, ld, p.columns, p.rows);
    else
        copy(p.to, p.pitch, p.from + p.row * ld + p.column, ld, p.rows, p.columns);
}

/* A's block if wanted, then panels of B. In one loop, because a second call of
 * `fill` would be compiled a second time, which takes half a second on PoCL */
INLINE void fill_blocks(int with_a, part block, part panels)
{
    for (int j = with_a ? -NR : 0; j < panels.columns; j += NR) {
        part panel = panels;
        panel.to += j * KC, panel.column += j;
        panel.columns = min(panels.columns - j, NR);
        fill(j < 0 ? block : panel);
    }
}

/* ---- register tile ----------------------------------------------------------- */

/* The sums of MR rows and V vectors; V is a constant, so the loops unroll */
INLINE void multiply(const int V, readable a, readable b, uint kn, floatv *done)
{
    floatv sum[MR][NV];
    ALL for (int i = 0; i < MR; i++)
        ALL for (int j = 0; j < V; j++) sum[i][j] = 0;
    ROLL for (uint k = 0; k < kn; k++, a++, b += NR) {
        floatv v[NV];
        ALL for (int j = 0; j < V; j++) v[j] = vloadv(j, b);
        ALL for (int i = 0; i < MR; i++)
            ALL for (int j = 0; j < V; j++)
                sum[i][j] = fma((floatv)(a[i * PITCH]), v[j], sum[i][j]);
    }
    ALL for (int i = 0; i < MR; i++)
        ALL for (int j = 0; j < V; j++) done[i * NV + j] = sum[i][j];
}

/* C's rows x columns at one tile and one panel */
INLINE void product(readable a, readable b, uint kn, writable C, readable bias,
                    readable h, int rows, int columns, epilogue e)
{
    floatv done[MR * NV];
    ROLL for (int i = 0; i < rows; i++)
        ALL for (int j = 0; j < NV; j++)
            WANT_STORE(C + i * (size_t)e.pitch + j * VW);
    if (columns <= VW)
        multiply(1, a, b, kn, done);
    else
        multiply(NV, a, b, kn, done);
    ROLL for (int i = 0; i < rows; i++, C += e.pitch, h += e.pitch)
        ROLL for (int j = 0; j * VW < columns; j++)
            store_lanes(C + j * VW,
                        finish(done[i * NV + j], C + j * VW, bias + j * VW,
                               h + j * VW, e),
                        columns - j * VW);
}

/* ---- entry ------------------------------------------------------------------- */

/* What the epilogue does at a block of k: the first adds to C what the caller wants
 * added, the others what the first left there; the last does the rest */
INLINE epilogue at_block(epilogue e, int first, int last)
{
    e.parts = (first ? e.parts & ADDS_OLD : ADDS_OLD) |
              (last ? e.parts & (ADDS_BIAS | DERIVES) : 0);
    e.activation = last ? e.activation : LINEAR;
    return e;
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm(uint M, uint N, uint K, operand of_a, readable A, ulong a_at, operand of_b,
     readable B, ulong b_at, writable C, ulong c_at, epilogue whole, readable bias,
     ulong bias_at, readable output, ulong output_at, blocking by, writable scratch)
{
    const size_t group = get_group_id(1) * get_num_groups(0) + get_group_id(0);
    const uint m0 = get_group_id(1) * by.rows, m1 = min(m0 + by.rows, M);
    const uint n0 = get_group_id(0) * by.columns, n1 = min(n0 + by.columns, N);
    writable a = scratch + group * ((size_t)(by.mc + 16) * PITCH + by.nb * KC);
    writable b = a + (by.mc + 16) * PITCH;
    A += a_at, B += b_at, C += c_at, bias += bias_at, output += output_at;
    for (uint m = m0; m < m1; m += by.mc)
        for (uint k = 0; k < K; k += by.kc) {
            const uint kn = min(by.kc, K - k), mend = min(m + by.mc, m1);
            const epilogue e = at_block(whole, k == 0, k + kn == K);
            const part block = {of_a, A, a, PITCH, m, k, mend - m, kn};
            for (uint n = n0; n < n1; n += by.nb) {
                const uint nend = min(n + by.nb, n1);
                const part panels = {of_b, B, b, NR, k, n, kn, nend - n};
                fill_blocks(n == n0, block, panels);
                for (uint i = m; i < mend; i += MR)
                    for (uint j = n; j < nend; j += NR) {
                        const size_t at = (size_t)i * e.pitch + j;
                        product(a + (i - m) * PITCH, b + (j - n) * KC, kn, C + at,
                                bias + j, output + at, min(mend - i, (uint)MR),
                                min(nend - j, (uint)NR), e);
                    }
            }
        }
}

#undef MR
#undef NV
#undef NR
#undef KC
#undef PITCH
#undef FETCH
#undef WANT
#undef WANT_STORE
#endif
