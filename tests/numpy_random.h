/* For tests: the numbers of NumPy's default_rng(0), to the bit but for the last one of
 * some normal ones: PCG64 (O'Neill, XSL-RR of 128 bits) in the state that seed 0 gives,
 * and the ziggurat of 256 layers, whose tables are computed here. */
#ifndef FAL_TEST_NUMPY_RANDOM_H
#define FAL_TEST_NUMPY_RANDOM_H

#include <math.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 numpy_word;

typedef struct numpy_random {
    numpy_word state;
    double width[256], height[256]; /* of a layer; f at its right edge … */
    uint64_t inside[256]; /* … and below which a number surely is in it */
} numpy_random;

static inline numpy_word numpy_wide(uint64_t high, uint64_t low)
{
    return (numpy_word)high << 64 | low;
}

static const double numpy_tail = 3.6541528853610087963519472518;

/* Layer 255 is the widest; layer 0 is the bottom one with the tail, as wide as its
 * area makes it. */
static inline void numpy_layers(numpy_random *r)
{
    double x[256];
    double area = numpy_tail * exp(-.5 * numpy_tail * numpy_tail) +
                  sqrt(2 * atan(1)) * erfc(numpy_tail * sqrt(.5));
    x[255] = numpy_tail;
    x[0] = area / exp(-.5 * numpy_tail * numpy_tail);
    for (int i = 254; i > 0; i--)
        x[i] = sqrt(-2 * log(exp(-.5 * x[i + 1] * x[i + 1]) + area / x[i + 1]));
    for (int i = 0; i < 256; i++) {
        r->width[i] = x[i] * 0x1p-52;
        r->height[i] = i ? exp(-.5 * x[i] * x[i]) : 1;
        r->inside[i] = i > 1 ? (uint64_t)(x[i - 1] / x[i] * 0x1p52) : 0;
    }
    r->inside[0] = (uint64_t)(numpy_tail / x[0] * 0x1p52);
}

static inline void numpy_random_begin(numpy_random *r)
{
    r->state = numpy_wide(0x1aa1b5345996452d, 0x09585eb7a69561e3);
    numpy_layers(r);
}

static inline uint64_t numpy_bits(numpy_random *r)
{
    r->state = r->state * numpy_wide(0x2360ed051fc65da4, 0x4385df649fccf645) +
               numpy_wide(0x418ddadb3af71a82, 0x588133bc447873a9);
    uint64_t mixed = (uint64_t)(r->state >> 64) ^ (uint64_t)r->state;
    unsigned turn = (unsigned)(r->state >> 122);
    return mixed >> turn | mixed << (-turn & 63);
}

/* r.random() */
static inline double numpy_uniform(numpy_random *r)
{
    return (double)(numpy_bits(r) >> 11) * 0x1p-53;
}

static inline double numpy_from_tail(numpy_random *r, int negative)
{
    for (;;) {
        double x = -log1p(-numpy_uniform(r)) / numpy_tail;
        double y = -log1p(-numpy_uniform(r));
        if (y + y > x * x)
            return negative ? -(numpy_tail + x) : numpy_tail + x;
    }
}

/* r.standard_normal() */
static inline double numpy_normal(numpy_random *r)
{
    for (;;) {
        uint64_t bits = numpy_bits(r), place = bits >> 9 & 0xfffffffffffff;
        unsigned layer = bits & 0xff;
        double x = (double)place * r->width[layer] * (bits & 0x100 ? -1 : 1);
        if (place < r->inside[layer])
            return x;
        if (layer == 0)
            return numpy_from_tail(r, place >> 8 & 1);
        double low = r->height[layer], high = r->height[layer - 1];
        if ((high - low) * numpy_uniform(r) + low < exp(-.5 * x * x))
            return x;
    }
}

#endif
