/* Batch norm of maps x [lines][channels], lines = images * positions: of few channels
 * with many values each. The formulas are those of cl/normalize.cl, but what a group
 * does is a piece of `piece` lines, and every pass is three launches:
 *   map_statistics      of each piece the means of its channels, and the sums of
 *                       squared differences to them,
 *   map_statistics_end  all pieces together, as Chan, Golub and LeVeque (1979) do, so
 *                       that a mean far from 0 costs a variance nothing,
 *   map_norm            y = phi((x - mean) scale + bias + beside),
 * and backward
 *   map_sums            of each piece sum signal and sum signal (x - mean),
 *   map_sums_end        all pieces together, and the step of gain and bias,
 *   map_norm_backward   into = scale signal - plain - (x - mean) weighted.
 * `room` holds what they tell each other: CONSTANTS rows of channels, and two rows for
 * each piece. x is read from memory once for the sums: a piece fits into a cache.
 *
 * All take `parts`, the sizes and `piece` first, whether they need them or not.
 *
 * CPU-like: a group does a span of pieces, of columns (end), or of lines.
 * GPU-like: a group does `wide` columns of a piece; an item a column; an element. */
#define STRIP 4
#define CONSTANTS 4

INLINE __global float *piece_room(__global float *room, uint piece, uint channels)
{
    return room + (CONSTANTS + 2 * (ulong)piece) * channels;
}

#if CPU_LIKE
/* Sums over lines of x - shift or of its square: `width` vectors from x on, and STRIP /
 * width lines at a time, each for itself so that no sum waits for another */
