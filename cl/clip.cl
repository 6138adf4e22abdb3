/* The factor that clips gradients by their global norm:
 *   square_sums   partials[block] <- sum of x_i^2 over the BLOCK floats of a block
 *   clip_scale    *scale <- min(1, limit / (sqrt(sum of n partials) + 1e-6))
 * Blocks are the same on every device. NaN passes through.
 *
 * square_sums: CPU-like: group g does blocks [g*span, (g + 1)*span). GPU-like: a
 * block a group, in strides of the grid. clip_scale: one group. */
#define BLOCK 16384
#define STRANDS 4

__kernel void square_sums(__global const float *x, ulong x_at,
                          __global float *partials, ulong partials_at, ulong n,
                          ulong span)
{
    const ulong blocks = (n + BLOCK - 1) / BLOCK;
    x += x_at, partials += partials_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, blocks);
    ROLL for (ulong block = first; block < end; block++) {
        const ulong begin = block * BLOCK, count = min(n - begin, (ulong)BLOCK);
        floatv sum[STRANDS];
        ulong i = 0;
        ALL for (uint j = 0; j < STRANDS; j++) sum[j] = 0;
        ROLL for (; i + STRANDS * VW <= count; i += STRANDS * VW)
            ALL for (uint j = 0; j < STRANDS; j++) {
                const floatv v = vloadv(j, x + begin + i);
                sum[j] += v * v;
            }
        ROLL for (; i < count; i += VW) {
            const floatv v = load_lanes(x + begin + i, count - i);
            sum[0] += v * v;
        }
        partials[block] = sum_lanes((sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
#else
    __local float shared[GROUP];
    for (ulong block = get_group_id(0); block < blocks; block += get_num_groups(0)) {
        const ulong begin = block * BLOCK, end = min(begin + BLOCK, n);
        float sum = 0;
        for (ulong i = begin + get_local_id(0); i < end; i += GROUP)
            sum += x[i] * x[i];
        sum = team_sum(shared, sum, GROUP);
        if (get_local_id(0) == 0)
            partials[block] = sum;
    }
#endif
}

__kernel void clip_scale(float limit, __global const float *partials,
                         ulong partials_at, uint n, __global float *scale,
                         ulong scale_at)
{
    __local float shared[GROUP];
    const float sum = sum_floats(partials + partials_at, n, shared);
    const float factor = limit / (sqrt(sum) + 1e-6f);
    if (get_local_id(0) == 0)
        scale[scale_at] = factor > 1 ? 1 : factor;
}

#undef BLOCK
#undef STRANDS
