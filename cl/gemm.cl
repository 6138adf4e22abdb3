/* Matrix products of CPU-like devices, C <- epilogue(A B): A [M][K], B [K][N],
 * C [M][N], float, row-major, any pitch. cl/gemm_tile.cl is its GPU-like twin.
 *
 * A work-group is one work-item and makes its `rows` x `columns` of C of every job
 * of the launch. It walks K in blocks of kc and fills its part of `scratch`, which
 * stays in the L2 cache:
 *
 *        PITCH                    NR    NR
 *   +------------+             +-----+-----+--
 *   | mc rows    |          kc |panel|panel|     nb columns of B as panels of NR,
 *   | of A, kc   |             |     |     |     each KC x NR
 *   | of each    |             +-----+-----+--
 *   +------------+
 *   a[m * PITCH + k]           b[(n / NR) * KC * NR + k * NR + n % NR]
 *   or, stored transposed, a[k * pitch + m]
 *
 * and multiplies MR rows by a panel in registers (`multiply`). Only `fill` knows
 * what an operand is: how it is stored (`source`) or, for A, which patches of a map it
 * consists of, and for B whether that are values or signs, with magnitudes stored
 * beside it or drawn there (`values`). All reads of
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

/* ---- fills ------------------------------------------------------------------- */

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

/* The pixel behind p */
INLINE pixel next_pixel(patches map, pixel p)
{
    if (map.images && ++p.image < map.images)
        return p;
    p.image = map.images ? 0 : p.image;
    if (++p.x < map.wide)
        return p;
    p.x = 0;
    if (++p.y < map.tall)
        return p;
    p.y = 0, p.image++;
    return p;
}

INLINE void put_zeros(writable d, int begin, int end)
{
    ROLL for (int i = begin; i < end; i += VW) vstorev((floatv)0, 0, d + i);
}

/* d[row][column] <- patches of the map from [row][column] on. A line of taps is one
 * run of floats in it, but for what lies left and right; each run is written by whole
 * vectors, and the next over what that wrote too much. */
INLINE void copy_patches(writable d, int pitch, readable from, patches map, uint row,
                         int rows, uint column, int columns)
{
    const int run = map.across * map.channels;
    const size_t line = (size_t)map.width * map.channels;
    const int tap = column / run, skip = column % run;
    pixel p = find_pixel(map, row);
    ROLL for (int i = 0; i < rows; i++, d += pitch, p = next_pixel(map, p)) {
        const int left = p.x * map.stride + map.left;
        const int first = clamp(-left, 0, (int)map.across) * map.channels;
        const int end = clamp((int)map.width - left, 0, (int)map.across) * map.channels;
        int y = p.y * map.stride + map.top + tap, j = skip;
        long at = ((long)p.image * map.height + y) * line + (long)left * map.channels;
        ROLL for (int k = 0; k < columns; y++, at += line, j = 0) {
            const int n = min(run - j, columns - k), inside = (uint)y < map.height;
            const int begin = inside ? clamp(first - j, 0, n) : n;
            const int stop = inside ? clamp(end - j, 0, n) : n;
            put_zeros(d + k, 0, begin);
            ROLL for (int l = begin; l < stop; l += VW)
                vstorev(vloadv(0, from + (at + j + l)), 0, d + k + l);
            put_zeros(d + k, stop, n);
            k += n;
        }
    }
}

/* What is filled next: rows x columns of an operand, from [row][column] on, with a
 * panel to spare. The last are A's map, and B's elements, magnitudes stored beside it,
 * and N */
typedef struct part {
    operand of;
    readable from;
    writable to;
    int pitch;
    uint row, column;
    int rows, columns;
    writable spare;
    patches map;
    values is;
    readable beside;
    uint wide;
} part;

/* What goes with row i of a panel: drawn from the counter on that its first element is
 * of, stored, or the same everywhere */
INLINE void find_magnitudes(part p, int i, floatv m[NV])
{
    const ulong first = (p.row + i) * (ulong)p.wide + p.column;
    const uint skip = p.is.kind & RANDOM ? first & 3 : 0;
    float drawn[NR + DRAWN];
    if (p.is.kind & RANDOM)
        ROLL for (uint j = 0; j < NR + skip; j += DRAWN) {
            floatv v[2];
            draw(p.is.random, (first + j) / 4, v);
            vstorev(v[0], 0, drawn + j);
            vstorev(v[1], 1, drawn + j);
        }
    ALL for (int j = 0; j < NV; j++)
        m[j] = p.is.kind & RANDOM       ? vloadv(j, drawn + skip)
               : p.is.kind & MAGNITUDES ? vloadv(j, p.spare + i * NR)
                                        : (floatv)p.is.scale;
}

