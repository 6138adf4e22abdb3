/* What every kernel file starts from: vector types of VW floats, work split, and the
 * activations.
 *
 * The host defines CPU_LIKE (1: a work-group is one work-item that handles a span with
 * vectors; 0: one element an item, a work-group of GROUP items shares a reduction),
 * VW (4, 8, 16; 1 if GPU-like) and GROUP. */
#ifndef VW
#define VW 8
#endif
#ifndef CPU_LIKE
#define CPU_LIKE 1
#endif
#ifndef GROUP
#define GROUP 64
#endif

#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)
#if VW == 1
typedef float floatv;
typedef int intv;
typedef uint uintv;
#define vloadv(i, p) ((p)[i])
#define vstorev(v, i, p) ((p)[i] = (v))
#else
typedef CONCAT(float, VW) floatv;
typedef CONCAT(int, VW) intv;
typedef CONCAT(uint, VW) uintv;
#define vloadv CONCAT(vload, VW)
#define vstorev CONCAT(vstore, VW)
#endif

#define ALL _Pragma("unroll")
#define ROLL _Pragma("nounroll")
#define INLINE static inline __attribute__((always_inline))

/* The first n lanes, or all of them: for the ends of what a kernel writes */
INLINE void store_lanes(__global float *p, floatv v, ulong n)
{
    if (n >= VW) {
        vstorev(v, 0, p);
        return;
    }
    float lanes[VW];
    vstorev(v, 0, lanes);
    ROLL for (uint j = 0; j < n; j++) p[j] = lanes[j];
}

#if VW == 1
#define LANES 0
#elif VW == 16
#define LANES (intv)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#elif VW == 8
#define LANES (intv)(0, 1, 2, 3, 4, 5, 6, 7)
#else
#define LANES (intv)(0, 1, 2, 3)
#endif

#if CPU_LIKE
INLINE float sum_lanes(floatv v)
{
#if VW == 16
    const float8 w = v.lo + v.hi;
    const float4 u = w.lo + w.hi;
#elif VW == 8
    const float4 u = v.lo + v.hi;
#else
    const float4 u = v;
#endif
    return (u.x + u.z) + (u.y + u.w);
}

/* n floats at most from p on, 0 in the lanes behind them */
INLINE floatv load_lanes(__global const float *p, ulong n)
{
    const floatv v = vloadv(0, p);
    if (n >= VW)
        return v;
    return LANES < (intv)(int)n ? v : (floatv)0;
}
#else
/* The sum of what a team of items holds, `team` neighbours of a group; every item of
 * the group comes here. Barriers guard `shared` before and after. */
INLINE float team_sum(__local float *shared, float value, uint team)
{
    const uint item = get_local_id(0), base = item / team * team;
    shared[item] = value;
    barrier(CLK_LOCAL_MEM_FENCE);
    float sum = 0;
    for (uint j = 0; j < team; j++) sum += shared[base + j];
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum;
}
#endif

/* The sum of n floats, for a whole group; GPU-like: by way of `shared` */
INLINE float sum_floats(__global const float *x, uint n, __local float *shared)
{
#if CPU_LIKE
    floatv sums = 0;
    ROLL for (uint i = 0; i < n; i += VW) sums += load_lanes(x + i, n - i);
    return sum_lanes(sums);
#else
    float share = 0;
    for (uint i = get_local_id(0); i < n; i += GROUP) share += x[i];
    return team_sum(shared, share, GROUP);
#endif
}

/* Activations by number, as host/ops/activation.h has them. Each derivative is a
 * function of the stored output h = phi(a). */
#define LINEAR 0
#define RELU 1
#define LEAKY 2
#define TANH 3
#define SIGMOID 4

