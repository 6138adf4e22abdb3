/* What products share (cl/gemm.cl, cl/gemm_tile.cl and what ends them), and norms. */

/* ---- products: what cl/gemm.cl, cl/gemm_tile.cl and convolutions share ------- */

typedef __global const float *readable;
typedef __global float *writable;

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
