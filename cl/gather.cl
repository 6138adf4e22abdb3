/* A batch out of a stored data set: row r is sample s = order[start + r],
 *   inputs[r][i] <- stored[s][i] * scale[i mod channels] + shift[i mod channels]
 * (stored bytes or floats, `width` a row), with its label or its row of targets.
 * Augmented, samples are images [lines][width / lines]: pixel (y, x) becomes that at
 * (y + dy, x + dx), 0 before scale and shift where there is none, and then, of half of
 * the rows, the image is turned left to right. What becomes of row r is said by the
 * words of counter r: dy, dx and, in its highest bit, whether it turns.
 *
 * CPU-like: group g does rows [g*span, (g + 1)*span), a line in up to three stretches.
 * GPU-like: groups (x, r) share row r, an element an item in strides of the row. */
/* Bits of `parts` */
#define BYTES 1
#define LABELS 2
#define TARGETS 4
#define MOVES 8
#define TURNS 16
#define BLACK 32 /* of a stretch: where there is no image */

typedef struct motion {
    int dy, dx, turned;
} motion;

INLINE motion draw_motion(uint parts, numbers of, uint crop, uint row)
{
    motion m = {0, 0, 0};
    if (!(parts & (MOVES | TURNS)))
        return m;
#if CPU_LIKE
    uintv words[2];
    draw_words(of, row, words);
    const uintv x = words[0];
#else
    const uint4 x = draw_words(of, row);
#endif
    if (parts & MOVES) {
        m.dy = (int)mul_hi(x.s0, 2 * crop + 1) - (int)crop;
        m.dx = (int)mul_hi(x.s1, 2 * crop + 1) - (int)crop;
    }
    m.turned = parts & TURNS && x.s2 >> 31;
    return m;
}

#if CPU_LIKE
#define to_float CONCAT(convert_float, VW)

/* What each channel is scaled and shifted by */
typedef struct look {
    __global const float *scale, *shift;
    uint channels, few, step;
    /* Of fewer channels than lanes: repeated, so that a load anywhere finds all */
    float scales[2 * VW], shifts[2 * VW];
} look;

INLINE void find_look(look *l, __global const float *scale,
                      __global const float *shift, uint channels)
{
    l->scale = scale, l->shift = shift, l->channels = channels;
    l->few = channels < VW;
    l->step = l->few ? VW % channels : VW;
    if (l->few)
        ROLL for (uint j = 0; j < 2 * VW; j++) {
            l->scales[j] = scale[j % channels];
            l->shifts[j] = shift[j % channels];
        }
}

/* Values of channels o, o + 1, ..., beginning anew after the last; at least VW */
INLINE floatv wrapped(__global const float *p, uint o, uint channels)
{
    if (o + VW <= channels)
        return vloadv(0, p + o);
    float lanes[VW];
    ROLL for (uint j = 0; j < VW; j++) {
        lanes[j] = p[o];
        o = o + 1 == channels ? 0 : o + 1;
    }
    return vloadv(0, lanes);
}

/* n values, from channel 0 on, of stored[at ...] */
INLINE void gather_stretch(uint parts, __global const uchar *stored, ulong at,
                           const look *l, uint n, __global float *to)
{
    __global const float *floats = (__global const float *)stored + at;
    uint o = 0;
    ROLL for (uint i = 0; i < n; i += VW) {
        const floatv v = parts & BLACK   ? (floatv)0
                         : parts & BYTES ? to_float(vloadv(0, stored + at + i))
                                         : vloadv(0, floats + i);
        const floatv factor = l->few ? vloadv(0, l->scales + o)
                                     : wrapped(l->scale, o, l->channels);
        const floatv term = l->few ? vloadv(0, l->shifts + o)
                                   : wrapped(l->shift, o, l->channels);
        store_lanes(to + i, v * factor + term, n - i);
        o += l->step;
        o = o >= l->channels ? o - l->channels : o;
    }
}

/* A line of `pixels` whose last pixel comes first */
INLINE void gather_turned(uint parts, __global const uchar *stored, ulong at,
                          const look *l, uint pixels, int dx, __global float *to)
{
    __global const float *floats = (__global const float *)stored;
    ROLL for (uint x = 0; x < pixels; x++) {
        const int from = (int)(pixels - 1 - x) + dx;
        const int there = from >= 0 && from < (int)pixels;
        const ulong pixel = at + (ulong)from * l->channels;
        ROLL for (uint c = 0; c < l->channels; c++) {
            const float v = !there          ? 0
                            : parts & BYTES ? (float)stored[pixel + c]
                                            : floats[pixel + c];
            *to++ = v * l->scale[c] + l->shift[c];
        }
    }
}