/* A panel of signs, or of nothing yet, becomes one of values */
INLINE void finish_panel(part p)
{
    ROLL for (int i = 0; i < p.rows; i++) {
        const writable row = p.to + i * NR;
        floatv m[NV];
        find_magnitudes(p, i, m);
        ALL for (int j = 0; j < NV; j++)
            vstorev(p.is.kind & SIGNED ? give_sign(m[j], vloadv(j, row)) : m[j], j,
                    row);
    }
}

INLINE void fill(part p)
{
    const size_t ld = p.of.in.pitch;
    if (p.of.source == FROM_PATCHES)
        copy_patches(p.to, p.pitch, p.from, p.map, p.row, p.rows, p.column, p.columns);
    else if (p.of.source == FROM_COLUMNS)
        turn(p.to, p.pitch, p.from + p.column * ld + p.row, ld, p.columns, p.rows);
    else if (p.is.kind != RANDOM)
        copy(p.to, p.pitch, p.from + p.row * ld + p.column, ld, p.rows, p.columns);
    if (p.is.kind != 0)
        finish_panel(p);
    if (p.of.ones - p.column < (uint)p.columns)
        ROLL for (int i = 0; i < p.rows; i++)
            p.to[i * p.pitch + p.of.ones - p.column] = 1;
}

/* A's block if wanted, then panels of B, each after a panel of magnitudes if those are
 * stored. In one loop, because a second call of `fill` would be compiled a second
 * time, which takes half a second on PoCL */
INLINE void fill_blocks(int with_a, part block, part panels)
{
    for (int j = with_a ? -NR : 0; j < panels.columns; j += NR)
        for (int i = j >= 0 && panels.is.kind & MAGNITUDES ? 0 : 1; i < 2; i++) {
            part panel = panels;
            panel.to += j * KC, panel.column += j;
            panel.columns = min(panels.columns - j, NR);
            if (i == 0)
                panel.from = panels.beside, panel.to = panels.spare, panel.is.kind = 0;
            fill(j < 0 ? block : panel);
        }
}

/* ---- register tile ----------------------------------------------------------- */

/* Where a tile is read: element (row, k) at from[row * by_row + k * by_k] */
typedef struct tile {
    readable from;
    size_t by_row, by_k;
} tile;

/* The sums of MR rows and V vectors; V is a constant, so the loops unroll, and so
 * are the steps of a filled tile. Without `restrict` the sums live in memory. */
INLINE void multiply(const int V, readable restrict a, const size_t by_row,
                     const size_t by_k, readable restrict b, uint kn,
                     floatv *done)
{
    floatv sum[MR][NV];
    ALL for (int i = 0; i < MR; i++)
        EACH(j, V, NV) sum[i][j] = 0;
    ROLL for (uint k = 0; k < kn; k++, a += by_k, b += NR) {
        floatv v[NV];
        EACH(j, V, NV) v[j] = vloadv(j, b);
        ALL for (int i = 0; i < MR; i++)
            EACH(j, V, NV)
                sum[i][j] = fma((floatv)(a[i * by_row]), v[j], sum[i][j]);
    }
    ALL for (int i = 0; i < MR; i++)
        EACH(j, V, NV) done[i * NV + j] = sum[i][j];
}

/* Asks for what the epilogue will write */
INLINE void want(target t, const size_t row[MR], int rows, epilogue e)
{
    ROLL for (int i = 0; i < rows; i++)
        ALL for (int j = 0; j < NV; j++) {
            const size_t at = row[i] * e.pitch + j * VW;
            WANT_STORE(t.c + at);
            if (e.parts & UPDATES)
                WANT_STORE(t.moment + at);
        }
}

/* Where a tile stands in C: rows x columns from (row, column) on. A symmetric C
 * has `end` columns in row i, up to the diagonal; so has the tile */
typedef struct spot {
    uint row, column;
    int rows, columns;
    int diagonal; /* row - column; where C is not symmetric, past every column */
} spot;

INLINE int end_of(spot s, int row)
{
    return min(s.columns, s.diagonal + row + 1);
}

/* Where a tile's rows of C lie */
INLINE void find_rows(const job *j, uint first, size_t row[MR])
{
    pixel p;
    if (j->to.step)
        p = find_pixel(j->map, first);
    ROLL for (int i = 0; i < MR; i++) {
        row[i] = j->to.step ? find_row(j->to, p) : first + i;
        if (j->to.step)
            p = next_pixel(j->map, p);
    }
}

