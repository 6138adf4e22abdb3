/* Random tensors: the value of [rows][columns] at (r, c) is element c*rows + r
 * (turned; with rows of `channels` the row order is that of [channel][position]) or
 * r*columns + c of a stream (cl/common.cl: numbers).
 *
 * An item draws DRAWN elements at a time, in strides of the grid. */

/* Row [channel][position] as it is stored, [position][channel] */
INLINE ulong stored_row(ulong row, ulong rows, uint channels)
{
    const ulong positions = rows / channels;
    return row % positions * channels + row / positions;
}

__kernel void random_fill(numbers of, ulong rows, ulong columns, int turned,
                          uint channels, __global float *values, ulong at)
{
    const ulong n = rows * columns, stride = get_global_size(0) * DRAWN;
    values += at;
    for (ulong first = get_global_id(0) * DRAWN; first < n; first += stride) {
        float drawn[DRAWN];
#if CPU_LIKE
        floatv v[2];
        draw(of, first / 4, v);
        vstorev(v[0], 0, drawn);
        vstorev(v[1], 1, drawn);
#else
        vstore4(draw(of, first / 4), 0, drawn);
#endif
        ulong row = first % rows, column = first / rows;
        ROLL for (uint j = 0; j < DRAWN && first + j < n; j++) {
            const ulong to = turned ? stored_row(row, rows, channels) * columns + column
                                    : first + j;
            values[to] = drawn[j];
            if (++row == rows)
                row = 0, column++;
        }
    }
}
