/* Batch norm of x [rows][columns], column by column over the rows, and layer norm of
 * x [rows][positions][channels], row by row, both with the activation behind them; and
 * `center`, which only takes off the means of columns:
 *   xhat = (x - mean) / sqrt(variance + EPSILON),  y = phi(gain xhat + bias + beside)
 * where `beside`, with ADDS, is laid out as x; gain and bias, one behind the other,
 * belong to a column or channel; without AFFINE they are 1 and 0. Backward, with n the
 * values that share a mean, sums over them, and signal = dL/d(gain xhat + bias):
 *   u = gain signal,  into = dL/dx = (u - sum u / n - xhat sum(u xhat) / n) / sqrt(...)
 *   dgain = sum signal xhat,  dbias = sum signal, over all of a channel
 * These gradients are stored, or with UPDATES they end in the optimizer's step.
 *
 * Batch norm keeps the batch's mean and unbiased variance; with FIXED it takes both
 * from there. Layer norm keeps (mean, 1/sqrt(variance + EPSILON)) of each row, and
 * behind all rows the gain that its backward pass used, before any update.
 *
 * Variances are sums of squared differences to the mean. Every sum goes in an order
 * that depends on the sizes alone.
 *
 * CPU-like: a group does a span of columns, a strip of STRIP vectors at a time, sums
 * over rows in blocks of ROWS; or a span of whole rows.
 * GPU-like: `shares` items share a column; a group shares a row. Barriers stand where
 * every item comes, whatever `parts` say: PoCL miscompiles others. */
#define STRIP 4
#define ROWS 128
#define LARGEST_GROUP 256

#if CPU_LIKE

/* ---- columns ----------------------------------------------------------------- */

/* Sums over rows of x - shift or of its square, `width` vectors from x on */
INLINE void strip_sums(const uint width, const int squared, __global const float *x,
                       uint rows, uint columns, const floatv *shift, floatv *total)
{
    ALL for (uint j = 0; j < width; j++) total[j] = 0;
    ROLL for (uint r = 0; r < rows; r += ROWS) {
        const uint end = min(r + ROWS, rows);
        floatv sum[STRIP];
        ALL for (uint j = 0; j < width; j++) sum[j] = 0;
        ROLL for (uint i = r; i < end; i++)
            ALL for (uint j = 0; j < width; j++) {
                const floatv d = vloadv(j, x + (ulong)i * columns) - shift[j];
                sum[j] += squared ? d * d : d;
            }
        ALL for (uint j = 0; j < width; j++) total[j] += sum[j];
    }
}

/* Sums over rows of the signal and of signal (x - mean) */
INLINE void signal_sums(const uint width, __global const float *x,
                        __global const float *signal, uint rows, uint columns,
                        const floatv *mean, floatv *plain, floatv *weighted)
{
    ALL for (uint j = 0; j < width; j++) plain[j] = weighted[j] = 0;
    ROLL for (uint r = 0; r < rows; r += ROWS) {
        const uint end = min(r + ROWS, rows);
        floatv a[STRIP], b[STRIP];
        ALL for (uint j = 0; j < width; j++) a[j] = b[j] = 0;
        ROLL for (uint i = r; i < end; i++)
            ALL for (uint j = 0; j < width; j++) {
                const ulong at = (ulong)i * columns;
                const floatv s = vloadv(j, signal + at);
                a[j] += s;
                b[j] += s * (vloadv(j, x + at) - mean[j]);
            }
        ALL for (uint j = 0; j < width; j++) plain[j] += a[j], weighted[j] += b[j];
    }
}

