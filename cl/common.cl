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

#if CPU_LIKE
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
#endif

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

/* ---- products: what cl/gemm.cl and cl/gemm_tile.cl share -------------------- */

/* An operand is read as it is stored, or it is stored transposed */
#define FROM_ROWS 0
#define FROM_COLUMNS 1
typedef struct operand {
    int source;
    uint pitch;
} operand;

/* Bits of `parts`: what there is beside the sum (host/ops/gemm.c: PART_…) */
#define ADDS_OLD 1
#define ADDS_BIAS 2
#define DERIVES 4
typedef struct epilogue {
    int parts, activation;
    float slope;
    int derivative;
    float derivative_slope;
    uint pitch; /* of C and of the stored output */
} epilogue;

/* What is stored for the sum v at c; bias and h are read where parts say so */
INLINE floatv finish(floatv v, __global const float *c, __global const float *bias,
                     __global const float *h, epilogue e)
{
    if (e.parts & ADDS_OLD)
        v += vloadv(0, c);
    if (e.parts & ADDS_BIAS)
        v += vloadv(0, bias);
    if (e.activation != LINEAR)
        v = activate(e.activation, e.slope, v);
    if (e.parts & DERIVES)
        v = derive(e.derivative, e.derivative_slope, v, vloadv(0, h));
    return v;
}