INLINE void deep_sums(const uint width, const int squared, __global const float *x,
                      uint lines, uint channels, const floatv *shift, floatv *total)
{
    const uint deep = STRIP / width;
    floatv sum[STRIP];
    uint l = 0;
    ALL for (uint i = 0; i < STRIP; i++) sum[i] = 0;
    ROLL for (; l + deep <= lines; l += deep)
        ALL for (uint i = 0; i < STRIP; i++) {
            const ulong at = (ulong)(l + i / width) * channels + i % width * VW;
            const floatv d = loadv(x + at) - shift[i % width];
            sum[i] = squared ? sum[i] + d * d : sum[i] + d;
        }
    ROLL for (; l < lines; l++)
        ALL for (uint j = 0; j < width; j++) {
            const floatv d = loadv(x + (ulong)l * channels + j * VW) - shift[j];
            sum[j] = squared ? sum[j] + d * d : sum[j] + d;
        }
    ALL for (uint j = 0; j < width; j++)
        total[j] = deep == 1 ? sum[j] : (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

INLINE void strip_statistics(const uint width, __global const float *x, uint lines,
                             uint channels, __global float *room, uint left)
{
    floatv zeros[STRIP], mean[STRIP], squares[STRIP];
    ALL for (uint j = 0; j < STRIP; j++) zeros[j] = 0;
    deep_sums(width, 0, x, lines, channels, zeros, mean);
    ALL for (uint j = 0; j < width; j++) mean[j] /= lines;
    deep_sums(width, 1, x, lines, channels, mean, squares);
    ALL for (uint j = 0; j < width; j++) {
        store_lanes(room + j * VW, mean[j], left - j * VW);
        store_lanes(room + channels + j * VW, squares[j], left - j * VW);
    }
}

/* Sums over lines of the signal and of signal (x - mean), as deep_sums */
INLINE void strip_signals(const uint width, __global const float *x,
                          __global const float *signal, uint lines, uint channels,
                          __global const float *mean, __global float *room,
                          uint left)
{
    const uint deep = STRIP / width;
    floatv m[STRIP], a[STRIP], b[STRIP];
    uint l = 0;
    ALL for (uint i = 0; i < STRIP; i++) a[i] = b[i] = 0;
    ALL for (uint j = 0; j < width; j++) m[j] = loadv(mean + j * VW);
    ROLL for (; l + deep <= lines; l += deep)
        ALL for (uint i = 0; i < STRIP; i++) {
            const ulong at = (ulong)(l + i / width) * channels + i % width * VW;
            const floatv s = loadv(signal + at);
            a[i] += s;
            b[i] += s * (loadv(x + at) - m[i % width]);
        }
    ROLL for (; l < lines; l++)
        ALL for (uint j = 0; j < width; j++) {
            const ulong at = (ulong)l * channels + j * VW;
            const floatv s = loadv(signal + at);
            a[j] += s;
            b[j] += s * (loadv(x + at) - m[j]);
        }
    ALL for (uint j = 0; j < width; j++) {
        const floatv plain = deep == 1 ? a[j] : (a[0] + a[1]) + (a[2] + a[3]);
        const floatv weighted = deep == 1 ? b[j] : (b[0] + b[1]) + (b[2] + b[3]);
        store_lanes(room + j * VW, plain, left - j * VW);
        store_lanes(room + channels + j * VW, weighted, left - j * VW);
    }
}
#else
/* The sum of what the items of a column hold, `wide` columns a group; every item of
 * the group comes here. Barriers guard `shared` before and after. */
INLINE float map_column_sum(__local float *shared, float value, uint wide)
{
    const uint item = get_local_id(0);
    shared[item] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    float sum = 0;
    for (uint i = item % wide; i < GROUP; i += wide) sum += shared[i];
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum;
}
#endif

/* CPU-like: `wide` is the span of pieces */
__kernel void map_statistics(uint parts, uint lines, uint channels, uint piece,
                             __global const float *x, ulong x_at,
                             __global float *room, uint wide)
{
    x += x_at;
#if CPU_LIKE
    const uint pieces = (lines - 1) / piece + 1;
    const uint first = get_group_id(0) * wide, end = min(first + wide, pieces);
    for (uint p = first; p < end; p++) {
        const uint n = min(piece, lines - p * piece);
        __global const float *from = x + (ulong)p * piece * channels;
        __global float *to = piece_room(room, p, channels);
        uint c = 0;
        for (; c + STRIP * VW <= channels; c += STRIP * VW)
            strip_statistics(STRIP, from + c, n, channels, to + c, channels - c);
        for (; c < channels; c += VW)
            strip_statistics(1, from + c, n, channels, to + c, channels - c);
    }
#else
    __local float shared[GROUP];
    const uint p = get_group_id(0), item = get_local_id(0), shares = GROUP / wide;
    const uint column = get_group_id(1) * wide + item % wide;
    const uint length = min(piece, lines - p * piece);
    const uint n = column < channels ? length : 0; /* past the last: nothing */
    __global float *to = piece_room(room, p, channels) + column;
    x += (ulong)p * piece * channels + column;
    float sum = 0;
    for (uint l = item / wide; l < n; l += shares) sum += x[(ulong)l * channels];
    const float mean = map_column_sum(shared, sum, wide) / length;
    sum = 0;
    for (uint l = item / wide; l < n; l += shares) {
        const float d = x[(ulong)l * channels] - mean;
        sum += d * d;
    }
    sum = map_column_sum(shared, sum, wide);
    if (item < wide && n)
        to[0] = mean, to[channels] = sum;
#endif
}

/* Constants: mean, scale, bias. Mean and unbiased variance are kept; with FIXED they
 * are given */
__kernel void map_statistics_end(uint parts, uint lines, uint channels, uint piece,
                                 __global const float *weights, ulong weights_at,
                                 __global float *mean, ulong mean_at,
                                 __global float *variance, ulong variance_at,
                                 __global float *room, uint span)
{
    const uint pieces = parts & FIXED ? 0 : (lines - 1) / piece + 1;
    weights += weights_at, mean += mean_at, variance += variance_at;
#if CPU_LIKE
    const uint first = get_group_id(0) * span, end = min(first + span, channels);
#else
    const uint first = get_global_id(0), end = min(first + 1, channels);
#endif
    for (uint c = first; c < end; c += VW) {
        floatv m = 0, v = 0, bias = 0;
        for (uint p = 0; p < pieces; p++)
            m += loadv(piece_room(room, p, channels) + c) *
                 min(piece, lines - p * piece);
        m /= lines;
        for (uint p = 0; p < pieces; p++) {
            __global const float *from = piece_room(room, p, channels) + c;
            const floatv d = loadv(from) - m;
            v += loadv(from + channels) + d * d * min(piece, lines - p * piece);
        }
        if (parts & FIXED) {
            m = loadv(mean + c), v = loadv(variance + c);
        } else {
            store_lanes(mean + c, m, end - c);
            store_lanes(variance + c, v / (lines - 1), end - c);
            v /= lines;
        }
        floatv scale = 1.0f / sqrt(v + EPSILON);
        if (parts & AFFINE) {
            scale *= loadv(weights + c);
            bias = loadv(weights + channels + c);
        }
        store_lanes(room + c, m, end - c);
        store_lanes(room + channels + c, scale, end - c);
        store_lanes(room + 2 * channels + c, bias, end - c);
    }
}

/* n: lines, or GPU-like elements */
__kernel void map_norm(uint parts, uint lines, uint channels, uint piece,
                       __global const float *x, ulong x_at, __global float *y,
                       ulong y_at, __global const float *beside, ulong beside_at,
                       __global const float *room, int kind, float slope, ulong n,
                       ulong span)
{
    __global const float *scale = room + channels, *bias = scale + channels;
    x += x_at, y += y_at, beside += beside_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    for (ulong at = first * channels; at < end * channels; at += channels)
        ROLL for (uint c = 0; c < channels; c += VW) {
            floatv v = (loadv(x + at + c) - loadv(room + c)) *
                           loadv(scale + c) + loadv(bias + c);
            if (parts & ADDS)
                v += loadv(beside + at + c);
            store_lanes(y + at + c, activate(kind, slope, v), channels - c);
        }
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0)) {
        const uint c = i % channels;
        float v = (x[i] - room[c]) * scale[c] + bias[c];
        if (parts & ADDS)
            v += beside[i];
        y[i] = activate(kind, slope, v);
    }
#endif
}