INLINE void batch_strip(const uint width, uint parts, uint rows, uint columns,
                        __global const float *x, __global float *y,
                        __global const float *beside,
                        __global const float *weights, __global float *mean,
                        __global float *variance, int kind, float slope, ulong left)
{
    floatv m[STRIP], v[STRIP], scale[STRIP], bias[STRIP];
    ALL for (uint j = 0; j < width; j++) bias[j] = 0;
    if (parts & FIXED) {
        ALL for (uint j = 0; j < width; j++)
            m[j] = vloadv(j, mean), v[j] = vloadv(j, variance);
    } else {
        strip_sums(width, 0, x, rows, columns, bias, m);
        ALL for (uint j = 0; j < width; j++) m[j] /= rows;
        strip_sums(width, 1, x, rows, columns, m, v);
        ALL for (uint j = 0; j < width; j++) {
            store_lanes(mean + j * VW, m[j], left - j * VW);
            store_lanes(variance + j * VW, v[j] / (rows - 1), left - j * VW);
            v[j] /= rows;
        }
    }
    ALL for (uint j = 0; j < width; j++) {
        scale[j] = 1.0f / sqrt(v[j] + EPSILON);
        if (parts & AFFINE) {
            scale[j] *= vloadv(j, weights);
            bias[j] = vloadv(j, weights + columns);
        }
    }
    ROLL for (uint r = 0; r < rows; r++)
        ROLL for (uint j = 0; j < width; j++) {
            const ulong at = (ulong)r * columns + j * VW;
            floatv v = (vloadv(0, x + at) - m[j]) * scale[j] + bias[j];
            if (parts & ADDS)
                v += vloadv(0, beside + at);
            store_lanes(y + at, activate(kind, slope, v), left - j * VW);
        }
}

INLINE void batch_strip_backward(const uint width, uint parts, uint rows,
                                 uint columns, __global const float *x,
                                 __global const float *signal,
                                 __global float *into,
                                 __global const float *weights,
                                 __global const float *mean,
                                 __global const float *variance, learner l,
                                 ulong at, ulong left)
{
    const float inverse = 1.0f / rows, biased = (rows - 1) * inverse;
    floatv m[STRIP], scale[STRIP], plain[STRIP], weighted[STRIP], root[STRIP];
    ALL for (uint j = 0; j < width; j++) m[j] = vloadv(j, mean);
    signal_sums(width, x, signal, rows, columns, m, plain, weighted);
    ALL for (uint j = 0; j < width; j++) {
        root[j] = 1.0f / sqrt(vloadv(j, variance) * biased + EPSILON);
        scale[j] = parts & AFFINE ? root[j] * vloadv(j, weights) : root[j];
        weighted[j] *= root[j];
    }
    ROLL for (uint r = 0; r < rows; r++)
        ROLL for (uint j = 0; j < width; j++) {
            const ulong here = (ulong)r * columns + j * VW;
            const floatv xhat = (vloadv(0, x + here) - m[j]) * root[j];
            const floatv mean_part = plain[j] + xhat * weighted[j];
            store_lanes(into + here,
                        scale[j] * (vloadv(0, signal + here) - inverse * mean_part),
                        left - j * VW);
        }
    if (parts & AFFINE)
        ROLL for (uint j = 0; j < width; j++) {
            teach(l, at + j * VW, weighted[j], left - j * VW);
            teach(l, at + columns + j * VW, plain[j], left - j * VW);
        }
}

/* Gradients of layer norm's gain and bias from `lines` rows of channels, of which
 * `positions` share a row's (mean, root) */
INLINE void layer_strip(const uint width, uint lines, uint positions, uint channels,
                        __global const float *x, __global const float *signal,
                        __global const float *kept, floatv *plain, floatv *weighted)
{
    ALL for (uint j = 0; j < width; j++) plain[j] = weighted[j] = 0;
    ROLL for (uint r = 0; r < lines; r += ROWS) {
        const uint end = min(r + ROWS, lines);
        floatv a[STRIP], b[STRIP];
        ALL for (uint j = 0; j < width; j++) a[j] = b[j] = 0;
        ROLL for (uint i = r; i < end; i++) {
            const ulong at = (ulong)i * channels, row = i / positions;
            const float mean = kept[2 * row], root = kept[2 * row + 1];
            ALL for (uint j = 0; j < width; j++) {
                const floatv s = vloadv(j, signal + at);
                a[j] += s;
                b[j] += s * ((vloadv(j, x + at) - mean) * root);
            }
        }
        ALL for (uint j = 0; j < width; j++) plain[j] += a[j], weighted[j] += b[j];
    }
}

/* ---- rows -------------------------------------------------------------------- */

