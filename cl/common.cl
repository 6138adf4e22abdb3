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
#define to_floatv CONCAT(convert_float, VW)
#define as_intv CONCAT(as_int, VW)
#define as_uintv CONCAT(as_uint, VW)
#define as_floatv CONCAT(as_float, VW)
#endif

#define ALL _Pragma("unroll")
#define ROLL _Pragma("nounroll")
#define INLINE static inline __attribute__((always_inline))

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

/* ---- random numbers ---------------------------------------------------------- */

/* A stream of Philox4x32-10 (Salmon et al. 2011): counter i = (i low, i high, draw,
 * stream) and the key give the four words of elements 4i ... 4i + 3. Uniform numbers
 * take one rounding and no addition: the same bits everywhere. Of normal ones a pair
 * of words gives a pair, by Box and Muller. */
#define UNIFORM 1
typedef struct numbers {
    int distribution;
    float scale; /* the bound / 2^23 of uniform numbers, the deviation of normal ones */
    uint key_low, key_high, draw, stream;
} numbers;

#define PHILOX_A 0xD2511F53u
#define PHILOX_B 0xCD9E8D57u
#define WEYL_A 0x9E3779B9u
#define WEYL_B 0xBB67AE85u

#if CPU_LIKE
#define DRAWN (2 * VW) /* elements a draw */
#define LOW (widev)(0xFFFFFFFFu)

/* A word in each lane twice as wide, whose upper half means nothing: the product of
 * two words is one multiplication then */
INLINE void philox(widev x[4], uint k, uint l)
{
    ALL for (int round = 0; round < 10; round++) {
        const widev p = (x[0] & LOW) * PHILOX_A, q = (x[2] & LOW) * PHILOX_B;
        x[0] = (q >> 32) ^ x[1] ^ k;
        x[1] = q;
        x[2] = (p >> 32) ^ x[3] ^ l;
        x[3] = p;
        k += WEYL_A;
        l += WEYL_B;
    }
}

/* cos and sin of pi n 2^-23, n < 2^24: their series where the angle is at most pi / 4
 * from a multiple of pi / 2, which is exact in whole numbers; half of what cospi and
 * sinpi take */
INLINE void unit_circle(uintv n, floatv *x, floatv *y)
{
    const uintv quarter = (n + 0x200000) >> 22;
    const floatv r = to_floatv(as_intv(n - (quarter << 22))) * 0x1p-23f, s = r * r;
    const floatv sine = r * (3.14159265f + s * (-5.16771278f + s * (2.55016404f +
                             s * (-0.599264529f + s * 0.0821458866f))));
    const floatv cosine = 1.0f + s * (-4.93480220f + s * (4.05871213f +
                          s * (-1.33526277f + s * (0.235330630f + s * -0.0258068913f))));
    const intv odd = as_intv(quarter << 31);
    const floatv c = odd < 0 ? sine : cosine, d = odd < 0 ? cosine : sine;
    *x = as_floatv(as_uintv(c) ^ ((quarter + 1) << 30 & 0x80000000u));
    *y = as_floatv(as_uintv(d) ^ (quarter << 30 & 0x80000000u));
}

/* ln of u, 2^-24 <= u < 1: Cephes' series around 1; a third of what log takes, which
 * knows all numbers */
INLINE floatv log_below_1(floatv u)
{
    const uintv bits = as_uintv(u) + (0x3f800000u - 0x3f3504f3u);
    const floatv k = to_floatv(as_intv(bits >> 23) - 127);
    const floatv f = as_floatv((bits & 0x7fffffu) + 0x3f3504f3u) - 1.0f, s = f * f;
    const floatv p = 3.3333331174e-1f + f * (-2.4999993993e-1f + f * (2.0000714765e-1f +
        f * (-1.6668057665e-1f + f * (1.4249322787e-1f + f * (-1.2420140846e-1f +
        f * (1.1676998740e-1f + f * (-1.1514610310e-1f + f * 7.0376836292e-2f)))))));
    return f + (s * (f * p) + k * -2.12194440e-4f - 0.5f * s) + k * 0.693359375f;
}

INLINE void normal_pair(uintv a, uintv b, float scale, floatv *x, floatv *y)
{
    const floatv u = (to_floatv(a >> 9) + 0.5f) * 0x1p-23f;
    const floatv radius = sqrt(-2.0f * log_below_1(u)) * scale;
    unit_circle(b >> 8, x, y);
    *x *= radius;
    *y *= radius;
}

/* The words of VW / 2 counters, in order: counters are SPREAD over the lanes such that
 * pairs of lanes change places in the end, no more */
