/* One step of an optimizer (cl/common.cl: improve) over n parameters w with gradient
 * g, moment m, squares v and feedback b, n floats each; g is the stored gradient, which
 * stays as it is, times *scale if there is one. Nothing changes where *halted is not 0.
 *
 * CPU-like: group g does elements [g*span, (g + 1)*span), span a multiple of VW.
 * GPU-like: an element an item, in strides of the grid. */
__kernel void update(optimizer o, update_step step, __global float *weights,
                     ulong weights_at, __global const float *gradient,
                     ulong gradient_at, __global float *moment, ulong moment_at,
                     __global float *squares, ulong squares_at,
                     __global float *feedback, ulong feedback_at,
                     __global const int *halted, ulong halted_at,
                     __global const float *scale, ulong scale_at, ulong n,
                     ulong span)
{
    if (o.parts & MAY_HALT)
        if (halted[halted_at] != 0)
            return;
    weights += weights_at, gradient += gradient_at;
    moment += moment_at, squares += squares_at, feedback += feedback_at;
    const float factor = o.parts & SCALED ? scale[scale_at] : 1.0f;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    const ulong stride = VW;
#else
    const ulong first = get_global_id(0), end = n, stride = get_global_size(0);
#endif
    for (ulong i = first; i < end; i += stride)
        improve(weights + i, moment + i, squares + i, feedback + i,
                factor * vloadv(0, gradient + i), end - i, o, step);
}
