/* Dropout of maps [rows][positions][channels]: y <- x * factor, or 0 where the word of
 * the element, numbered [row][channel][position], is below `limit`. The same words at
 * the same step: backward too.
 *
 * An item draws DRAWN words at a time. CPU-like: group g does elements [g*span,
 * (g + 1)*span) as they are numbered, span a multiple of DRAWN. GPU-like: in strides of
 * the grid. */
__kernel void dropout(numbers of, update_step step, uint limit, float factor,
                      uint positions, uint channels, __global const float *x,
                      ulong x_at, __global float *y, ulong y_at, ulong n, ulong span)
{
    const ulong size = (ulong)positions * channels;
    of.draw = step.draw;
    x += x_at, y += y_at;
#if CPU_LIKE
    const ulong begin = get_group_id(0) * span, end = min(begin + span, n);
    const ulong stride = DRAWN;
#else
    const ulong begin = get_global_id(0) * DRAWN, end = n;
    const ulong stride = get_global_size(0) * DRAWN;
#endif
    for (ulong first = begin; first < end; first += stride) {
        uint words[DRAWN];
#if CPU_LIKE
        uintv drawn[2];
        draw_words(of, first / 4, drawn);
        if (positions == 1 && first + DRAWN <= end) {
            ALL for (int j = 0; j < 2; j++) {
                const floatv v = vloadv(j, x + first) * factor;
                vstorev(drawn[j] < (uintv)limit ? (floatv)0 : v, j, y + first);
            }
            continue;
        }
        vstorev(drawn[0], 0, words);
        vstorev(drawn[1], 1, words);
#else
        vstore4(draw_words(of, first / 4), 0, words);
#endif
        ulong row = first / size;
        uint channel = first % size / positions, position = first % positions;
        ROLL for (uint j = 0; j < DRAWN && first + j < end; j++) {
            const ulong at = row * size + (ulong)position * channels + channel;
            y[at] = words[j] < limit ? 0 : x[at] * factor;
            if (++position == positions)
                position = 0, channel++;
            if (channel == channels)
                channel = 0, row++;
        }
    }
}
