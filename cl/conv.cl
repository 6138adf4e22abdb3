/* What convolutions need beside their products (host/ops/conv_patches.c). */

/* ---- weights for the data pass ----------------------------------------------- */

/* Taps of a kernel that reach each other's pixels: those whose numbers leave the same
 * remainder by the stride */
INLINE uint taps_of(uint remainder, uint kernel_size, uint stride)
{
    return kernel_size / stride + (remainder < kernel_size % stride);
}

/* Those with smaller remainders */
INLINE uint taps_before(uint remainder, uint kernel_size, uint stride)
{
    return remainder * (kernel_size / stride) + min(remainder, kernel_size % stride);
}

/* Where tap [y][x] goes: its class's place, then its own from the class's end */
INLINE uint new_place(uint y, uint x, uint kernel_size, uint stride)
{
    const uint a = y % stride, b = x % stride;
    const uint tall = taps_of(a, kernel_size, stride);
    const uint wide = taps_of(b, kernel_size, stride);
    return taps_before(a, kernel_size, stride) * kernel_size +
           taps_before(b, kernel_size, stride) * tall +
           (tall - 1 - y / stride) * wide + (wide - 1 - x / stride);
}

/* turned [class][tap of the class, the last first][outs][ins] <- w [kernel][kernel]
 * [ins][outs], or signs of w times |magnitude| (laid out as w) or scale: `kind` as
 * products have it. A class is the taps whose lines, and whose columns, leave the
 * same remainders by the stride.
 *
 * CPU-like: group g does blocks [g*span, (g + 1)*span) of VW input channels of a tap,
 * n of them. GPU-like: a weight an item, in strides of the grid. */
__kernel void turn_weights(int kind, float scale, uint kernel_size, uint stride,
                           uint ins, uint outs, __global const float *w, ulong w_at,
                           __global const float *magnitude, ulong magnitude_at,
                           __global float *turned, ulong turned_at, ulong n, ulong span)
{
    w += w_at, magnitude += magnitude_at, turned += turned_at;
#if CPU_LIKE
    const uint blocks = (ins + VW - 1) / VW;
    for (ulong i = get_group_id(0) * span; i < min((get_group_id(0) + 1) * span, n); i++) {
        const uint tap = i / blocks, in = i % blocks * VW;
        const uint y = tap / kernel_size, x = tap % kernel_size;
        const size_t from = (size_t)tap * ins;
        __global float *to =
            turned + new_place(y, x, kernel_size, stride) * (size_t)ins * outs + in;
        ROLL for (uint out = 0; out < outs; out += VW) {
            floatv r[VW];
            ALL for (uint j = 0; j < VW; j++) {
                const size_t at = (from + min(in + j, ins - 1)) * outs + out;
                const floatv v = vloadv(0, w + at);
                r[j] = kind == 0           ? v
                       : kind & MAGNITUDES ? give_sign(vloadv(0, magnitude + at), v)
                                           : give_sign((floatv)scale, v);
            }
            transpose(r);
            floatv rows[VW];
            ALL for (uint j = 0; j < VW; j++) rows[j] = r[j];
            ROLL for (uint j = 0; j < min(outs - out, (uint)VW); j++)
                store_lanes(to + (size_t)(out + j) * ins, rows[j], ins - in);
        }
    }
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0)) {
        const uint out = i % outs, in = i / outs % ins, tap = i / outs / ins;
        const uint place = new_place(tap / kernel_size, tap % kernel_size, kernel_size,
                                     stride);
        const float v = w[i];
        turned[((size_t)place * outs + out) * ins + in] =
            kind == 0 ? v : give_sign(kind & MAGNITUDES ? magnitude[i] : scale, v);
    }
#endif
}

/* ---- the end of the weight pass ---------------------------------------------- */

/* gradient <- beta * gradient + alpha * (sum of the pieces, in order), n floats each; or,
 * if `updates`, the optimizer's step for the weights that lie there. Nothing changes
 * where *halted is not 0.
 *
 * CPU-like: group g does elements [g*span, (g + 1)*span), span a multiple of VW.
 * GPU-like: an element an item, in strides of the grid. */
__kernel void add_pieces(optimizer o, update_step step, int updates, float alpha,
                         float beta, uint count, __global const float *pieces,
                         ulong pieces_at, __global float *gradient, ulong gradient_at,
                         __global float *moment, ulong moment_at,
                         __global float *squares, ulong squares_at,
                         __global float *feedback, ulong feedback_at,
                         __global const int *halted, ulong halted_at, ulong n,
                         ulong span)
{
    if (o.parts & MAY_HALT)
        if (halted[halted_at] != 0)
            return;
    pieces += pieces_at, gradient += gradient_at, moment += moment_at;
    squares += squares_at, feedback += feedback_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    const ulong stride = VW;
#else
    const ulong first = get_global_id(0), end = n, stride = get_global_size(0);
#endif
    for (ulong i = first; i < end; i += stride) {
        floatv sum = vloadv(0, pieces + i);
        ROLL for (uint j = 1; j < count; j++) sum += vloadv(0, pieces + j * n + i);
        sum *= alpha;
        if (updates) {
            improve(gradient + i, moment + i, squares + i, feedback + i, sum, end - i, o,
                    step);
            continue;
        }
        if (beta != 0)
            sum += beta * vloadv(0, gradient + i);
        store_lanes(gradient + i, sum, end - i);
    }
}
