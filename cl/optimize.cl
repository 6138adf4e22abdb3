/* One step of an optimizer over n parameters w with gradient g, moment m and
 * squares v, n floats each:
 *   sgd   g += decay*w; m <- momentum*m + g;
 *         w -= rate*(nesterov ? g + momentum*m : m)
 *   adam  g += decay*w;  adamw  w *= 1 - rate*decay;  both
 *         m <- .9 m + .1 g; v <- .999 v + .001 g^2
 *         w -= rate*first * m/(sqrt(v)*second + 1e-8)
 * with step = (rate, first, second, -). The gradient itself stays as it is. Nothing
 * changes where *halted is not 0.
 *
 * CPU-like: group g does elements [g*span, (g + 1)*span), span a multiple of VW.
 * GPU-like: an element an item, in strides of the grid. */
#define SGD 0
#define ADAM 1
#define ADAMW 2

/* Bits of `parts` */
#define NESTEROV 1
#define MOMENT 2
#define HALTED 4

typedef struct parameter {
    floatv w, m, v;
} parameter;

INLINE parameter sgd(parameter p, floatv g, uint parts, float momentum, float decay,
                     float4 step)
{
    g += decay * p.w;
    if (parts & MOMENT) {
        p.m = momentum * p.m + g;
        g = parts & NESTEROV ? g + momentum * p.m : p.m;
    }
    p.w -= step.x * g;
    return p;
}

INLINE parameter adam(parameter p, floatv g, int rule, float decay, float4 step)
{
    if (rule == ADAM)
        g += decay * p.w;
    else
        p.w *= 1.0f - step.x * decay;
    p.m = 0.9f * p.m + 0.1f * g;
    p.v = 0.999f * p.v + 0.001f * (g * g);
    p.w -= step.x * step.y * (p.m / (sqrt(p.v) * step.z + 1e-8f));
    return p;
}

__kernel void update(int rule, uint parts, float momentum, float decay, float4 step,
                     __global float *weights, ulong weights_at,
                     __global const float *gradient, ulong gradient_at,
                     __global float *moment, ulong moment_at,
                     __global float *squares, ulong squares_at,
                     __global const int *halted, ulong halted_at, ulong n,
                     ulong span)
{
    if (parts & HALTED)
        if (halted[halted_at] != 0)
            return;
    weights += weights_at, gradient += gradient_at;
    moment += moment_at, squares += squares_at;
#if CPU_LIKE
    const ulong first = get_group_id(0) * span, end = min(first + span, n);
    for (ulong i = first; i < end; i += VW) {
        const ulong left = end - i;
        parameter p;
        p.w = vloadv(0, weights + i), p.m = 0, p.v = 0;
        if (parts & MOMENT)
            p.m = vloadv(0, moment + i);
        if (rule != SGD)
            p.v = vloadv(0, squares + i);
        const floatv g = vloadv(0, gradient + i);
        p = rule == SGD ? sgd(p, g, parts, momentum, decay, step)
                        : adam(p, g, rule, decay, step);
        store_lanes(weights + i, p.w, left);
        if (parts & MOMENT)
            store_lanes(moment + i, p.m, left);
        if (rule != SGD)
            store_lanes(squares + i, p.v, left);
    }
#else
    for (ulong i = get_global_id(0); i < n; i += get_global_size(0)) {
        parameter p;
        p.w = weights[i], p.m = 0, p.v = 0;
        if (parts & MOMENT)
            p.m = moment[i];
        if (rule != SGD)
            p.v = squares[i];
        p = rule == SGD ? sgd(p, gradient[i], parts, momentum, decay, step)
                        : adam(p, gradient[i], rule, decay, step);
        weights[i] = p.w;
        if (parts & MOMENT)
            moment[i] = p.m;
        if (rule != SGD)
            squares[i] = p.v;
    }
#endif
}

#undef SGD
#undef ADAM
#undef ADAMW
#undef NESTEROV
#undef MOMENT
#undef HALTED
