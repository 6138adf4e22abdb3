#include "data/random.h"

#include <math.h>

#define PI 3.14159265358979323846

/* Constants and rounds of Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3" (2011). */
void fal_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3];
    uint32_t k = key[0], l = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p = (uint64_t)0xD2511F53u * a;
        uint64_t q = (uint64_t)0xCD9E8D57u * c;
        a = (uint32_t)(q >> 32) ^ b ^ k;
        b = (uint32_t)q;
        c = (uint32_t)(p >> 32) ^ d ^ l;
        d = (uint32_t)p;
        k += 0x9E3779B9u;
        l += 0xBB67AE85u;
    }
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

/* The four words of elements 4*block ... 4*block + 3. */
static void draw_block(uint64_t seed, uint32_t purpose, uint32_t layer,
                       uint32_t draw, uint64_t block, uint32_t out[4])
{
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), draw,
                                 256 * layer + purpose};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    fal_philox(counter, key, out);
}

uint32_t fal_random_word(uint64_t seed, uint32_t purpose, uint32_t layer,
                         uint32_t draw, uint64_t element)
{
    uint32_t words[4];
    draw_block(seed, purpose, layer, draw, element / 4, words);
    return words[element % 4];
}

/* The top 24 bits as a signed number in units of bound/2^23: one rounding, which a
 * fused multiply-add cannot change, as nothing is added. */
float fal_random_uniform(uint64_t seed, uint32_t purpose, uint32_t layer,
                         uint32_t draw, uint64_t element, float bound)
{
    int32_t top = (int32_t)(fal_random_word(seed, purpose, layer, draw, element) >>
                            8);
    if (top >= 1 << 23)
        top -= 1 << 24;
    return (float)top * (bound / 8388608.0f);
}

/* Box-Muller on the words of the pair that the element belongs to. */
float fal_random_gaussian(uint64_t seed, uint32_t purpose, uint32_t layer,
                          uint32_t draw, uint64_t element, double deviation)
{
    uint32_t words[4];
    draw_block(seed, purpose, layer, draw, element / 4, words);
    const uint32_t *pair = words + (element % 4 / 2) * 2;
    double radius = sqrt(-2 * log(((pair[0] >> 9) + 0.5) / 8388608.0));
    double angle = PI * ((pair[1] >> 8) / 8388608.0);
    double value = radius * (element % 2 ? sin(angle) : cos(angle));
    return (float)(value * deviation);
}

void fal_shuffle(uint64_t seed, uint32_t purpose, uint32_t draw, uint32_t *order,
                 size_t n)
{
    uint32_t words[4];
    uint64_t drawn = UINT64_MAX;
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (uint64_t i = n; i-- > 1;) {
        if (i / 4 != drawn) {
            drawn = i / 4;
            draw_block(seed, purpose, 0, draw, drawn, words);
        }
        size_t j = (size_t)((words[i % 4] * (i + 1)) >> 32);
        uint32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