/* Turns 4 x 4 floats */
INLINE void turn_four(writable d, size_t pitch, const float *s)
{
    const float4 a = vload4(0, s), b = vload4(0, s + NR);
    const float4 c = vload4(0, s + 2 * NR), e = vload4(0, s + 3 * NR);
    vstore4((float4)(a.x, b.x, c.x, e.x), 0, d);
    vstore4((float4)(a.y, b.y, c.y, e.y), 0, d + pitch);
    vstore4((float4)(a.z, b.z, c.z, e.z), 0, d + 2 * pitch);
    vstore4((float4)(a.w, b.w, c.w, e.w), 0, d + 3 * pitch);
}

/* Stores what was stored at C[row][column] at C[column][row] too */
INLINE void mirror(const float *done, writable c, spot s, size_t pitch)
{
    c += s.column * pitch + s.row;
    ROLL for (int j = 0; j < s.columns; j += 4)
        ROLL for (int i = 0; i < s.rows; i += 4)
            if (i + 4 <= s.rows && j + 4 <= end_of(s, i - 1))
                turn_four(c + j * pitch + i, pitch, done + i * NR + j);
            else
                ROLL for (int k = 0; k < 16; k++) {
                    const int row = i + k / 4, column = j + k % 4;
                    if (row < s.rows && column < end_of(s, row - 1))
                        c[column * pitch + row] = done[row * NR + column];
                }
}

/* What most blocks of k end with, made short: whole rows, added to or not */
INLINE void store_sums(const floatv *done, writable c, const size_t row[MR], int rows,
                       epilogue e)
{
    ROLL for (int i = 0; i < rows; i++)
        ALL for (int j = 0; j < NV; j++) {
            const writable p = c + row[i] * e.pitch + j * VW;
            const floatv v = done[i * NV + j];
            vstorev(e.parts & ADDS_OLD ? v + vloadv(0, p) : v, 0, p);
        }
}

/* C's part at one tile and one panel; t is the whole C */
INLINE void product(const job *j, tile a, readable b, uint kn, target t, spot s,
                    epilogue e, update_step step)
{
    floatv done[MR * NV];
    size_t row[MR];
    const target from = move(t, 0, s.column, e.pitch);
    find_rows(j, s.row, row);
    want(from, row, s.rows, e);
    if (s.columns <= VW)
        multiply(1, a.from, a.by_row, a.by_k, b, kn, done);
    else if (a.by_row == 1)
        multiply(NV, a.from, 1, a.by_k, b, kn, done);
    else
        multiply(NV, a.from, PITCH, 1, b, kn, done);
    if (s.columns == NR && (e.parts & ~ADDS_OLD) == 0 && e.activation == LINEAR) {
        store_sums(done, from.c, row, s.rows, e);
        return;
    }
    ROLL for (int i = 0; i < s.rows; i++) {
        const int end = end_of(s, i);
        ROLL for (int v = 0; v * VW < end; v++)
            done[i * NV + v] = finish(done[i * NV + v],
                                      move(from, row[i], v * VW, e.pitch),
                                      end - v * VW, s.diagonal + i - v * VW, e, step);
    }
    if (e.parts & SYMMETRIC)
        mirror((const float *)done, t.c, s, e.pitch);
}

/* ---- a job ------------------------------------------------------------------- */

/* What the epilogue does at a block of k: the first adds to C what the caller wants
 * added, the others what the first left there; the last does the rest */
INLINE epilogue at_block(epilogue e, int first, int last)
{
    e.parts = (first ? e.parts & ADDS_OLD : ADDS_OLD) |
              (last ? e.parts & ~ADDS_OLD : 0);
    e.activation = last ? e.activation : LINEAR;
    return e;
}

/* Where row r's tiles end: a symmetric C is computed up to its diagonal */
INLINE uint end_at(const job *j, uint row, uint column)
{
    return j->e.parts & SYMMETRIC ? min(row, column) : column;
}

/* Thin products use an element of A once: whole tiles of it are read where they lie.
 * How many of rows m ... mend - 1 those are */
INLINE uint rows_in_place(const job *j, uint m, uint mend)
{
    const uint has_ones = j->a.ones - m < mend - m;
    return j->N > VW || j->a.source >= FROM_PATCHES ? 0 : (mend - m - has_ones) / MR * MR;
}

/* The tile of row r, from block k on */
INLINE tile tile_in_place(const job *j, readable A, uint r, uint k)
{
    const size_t ld = j->a.in.pitch;
    const tile columns = {A + k * ld + r, 1, ld}, rows = {A + r * ld + k, ld, 1};
    return j->a.source == FROM_COLUMNS ? columns : rows;
}

/* Whether a tile's rows are one pixel of several images, and all its taps of a block of
 * k outside of the map */
