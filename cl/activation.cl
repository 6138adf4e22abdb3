/* h <- phi(a) and delta <- delta * phi'(a), n floats; in place is fine. phi and
 * phi' stand in cl/common.cl.
 *
 * CPU-like: group g does elements [g*span, (g + 1)*span), span a multiple of VW.
 * GPU-like: an element an item, in strides of the grid. */
__kernel void activation(int kind, float slope, __global const float *a,
                         ulong a_at, __global float *h, ulong h_at, ulong n,
                         ulong span)
{
    a += a_at, h += h_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    for (ulong i = first; i < end; i += VW)
        store_lanes(h + i, activate(kind, slope, loadv(a + i)), end - i);
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0))
        h[i] = activate(kind, slope, a[i]);
#endif
}

__kernel void derivative(int kind, float slope, __global float *delta,
                         ulong delta_at, __global const float *h, ulong h_at,
                         ulong n, ulong span)
{
    delta += delta_at, h += h_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    for (ulong i = first; i < end; i += VW) {
        floatv d = loadv(delta + i), v = loadv(h + i);
        store_lanes(delta + i, derive(kind, slope, d, v), end - i);
    }
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0))
        delta[i] = derive(kind, slope, delta[i], h[i]);
#endif
}
