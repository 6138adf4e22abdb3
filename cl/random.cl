/* Random tensors [rows][columns], made of lines: their rows or, turned, their columns.
 * Number p of line l is element l*length + p of a stream (cl/common_random.cl:
 * numbers); where lines are maps, numbers are in the order [channel][position] and lie
 * [position][channel].
 *
 * An item draws DRAWN elements at a time, in strides of the grid. */

__kernel void random_fill(numbers of, ulong rows, ulong columns, int turned,
                          uint channels, __global float *values, ulong at, int redrawn,
                          update_step now)
{
    const ulong n = rows * columns, stride = get_global_size(0) * DRAWN;
    const ulong length = turned ? rows : columns, positions = length / channels;
    /* From a number of a line to the next, and from line to line */
    const ulong step = turned ? columns : 1, pitch = turned ? 1 : columns;
    values += at;
    of.draw = redrawn ? now.draw : of.draw;
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
        ulong line = first / length, position = first % positions;
        uint channel = (uint)(first % length / positions);
        ROLL for (uint j = 0; j < DRAWN && first + j < n; j++) {
            values[line * pitch + (position * channels + channel) * step] = drawn[j];
            if (++position < positions)
                continue;
            position = 0;
            if (++channel == channels)
                channel = 0, line++;
        }
    }
}