INLINE void draw_words(numbers of, ulong counter, uintv words[2])
{
    widev x[4], w[2];
    x[0] = counter + SPREAD;
    x[1] = x[0] >> 32, x[2] = of.draw, x[3] = of.stream;
    philox(x, of.key_low, of.key_high);
    const widev a = (x[0] & LOW) | (x[1] << 32), b = (x[2] & LOW) | (x[3] << 32);
    w[0].even = a.even, w[0].odd = b.even;
    w[1].even = a.odd, w[1].odd = b.odd;
    words[0] = as_uintv(w[0]), words[1] = as_uintv(w[1]);
}

INLINE void make_normal(const uintv words[2], float scale, floatv v[2])
{
    uintv radii, angles;
    floatv c, s;
    radii.lo = words[0].even, radii.hi = words[1].even;
    angles.lo = words[0].odd, angles.hi = words[1].odd;
    normal_pair(radii, angles, scale, &c, &s);
    v[0].even = c.lo, v[0].odd = s.lo;
    v[1].even = c.hi, v[1].odd = s.hi;
}

INLINE void draw(numbers of, ulong counter, floatv v[2])
{
    uintv words[2];
    draw_words(of, counter, words);
    if (of.distribution == UNIFORM) {
        ALL for (int i = 0; i < 2; i++)
            v[i] = to_floatv(as_intv(words[i]) >> 8) * of.scale;
        return;
    }
    make_normal(words, of.scale, v);
}
#else
#define DRAWN 4

INLINE uint4 philox(uint4 x, uint k, uint l)
{
    const uint high = mul_hi(PHILOX_A, x.x), low = PHILOX_A * x.x;
    return (uint4)(mul_hi(PHILOX_B, x.z) ^ x.y ^ k, PHILOX_B * x.z, high ^ x.w ^ l,
                   low);
}

/* Not a loop: see cl/gemm_tile.cl */
INLINE uint4 five_rounds(uint4 x, uint k, uint l)
{
    x = philox(x, k, l);
    x = philox(x, k + WEYL_A, l + WEYL_B);
    x = philox(x, k + 2 * WEYL_A, l + 2 * WEYL_B);
    x = philox(x, k + 3 * WEYL_A, l + 3 * WEYL_B);
    return philox(x, k + 4 * WEYL_A, l + 4 * WEYL_B);
}

/* The words of a counter, and its elements */
INLINE uint4 draw_words(numbers of, ulong counter)
{
    uint4 x = (uint4)((uint)counter, (uint)(counter >> 32), of.draw, of.stream);
    x = five_rounds(x, of.key_low, of.key_high);
    return five_rounds(x, of.key_low + 5 * WEYL_A, of.key_high + 5 * WEYL_B);
}

INLINE float4 draw(numbers of, ulong counter)
{
    const uint4 x = draw_words(of, counter);
    if (of.distribution == UNIFORM)
        return convert_float4(as_int4(x) >> 8) * of.scale;
    const float2 u = (convert_float2(x.s02 >> 9) + 0.5f) * 0x1p-23f;
    const float2 angle = convert_float2(x.s13 >> 8) * 0x1p-23f;
    const float2 radius = sqrt(-2.0f * log(u)) * of.scale;
    const float2 c = radius * cospi(angle), s = radius * sinpi(angle);
    return (float4)(c.s0, s.s0, c.s1, s.s1);
}
#endif

/* ---- products: what cl/gemm.cl and cl/gemm_tile.cl share -------------------- */

/* Where something lies: element `at` of one of the launch's buffers */
#define BUFFERS 8 /* host/ops/gemm.c: BUFFERS */
typedef struct place {
    ulong at;
    uint buffer, pitch;
} place;

/* An operand is read as it is stored, or it is stored transposed; A may be so with
 * a last row of ones that is not stored. A may also be patches of maps, or those
 * transposed */
#define FROM_ROWS 0
#define FROM_COLUMNS 1
#define FROM_PATCHES 2
#define FROM_PATCHES_TURNED 3
#define TURNED 1 /* a bit of them */
typedef struct operand {
    place in;
    int source;
    uint ones; /* the row of ones; past the last: none */
} operand;

/* Patches of maps [images][height][width][channels]: row m is pixel (image, y, x) of
 * a grid, tall x wide an image, column k a tap and a channel, and the element
 * map[image][y * stride + top + tap / across][x * stride + left + tap % across]
 * [channel], 0 outside the map. Rows go image by image or, where `images` says how
 * many, pixel by pixel, each of all images. */
typedef struct patches {
    uint height, width, channels, tall, wide, across, stride;
    int top, left;
    uint images;
} patches;

typedef struct pixel {
    uint image, y, x;
} pixel;

INLINE pixel find_pixel(patches map, uint m)
{
    const uint outer = map.images ? m / map.images : m;
    const uint line = outer / map.wide;
    const pixel by_image = {line / map.tall, line % map.tall, outer % map.wide};
    const pixel by_pixel = {m - outer * map.images, line, outer % map.wide};
    return map.images ? by_pixel : by_image;
}