/* relu by `v < 0 ? 0 : v`: NaN passes through, which max() would swallow */
INLINE floatv activate(int kind, float slope, floatv v)
{
    switch (kind) {
    case RELU:
        return v < (floatv)0 ? (floatv)0 : v;
    case LEAKY:
        return v < (floatv)0 ? slope * v : v;
    case TANH:
        return tanh(v);
    case SIGMOID:
        return (floatv)1 / ((floatv)1 + exp(-v));
    }
    return v;
}

/* delta · phi'(a), from h; NaN in delta passes where phi' is not 0, and a NaN in h is
 * handed on by every kind (not by h · 0, which Mesa folds to 0) */
INLINE floatv derive(int kind, float slope, floatv delta, floatv h)
{
    switch (kind) {
    case RELU:
        return h > (floatv)0 ? delta : h <= (floatv)0 ? (floatv)0 : h;
    case LEAKY:
        return h > (floatv)0 ? delta : h <= (floatv)0 ? slope * delta : h;
    case TANH:
        return delta * ((floatv)1 - h * h);
    case SIGMOID:
        return delta * h * ((floatv)1 - h);
    }
    return delta;
}

/* ---- optimizers: what updates and products share ---------------------------- */

/* One step of an optimizer at a parameter w with gradient g, moment m and squares v:
 *   sgd   g += decay*w; m <- momentum*m + g;
 *         w -= rate*(nesterov ? g + momentum*m : m)
 *   adam  g += decay*w;  adamw  w *= 1 - rate*decay;  both
 *         m <- .9 m + .1 g; v <- .999 v + .001 g^2
 *         w -= rate*first * m/(sqrt(v)*second + 1e-8)
 *   muon, where it leaves parameters to adamw: with .95, .05, third and 1e-10
 * with step = (rate, first, second, third). */
#define SGD 0
#define ADAM 1
#define ADAMW 2
#define MUON 3

/* Bits of `parts` */
#define NESTEROV 1
#define MOMENT 2
#define MAY_HALT 4
#define SCALED 8

typedef struct optimizer {
    int rule;
    uint parts;
    float momentum, decay;
} optimizer;

typedef struct parameter {
    floatv w, m, v;
} parameter;

INLINE parameter sgd(parameter p, floatv g, optimizer o, float4 step)
{
    g += o.decay * p.w;
    if (o.parts & MOMENT) {
        p.m = o.momentum * p.m + g;
        g = o.parts & NESTEROV ? g + o.momentum * p.m : p.m;
    }
    p.w -= step.x * g;
    return p;
}

INLINE parameter adam(parameter p, floatv g, optimizer o, float4 step)
{
    if (o.rule == ADAM)
        g += o.decay * p.w;
    else
        p.w *= 1.0f - step.x * o.decay;
    p.m = 0.9f * p.m + 0.1f * g;
    if (o.rule == MUON) {
        p.v = 0.95f * p.v + 0.05f * (g * g);
        p.w -= step.x * step.y * (p.m / (sqrt(p.v) * step.w + 1e-10f));
        return p;
    }
    p.v = 0.999f * p.v + 0.001f * (g * g);
    p.w -= step.x * step.y * (p.m / (sqrt(p.v) * step.z + 1e-8f));
    return p;
}

/* The first n of VW neighbouring parameters, with what the rule keeps for each */
INLINE void improve(__global float *w, __global float *m, __global float *v,
                    floatv g, ulong n, optimizer o, float4 step)
{
    parameter p;
    p.w = vloadv(0, w), p.m = 0, p.v = 0;
    if (o.parts & MOMENT)
        p.m = vloadv(0, m);
    if (o.rule != SGD)
        p.v = vloadv(0, v);
    p = o.rule == SGD ? sgd(p, g, o, step) : adam(p, g, o, step);
    store_lanes(w, p.w, n);
    if (o.parts & MOMENT)
        store_lanes(m, p.m, n);
    if (o.rule != SGD)
        store_lanes(v, p.v, n);
}

/* ---- products: what cl/gemm.cl and cl/gemm_tile.cl share -------------------- */