/* The sample at stored[at ...] */
INLINE void gather_row(uint parts, __global const uchar *stored, ulong at,
                       const look *l, uint lines, uint width, motion m,
                       __global float *to)
{
    const uint across = width / lines, pixels = across / l->channels;
    ROLL for (uint y = 0; y < lines; y++, to += across) {
        const int line = (int)y + m.dy;
        const int there = line >= 0 && line < (int)lines;
        const ulong from = at + (ulong)line * across;
        if (there && m.turned) {
            gather_turned(parts, stored, from, l, pixels, m.dx, to);
            continue;
        }
        /* black, image, black */
        const uint before = there ? max(-m.dx, 0) : (int)pixels;
        const uint seen = there ? pixels - abs(m.dx) : 0;
        uint done = 0;
        ROLL for (uint part = 0; part < 3; part++) {
            const uint n = l->channels * (part == 0   ? before
                                          : part == 1 ? seen
                                                      : pixels - before - seen);
            gather_stretch(part == 1 ? parts : parts | BLACK, stored,
                           from + (ulong)max(m.dx, 0) * l->channels, l, n, to + done);
            done += n;
        }
    }
}
#undef to_float
#endif

__kernel void gather(uint parts, __global const uchar *stored,
                     __global const int *labels, __global const float *targets,
                     __global const uint *order, uint start, uint rows, uint width,
                     uint lines, uint channels, uint outputs, uint crop, numbers of,
                     update_step step, __global const float *scale, ulong scale_at,
                     __global const float *shift, ulong shift_at,
                     __global float *inputs, ulong inputs_at,
                     __global int *batch_labels, ulong batch_labels_at,
                     __global float *batch_targets, ulong batch_targets_at,
                     uint span)
{
    scale += scale_at, shift += shift_at, inputs += inputs_at;
    of.draw = step.draw;
#if CPU_LIKE
    const uint first = get_group_id(0) * span, end = min(first + span, rows);
    look l;
    find_look(&l, scale, shift, channels);
    for (uint r = first; r < end; r++) {
        const ulong s = order[start + r];
        gather_row(parts, stored, s * width, &l, lines, width,
                   draw_motion(parts, of, crop, r), inputs + (ulong)r * width);
        if (parts & LABELS)
            batch_labels[batch_labels_at + r] = labels[s];
        if (parts & TARGETS)
            for (uint j = 0; j < outputs; j += VW)
                store_lanes(batch_targets + batch_targets_at +
                                (ulong)r * outputs + j,
                            vloadv(0, targets + s * outputs + j), outputs - j);
    }
#else
    __global const float *floats = (__global const float *)stored;
    const uint item = get_global_id(0), items = get_global_size(0);
    const uint pixels = width / channels / lines;
    for (uint r = get_group_id(1); r < rows; r += get_num_groups(1)) {
        const ulong s = order[start + r], from = s * width;
        const motion m = draw_motion(parts, of, crop, r);
        __global float *to = inputs + (ulong)r * width;
        for (uint i = item; i < width; i += items) {
            const uint c = i % channels;
            uint at = i;
            int there = 1;
            if (parts & (MOVES | TURNS)) {
                const uint p = i / channels, q = p % pixels;
                const int y = (int)(p / pixels) + m.dy;
                const int x = (int)(m.turned ? pixels - 1 - q : q) + m.dx;
                there = y >= 0 && y < (int)lines && x >= 0 && x < (int)pixels;
                at = there ? ((uint)y * pixels + (uint)x) * channels + c : 0;
            }
            const float v = parts & BYTES ? (float)stored[from + at]
                                          : floats[from + at];
            to[i] = (there ? v : 0) * scale[c] + shift[c];
        }
        if (parts & LABELS)
            if (item == 0)
                batch_labels[batch_labels_at + r] = labels[s];
        if (parts & TARGETS)
            for (uint j = item; j < outputs; j += items)
                batch_targets[batch_targets_at + (ulong)r * outputs + j] =
                    targets[s * outputs + j];
    }
#endif
}

#undef BYTES
#undef LABELS
#undef TARGETS
#undef MOVES
#undef TURNS
#undef BLACK
