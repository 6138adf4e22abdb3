/* Random tensors: the value of [rows][columns] at (r, c) is element c*rows + r
 * (turned; with rows of `channels` the row order is that of [channel][position]) or
 * r*columns + c of a stream of Philox4x32-10 (Salmon et al. 2011).
 * Counter i = (i low, i high, draw, stream), key = (seed low, seed high), gives the
 * four words of elements 4i ... 4i + 3.
 *
 * An item draws VW counters at a time (1 if GPU-like), in strides of the grid.
 * Uniform numbers take one rounding and no addition: the same bits everywhere. */
#define UNIFORM 1

#if VW == 1
#define to_float convert_float
#else
#define to_float CONCAT(convert_float, VW)
#endif

INLINE void philox(uintv x[4], uint k, uint l)
{
    ROLL for (int round = 0; round < 10; round++) {
        const uintv p = (uintv)0xD2511F53u, q = (uintv)0xCD9E8D57u;
        const uintv high = mul_hi(p, x[0]), low = p * x[0];
        x[0] = mul_hi(q, x[2]) ^ x[1] ^ k;
        x[1] = q * x[2];
        x[2] = high ^ x[3] ^ l;
        x[3] = low;
        k += 0x9E3779B9u;
        l += 0xBB67AE85u;
    }
}

/* Box-Muller: a pair of words gives a pair of numbers */
INLINE void normal_pair(uintv a, uintv b, float scale, floatv *x, floatv *y)
{
    const floatv u = (to_float(a >> 9) + 0.5f) * 0x1p-23f;
    const floatv angle = to_float(b >> 8) * 0x1p-23f;
    const floatv radius = sqrt(-2.0f * log(u)) * scale;
    *x = radius * cospi(angle);
    *y = radius * sinpi(angle);
}

/* Row [channel][position] as it is stored, [position][channel] */
INLINE ulong stored_row(ulong row, ulong rows, uint channels)
{
    const ulong positions = rows / channels;
    return row % positions * channels + row / positions;
}

/* `scale`: the bound / 2^23 of uniform numbers, the deviation of normal ones */
__kernel void random_fill(int distribution, float scale, uint seed_low,
                          uint seed_high, uint draw, uint stream, ulong rows,
                          ulong columns, int turned, uint channels,
                          __global float *values,
                          ulong at)
{
    const ulong n = rows * columns, counters = (n + 3) / 4;
    const ulong stride = get_global_size(0) * VW;
    values += at;
    for (ulong first = get_global_id(0) * VW; first < counters; first += stride) {
        uintv x[4];
        uint low[VW], high[VW];
        ALL for (uint j = 0; j < VW; j++) {
            low[j] = (uint)(first + j);
            high[j] = (uint)((first + j) >> 32);
        }
        x[0] = vloadv(0, low), x[1] = vloadv(0, high);
        x[2] = (uintv)draw, x[3] = (uintv)stream;
        philox(x, seed_low, seed_high);
        floatv v[4];
        if (distribution == UNIFORM)
            ALL for (uint w = 0; w < 4; w++)
#if VW == 1
                v[w] = convert_float(as_int(x[w]) >> 8) * scale;
#else
                v[w] = to_float(CONCAT(as_int, VW)(x[w]) >> 8) * scale;
#endif
        else {
            normal_pair(x[0], x[1], scale, &v[0], &v[1]);
            normal_pair(x[2], x[3], scale, &v[2], &v[3]);
        }
        float drawn[4][VW];
        ALL for (uint w = 0; w < 4; w++) vstorev(v[w], 0, drawn[w]);
        ROLL for (uint j = 0; j < 4 * VW; j++) {
            const ulong e = first * 4 + j;
            const ulong to = turned ? stored_row(e % rows, rows, channels) * columns +
                                          e / rows
                                    : e;
            if (e < n)
                values[to] = drawn[j % 4][j / 4];
        }
    }
}

#undef UNIFORM
#undef to_float