/* Where something lies: element `at` of one of the launch's buffers */
#define BUFFERS 8 /* host/ops/gemm.c: BUFFERS */
typedef struct place {
    ulong at;
    uint buffer, pitch;
} place;

/* An operand is read as it is stored, or it is stored transposed; A may be so with
 * a last row of ones that is not stored */
#define FROM_ROWS 0
#define FROM_COLUMNS 1
typedef struct operand {
    place in;
    int source;
    uint ones; /* the row of ones; past the last: none */
} operand;

/* Bits of `parts`: what there is beside the sum (host/ops/gemm.c: PART_...) */
#define ADDS_OLD 1
#define ADDS_BIAS 2
#define DERIVES 4
#define UPDATES 8
#define SYMMETRIC 16 /* only C's lower triangle is computed, and stored twice */
#define MIXES 32     /* alpha * sum + beta * other + identity on the diagonal */
#define SCALES 64    /* alpha times what `scale` says */
typedef struct epilogue {
    int parts, activation;
    float slope;
    int derivative;
    float derivative_slope;
    float alpha, beta, identity;
    optimizer update;
    uint pitch; /* of everything laid out as C */
} epilogue;

/* A product as the host describes it; a launch makes several that are independent.
 * Groups first, first + 1, ... of a launch share it. */
typedef struct job {
    uint M, N, K, first, groups;
    uint top, rows, columns, kc, mc, nb; /* cl/gemm.cl: from row `top` on, a group's
                                          * rectangle and blocks */
    operand a, b;
    place c, bias, other, scale, moment, squares, halted;
    epilogue e;
} job;

/* The same places of C and of what goes with it */
typedef struct target {
    __global float *c;
    __global const float *bias, *other;
    __global float *moment, *squares;
} target;

typedef __global float *const *buffers;

INLINE __global float *find(buffers in, place p)
{
    return in[p.buffer] + p.at;
}

INLINE target find_target(buffers in, const job *j)
{
    const target t = {find(in, j->c), find(in, j->bias), find(in, j->other),
                      find(in, j->moment), find(in, j->squares)};
    return t;
}

/* Rows and columns further on */
INLINE target move(target t, size_t row, uint column, uint pitch)
{
    const size_t by = row * pitch + column;
    t.c += by, t.bias += column, t.other += by;
    t.moment += by, t.squares += by;
    return t;
}

INLINE int is_halted(buffers in, const job *j)
{
    return (j->e.update.parts & MAY_HALT) && as_int(*find(in, j->halted)) != 0;
}

/* A job's epilogue, with the factor that lies on the device */
INLINE epilogue find_epilogue(buffers in, const job *j)
{
    epilogue e = j->e;
    if (e.parts & SCALES)
        e.alpha *= *find(in, j->scale);
    return e;
}

/* What becomes of the first n of VW neighbouring sums v, of which number `diagonal`,
 * if there is such, lies on C's diagonal. The result, which is stored */
INLINE floatv finish(floatv v, target t, ulong n, int diagonal, epilogue e,
                     float4 step)
{
    if (e.parts & UPDATES) {
        improve(t.c, t.moment, t.squares, v, n, e.update, step);
        return v;
    }
    if (e.parts & ADDS_OLD)
        v += vloadv(0, t.c);
    if (e.parts & MIXES) {
        v *= e.alpha;
        if (e.beta != 0)
            v += e.beta * vloadv(0, t.other);
        v += LANES == (intv)diagonal ? (floatv)e.identity : (floatv)0;
    }
    if (e.parts & ADDS_BIAS)
        v += vloadv(0, t.bias);
    if (e.activation != LINEAR)
        v = activate(e.activation, e.slope, v);
    if (e.parts & DERIVES)
        v = derive(e.derivative, e.derivative_slope, v, vloadv(0, t.other));
    store_lanes(t.c, v, n);
    return v;
}
