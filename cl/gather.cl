/* A batch out of a stored data set: row r is sample s = order[start + r],
 *   inputs[r][i] <- stored[s][i] * scale[i mod channels] + shift[i mod channels]
 * (stored bytes or floats, `width` a row), with its label or its row of targets.
 *
 * CPU-like: group g does rows [g*span, (g + 1)*span).
 * GPU-like: groups (x, r) share row r, an element an item in strides of the row. */
/* Bits of `parts` */
#define BYTES 1
#define LABELS 2
#define TARGETS 4

#if CPU_LIKE
#define to_float CONCAT(convert_float, VW)

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

INLINE void gather_row(uint parts, __global const uchar *bytes,
                       __global const float *floats, uint width, uint channels,
                       __global const float *scale, __global const float *shift,
                       __global float *to)
{
    /* Of fewer channels than lanes: repeated, so that a load anywhere finds all */
    float scales[2 * VW], shifts[2 * VW];
    const int few = channels < VW;
    if (few)
        ROLL for (uint j = 0; j < 2 * VW; j++) {
            scales[j] = scale[j % channels];
            shifts[j] = shift[j % channels];
        }
    const uint step = few ? VW % channels : VW;
    uint o = 0;
    ROLL for (uint i = 0; i < width; i += VW) {
        const floatv v = parts & BYTES ? to_float(vloadv(0, bytes + i))
                                       : vloadv(0, floats + i);
        const floatv factor = few ? vloadv(0, scales + o)
                                  : wrapped(scale, o, channels);
        const floatv term = few ? vloadv(0, shifts + o)
                                : wrapped(shift, o, channels);
        store_lanes(to + i, v * factor + term, width - i);
        o += step;
        o = o >= channels ? o - channels : o;
    }
}
#undef to_float
#endif

__kernel void gather(uint parts, __global const uchar *stored,
                     __global const int *labels, __global const float *targets,
                     __global const uint *order, uint start, uint rows, uint width,
                     uint channels, uint outputs, __global const float *scale,
                     ulong scale_at, __global const float *shift, ulong shift_at,
                     __global float *inputs, ulong inputs_at,
                     __global int *batch_labels, ulong batch_labels_at,
                     __global float *batch_targets, ulong batch_targets_at,
                     uint span)
{
    __global const float *floats = (__global const float *)stored;
    scale += scale_at, shift += shift_at, inputs += inputs_at;
#if CPU_LIKE
    const uint first = get_group_id(0) * span, end = min(first + span, rows);
    for (uint r = first; r < end; r++) {
        const ulong s = order[start + r], from = s * width;
        gather_row(parts, stored + from, floats + from, width, channels, scale,
                   shift, inputs + (ulong)r * width);
        if (parts & LABELS)
            batch_labels[batch_labels_at + r] = labels[s];
        if (parts & TARGETS)
            for (uint j = 0; j < outputs; j += VW)
                store_lanes(batch_targets + batch_targets_at +
                                (ulong)r * outputs + j,
                            vloadv(0, targets + s * outputs + j), outputs - j);
    }
#else
    const uint item = get_global_id(0), items = get_global_size(0);
    for (uint r = get_group_id(1); r < rows; r += get_num_groups(1)) {
        const ulong s = order[start + r], from = s * width;
        __global float *to = inputs + (ulong)r * width;
        for (uint i = item; i < width; i += items) {
            const float v = parts & BYTES ? (float)stored[from + i]
                                          : floats[from + i];
            to[i] = v * scale[i % channels] + shift[i % channels];
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