INLINE int is_outside(const job *j, uint row, uint k, uint kn)
{
    const patches map = j->map;
    if (map.images == 0 || row % map.images + MR > map.images)
        return 0;
    const pixel p = find_pixel(map, row);
    for (uint tap = k / map.channels; tap * map.channels < k + kn; tap++)
        if (p.y * map.stride + map.top + tap / map.across < map.height &&
            p.x * map.stride + map.left + tap % map.across < map.width)
            return 0;
    return 1;
}

/* Floats between the rows of a block that lies as it is stored: k after k. An odd
 * number of cache lines, so that a tile's do not share a set of the cache */
INLINE uint turned_pitch(const job *j)
{
    return ((j->mc + 15) / 16 | 1) * 16;
}

/* What is filled of A: rows m ... m + rows - 1, kn of k, as they are stored */
INLINE part find_block(const job *j, readable A, writable a, uint m, uint rows, uint k,
                       uint kn)
{
    const values as_stored = {0};
    const part straight = {j->a, A, a, PITCH, m, k, rows, kn, a, j->map, as_stored, A, 0};
    part turned = {j->a, A, a, turned_pitch(j), k, m, kn, rows, a, j->map, as_stored, A,
                   0};
    turned.of.source &= ~TURNED;
    return j->a.source & TURNED ? turned : straight;
}

/* The part of C that is share number `share` */
INLINE void work(const job *j, uint share, buffers in, update_step step, writable a)
{
    const uint across = (j->N + j->columns - 1) / j->columns;
    const uint m0 = j->top + share / across * j->rows, m1 = min(m0 + j->rows, j->M);
    const uint n0 = share % across * j->columns, n1 = min(n0 + j->columns, j->N);
    const int symmetric = (j->e.parts & SYMMETRIC) != 0;
    const writable b = a + (j->mc + 32) * PITCH, spare = b + j->nb * KC;
    const readable A = find(in, j->a.in), B = find(in, j->b.in);
    const target whole = find_target(in, j);
    const epilogue all = find_epilogue(in, j);
    const values is = find_values(j, step);
    const uint deep = j->a.source & TURNED ? turned_pitch(j) : 0;
    const readable beside = find(in, is.magnitude);
    for (uint m = m0; m < m1; m += j->mc)
        for (uint k = 0; k == 0 || k < j->K; k += j->kc) { /* K may be 0 */
            const uint kn = min(j->kc, j->K - k), mend = min(m + j->mc, m1);
            const epilogue e = at_block(all, k == 0, k + kn == j->K);
            const uint placed = rows_in_place(j, m, mend);
            const part block = find_block(j, A, a, m + placed, mend - m - placed, k, kn);
            for (uint n = n0; n < end_at(j, mend, n1); n += j->nb) {
                const uint nend = min(n + j->nb, n1);
                const part panels = {j->b, B, b, NR, k, n, kn, nend - n, spare, j->map,
                                     is, beside, j->N};
                fill_blocks(n == n0 && block.rows, block, panels);
                for (uint r = m; r < mend; r += MR) {
                    const uint row = r - m - placed;
                    const tile rows = {a + row * PITCH, PITCH, 1};
                    const tile columns = {a + row, 1, deep};
                    const tile from = r < m + placed ? tile_in_place(j, A, r, k)
                                      : deep         ? columns
                                                     : rows;
                    const int outside = is_outside(j, r, k, kn);
                    if (outside && k > 0 && k + kn < j->K)
                        continue;
                    for (uint c = n; c < end_at(j, r + MR, nend); c += NR) {
                        const spot at = {r, c, min(mend - r, (uint)MR),
                                         min(nend - c, (uint)NR),
                                         symmetric ? (int)(r - c) : NR};
                        product(j, from, b + (c - n) * KC, outside ? 0 : kn, whole, at, e,
                                step);
                    }
                }
            }
        }
}

/* ---- entry ------------------------------------------------------------------- */

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm(__global const job *jobs, uint count, update_step step, writable p0, writable p1,
     writable p2, writable p3, writable p4, writable p5, writable p6, writable p7,
     ulong scratch_pitch, writable scratch)
{
    writable const in[BUFFERS] = {p0, p1, p2, p3, p4, p5, p6, p7};
    const uint group = get_group_id(0), groups = get_num_groups(0);
    for (uint i = 0; i < count; i++) {
        const job j = jobs[i];
        const uint share = (group + groups - j.first) % groups;
        if (share < j.groups && !is_halted(in, &j))
            work(&j, share, in, step, scratch + group * scratch_pitch);
    }
}

#undef MR
#undef NV
#undef NR
#undef KC
#undef PITCH
#undef FETCH
#endif
