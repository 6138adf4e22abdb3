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

/* Pixel of x that becomes pixel (row, column) of the result, rows counted over all
 * images */
INLINE ulong source_pixel(shortcut s, ulong row, ulong column)
{
    const ulong image = row / s.out_height, y = row % s.out_height;
    return (image * s.height + y * s.stride) * s.width + column * s.stride;
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
    for (ulong i = first * s.out_width; i < end * s.out_width; i++) {
        const ulong at = i * s.out_channels;
        const ulong from = source_pixel(s, i / s.out_width, i % s.out_width);
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
        float v = a[i];
        if (c >= s.before && c - s.before < s.channels)
            v += x[source_pixel(s, pixel / s.out_width, pixel % s.out_width) *
                       s.channels + c - s.before];
        h[i] = activate(kind, slope, v);
    }
#endif
}

/* The pixel of the result that pixel (row, column) of x becomes, or all ones */
INLINE ulong target_pixel(shortcut s, ulong row, ulong column)
{
    const ulong image = row / s.height, y = row % s.height;
    if (y % s.stride || column % s.stride)
        return ~0ul;
    return (image * s.out_height + y / s.stride) * s.out_width + column / s.stride;
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
    for (ulong i = first * s.width; i < end * s.width; i++) {
        const ulong from = target_pixel(s, i / s.width, i % s.width);
        __global float *to = into + i * s.channels;
        ROLL for (uint c = 0; c < s.channels; c += VW) {
            floatv v = 0;
            if (from != ~0ul)
                v = loadv(signal + from * s.out_channels + s.before + c);
            if (accumulate)
                v += loadv(to + c);
            store_lanes(to + c, v, s.channels - c);
        }
    }
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0)) {
        const ulong pixel = i / s.channels;
        const ulong from = target_pixel(s, pixel / s.width, pixel % s.width);
        float v = 0;
        if (from != ~0ul)
            v = signal[from * s.out_channels + s.before + i % s.channels];
        into[i] = accumulate ? v + into[i] : v;
    }
#endif
}

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
    for (ulong i = first * positions; i < end * positions; i++)
        ROLL for (uint c = 0; c < channels; c += VW) {
            const ulong at = i * channels + c;
            const floatv v = loadv(from + i / positions * channels + c);
            store_lanes(into + at, derive_by(kind, slope, v, h + at), channels - c);
        }
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0))
        into[i] = derive_by(kind, slope, from[i / size * channels + i % channels],
                            h + i);
#endif
}
