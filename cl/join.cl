/* Where the two ways of a residual block meet, and other sums of maps. A shortcut takes
 * x [images][height][width][channels] to maps [images][out_height][out_width]
 * [out_channels]: every stride-th pixel, with `before` channels of zeros before its
 * own. The host sees the identity as rows of one pixel with channels enough.
 *
 * CPU-like: a group does a span of lines, rows of pixels, or of elements.
 * GPU-like: an element an item, in strides of the grid. */
typedef struct shortcut {
    uint height, width, channels, stride, out_height, out_width, out_channels, before;
} shortcut;

/* Row of x that becomes `row` of the result, rows counted over all images */
INLINE ulong source_row(shortcut s, ulong row)
{
    return row / s.out_height * s.height + row % s.out_height * s.stride;
}

/* h <- phi(a + shortcut(x)); n: lines of h, or elements */
__kernel void join(shortcut s, int kind, float slope, __global const float *a,
                   ulong a_at, __global const float *x, ulong x_at,
                   __global float *h, ulong h_at, ulong n, ulong span)
{
    a += a_at, x += x_at, h += h_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    const uint edges[4] = {0, s.before, s.before + s.channels, s.out_channels};
    for (ulong row = first; row < end; row++)
        ROLL for (uint column = 0; column < s.out_width; column++) {
            const ulong at = (row * s.out_width + column) * s.out_channels;
            const ulong from = source_row(s, row) * s.width + column * s.stride;
            __global const float *beside = x + from * s.channels;
            ROLL for (int part = 0; part < 3; part++)
                ROLL for (uint c = edges[part]; c < edges[part + 1]; c += VW) {
                    floatv v = loadv(a + at + c);
                    if (part == 1)
                        v += loadv(beside + c - s.before);
                    store_lanes(h + at + c, activate(kind, slope, v),
                                edges[part + 1] - c);
                }
        }
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0)) {
        const uint c = i % s.out_channels;
        const ulong pixel = i / s.out_channels;
        const ulong from = source_row(s, pixel / s.out_width) * s.width +
                           pixel % s.out_width * s.stride;
        float v = a[i];
        if (c >= s.before && c - s.before < s.channels)
            v += x[from * s.channels + c - s.before];
        h[i] = activate(kind, slope, v);
    }
#endif
}

/* Row of the result that `row` of x becomes; NOWHERE: none */
#define NOWHERE (~0ul)
INLINE ulong target_row(shortcut s, ulong row)
{
    const ulong y = row % s.height;
    return y % s.stride ? NOWHERE : row / s.height * s.out_height + y / s.stride;
}

/* Number of the floats in the result that pixel `column` of such a row becomes */
INLINE ulong place_of(shortcut s, ulong row, uint column)
{
    if (row == NOWHERE || column % s.stride)
        return NOWHERE;
    return (row * s.out_width + column / s.stride) * s.out_channels + s.before;
}

/* into <- the signal at h carried back to x, + the old `into`; n: lines of x, or
 * elements */
__kernel void join_backward(shortcut s, int accumulate, __global const float *signal,
                            ulong signal_at, __global float *into, ulong into_at,
                            ulong n, ulong span)
{
    signal += signal_at, into += into_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    for (ulong row = first; row < end; row++) {
        const ulong there = target_row(s, row);
        ROLL for (uint column = 0; column < s.width; column++) {
            const ulong from = place_of(s, there, column);
            __global float *to = into + (row * s.width + column) * s.channels;
            ROLL for (uint c = 0; c < s.channels; c += VW) {
                floatv v = 0;
                if (from != NOWHERE)
                    v = loadv(signal + from + c);
                if (accumulate)
                    v += loadv(to + c);
                store_lanes(to + c, v, s.channels - c);
            }
        }
    }
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0)) {
        const ulong pixel = i / s.channels;
        const ulong from = place_of(s, target_row(s, pixel / s.width),
                                  pixel % s.width);
        float v = 0;
        if (from != NOWHERE)
            v = signal[from + i % s.channels];
        into[i] = accumulate ? v + into[i] : v;
    }
#endif
}

#undef NOWHERE

/* into <- (into + from) * phi'(h), n floats each */
__kernel void sum_maps(int kind, float slope, __global const float *from,
                       ulong from_at, __global float *into, ulong into_at,
                       __global const float *h, ulong h_at, ulong n, ulong span)
{
    from += from_at, into += into_at, h += h_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    const ulong stride = VW;
#else
    const ulong first = get_global_id(0), end = n, stride = get_global_size(0);
#endif
    for (ulong i = first; i < end; i += stride) {
        const floatv v = loadv(into + i) + loadv(from + i);
        store_lanes(into + i, derive_by(kind, slope, v, h + i), end - i);
    }
}

/* into [rows][positions][channels] <- from [rows][channels] * phi'(h); n: rows, or
 * elements */
__kernel void spread(uint positions, uint channels, int kind, float slope,
                     __global const float *from, ulong from_at,
                     __global const float *h, ulong h_at, __global float *into,
                     ulong into_at, ulong n, ulong span)
{
    const ulong size = (ulong)positions * channels;
    from += from_at, h += h_at, into += into_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    for (ulong row = first; row < end; row++)
        ROLL for (uint p = 0; p < positions; p++)
            ROLL for (uint c = 0; c < channels; c += VW) {
                const ulong at = row * size + (ulong)p * channels + c;
                const floatv v = loadv(from + row * channels + c);
                store_lanes(into + at, derive_by(kind, slope, v, h + at),
                            channels - c);
            }
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0))
        into[i] = derive_by(kind, slope, from[i / size * channels + i % channels],
                            h + i);
#endif
}
