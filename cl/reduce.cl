/* sums[columns] <- sum over the rows of x [rows][columns]: gradients of biases.
 *
 * CPU-like: group g does columns [g*span, (g + 1)*span), span a multiple of VW, a
 * strip of STRIP vectors at a time, rows in order within blocks of ROWS (so that
 * rounding grows with ROWS + rows/ROWS, not with rows).
 * GPU-like: a group does COLUMNS columns, SHARES items share each: item s adds rows
 * s, s + SHARES, ...; the shares meet in local memory. */
#define STRIP 4
#define ROWS 128
#define COLUMNS 16
#define SHARES (GROUP / COLUMNS)

#if CPU_LIKE
/* `width` vectors of sums from x on; `left` sums are to be stored */
INLINE void sum_strip(const uint width, __global const float *x, uint rows,
                      uint columns, __global float *sums, ulong left)
{
    floatv total[STRIP];
    ALL for (uint j = 0; j < width; j++) total[j] = 0;
    ROLL for (uint r = 0; r < rows; r += ROWS) {
        const uint end = min(r + ROWS, rows);
        floatv sum[STRIP];
        ALL for (uint j = 0; j < width; j++) sum[j] = 0;
        ROLL for (uint i = r; i < end; i++)
            ALL for (uint j = 0; j < width; j++)
                sum[j] += vloadv(j, x + (ulong)i * columns);
        ALL for (uint j = 0; j < width; j++) total[j] += sum[j];
    }
    ALL for (uint j = 0; j < width; j++)
        store_lanes(sums + j * VW, total[j], left - j * VW);
}
#endif

__kernel void column_sums(__global const float *x, ulong x_at, uint rows,
                          uint columns, __global float *sums, ulong sums_at,
                          ulong span)
{
    x += x_at, sums += sums_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span;
    const ulong end = min(first + span, (ulong)columns);
    ulong i = first;
    for (; i + STRIP * VW <= end; i += STRIP * VW)
        sum_strip(STRIP, x + i, rows, columns, sums + i, end - i);
    for (; i < end; i += VW) sum_strip(1, x + i, rows, columns, sums + i, end - i);
#else
    __local float shares[GROUP];
    const uint item = get_local_id(0), share = item / COLUMNS;
    const ulong column = get_group_id(0) * (ulong)COLUMNS + item % COLUMNS;
    float sum = 0;
    if (column < columns)
        for (uint r = share; r < rows; r += SHARES)
            sum += x[(ulong)r * columns + column];
    shares[item] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (share == 0 && column < columns) {
        for (uint s = 1; s < SHARES; s++) sum += shares[s * COLUMNS + item];
        sums[column] = sum;
    }
#endif
}

#undef STRIP
#undef ROWS
#undef COLUMNS
#undef SHARES
