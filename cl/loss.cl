/* Loss of a [rows][outputs] against labels [rows] or targets [rows][outputs], its
 * delta at the output, and the number of right rows:
 *   cross-entropy   loss_r = ln sum exp(a_r) - a_r[label]
 *                   delta  = (softmax(a) - onehot) / rows
 *   squared error   loss_r = 1/2 sum (a_r - t_r)^2,  delta = (a - t) / rows
 * with 1 in place of rows in both if SUMMED: the batch's sum is learned, not its mean.
 * signal [rows][outputs], where it is wanted, is delta without the outputs:
 * -onehot / rows or -t / rows, or 1 for rows as above.
 * partials [slots][stride][2]: sums of loss_r and of right rows, over blocks of
 * BLOCK rows whatever the device. A partial sum that is not finite sets *halted.
 *
 * A row is right if its label is the first of its largest outputs: every output
 * before it is smaller, none behind it larger. NaN fails these tests and reaches
 * the loss; a label that is none makes the loss NaN.
 *
 * CPU-like: group g does blocks [g*span, (g + 1)*span), row by row.
 * GPU-like: group g does block g; a row is shared by `team` items through local
 * memory, so a group does local size / team rows at once. */
#define BLOCK 16
#define CROSS_ENTROPY 0

/* Bits of `parts` */
#define LABELS 1
#define TARGETS 2
#define DELTA 4
#define HALTED 8
#define SUMMED 16
#define SIGNAL 32

#define LOSS_ARGUMENTS                                                             \
    int kind, uint parts, uint rows, uint outputs, __global const float *a,        \
        ulong a_at, __global const int *labels, ulong labels_at,                   \
        __global const float *targets, ulong targets_at, __global float *delta,    \
        ulong delta_at, __global float *signal, ulong signal_at,                   \
        __global float *partials, ulong partials_at, __global int *halted,         \
        ulong halted_at, ulong stride, uint slot

/* partial: where a block's sums go */
INLINE void put_partial(__global float *partial, float loss, float right,
                        uint parts, __global int *halted, ulong halted_at)
{
    partial[0] = loss;
    partial[1] = right;
    if (parts & HALTED)
        if (!isfinite(loss))
            halted[halted_at] = 1;
}

#if CPU_LIKE
/* NaN loses against any number */
INLINE float largest_lane(floatv v)
{
    float lanes[VW], largest = -INFINITY;
    vstorev(v, 0, lanes);
    ALL for (uint j = 0; j < VW; j++) largest =
        lanes[j] > largest ? lanes[j] : largest;
    return largest;
}

/* One row: n outputs; x is the label's output, `right` comes out */
typedef struct loss_row {
    __global const float *a, *targets;
    __global float *delta, *signal;
    int n, label;
    float x, inverse; /* 1 / rows, or 1 */
    uint parts;
} loss_row;

/* Outputs i, i + 1, ...; -inf past the row's end */
INLINE floatv outputs_at(loss_row row, int i)
{
    const floatv v = vloadv(0, row.a + i);
    return LANES + i < (intv)row.n ? v : (floatv)-INFINITY;
}

INLINE floatv onehot_at(loss_row row, int i)
{
    return LANES + i == (intv)row.label ? (floatv)1 : (floatv)0;
}

INLINE floatv target_at(loss_row row, int i)
{
    return row.parts & TARGETS ? vloadv(0, row.targets + i) : onehot_at(row, i);
}

/* Lanes that keep the label from being the argmax */
INLINE intv misses(loss_row row, floatv v, int i)
{
    const intv before = LANES + i < (intv)row.label;
    return (before & ~(v < (floatv)row.x)) | (~before & ~(v <= (floatv)row.x));
}

/* Returns the sum of exponentials; *top is the largest output */
INLINE float exponentials(loss_row row, float *top, int *right)
{
    floatv highest = -INFINITY, sum = 0;
    intv missed = 0;
    ROLL for (int i = 0; i < row.n; i += VW) {
        const floatv v = outputs_at(row, i);
        highest = v > highest ? v : highest;
        missed |= misses(row, v, i);
    }
    *right = !any(missed);
    *top = largest_lane(highest);
    ROLL for (int i = 0; i < row.n; i += VW) {
        const floatv e = exp(outputs_at(row, i) - *top);
        sum += e;
        if (row.parts & DELTA)
            store_lanes(row.delta + i, e, row.n - i);
    }
    const float all = sum_lanes(sum), scale = row.inverse / all;
    if (row.parts & DELTA)
        ROLL for (int i = 0; i < row.n; i += VW) {
            const floatv e = vloadv(0, row.delta + i);
            store_lanes(row.delta + i, e * scale - onehot_at(row, i) * row.inverse,
                        row.n - i);
        }
    return all;
}

INLINE float squares_sum(loss_row row, int *right)
{
    floatv sum = 0;
    intv missed = 0;
    ROLL for (int i = 0; i < row.n; i += VW) {
        const floatv v = outputs_at(row, i);
        const floatv d = LANES + i < (intv)row.n ? v - target_at(row, i)
                                                 : (floatv)0;
        sum += d * d;
        missed |= misses(row, v, i);
        if (row.parts & DELTA)
            store_lanes(row.delta + i, d * row.inverse, row.n - i);
    }
    *right = row.parts & LABELS ? !any(missed) : 0;
    return sum_lanes(sum);
}

INLINE void put_signal(loss_row row)
{
    ROLL for (int i = 0; i < row.n; i += VW)
        store_lanes(row.signal + i, target_at(row, i) * -row.inverse, row.n - i);
}

