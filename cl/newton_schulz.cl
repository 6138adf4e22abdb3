/* What Muon needs beside products (host/ops/newton_schulz.c), over a matrix of n
 * floats:
 *   momentum    m <- beta m + (1 - beta) g;  u <- (1 - beta) g + beta m;
 *               partials[block] <- sum of u_i^2 over the BLOCK floats of a block
 *   unit_scale  scale[0] <- 1 / (sqrt(sum of n partials) + 1e-7), scale[1] its square
 * g is the stored gradient times *factor if there is one. Nothing changes where
 * *halted is not 0. Blocks are the same on every device, and as in cl/clip.cl.
 *
 * momentum: CPU-like: group g does blocks [g*span, (g + 1)*span). GPU-like: a block a
 * group, in strides of the grid. unit_scale: one group. */
#define BLOCK 16384

typedef struct mixture {
    float beta, rest; /* rest = 1 - beta */
    uint parts;       /* MAY_HALT, SCALED */
} mixture;

/* u, and m after it, at one place */
INLINE floatv mix(mixture how, floatv g, floatv *m)
{
    *m = how.beta * *m + how.rest * g;
    return how.rest * g + how.beta * *m;
}

__kernel void momentum(mixture how, __global const float *gradient,
                       ulong gradient_at, __global float *moment, ulong moment_at,
                       __global float *mixed, ulong mixed_at,
                       __global float *partials, ulong partials_at,
                       __global const int *halted, ulong halted_at,
                       __global const float *factor, ulong factor_at, ulong n,
                       ulong span)
{
    const int stops = (how.parts & MAY_HALT) && halted[halted_at] != 0;
    const float by = how.parts & SCALED ? factor[factor_at] : 1.0f;
    const ulong blocks = stops ? 0 : (n + BLOCK - 1) / BLOCK;
    gradient += gradient_at, moment += moment_at, mixed += mixed_at;
    partials += partials_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, blocks);
    ROLL for (ulong block = first; block < end; block++) {
        const ulong last = min((block + 1) * BLOCK, n);
        floatv sums = 0;
        ROLL for (ulong i = block * BLOCK; i < last; i += VW) {
            floatv m = load_lanes(moment + i, last - i);
            const floatv g = by * load_lanes(gradient + i, last - i);
            const floatv u = mix(how, g, &m);
            store_lanes(moment + i, m, last - i);
            store_lanes(mixed + i, u, last - i);
            sums += u * u;
        }
        partials[block] = sum_lanes(sums);
    }
#else
    __local float shared[GROUP];
    for (ulong block = get_group_id(0); block < blocks; block += get_num_groups(0)) {
        const ulong last = min((block + 1) * BLOCK, n);
        float sum = 0;
        for (ulong i = block * BLOCK + get_local_id(0); i < last; i += GROUP) {
            float m = moment[i];
            const float u = mix(how, by * gradient[i], &m);
            moment[i] = m, mixed[i] = u;
            sum += u * u;
        }
        sum = team_sum(shared, sum, GROUP);
        if (get_local_id(0) == 0)
            partials[block] = sum;
    }
#endif
}

__kernel void unit_scale(__global const float *partials, ulong partials_at, uint n,
                         __global float *scale, ulong scale_at)
{
    __local float shared[GROUP];
    const float sum = sum_floats(partials + partials_at, n, shared);
    const float unit = 1.0f / (sqrt(sum) + 1e-7f);
    if (get_local_id(0) == 0) {
        scale[scale_at] = unit;
        scale[scale_at + 1] = unit * unit;
    }
}

#undef BLOCK
