/* Pooling over windows of x [images][height][width][channels], `high` by `wide`, every
 * `stride` pixels: y [images][out_height][out_width][channels] is the mean of a window,
 * or its maximum: the first of equal ones in reading order, or a NaN if there is one.
 * Backward, `signal` is laid out as y and `into` as x:
 *   into <- (signal of the windows whose maximum x is, + the old `into`) * phi'(x)
 * or the share of all windows around it where these are means.
 *
 * CPU-like: a group does a span of lines, one vector of channels at a time. Forward, a
 * line is a row of windows. Backward too where windows do not overlap: a window then
 * has its cell of x for itself, with the pixels up to the next one, or up to the edge;
 * else a line is a row of x.
 * GPU-like: an element an item, in strides of the grid; of x backward. */
typedef struct windows {
    uint height, width, channels, high, wide, stride, out_height, out_width;
    int average, cells, accumulate, kind;
    float slope;
} windows;

/* Takes in pixel number `pixel` of a window, v: its sum, its maximum and which that is */
INLINE void take_in(floatv v, uint pixel, floatv *sum, floatv *best, uintv *which)
{
    const intv larger = (v > *best) | (v != v);
    *sum += v;
    *which = larger ? (uintv)pixel : *which;
    *best = larger ? v : *best;
}

/* Mean or maximum of a window that begins at x, and which of its pixels that is. Those
 * of 2 x 2, as most are, without loops */
INLINE floatv pooled(windows w, __global const float *x, uintv *which)
{
    const ulong row = (ulong)w.width * w.channels;
    floatv best = loadv(x), sum = best;
    *which = 0;
    if (w.high == 2 && w.wide == 2) {
        take_in(loadv(x + w.channels), 1, &sum, &best, which);
        take_in(loadv(x + row), 2, &sum, &best, which);
        take_in(loadv(x + row + w.channels), 3, &sum, &best, which);
        return w.average ? sum * 0.25f : best;
    }
    sum = 0;
    uint pixel = 0;
    ROLL for (uint r = 0; r < w.high; r++)
        ROLL for (uint c = 0; c < w.wide; c++, pixel++)
            take_in(loadv(x + r * row + c * w.channels), pixel, &sum, &best, which);
    return w.average ? sum / (floatv)(w.high * w.wide) : best;
}

/* What a window's signal s says of its pixel number `pixel`, the maximum being `which` */
INLINE floatv share_of(windows w, floatv s, uintv which, uint pixel)
{
    if (w.average)
        return s / (floatv)(w.high * w.wide);
    return which == (uintv)pixel ? s : (floatv)0;
}

/* Ends the sum v for what lies at x and `into` */
INLINE void end_pool(windows w, floatv v, __global const float *x,
                     __global float *into, uint left)
{
    if (w.accumulate)
        v += loadv(into);
    store_lanes(into, derive_by(w.kind, w.slope, v, x), left);
}

/* Of pixel (r, c), from all windows around it; x, signal and `into` are those of its
 * image */
INLINE void unpool_pixel(windows w, __global const float *x,
                         __global const float *signal, __global float *into, uint r,
                         uint c, uint left)
{
    const uint top = r < w.high ? 0 : (r - w.high) / w.stride + 1;
    const uint edge = c < w.wide ? 0 : (c - w.wide) / w.stride + 1;
    floatv sum = 0;
    ROLL for (uint i = top; i <= r / w.stride && i < w.out_height; i++)
        ROLL for (uint j = edge; j <= c / w.stride && j < w.out_width; j++) {
            const uint y = i * w.stride, z = j * w.stride;
            uintv which = 0;
            if (!w.average)
                pooled(w, x + ((ulong)y * w.width + z) * w.channels, &which);
            const ulong there = (ulong)i * w.out_width + j;
            sum += share_of(w, loadv(signal + there * w.channels), which,
                            (r - y) * w.wide + c - z);
        }
    const ulong at = ((ulong)r * w.width + c) * w.channels;
    end_pool(w, sum, x + at, into + at, left);
}