__kernel void loss(LOSS_ARGUMENTS, uint span)
{
    const uint blocks = (rows + BLOCK - 1) / BLOCK;
    const uint first = get_group_id(0) * span, end = min(first + span, blocks);
    const float inverse = parts & SUMMED ? 1.0f : 1.0f / rows;
    a += a_at, labels += labels_at, targets += targets_at, delta += delta_at;
    signal += signal_at;
    partials += partials_at + slot * stride * 2;
    for (uint block = first; block < end; block++) {
        const uint begin = block * BLOCK, count = min(rows - begin, (uint)BLOCK);
        float sums[BLOCK], rest[BLOCK], total = 0, rights = 0;
        for (uint r = 0; r < BLOCK; r++) sums[r] = 1, rest[r] = 0;
        ROLL for (uint r = 0; r < count; r++) {
            const ulong at = (ulong)(begin + r) * outputs;
            loss_row row;
            row.a = a + at, row.targets = targets + at, row.delta = delta + at;
            row.signal = signal + at;
            row.n = outputs, row.parts = parts, row.inverse = inverse;
            row.label = parts & LABELS ? labels[begin + r] : 0;
            const int known = row.label >= 0 && row.label < row.n;
            row.x = known ? row.a[row.label] : NAN;
            float top = 0;
            int right;
            if (kind == CROSS_ENTROPY) {
                sums[r] = exponentials(row, &top, &right);
                rest[r] = top - row.x;
            } else {
                sums[r] = squares_sum(row, &right);
                rest[r] = known ? 0 : NAN;
            }
            rights += right;
            if (parts & SIGNAL)
                put_signal(row);
        }
        for (uint r = 0; r < BLOCK; r += VW) {
            const floatv sum = vloadv(0, sums + r), more = vloadv(0, rest + r);
            const floatv value = kind == CROSS_ENTROPY ? log(sum) : 0.5f * sum;
            vstorev(value + more, 0, sums + r);
        }
        for (uint r = 0; r < count; r++) total += sums[r];
        put_partial(partials + block * 2, total, rights, parts, halted, halted_at);
    }
}

#else
#define LARGEST_GROUP 256

/* The largest of what the team's items hold, as team_sum */
INLINE float team_largest(__local float *shared, float value, uint team)
{
    const uint item = get_local_id(0), base = item / team * team;
    shared[item] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    float largest = -INFINITY;
    for (uint j = 0; j < team; j++) {
        const float other = shared[base + j];
        largest = other > largest ? other : largest;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return largest;
}

__kernel void loss(LOSS_ARGUMENTS, uint team)
{
    __local float shared[LARGEST_GROUP], losses[BLOCK], rights[BLOCK];
    const uint block = get_group_id(0), item = get_local_id(0), lane = item % team;
    const uint at_once = get_local_size(0) / team;
    const float inverse = parts & SUMMED ? 1.0f : 1.0f / rows;
    partials += partials_at + slot * stride * 2;
    for (uint first = 0; first < BLOCK; first += at_once) {
        /* Teams past the last row, or past the block's, meet the barriers alone */
        const uint within = first + item / team, wanted = block * BLOCK + within;
        const int real = within < BLOCK && wanted < rows;
        const uint row = real ? wanted : 0;
        const uint n = real ? outputs : 0;
        const ulong at = (ulong)row * outputs;
        const uint label = parts & LABELS ? (uint)labels[labels_at + row] : 0;
        const int known = label < outputs;
        const float x = known ? a[a_at + at + label] : NAN;

        float highest = -INFINITY;
        if (kind == CROSS_ENTROPY)
            for (uint i = lane; i < n; i += team) {
                const float v = a[a_at + at + i];
                highest = v > highest ? v : highest;
            }
        const float top = team_largest(shared, highest, team);

        float sum = 0, missed = 0;
        for (uint i = lane; i < n; i += team) {
            const float v = a[a_at + at + i];
            missed = (i < label ? v < x : v <= x) ? missed : 1;
            if (kind == CROSS_ENTROPY) {
                const float e = exp(v - top);
                sum += e;
                if (parts & DELTA)
                    delta[delta_at + at + i] = e;
            } else {
                const float t = parts & TARGETS ? targets[targets_at + at + i]
                                                : (i == label ? 1.0f : 0.0f);
                sum += (v - t) * (v - t);
                if (parts & DELTA)
                    delta[delta_at + at + i] = (v - t) * inverse;
            }
        }
        sum = team_sum(shared, sum, team);
        missed = team_sum(shared, missed, team);
        if (kind == CROSS_ENTROPY)
            if (parts & DELTA)
                for (uint i = lane; i < n; i += team) {
                    const float p = delta[delta_at + at + i] * (inverse / sum);
                    delta[delta_at + at + i] = p - (i == label ? inverse : 0.0f);
                }
        if (parts & SIGNAL)
            for (uint i = lane; i < n; i += team)
                signal[signal_at + at + i] =
                    (parts & TARGETS ? targets[targets_at + at + i]
                                     : (i == label ? 1.0f : 0.0f)) *
                    -inverse;
        if (lane == 0 && within < BLOCK) {
            const float loss_of_row = kind == CROSS_ENTROPY ? log(sum) + (top - x)
                                      : known               ? 0.5f * sum
                                                            : NAN;
            losses[within] = real ? loss_of_row : 0;
            rights[within] = real && (parts & LABELS) && missed == 0 ? 1 : 0;
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (item == 0) {
        float total = 0, right = 0;
        for (uint r = 0; r < BLOCK; r++) total += losses[r], right += rights[r];
        put_partial(partials + block * 2, total, right, parts, halted, halted_at);
    }
}

#undef LARGEST_GROUP
#endif

#undef BLOCK
#undef CROSS_ENTROPY
#undef LABELS
#undef TARGETS
#undef DELTA
#undef HALTED
#undef SUMMED
#undef SIGNAL
#undef LOSS_ARGUMENTS
