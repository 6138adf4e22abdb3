/* Gram matrices in double of float matrices a, b [rows][columns], `pitch` floats from
 * one row to the next:
 *   out[i][j] <- sum over c of a[i][c] b[j][c]        side = rows
 *   out[i][j] <- sum over r of a[r][i] b[r][j]        side = columns, BY_COLUMN
 * SYMMETRIC: b is a; only blocks up to the diagonal are computed, and stored twice.
 *
 * Group (x, y) makes the BLOCK x BLOCK of out at row y * BLOCK, column x * BLOCK.
 * CPU-like: in tiles of MR rows, read where they lie and turned to double on the way.
 * GPU-like: by way of local memory, four sums an item.
 *
 * Built where cl_khr_fp64 is, alone, when the first Gram matrix is wanted: see
 * host/device/program.c. */
#pragma OPENCL EXTENSION cl_khr_fp64 : enable

#define BLOCK 16 /* host/analysis/gram.c has it too */

/* Bits of `parts` */
#define BY_COLUMN 1
#define SYMMETRIC_GRAM 2

typedef struct gram_shape {
    ulong rows, columns, pitch;
    uint parts;
} gram_shape;

typedef __global const float *gram_input;
typedef __global double *gram_output;

INLINE ulong side_of(gram_shape s)
{
    return s.parts & BY_COLUMN ? s.columns : s.rows;
}

INLINE void store(gram_output out, gram_shape s, ulong i, ulong j, double sum)
{
    const ulong side = side_of(s);
    const int symmetric = (s.parts & SYMMETRIC_GRAM) != 0;
    if (i >= side || j >= (symmetric ? i + 1 : side))
        return;
    out[i * side + j] = sum;
    if (symmetric)
        out[j * side + i] = sum;
}

#if CPU_LIKE
/* A tile has MR rows of sums and NR columns; a vector of doubles is half of one of
 * floats */
#define MR 4
#if VW == 16
#define NR 4
#define DW 8
#define DOUBLE_LANES (int8)(0, 1, 2, 3, 4, 5, 6, 7)
#elif VW == 8
#define NR 2
#define DW 4
#define DOUBLE_LANES (int4)(0, 1, 2, 3)
#else
#define NR 2
#define DW 2
#define DOUBLE_LANES (int2)(0, 1)
#endif
typedef CONCAT(double, DW) doublev;
typedef CONCAT(float, DW) narrowv;
typedef CONCAT(int, DW) narrow_intv;
#define vload_narrow CONCAT(vload, DW)
#define to_doubles CONCAT(convert_double, DW)

INLINE double sum_doubles(doublev v)
{
#if VW == 16
    const double4 w = v.lo + v.hi;
    const double2 u = w.lo + w.hi;
#elif VW == 8
    const double2 u = v.lo + v.hi;
#else
    const double2 u = v;
#endif
    return u.x + u.y;
}

/* n floats at most from p on, 0 in the lanes behind them */
INLINE doublev load_doubles(gram_input p, ulong n)
{
    narrowv v = vload_narrow(0, p);
    if (n < DW)
        v = DOUBLE_LANES < (narrow_intv)(int)n ? v : (narrowv)0;
    return to_doubles(v);
}

/* ---- sums along rows --------------------------------------------------------- */

/* Adds to each sum the products of n neighbouring columns, DW at most */
INLINE void add_columns(doublev sum[MR][NR], const gram_input *a,
                        const gram_input *b, ulong c, ulong n)
{
    doublev v[NR];
    ALL for (int j = 0; j < NR; j++) v[j] = load_doubles(b[j] + c, n);
    ALL for (int i = 0; i < MR; i++) {
        const doublev u = load_doubles(a[i] + c, n);
        ALL for (int j = 0; j < NR; j++) sum[i][j] = fma(u, v[j], sum[i][j]);
    }
}

/* The tile at [i][j]. Rows past the last are the last: their sums are not stored */
INLINE void tile_of_rows(gram_input a, gram_input b, gram_shape s, gram_output out,
                         ulong i, ulong j)
{
    const ulong whole = s.columns / DW * DW, last = s.rows - 1;
    doublev sum[MR][NR];
    gram_input from_a[MR], from_b[NR];
    ALL for (int k = 0; k < MR; k++) from_a[k] = a + min(i + k, last) * s.pitch;
    ALL for (int k = 0; k < NR; k++) from_b[k] = b + min(j + k, last) * s.pitch;
    ALL for (int k = 0; k < MR; k++)
        ALL for (int l = 0; l < NR; l++) sum[k][l] = 0;
    ROLL for (ulong c = 0; c < whole; c += DW)
        add_columns(sum, from_a, from_b, c, DW);
    if (whole < s.columns)
        add_columns(sum, from_a, from_b, whole, s.columns - whole);
    ROLL for (int k = 0; k < MR; k++)
        ROLL for (int l = 0; l < NR; l++)
            store(out, s, i + k, j + l, sum_doubles(sum[k][l]));
}

