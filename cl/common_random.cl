/* Random numbers, for kernels that draw them and products that read them. */

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