/* As map_statistics */
__kernel void map_sums(uint parts, uint lines, uint channels, uint piece,
                       __global const float *x, ulong x_at,
                       __global const float *signal, ulong signal_at,
                       __global const float *mean, ulong mean_at,
                       __global float *room, uint wide)
{
    x += x_at, signal += signal_at, mean += mean_at;
#if CPU_LIKE
    const uint pieces = (lines - 1) / piece + 1;
    const uint first = get_group_id(0) * wide, end = min(first + wide, pieces);
    for (uint p = first; p < end; p++) {
        const uint n = min(piece, lines - p * piece);
        const ulong from = (ulong)p * piece * channels;
        __global float *to = piece_room(room, p, channels);
        uint c = 0;
        for (; c + STRIP * VW <= channels; c += STRIP * VW)
            strip_signals(STRIP, x + from + c, signal + from + c, n, channels,
                          mean + c, to + c, channels - c);
        for (; c < channels; c += VW)
            strip_signals(1, x + from + c, signal + from + c, n, channels,
                          mean + c, to + c, channels - c);
    }
#else
    __local float shared[GROUP];
    const uint p = get_group_id(0), item = get_local_id(0), shares = GROUP / wide;
    const uint column = get_group_id(1) * wide + item % wide;
    const uint n = column < channels ? min(piece, lines - p * piece) : 0;
    const ulong from = (ulong)p * piece * channels + column;
    const float m = n ? mean[column] : 0;
    __global float *to = piece_room(room, p, channels) + column;
    float plain = 0, weighted = 0;
    for (uint l = item / wide; l < n; l += shares) {
        const ulong at = from + (ulong)l * channels;
        plain += signal[at];
        weighted += signal[at] * (x[at] - m);
    }
    plain = map_column_sum(shared, plain, wide);
    weighted = map_column_sum(shared, weighted, wide);
    if (item < wide && n)
        to[0] = plain, to[channels] = weighted;
#endif
}

/* Constants: mean, scale, plain, weighted */
__kernel void map_sums_end(uint parts, uint lines, uint channels, uint piece,
                           __global const float *weights, ulong weights_at,
                           __global const float *mean, ulong mean_at,
                           __global const float *variance, ulong variance_at,
                           __global float *room, LEARNER_ARGUMENTS, uint span)
{
    const learner l = LEARNER;
    const uint pieces = (lines - 1) / piece + 1;
    const float inverse = 1.0f / lines, biased = (lines - 1) * inverse;
    const int learns = (parts & AFFINE) && !IS_HALTED;
    weights += weights_at, mean += mean_at, variance += variance_at;
#if CPU_LIKE
    const uint first = get_group_id(0) * span, end = min(first + span, channels);
#else
    const uint first = get_global_id(0), end = min(first + 1, channels);
#endif
    for (uint c = first; c < end; c += VW) {
        floatv plain = 0, weighted = 0;
        for (uint p = 0; p < pieces; p++) {
            __global const float *from = piece_room(room, p, channels) + c;
            plain += loadv(from);
            weighted += loadv(from + channels);
        }
        const floatv root = 1.0f / sqrt(loadv(variance + c) * biased + EPSILON);
        const floatv scale = parts & AFFINE ? root * loadv(weights + c) : root;
        weighted *= root;
        store_lanes(room + c, loadv(mean + c), end - c);
        store_lanes(room + channels + c, scale, end - c);
        store_lanes(room + 2 * channels + c, scale * plain * inverse, end - c);
        store_lanes(room + 3 * channels + c, scale * weighted * root * inverse,
                    end - c);
        if (learns) {
            teach(l, c, weighted, end - c);
            teach(l, channels + c, plain, end - c);
        }
    }
}

/* n: lines, or GPU-like elements */
__kernel void map_norm_backward(uint parts, uint lines, uint channels, uint piece,
                                __global const float *x, ulong x_at,
                                __global const float *signal, ulong signal_at,
                                __global float *into, ulong into_at,
                                __global const float *room, ulong n, ulong span)
{
    __global const float *scale = room + channels, *plain = scale + channels;
    __global const float *weighted = plain + channels;
    x += x_at, signal += signal_at, into += into_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    for (ulong at = first * channels; at < end * channels; at += channels)
        ROLL for (uint c = 0; c < channels; c += VW) {
            const floatv d = loadv(x + at + c) - loadv(room + c);
            const floatv s = loadv(scale + c) * loadv(signal + at + c);
            store_lanes(into + at + c,
                        s - loadv(plain + c) - d * loadv(weighted + c),
                        channels - c);
        }
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0)) {
        const uint c = i % channels;
        into[i] = scale[c] * signal[i] - plain[c] - (x[i] - room[c]) * weighted[c];
    }
#endif
}

#undef STRIP
#undef CONSTANTS