/* Pixel (image, y, x) of that grid is row image * by_image + y * by_line + x * step
 * of C; step 0: row m is row m */
typedef struct lattice {
    uint by_image, by_line, step;
} lattice;

/* What the elements of B are, beside what is stored (host/ops/gemm.h: fal_values).
 * Bits of `kind` */
#define SIGNED 1     /* only the signs of what is stored count, 0 is 0 */
#define MAGNITUDES 2 /* times |magnitude|, another matrix laid out so; else `scale` */
#define RANDOM 4     /* times |random number|; not SIGNED: the number itself */
#define REDRAWN 8    /* `draw` is the step's */
typedef struct values {
    int kind;
    float scale;
    numbers random; /* element k * N + n at [k][n] */
    place magnitude;
} values;

/* |m| with the sign of w, which may be 0; NaN passes */
INLINE floatv give_sign(floatv m, floatv w)
{
    m = fabs(m);
    return w > (floatv)0 ? m : w < (floatv)0 ? -m : w;
}

/* Bits of `parts`: what there is beside the sum (host/ops/epilogue.h) */
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
    patches map; /* A's, if it is such */
    lattice to;
    values is; /* B's */
    place c, bias, other, scale, moment, squares, feedback, halted;
    epilogue e;
} job;

/* The same places of C and of what goes with it */
typedef struct target {
    __global float *c;
    __global const float *bias, *other;
    __global float *moment, *squares, *feedback;
} target;

typedef __global float *const *buffers;

INLINE __global float *find(buffers in, place p)
{
    return in[p.buffer] + p.at;
}

INLINE target find_target(buffers in, const job *j)
{
    const target t = {find(in, j->c), find(in, j->bias), find(in, j->other),
                      find(in, j->moment), find(in, j->squares),
                      find(in, j->feedback)};
    return t;
}

/* Rows and columns further on */
INLINE target move(target t, size_t row, uint column, uint pitch)
{
    const size_t by = row * pitch + column;
    t.c += by, t.bias += column, t.other += by;
    t.moment += by, t.squares += by, t.feedback += by;
    return t;
}

INLINE int is_halted(buffers in, const job *j)
{
    return (j->e.update.parts & MAY_HALT) && as_int(*find(in, j->halted)) != 0;
}

/* Where a pixel's row of C lies */
INLINE size_t find_row(lattice to, pixel p)
{
    return p.image * (size_t)to.by_image + p.y * to.by_line + p.x * to.step;
}

/* A job's epilogue, with the factor that lies on the device */
INLINE epilogue find_epilogue(buffers in, const job *j)
{
    epilogue e = j->e;
    if (e.parts & SCALES)
        e.alpha *= *find(in, j->scale);
    return e;
}

/* What B's elements are, at this step */
INLINE values find_values(const job *j, update_step step)
{
    values is = j->is;
    if (is.kind & REDRAWN)
        is.random.draw = step.draw;
    is.kind &= ~REDRAWN;
    return is;
}

/* What becomes of the first n of VW neighbouring sums v, of which number `diagonal`,
 * if there is such, lies on C's diagonal. The result, which is stored */
INLINE floatv finish(floatv v, target t, ulong n, int diagonal, epilogue e,
                     update_step step)
{
    if (e.parts & UPDATES) {
        improve(t.c, t.moment, t.squares, t.feedback, v, n, e.update, step);
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

/* ---- norms: what cl/normalize.cl and cl/normalize_maps.cl share ---------------- */

#define EPSILON 1e-5f

/* Bits of `parts`, beside UPDATES: gain and bias; given statistics; what layer norm
 * keeps; something beside */
#define AFFINE 1
#define FIXED 2
#define KEEPS 4
#define ADDS 16

/* Gain and bias, or their gradients, and what an update needs */
typedef struct learner {
    __global float *w, *m, *v;
    uint parts;
    optimizer how;
    update_step step;
} learner;

/* The first n of VW gradients g of the parameters from `at` on */
INLINE void teach(learner l, ulong at, floatv g, ulong n)
{
    if (l.parts & UPDATES)
        improve(l.w + at, l.m + at, l.v + at, 0, g, n, l.how, l.step);
    else
        store_lanes(l.w + at, g, n);
}

#define LEARNER_ARGUMENTS                                                          \
    optimizer how, update_step step, __global float *target, ulong target_at,      \
        __global float *moment, ulong moment_at, __global float *squares,          \
        ulong squares_at, __global const int *halted, ulong halted_at
#define LEARNER                                                                    \
    {                                                                              \
        target + target_at, moment + moment_at, squares + squares_at, parts, how,  \
            step                                                                   \
    }
#define IS_HALTED ((parts & UPDATES) && (how.parts & MAY_HALT) && halted[halted_at])
