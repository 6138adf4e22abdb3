/* What every kernel file starts from: vector types of VW floats, work split, activations
 * and optimizers. Random numbers follow in common_random.cl, what products share in
 * common_products.cl.
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
#define to_floatv CONCAT(convert_float, VW)
#define as_intv CONCAT(as_int, VW)
#define as_uintv CONCAT(as_uint, VW)
#define as_floatv CONCAT(as_float, VW)
#endif

#define ALL _Pragma("unroll")
#define ROLL _Pragma("nounroll")

/* Loops over i < n, where n is a constant to the caller, at most the constant `most`:
 * unrolled before the function is inlined. A loop that has to wait for n stays one, and
 * keeps the arrays it counts through in memory. */
#define EACH(i, n, most)                                                                 \
    ALL for (int i = 0; i < (most); i++) if (i < (n))
#define INLINE static inline __attribute__((always_inline))

/* Asks for a line of the cache, to read or to write: harmless where the address is not
 * readable. Oclgrind, a SPIR target, lacks it */
#if defined(__clang__) && !defined(__SPIR__)
#define WANT(p) __builtin_prefetch(p)
#define WANT_STORE(p) __builtin_prefetch(p, 1)
#else
#define WANT(p)
#define WANT_STORE(p)
#endif

/* A vector in one piece wherever it lies: of vload16 and vstore16 PoCL makes four or
 * more, and of what is computed between them */
typedef floatv __attribute__((aligned(4))) anywhere;

INLINE floatv loadv(__global const float *p)
{
    return *(__global const anywhere *)p;
}

INLINE void storev(floatv v, __global float *p)
{
    *(__global anywhere *)p = v;
}

/* The first n lanes, or all of them: for the ends of what a kernel writes */
INLINE void store_lanes(__global float *p, floatv v, ulong n)
{
    if (n >= VW) {
        storev(v, p);
        return;
    }
    float lanes[VW];
    uint j = 0;
    vstorev(v, 0, lanes);
#if VW > 4
    ROLL for (; j + 4 <= n; j += 4) vstore4(vload4(0, lanes + j), 0, p + j);
#endif
    ROLL for (; j < n; j++) p[j] = lanes[j];
}

/* Lane numbers; vectors of half as many lanes, twice as wide, and SPREAD (below) */
#if VW == 1
#define LANES 0
#elif VW == 16
#define LANES (intv)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#define SPREAD (widev)(0, 4, 1, 5, 2, 6, 3, 7)
typedef ulong8 widev;
#elif VW == 8
#define LANES (intv)(0, 1, 2, 3, 4, 5, 6, 7)
#define SPREAD (widev)(0, 2, 1, 3)
typedef ulong4 widev;
#else
#define LANES (intv)(0, 1, 2, 3)
#define SPREAD (widev)(0, 1)
typedef ulong2 widev;
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

/* Rows become columns, by perfect shuffles: each step interleaves row i with row i + VW / 2 */
INLINE void transpose(floatv r[VW])
{
    ALL for (int s = 1; s < VW; s *= 2) {
        floatv t[VW];
        ALL for (int i = 0; i < VW / 2; i++) {
            t[2 * i].even = r[i].lo, t[2 * i].odd = r[i + VW / 2].lo;
            t[2 * i + 1].even = r[i].hi, t[2 * i + 1].odd = r[i + VW / 2].hi;
        }
        ALL for (int i = 0; i < VW; i++) r[i] = t[i];
    }
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
#define SCALE 5

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
    case SCALE:
        return slope * v;
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
    case SCALE:
        return slope * delta;
    }
    return delta;
}

/* The same by h where it lies, which is not read if there is nothing to derive */
INLINE floatv derive_by(int kind, float slope, floatv delta, __global const float *h)
{
    return kind == LINEAR ? delta : derive(kind, slope, delta, loadv(h));
}

/* ---- optimizers: what updates and products share ---------------------------- */

/* One step of an optimizer at a parameter w with gradient g, moment m and squares v:
 *   sgd   g += decay*w; m <- momentum*m + g;
 *         w -= rate*(nesterov ? g + momentum*m : m)
 *   adam  g += decay*w;  adamw  w *= 1 - rate*decay;  both
 *         m <- .9 m + .1 g; v <- .999 v + .001 g^2
 *         w -= rate*first * m/(sqrt(v)*second + 1e-8)
 *   muon, where it leaves parameters to adamw: with .95, .05, third and 1e-10
 * with what changes each step (host/ops/optimize.h: fal_update_step); `decay` is the
 * optimizer's times the step's. DECOUPLED: decay is taken off w as adamw does. LEARNT:
 * feedback b beside w takes the same step and the same decay (Kolen and Pollack 1994),
 * so that w - b only shrinks. */
#define SGD 0
#define ADAM 1
#define ADAMW 2
#define MUON 3

/* Bits of `parts` */
#define NESTEROV 1
#define MOMENT 2
#define MAY_HALT 4
#define SCALED 8
#define DECOUPLED 16
#define LEARNT 32

typedef struct optimizer {
    int rule;
    uint parts;
    float momentum, decay;
} optimizer;

typedef struct update_step {
    float rate, first, second, third, decay;
    uint draw; /* of random operands that are drawn anew each step */
} update_step;

typedef struct parameter {
    floatv w, m, v, b;
} parameter;

/* Decay, as far as it does not go by way of the gradient */
INLINE parameter shrink(parameter p, optimizer o, update_step step)
{
    const float kept = 1.0f - step.rate * (o.decay * step.decay);
    p.w *= kept, p.b *= kept;
    return p;
}

INLINE parameter sgd(parameter p, floatv g, optimizer o, update_step step)
{
    if (o.parts & DECOUPLED)
        p = shrink(p, o, step);
    else
        g += o.decay * step.decay * p.w;
    if (o.parts & MOMENT) {
        p.m = o.momentum * p.m + g;
        g = o.parts & NESTEROV ? g + o.momentum * p.m : p.m;
    }
    p.w -= step.rate * g, p.b -= step.rate * g;
    return p;
}

INLINE parameter adam(parameter p, floatv g, optimizer o, update_step step)
{
    if (o.parts & DECOUPLED)
        p = shrink(p, o, step);
    else
        g += o.decay * step.decay * p.w;
    p.m = 0.9f * p.m + 0.1f * g;
    floatv root;
    if (o.rule == MUON) {
        p.v = 0.95f * p.v + 0.05f * (g * g);
        root = sqrt(p.v) * step.third + 1e-10f;
    } else {
        p.v = 0.999f * p.v + 0.001f * (g * g);
        root = sqrt(p.v) * step.second + 1e-8f;
    }
    const floatv move = step.rate * step.first * (p.m / root);
    p.w -= move, p.b -= move;
    return p;
}

/* The first n of VW neighbouring parameters, with what the rule keeps for each */
INLINE void improve(__global float *w, __global float *m, __global float *v,
                    __global float *b, floatv g, ulong n, optimizer o,
                    update_step step)
{
    parameter p;
    p.w = vloadv(0, w), p.m = 0, p.v = 0, p.b = 0;
    if (o.parts & LEARNT)
        p.b = vloadv(0, b);
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
    if (o.parts & LEARNT)
        store_lanes(b, p.b, n);
}