/* ---- sums along columns ------------------------------------------------------ */

/* The tile at [i][j], DW columns wide. Columns of a past the last are the last; lanes
 * of b past its last column (buffers are padded) are not stored */
INLINE void tile_of_columns(gram_input a, gram_input b, gram_shape s,
                            gram_output out, ulong i, ulong j)
{
    doublev sum[MR];
    gram_input from_a[MR];
    ALL for (int k = 0; k < MR; k++) {
        from_a[k] = a + min(i + k, s.columns - 1);
        sum[k] = 0;
    }
    ROLL for (ulong r = 0; r < s.rows; r++) {
        const doublev v = load_doubles(b + r * s.pitch + j, DW);
        ALL for (int k = 0; k < MR; k++)
            sum[k] = fma((doublev)(from_a[k][r * s.pitch]), v, sum[k]);
    }
    ROLL for (int k = 0; k < MR; k++)
        ROLL for (int l = 0; l < DW; l++)
            store(out, s, i + k, j + l, ((const double *)&sum[k])[l]);
}

/* ---- entry ------------------------------------------------------------------- */

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gram(gram_shape s, gram_input a, ulong a_at, gram_input b, ulong b_at,
     gram_output out, ulong out_at)
{
    const ulong first_i = get_group_id(1) * BLOCK, first_j = get_group_id(0) * BLOCK;
    const ulong end_i = min(first_i + BLOCK, side_of(s));
    const ulong end_j = min(first_j + BLOCK, side_of(s));
    const int symmetric = (s.parts & SYMMETRIC_GRAM) != 0;
    const ulong step = s.parts & BY_COLUMN ? DW : NR;
    a += a_at, b += b_at, out += out_at;
    ROLL for (ulong i = first_i; i < end_i; i += MR) {
        const ulong end = symmetric ? min(end_j, i + MR) : end_j;
        ROLL for (ulong j = first_j; j < end; j += step)
            if (s.parts & BY_COLUMN)
                tile_of_columns(a, b, s, out, i, j);
            else
                tile_of_rows(a, b, s, out, i, j);
    }
}

#undef MR
#undef NR
#undef DW
#else

#define SHARED_PITCH (BLOCK + 1)

/* Lines first ... first + BLOCK - 1 of x (rows, or columns if BY_COLUMN) at places k
 * ... k + BLOCK - 1 of the sum, as part[place][line], zeros outside; neighbouring
 * items read neighbours of a stored row */
INLINE void fill(__local double *part, gram_input x, gram_shape s, ulong first,
                 ulong k)
{
    const int by_column = (s.parts & BY_COLUMN) != 0;
    const ulong lines = side_of(s), depth = by_column ? s.rows : s.columns;
    for (uint n = get_local_id(0); n < BLOCK * BLOCK; n += GROUP) {
        const uint line = by_column ? n % BLOCK : n / BLOCK;
        const uint place = by_column ? n / BLOCK : n % BLOCK;
        const ulong i = first + line, at = k + place;
        const int inside = i < lines && at < depth;
        part[place * SHARED_PITCH + line] =
            inside ? (double)x[by_column ? at * s.pitch + i : i * s.pitch + at]
                   : 0.0;
    }
}

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void
gram(gram_shape s, gram_input a, ulong a_at, gram_input b, ulong b_at,
     gram_output out, ulong out_at)
{
    __local double part_a[BLOCK * SHARED_PITCH], part_b[BLOCK * SHARED_PITCH];
    const ulong i = get_group_id(1) * BLOCK, j = get_group_id(0) * BLOCK;
    const uint column = get_local_id(0) % BLOCK, row = get_local_id(0) / BLOCK;
    const uint step = GROUP / BLOCK; /* rows of out between an item's sums */
    const ulong depth = s.parts & BY_COLUMN ? s.rows : s.columns;
    double sum[BLOCK * BLOCK / GROUP] = {0};
    if ((s.parts & SYMMETRIC_GRAM) && j > i)
        return;
    for (ulong k = 0; k < depth; k += BLOCK) {
        fill(part_a, a + a_at, s, i, k);
        fill(part_b, b + b_at, s, j, k);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint place = 0; place < BLOCK; place++) {
            const double v = part_b[place * SHARED_PITCH + column];
            ALL for (uint n = 0; n < BLOCK * BLOCK / GROUP; n++)
                sum[n] = fma(part_a[place * SHARED_PITCH + row + n * step], v,
                             sum[n]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (uint n = 0; n < BLOCK * BLOCK / GROUP; n++)
        store(out + out_at, s, i + row + n * step, j + column, sum[n]);
}

#undef SHARED_PITCH
#endif

#undef BLOCK
#undef BY_COLUMN
#undef SYMMETRIC_GRAM