#if CPU_LIKE
/* Of a window's cell of rows x columns; x, s and `into` are where it begins */
INLINE void unpool_cell(windows w, __global const float *x, floatv s,
                        __global float *into, uint rows, uint columns, uint left)
{
    const ulong row = (ulong)w.width * w.channels;
    uintv which = 0;
    if (!w.average)
        pooled(w, x, &which);
    if (rows * columns == 4 && w.high == 2 && w.wide == 2) {
        ALL for (uint i = 0; i < 4; i++) {
            const ulong at = i / 2 * row + i % 2 * w.channels;
            end_pool(w, share_of(w, s, which, i), x + at, into + at, left);
        }
        return;
    }
    ROLL for (uint r = 0; r < rows; r++)
        ROLL for (uint c = 0; c < columns; c++) {
            const ulong at = r * row + c * w.channels;
            const int inside = r < w.high && c < w.wide;
            floatv v = 0;
            if (inside)
                v = share_of(w, s, which, r * w.wide + c);
            end_pool(w, v, x + at, into + at, left);
        }
}

/* Of row `line` of windows, of which image i has out_height */
INLINE void unpool_cells(windows w, uint line, __global const float *x,
                         __global const float *signal, __global float *into)
{
    const uint i = line / w.out_height, oy = line % w.out_height, y = oy * w.stride;
    const uint rows = (oy + 1 < w.out_height ? y + w.stride : w.height) - y;
    const ulong at = ((ulong)i * w.height + y) * w.width * w.channels;
    x += at, into += at, signal += (ulong)line * w.out_width * w.channels;
    ROLL for (uint ox = 0; ox < w.out_width; ox++) {
        const uint z = ox * w.stride;
        const uint columns = (ox + 1 < w.out_width ? z + w.stride : w.width) - z;
        ROLL for (uint c = 0; c < w.channels; c += VW)
            unpool_cell(w, x + (ulong)z * w.channels + c,
                        loadv(signal + (ulong)ox * w.channels + c),
                        into + (ulong)z * w.channels + c, rows, columns,
                        w.channels - c);
    }
}
#endif

/* n: lines, or GPU-like elements of y */
__kernel void pool(windows w, __global const float *x, ulong x_at,
                   __global float *y, ulong y_at, ulong n, ulong span)
{
    x += x_at, y += y_at;
    uintv which;
#if CPU_LIKE
    const uint first = get_group_id(0) * span, end = min(first + span, n);
    for (uint line = first; line < end; line++) {
        const ulong row = (ulong)(line / w.out_height) * w.height +
                          line % w.out_height * w.stride;
        ROLL for (uint ox = 0; ox < w.out_width; ox++) {
            const ulong from = (row * w.width + ox * w.stride) * w.channels;
            const ulong to = ((ulong)line * w.out_width + ox) * w.channels;
            ROLL for (uint c = 0; c < w.channels; c += VW)
                store_lanes(y + to + c, pooled(w, x + from + c, &which),
                            w.channels - c);
        }
    }
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0)) {
        const uint c = i % w.channels;
        const ulong pixel = i / w.channels, line = pixel / w.out_width;
        const ulong row = line / w.out_height * w.height +
                          line % w.out_height * w.stride;
        const ulong column = pixel % w.out_width * w.stride;
        y[i] = pooled(w, x + (row * w.width + column) * w.channels + c, &which);
    }
#endif
}

/* n: lines, or GPU-like elements of x */
__kernel void pool_backward(windows w, __global const float *x, ulong x_at,
                            __global const float *signal, ulong signal_at,
                            __global float *into, ulong into_at, ulong n, ulong span)
{
    const ulong size = (ulong)w.height * w.width * w.channels;
    const ulong out_size = (ulong)w.out_height * w.out_width * w.channels;
    x += x_at, signal += signal_at, into += into_at;
#if CPU_LIKE
    const uint first = get_group_id(0) * span, end = min(first + span, n);
    for (uint line = first; line < end; line++) {
        if (w.cells) {
            unpool_cells(w, line, x, signal, into);
            continue;
        }
        const uint image = line / w.height;
        ROLL for (uint p = 0; p < w.width; p++)
            ROLL for (uint c = 0; c < w.channels; c += VW)
                unpool_pixel(w, x + image * size + c, signal + image * out_size + c,
                             into + image * size + c, line % w.height, p,
                             w.channels - c);
    }
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0)) {
        const uint c = i % w.channels;
        const ulong image = i / size, pixel = i % size / w.channels;
        unpool_pixel(w, x + image * size + c, signal + image * out_size + c,
                     into + image * size + c, pixel / w.width, pixel % w.width, 1);
    }
#endif
}