/* Sum over n floats of x - shift or of its square */
INLINE float row_sum(const int squared, __global const float *x, uint n, float shift)
{
    floatv sum[STRIP];
    uint i = 0;
    ALL for (uint j = 0; j < STRIP; j++) sum[j] = 0;
    ROLL for (; i + STRIP * VW <= n; i += STRIP * VW)
        ALL for (uint j = 0; j < STRIP; j++) {
            const floatv d = vloadv(j, x + i) - shift;
            sum[j] += squared ? d * d : d;
        }
    ROLL for (; i < n; i += VW) {
        const floatv d = vloadv(0, x + i) - shift;
        const floatv counted = LANES < (intv)(int)(n - i) ? d : (floatv)0;
        sum[0] += squared ? counted * counted : counted;
    }
    return sum_lanes((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

INLINE floatv gain_lanes(uint parts, __global const float *gain, uint left)
{
    return parts & AFFINE ? load_lanes(gain, left) : (floatv)1;
}

INLINE void layer_row(uint parts, uint positions, uint channels,
                      __global const float *x, __global float *y,
                      __global const float *beside,
                      __global const float *weights, float mean, float root,
                      int kind, float slope)
{
    ROLL for (uint p = 0; p < positions; p++)
        ROLL for (uint c = 0; c < channels; c += VW) {
            const ulong at = (ulong)p * channels + c;
            const uint left = channels - c;
            const floatv gain = gain_lanes(parts, weights + c, left);
            const floatv bias = parts & AFFINE
                                    ? load_lanes(weights + channels + c, left)
                                    : (floatv)0;
            floatv v = gain * ((vloadv(0, x + at) - mean) * root) + bias;
            if (parts & ADDS)
                v += vloadv(0, beside + at);
            store_lanes(y + at, activate(kind, slope, v), left);
        }
}

INLINE void layer_row_backward(uint parts, uint positions, uint channels,
                               __global const float *x,
                               __global const float *signal, __global float *into,
                               __global const float *gains, float mean, float root)
{
    const float inverse = 1.0f / ((float)positions * channels);
    floatv plain = 0, weighted = 0;
    ROLL for (uint p = 0; p < positions; p++)
        ROLL for (uint c = 0; c < channels; c += VW) {
            const ulong at = (ulong)p * channels + c;
            const uint left = channels - c;
            const floatv u = gain_lanes(parts, gains + c, left) *
                             load_lanes(signal + at, left);
            plain += u;
            weighted += u * ((load_lanes(x + at, left) - mean) * root);
        }
    const float a = sum_lanes(plain) * inverse, b = sum_lanes(weighted) * inverse;
    ROLL for (uint p = 0; p < positions; p++)
        ROLL for (uint c = 0; c < channels; c += VW) {
            const ulong at = (ulong)p * channels + c;
            const uint left = channels - c;
            const floatv u = gain_lanes(parts, gains + c, left) *
                             vloadv(0, signal + at);
            const floatv xhat = (vloadv(0, x + at) - mean) * root;
            store_lanes(into + at, (u - (a + xhat * b)) * root, left);
        }
}

#else

/* The sum of what the items of a column hold, `wide` columns a group; every item of
 * the group comes here. Barriers guard `shared` before and after. */
INLINE float column_sum(__local float *shared, float value, uint wide)
{
    const uint item = get_local_id(0);
    shared[item] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    float sum = 0;
    for (uint i = item % wide; i < get_local_size(0); i += wide) sum += shared[i];
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum;
}

#endif

/* ---- batch norm -------------------------------------------------------------- */

__kernel void batch_norm(uint parts, uint rows, uint columns,
                         __global const float *x, ulong x_at, __global float *y,
                         ulong y_at, __global const float *beside, ulong beside_at,
                         __global const float *weights, ulong weights_at,
                         __global float *mean, ulong mean_at,
                         __global float *variance, ulong variance_at, int kind,
                         float slope, uint span)
{
    x += x_at, y += y_at, beside += beside_at, weights += weights_at;
    mean += mean_at, variance += variance_at;
#if CPU_LIKE
    const uint first = get_group_id(0) * span, end = min(first + span, columns);
    uint i = first;
    for (; i + STRIP * VW <= end; i += STRIP * VW)
        batch_strip(STRIP, parts, rows, columns, x + i, y + i, beside + i,
                    weights + i, mean + i, variance + i, kind, slope, end - i);
    for (; i < end; i += VW)
        batch_strip(1, parts, rows, columns, x + i, y + i, beside + i, weights + i,
                    mean + i, variance + i, kind, slope, end - i);
#else
    __local float shared[LARGEST_GROUP];
    const uint wide = get_local_size(0) / span, share = get_local_id(0) / wide;
    const uint column = get_group_id(0) * wide + get_local_id(0) % wide;
    const uint n = column < columns ? rows : 0; /* past the last: nothing */
    const uint found = parts & FIXED ? 0 : n;
    float m, v, sum = 0;
    for (uint r = share; r < found; r += span) sum += x[(ulong)r * columns + column];
    m = column_sum(shared, sum, wide) / rows;
    sum = 0;
    for (uint r = share; r < found; r += span) {
        const float d = x[(ulong)r * columns + column] - m;
        sum += d * d;
    }
    sum = column_sum(shared, sum, wide);
    v = sum / rows;
    if ((parts & FIXED) && n)
        m = mean[column], v = variance[column];
    if (share == 0 && found)
        mean[column] = m, variance[column] = sum / (rows - 1);
    float scale = 1.0f / sqrt(v + EPSILON), bias = 0;
    if ((parts & AFFINE) && n) {
        scale *= weights[column];
        bias = weights[columns + column];
    }
    for (uint r = share; r < n; r += span) {
        const ulong at = (ulong)r * columns + column;
        float w = (x[at] - m) * scale + bias;
        if (parts & ADDS)
            w += beside[at];
        y[at] = activate(kind, slope, w);
    }
#endif
}

__kernel void batch_norm_backward(uint parts, uint rows, uint columns,
                                  __global const float *x, ulong x_at,
                                  __global const float *signal, ulong signal_at,
                                  __global float *into, ulong into_at,
                                  __global const float *weights, ulong weights_at,
                                  __global const float *mean, ulong mean_at,
                                  __global const float *variance,
                                  ulong variance_at, LEARNER_ARGUMENTS, uint span)
{
    const learner l = LEARNER;
    const uint learnt = IS_HALTED ? 0 : columns;
    x += x_at, signal += signal_at, into += into_at, weights += weights_at;
    mean += mean_at, variance += variance_at;
#if CPU_LIKE
    const uint first = get_group_id(0) * span, end = min(first + span, learnt);
    uint i = first;
    for (; i + STRIP * VW <= end; i += STRIP * VW)
        batch_strip_backward(STRIP, parts, rows, columns, x + i, signal + i,
                             into + i, weights + i, mean + i, variance + i, l, i,
                             end - i);
    for (; i < end; i += VW)
        batch_strip_backward(1, parts, rows, columns, x + i, signal + i, into + i,
                             weights + i, mean + i, variance + i, l, i, end - i);
#else
    __local float shared[LARGEST_GROUP];
    const uint wide = get_local_size(0) / span, share = get_local_id(0) / wide;
    const uint column = get_group_id(0) * wide + get_local_id(0) % wide;
    const uint n = column < learnt ? rows : 0; /* past the last: nothing */
    const float inverse = 1.0f / rows, m = n ? mean[column] : 0;
    const float v = n ? variance[column] * ((rows - 1) * inverse) : 1;
    const float root = 1.0f / sqrt(v + EPSILON);
    const float scale = (parts & AFFINE) && n ? root * weights[column] : root;
    float plain = 0, weighted = 0;
    for (uint r = share; r < n; r += span) {
        const ulong at = (ulong)r * columns + column;
        plain += signal[at];
        weighted += signal[at] * (x[at] - m);
    }
    plain = column_sum(shared, plain, wide);
    weighted = column_sum(shared, weighted, wide) * root;
    for (uint r = share; r < n; r += span) {
        const ulong at = (ulong)r * columns + column;
        const float xhat = (x[at] - m) * root;
        into[at] = scale * (signal[at] - inverse * (plain + xhat * weighted));
    }
    if (share == 0 && n && (parts & AFFINE)) {
        teach(l, column, weighted, 1);
        teach(l, columns + column, plain, 1);
    }
#endif
}

/* ---- layer norm -------------------------------------------------------------- */

/* kept [rows][2]; nothing is kept without KEEPS */
__kernel void layer_norm(uint parts, uint rows, uint positions, uint channels,
                         __global const float *x, ulong x_at, __global float *y,
                         ulong y_at, __global const float *beside, ulong beside_at,
                         __global const float *weights, ulong weights_at,
                         __global float *kept, ulong kept_at, int kind,
                         float slope, uint span)
{
    const uint size = positions * channels;
    x += x_at, y += y_at, beside += beside_at;
    weights += weights_at, kept += kept_at;
#if CPU_LIKE
    const uint first = get_group_id(0) * span, end = min(first + span, rows);
    for (uint r = first; r < end; r++) {
        const ulong at = (ulong)r * size;
        const float mean = row_sum(0, x + at, size, 0) / size;
        const float variance = row_sum(1, x + at, size, mean) / size;
        const float root = 1.0f / sqrt(variance + EPSILON);
        if (parts & KEEPS)
            kept[2 * r] = mean, kept[2 * r + 1] = root;
        layer_row(parts, positions, channels, x + at, y + at, beside + at, weights,
                  mean, root, kind, slope);
    }
#else
    __local float shared[GROUP];
    const uint r = get_group_id(0), item = get_local_id(0);
    const ulong at = (ulong)r * size;
    float sum = 0;
    for (uint i = item; i < size; i += GROUP) sum += x[at + i];
    const float mean = team_sum(shared, sum, GROUP) / size;
    sum = 0;
    for (uint i = item; i < size; i += GROUP)
        sum += (x[at + i] - mean) * (x[at + i] - mean);
    const float variance = team_sum(shared, sum, GROUP) / size;
    const float root = 1.0f / sqrt(variance + EPSILON);
    if ((parts & KEEPS) && item == 0)
        kept[2 * r] = mean, kept[2 * r + 1] = root;
    for (uint i = item; i < size; i += GROUP) {
        const uint c = i % channels;
        float v = (x[at + i] - mean) * root;
        if (parts & AFFINE)
            v = weights[c] * v + weights[channels + c];
        if (parts & ADDS)
            v += beside[at + i];
        y[at + i] = activate(kind, slope, v);
    }
#endif
}

/* Before layer_norm_backward: gradients of gain and bias; the gain goes behind the
 * rows that are kept */
__kernel void layer_norm_gradient(uint parts, uint rows, uint positions,
                                  uint channels, __global const float *x,
                                  ulong x_at, __global const float *signal,
                                  ulong signal_at, __global const float *weights,
                                  ulong weights_at, __global float *kept,
                                  ulong kept_at, LEARNER_ARGUMENTS, uint span)
{
    const learner l = LEARNER;
    const uint lines = rows * positions, learnt = IS_HALTED ? 0 : channels;
    x += x_at, signal += signal_at, weights += weights_at, kept += kept_at;
#if CPU_LIKE
    const uint first = get_group_id(0) * span, end = min(first + span, learnt);
    for (uint i = first; i < end;) {
        const uint width = i + STRIP * VW <= end ? STRIP : 1;
        floatv plain[STRIP], weighted[STRIP];
        if (width == STRIP)
            layer_strip(STRIP, lines, positions, channels, x + i, signal + i, kept,
                        plain, weighted);
        else
            layer_strip(1, lines, positions, channels, x + i, signal + i, kept,
                        plain, weighted);
        ROLL for (uint j = 0; j < width; j++, i += VW) {
            store_lanes(kept + 2 * rows + i, vloadv(0, weights + i), end - i);
            teach(l, i, weighted[j], end - i);
            teach(l, channels + i, plain[j], end - i);
        }
    }
#else
    __local float shared[LARGEST_GROUP];
    const uint wide = get_local_size(0) / span, share = get_local_id(0) / wide;
    const uint column = get_group_id(0) * wide + get_local_id(0) % wide;
    const uint n = column < learnt ? lines : 0;
    float plain = 0, weighted = 0;
    for (uint i = share; i < n; i += span) {
        const uint row = i / positions;
        const ulong at = (ulong)i * channels + column;
        plain += signal[at];
        weighted += signal[at] * ((x[at] - kept[2 * row]) * kept[2 * row + 1]);
    }
    plain = column_sum(shared, plain, wide);
    weighted = column_sum(shared, weighted, wide);
    if (share == 0 && n) {
        kept[2 * rows + column] = weights[column];
        teach(l, column, weighted, 1);
        teach(l, channels + column, plain, 1);
    }
#endif
}

__kernel void layer_norm_backward(uint parts, uint rows, uint positions,
                                  uint channels, __global const float *x,
                                  ulong x_at, __global const float *signal,
                                  ulong signal_at, __global float *into,
                                  ulong into_at, __global const float *kept,
                                  ulong kept_at, uint span)
{
    const uint size = positions * channels;
    x += x_at, signal += signal_at, into += into_at, kept += kept_at;
    __global const float *gains = kept + 2 * rows;
#if CPU_LIKE
    const uint first = get_group_id(0) * span, end = min(first + span, rows);
    for (uint r = first; r < end; r++)
        layer_row_backward(parts, positions, channels, x + (ulong)r * size,
                           signal + (ulong)r * size, into + (ulong)r * size, gains,
                           kept[2 * r], kept[2 * r + 1]);
#else
    __local float shared[GROUP];
    const uint r = get_group_id(0), item = get_local_id(0);
    const ulong at = (ulong)r * size;
    const float mean = kept[2 * r], root = kept[2 * r + 1], inverse = 1.0f / size;
    float plain = 0, weighted = 0;
    for (uint i = item; i < size; i += GROUP) {
        const float u = parts & AFFINE ? gains[i % channels] * signal[at + i]
                                       : signal[at + i];
        plain += u;
        weighted += u * ((x[at + i] - mean) * root);
    }
    plain = team_sum(shared, plain, GROUP) * inverse;
    weighted = team_sum(shared, weighted, GROUP) * inverse;
    for (uint i = item; i < size; i += GROUP) {
        const float u = parts & AFFINE ? gains[i % channels] * signal[at + i]
                                       : signal[at + i];
        const float xhat = (x[at + i] - mean) * root;
        into[at + i] = (u - (plain + xhat * weighted)) * root;
    }
#endif
}

/* ---- centering --------------------------------------------------------------- */

#if CPU_LIKE
INLINE void center_strip(const uint width, uint rows, uint columns, __global float *x,
                         ulong left)
{
    floatv none[STRIP], mean[STRIP];
    ALL for (uint j = 0; j < width; j++) none[j] = 0;
    strip_sums(width, 0, x, rows, columns, none, mean);
    ALL for (uint j = 0; j < width; j++) mean[j] /= rows;
    ROLL for (uint r = 0; r < rows; r++)
        ROLL for (uint j = 0; j < width; j++) {
            const ulong at = (ulong)r * columns + j * VW;
            store_lanes(x + at, vloadv(0, x + at) - mean[j], left - j * VW);
        }
}
#endif

/* x [rows][columns] less each column's mean over the rows */
__kernel void center(uint rows, uint columns, __global float *x, ulong x_at, uint span)
{
    x += x_at;
#if CPU_LIKE
    const uint first = get_group_id(0) * span, end = min(first + span, columns);
    uint i = first;
    for (; i + STRIP * VW <= end; i += STRIP * VW)
        center_strip(STRIP, rows, columns, x + i, end - i);
    for (; i < end; i += VW) center_strip(1, rows, columns, x + i, end - i);
#else
    __local float shared[LARGEST_GROUP];
    const uint wide = get_local_size(0) / span, share = get_local_id(0) / wide;
    const uint column = get_group_id(0) * wide + get_local_id(0) % wide;
    const uint n = column < columns ? rows : 0; /* past the last: nothing */
    float sum = 0;
    for (uint r = share; r < n; r += span) sum += x[(ulong)r * columns + column];
    const float mean = column_sum(shared, sum, wide) / rows;
    for (uint r = share; r < n; r += span) x[(ulong)r * columns + column] -= mean;
#endif
}

/* ---- running statistics ------------------------------------------------------ */

/* running <- (1 - momentum) running + momentum batch, n floats; nothing changes where
 * *halted is not 0 */
__kernel void blend(float momentum, __global const float *batch, ulong batch_at,
                    __global float *running, ulong running_at,
                    __global const int *halted, ulong halted_at, ulong n, ulong span)
{
    batch += batch_at, running += running_at;
    if (halted[halted_at] != 0)
        return;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    const ulong stride = VW;
#else
    const ulong first = get_global_id(0), end = n, stride = get_global_size(0);
#endif
    for (ulong i = first; i < end; i += stride)
        store_lanes(running + i,
                    (1.0f - momentum) * vloadv(0, running + i) +
                        momentum * vloadv(0, batch + i),
                    end - i);
}

#undef STRIP
#undef ROWS
#undef LARGEST_GROUP
