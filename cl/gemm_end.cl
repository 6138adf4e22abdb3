/* What follows a sum that CLBlast made: C <- epilogue(C), C [rows][columns] of any
 * pitch, with bias [columns] and stored output laid out as C where `e` asks for them.
 * n counts vectors: rows of so many as hold `columns`.
 *
 * CPU-like: group g does vectors [g*span, (g + 1)*span).
 * GPU-like: an element an item, in strides of the grid. */
__kernel void gemm_end(epilogue e, __global float *c, ulong c_at,
                       __global const float *bias, ulong bias_at,
                       __global const float *output, ulong output_at, ulong columns,
                       ulong n, ulong span)
{
    const update_step none = {0, 0, 0, 0, 0, 0};
    const target whole = {c + c_at, bias + bias_at, output + output_at, 0, 0};
    const ulong wide = (columns + VW - 1) / VW;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    const ulong stride = 1;
#else
    const ulong first = get_global_id(0), end = n, stride = get_global_size(0);
#endif
    e.parts &= ADDS_BIAS | DERIVES;
    for (ulong i = first; i < end; i += stride) {
        const ulong column = i % wide * VW;
        const target t = move(whole, i / wide, column, e.pitch);
        finish(vloadv(0, t.c), t, columns - column, -1, e, none);
    }
}
