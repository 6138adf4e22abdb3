/* c <- |m| * sign w, or scale * sign w where there is no m; n floats each; sign 0 = 0.
 *
 * CPU-like: group g does elements [g*span, (g + 1)*span), span a multiple of VW.
 * GPU-like: an element an item, in strides of the grid. */
__kernel void signs(float scale, int has_magnitudes, __global const float *w,
                    ulong w_at, __global const float *m, ulong m_at,
                    __global float *c, ulong c_at, ulong n, ulong span)
{
    w += w_at, m += m_at, c += c_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    const ulong stride = VW;
#else
    const ulong first = get_global_id(0), end = n, stride = get_global_size(0);
#endif
    for (ulong i = first; i < end; i += stride) {
        const floatv size = has_magnitudes ? vloadv(0, m + i) : (floatv)scale;
        store_lanes(c + i, give_sign(size, vloadv(0, w + i)), end - i);
    }
}
